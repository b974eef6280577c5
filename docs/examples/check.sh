#!/bin/sh
# Checks patches, each by itself, on a kernel tree, and leaves a reply for each that is not proved.
#
#   check.sh KERNEL PATCH...
#
# Status: 0 all proved, 1 something refuted, 2 nothing refuted but something unknown; else what
# msrproof could not do (see its message).
set -u

[ $# -ge 2 ] || { echo "usage: check.sh KERNEL PATCH..." >&2; exit 3; }
kernel=$1
shift

worst=0
for patch in "$@"; do
	name=$(basename "$patch")
	msrproof check --kernel "$kernel" --patch "$patch" --format mail --output "$name.reply"
	status=$?
	case $status in
	0)
		rm -f "$name.reply"
		echo "$name: proved"
		;;
	1)
		echo "$name: refuted, see $name.reply"
		worst=1
		;;
	2)
		echo "$name: unknown, see $name.reply"
		[ "$worst" -eq 1 ] || worst=2
		;;
	*)
		exit "$status"
		;;
	esac
done
exit "$worst"
