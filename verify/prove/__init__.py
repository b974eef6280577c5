"""Engines, solver processes, certificates."""
