"""The momentum operator and the transformer, written for one run."""

VERSION = 1
"""Raised whenever a change here changes results; part of every run's identity."""
