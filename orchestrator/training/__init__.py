"""Training: the step of one run, vmapped over a pack's slice, inside Lightning Fabric."""

VERSION = 2
"""Raised whenever a change here changes results; part of every run's identity."""
