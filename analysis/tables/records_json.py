"""Frozen records as JSON and back, exactly: dataclasses, arrays and data frames, nested in any way.

Numbers keep every bit (repr of a float reads back as itself); arrays and columns are plain lists,
a value that is not finite in them "nan", "inf" or "-inf". Only classes that `decode` is given are
made.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import fields, is_dataclass
from typing import Any

import numpy as np
import pandas as pd

KIND = "@"  # the key that says what an object stands for


def encode(value: Any) -> Any:
    """`value` in JSON's own types. Raises TypeError for what is none of these records."""
    if value is None or isinstance(value, bool | str | int):
        return value
    if isinstance(value, float):
        return float(value) if math.isfinite(value) else {KIND: "float", "is": str(float(value))}
    if isinstance(value, np.generic):
        return encode(value.item())
    if isinstance(value, np.ndarray):
        return {KIND: "array", "dtype": str(value.dtype), "shape": list(value.shape),
                "values": listed(value.ravel())}  # fmt: skip
    if isinstance(value, pd.DataFrame):
        return {KIND: "frame", "columns": {str(c): column(value[c]) for c in value.columns}}
    if is_dataclass(value):
        own = {f.name: encode(getattr(value, f.name)) for f in fields(value)}
        return {KIND: type(value).__name__, **own}
    if isinstance(value, Mapping):
        if not all(isinstance(key, str) and key != KIND for key in value):
            raise TypeError(f"a mapping to be saved has words as keys, not {list(value)[:3]}")
        return {key: encode(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [encode(item) for item in value]
    raise TypeError(f"can't save a {type(value).__name__}")


def column(series: pd.Series) -> dict[str, Any]:
    """One column with its type."""
    return {"dtype": str(series.dtype), "values": listed(series.to_numpy())}


def listed(values: np.ndarray) -> list[Any]:
    """A flat array as a list."""
    if values.dtype.kind == "f":
        if np.isfinite(values).all():
            return values.tolist()
        return [v if math.isfinite(v) else str(v) for v in values.tolist()]
    if values.dtype.kind in "biuU":
        return values.tolist()
    return [encode(v) for v in values.tolist()]


def decode(value: Any, classes: Mapping[str, type]) -> Any:
    """What `encode` was given. classes: the dataclasses by name. Raises KeyError, TypeError or
    ValueError where the data are no such records."""
    if isinstance(value, list):
        return [decode(item, classes) for item in value]
    if not isinstance(value, dict):
        return value
    kind = value.get(KIND)
    if kind is None:
        return {key: decode(item, classes) for key, item in value.items()}
    if kind == "float":
        return float(value["is"])
    if kind == "array":
        return restored(value, classes).reshape(value["shape"])
    if kind == "frame":
        return pd.DataFrame({
            name: pd.Series(restored(one, classes), dtype=one["dtype"])
            for name, one in value["columns"].items()
        })  # fmt: skip
    return classes[kind](**{k: decode(v, classes) for k, v in value.items() if k != KIND})


def restored(one: Mapping[str, Any], classes: Mapping[str, type]) -> np.ndarray:
    """The array of a saved array or column."""
    dtype = "object" if one["dtype"] in ("object", "str", "string") else one["dtype"]
    if dtype != "object":
        return np.array(one["values"], dtype=dtype)
    out = np.empty(len(one["values"]), object)
    out[:] = [decode(v, classes) for v in one["values"]]
    return out
