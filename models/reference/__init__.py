"""The embedded kernel tree in miniature, with example patches."""
