"""Estimation shared by the general laws: objectives, a global search, intervals. No I/O."""
