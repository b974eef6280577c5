"""Printers of results and traces: each takes a Report and gives text."""
