"""The domain: the only place that knows registers and kernel functions."""
