"""The must-find cases that domain.md names in section 5."""

REQUIRED = frozenset(
    (
        "metrics-before-fixed3-on-load",
        "metrics-after-fixed3-on-put",
        "metrics-not-scrubbed",
        "metrics-scrub-guarded-by-loaded-copy",
        "seed-as-posted",
        "scrub-before-fixed3-on-put",
        "global-ctrl-left-on-load",
        "selector-left-on-put",
        "status-set-without-reset",
        "counter-through-legacy-alias",
        "amd-counts-in-the-host",
        "metrics-clear-on-save",
        "fastpath-unguarded",
    )
)
