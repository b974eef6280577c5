"""The two ways a run can end without a verdict."""


class BadInput(Exception):
    """The user's input cannot be used (exit status 3).

    The message is one line: what is wrong, where, and what to do about it.
    """


class InternalError(Exception):
    """The tool contradicts itself (exit status 4): a defect of the tool, never of the input."""


def no_cell(path: str, of_tree: bool) -> Exception:
    """A model names a cell that there is not: a member that an object `of_tree` has not got, which
    other trees have, or a mistake of the model."""
    if of_tree:
        return BadInput(f"the tree has no {path}, which the models look at")
    return InternalError(f"no cell {path}")
