"""Rows of curves.jsonl: one evaluation of a slice, with a list over its runs for each metric."""

from __future__ import annotations

from typing import Any


def of_slot(row: dict[str, Any], slot: int) -> dict[str, Any] | None:
    """What the row says of the run in `slot` of its pack; None where that is in another slice.

    Keys that have one value for the whole slice (step, tokens, ...) have it for each of its runs;
    measures stand beside the rest by their names.
    """
    i = slot - row["first"]
    if not 0 <= i < len(row["val_loss"]):
        return None
    flat = {k: v for k, v in row.items() if k != "measures"} | row.get("measures", {})
    return {k: v[i] if isinstance(v, list) else v for k, v in flat.items()}


def slots(row: dict[str, Any]) -> range:
    """The slots of the slice that the row is about."""
    return range(row["first"], row["first"] + len(row["val_loss"]))
