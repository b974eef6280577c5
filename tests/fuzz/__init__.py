"""Campaigns against the tool itself: `python -m tests.fuzz`.

`trees` has what is changed. `tokens` breaks C and `mails` breaks mails, and nothing that they make
may end the tool in a traceback or let its parts contradict each other; `transform` rewrites C into
C of the same meaning, which may change no verdict.
"""
