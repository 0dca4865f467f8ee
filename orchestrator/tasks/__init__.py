"""Tasks: each a frozen, torch-free dataclass whose batch is a function of (seed, step).

One of your own is named by `task._target_=my.module.Class`; parts.task says what it must provide.
"""
