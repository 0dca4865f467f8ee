"""What the shell's Tab offers: verbs are argparse's own; here sweeps, groups, keys and values.

Fast and torch-free: files are listed and declarations read, Hydra is not asked.
"""

from __future__ import annotations

from orchestrator.launch.sweeps import known_sweeps
from orchestrator.options.read import group_files, groups, sections


def sweeps(prefix: str, **_: object) -> list[str]:
    """Names of sweeps; a path is the shell's own affair."""
    return known_sweeps()


def overrides(prefix: str, **_: object) -> list[str]:
    """`key=` and `group=`, then its values, one after each comma."""
    key, given, value = prefix.partition("=")
    if not given:
        keys = [o.key for s in sections() for o in s.options]
        return [f"{k}=" for k in (*groups(), *dict.fromkeys(keys))]
    before = value.rpartition(",")[0]
    head = f"{key}={before}," if before else f"{key}="
    return [f"{head}{v}" for v in _values(key)]


def configured(prefix: str, **_: object) -> list[str]:
    """Groups and settings that `orchestrator config` shows."""
    known = sections()
    return [s.name for s in known if s.name] + [o.key for s in known for o in s.options]


def _values(key: str) -> list[str]:
    files = group_files(key)
    if files:
        return list(files)
    for option in (o for s in sections() for o in s.options if o.key == key):
        return list(option.choices) or (["true", "false"] if "true or" in option.type else [])
    return []
