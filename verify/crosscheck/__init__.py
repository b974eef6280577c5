"""The tree's own C, compiled by gcc, beside the interpreter."""
