"""Forensics of trained runs: what the operator does to a signal, measured on the operator itself."""
