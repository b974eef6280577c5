"""Contracts of what is not executed: guest, host perf, userspace and helpers of the kernel."""
