"""Tasks: each a frozen, torch-free dataclass whose batch is a function of (seed, step).

A task of your own has the fields it likes and `name`, `version`, `vocab`, `length`, `scored`,
`chance`, `chance_loss` and `batch`; name it by `task._target_=your.module.Class`.
"""
