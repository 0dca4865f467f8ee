"""laws.json, exactly: what `Law.to_json` writes is strict JSON and `Law.from_json` reads it back.

A number that the data do not bound is null, never NaN or infinity.
"""

from __future__ import annotations

import json
import math
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from analysis.errors import InputError
from analysis.notebook import Shown
from analysis.tables.files import write_whole

VERDICTS = ("supported", "not supported", "not distinguishable")


@dataclass(frozen=True)
class Parameter:
    """An estimate with the interval at the law's level; None where the data do not bound it."""

    estimate: float | None
    low: float | None
    high: float | None
    identified: bool


@dataclass(frozen=True)
class Law(Shown):
    """One fitted law: one object of laws.json. `verdict` is None for an unfinished sweep
    and for laws that are only fitted, not judged."""

    law: str
    form: str
    metric: str
    arm: str | None
    parameters: dict[str, Parameter]
    level: float = 0.95
    method: str = ""
    verdict: str | None = None
    checks: dict[str, dict[str, Any]] = field(default_factory=dict)
    rivals: list[dict[str, Any]] = field(default_factory=list)
    data: dict[str, Any] = field(default_factory=dict)
    provenance: dict[str, Any] = field(default_factory=dict)
    """Table, code versions and choices, and whether these were frozen before the runs."""

    def __post_init__(self) -> None:
        if self.verdict is not None and self.verdict not in VERDICTS:
            raise ValueError(f"verdict {self.verdict!r} is none of {VERDICTS}")

    def to_json(self) -> dict[str, Any]:
        """The object as plain JSON types; raises nothing for NaN, arrays or numpy scalars."""
        return plain(
            {
                "law": self.law,
                "form": self.form,
                "metric": self.metric,
                "arm": self.arm,
                "parameters": {
                    name: {
                        "estimate": p.estimate,
                        "low": p.low,
                        "high": p.high,
                        "identified": p.identified,
                    }
                    for name, p in self.parameters.items()
                },
                "level": self.level,
                "method": self.method,
                "verdict": self.verdict,
                "checks": self.checks,
                "rivals": self.rivals,
                "data": self.data,
                "provenance": self.provenance,
            }
        )

    @classmethod
    def from_json(cls, given: dict[str, Any]) -> Law:
        """Read one object of laws.json. Raises InputError where a field is missing."""
        try:
            parameters = {
                name: Parameter(p["estimate"], p["low"], p["high"], p["identified"])
                for name, p in given["parameters"].items()
            }
            return cls(**{**given, "parameters": parameters})
        except (KeyError, TypeError, AttributeError, ValueError) as error:
            raise InputError(f"not a law of laws.json: {error}") from error


def plain(value: Any) -> Any:
    """`value` in JSON's own types: a float that is not finite becomes null."""
    if isinstance(value, dict):
        return {str(key): plain(item) for key, item in value.items()}
    if isinstance(value, str) or value is None or isinstance(value, bool):
        return value
    if hasattr(value, "tolist"):  # numpy scalars and arrays
        return plain(value.tolist())
    if isinstance(value, Sequence):
        return [plain(item) for item in value]
    if isinstance(value, float):
        return value if math.isfinite(value) else None
    return value


def dumps(laws: Sequence[Law]) -> str:
    """The text of laws.json."""
    return json.dumps([law.to_json() for law in laws], indent=2, allow_nan=False) + "\n"


def write(laws: Sequence[Law], path: Path) -> None:
    """Write laws.json whole or not at all. Raises InputError where the folder can't be written."""
    write_whole(path, dumps(laws))


def read(path: str | Path) -> list[Law]:
    """Read laws.json. Raises InputError where it is not there or not such a file."""
    try:
        given = json.loads(Path(path).read_text())
    except (OSError, ValueError) as error:
        raise InputError(f"can't read {path} as laws.json: {error}") from error
    if not isinstance(given, list):
        raise InputError(f"{path} is not a list of laws")
    return [Law.from_json(item) for item in given]
