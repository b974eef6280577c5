"""What privileged instructions do, one module per unit."""
