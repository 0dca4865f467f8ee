"""The momentum operator and the transformer, written for one run."""

VERSION = 1
"""Raised whenever a change here changes results; part of every run's identity."""

FUSED_LENGTH = 512
"""T from which a GPU attends by the fused kernel, which keeps no scores."""
