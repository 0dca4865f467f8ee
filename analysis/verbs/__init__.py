"""One file a verb of `analysis`: its flags, and `run`, which reads, calls and shows."""
