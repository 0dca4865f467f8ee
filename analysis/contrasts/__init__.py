"""Differences rather than laws: arms, what a loss costs, two tables side by side."""
