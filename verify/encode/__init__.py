"""IR and models to terms: the term graph and the symbolic executor."""
