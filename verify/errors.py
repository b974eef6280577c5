"""The two ways a run can end without a verdict."""


class BadInput(Exception):
    """The user's input cannot be used (exit status 3).

    The message is one line: what is wrong, where, and what to do about it.
    """


class InternalError(Exception):
    """The tool contradicts itself (exit status 4): a defect of the tool, never of the input."""
