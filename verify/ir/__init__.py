"""The small typed language between the kernel's C and the encoders."""
