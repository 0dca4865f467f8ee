"""Estimation that any law can use: losses, optimisers, intervals, tests. No I/O; knows no law by name.

Two minimisers, both over a batch of problems: `optimise` (Newton with exact second derivatives, robust
losses, saddles repelled, a check of stationarity) for laws of a few parameters whose rows all problems
of a batch share (starts, profiles, bootstraps); `least_squares` (Levenberg-Marquardt, first derivatives,
a ridge of its own per problem) for thousands of small curves, each with points of its own. Why they
are not one: docs/notebook.md, "General laws".
"""
