"""Estimation that any law can use: losses, optimisers, intervals, tests. No I/O; knows no law by name."""
