"""msrproof: from a kernel patch to a proof, or a counterexample, about what happens to the MSRs."""

__version__ = "0.1.0"
