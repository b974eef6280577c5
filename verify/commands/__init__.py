"""The commands of `msrproof`, a module each; `verify.cli` runs them."""
