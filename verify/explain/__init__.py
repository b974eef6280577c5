"""Counterexamples: replayed on numbers, made small, told with their cause."""
