"""What a law rests on: the very table, the choices made, and whether they were frozen before the
sweep ran. Anything but the frozen analysis is exploratory, and says in what it differs.
"""

from __future__ import annotations

import hashlib
import json
from dataclasses import replace
from typing import Any

from analysis.gamma_star.curve import PRIMARY_FORM
from analysis.gamma_star.records import FitResult
from analysis.tables import looks
from analysis.tables.files import sha256_of
from analysis.tables.table import Table

FROZEN, EXPLORATORY, NOT_FROZEN = "frozen", "exploratory", "not frozen"
SPELLED = {
    "metric": "metric", "form": "form", "window": "window", "hold_out": "held out",
    "where": "rows", "cluster": "units",
    "weights": "weighted by", "scale": "noise even in scale",
}  # fmt: skip


def frozen_choices(table: Table) -> dict[str, Any]:
    """The choices that the sweep's file made, with what it leaves open filled in."""
    primary = table.primary
    return {
        "metric": primary.metric, "form": primary.form or PRIMARY_FORM, "window": primary.window,
        "hold_out": "deepest", "where": None, "cluster": None,
        "weights": None, "scale": "log",
    }  # fmt: skip


def provenance(
    table: Table, metric: str, form: str, window: float | None, hold_out: str
) -> dict[str, Any]:
    """The `provenance` of a law in laws.json.

    {status: frozen, exploratory or "not frozen" (a table without a sweep's law), differs: {choice:
    {frozen, used}}, table, curves: SHA-256, code_versions, law_history, sentence}
    """
    used = {"metric": metric, "form": form, "window": window, "hold_out": hold_out,
            "where": table.where, "cluster": table.cluster, "weights": table.weights,
            "scale": table.scale}  # fmt: skip
    frozen = frozen_choices(table)
    differs = {k: {"frozen": frozen[k], "used": used[k]} for k in used if used[k] != frozen[k]}
    status = EXPLORATORY if differs else table.law_status
    runs = table.runs
    versions = runs["code_version"].dropna().unique() if "code_version" in runs else ()
    return {
        "status": status, "differs": differs, "choices": used,
        "table": sha256_of(table.path), "curves": sha256_of(table.curves_path),
        "code_versions": sorted(map(str, versions)), "law_history": table.law_history,
        "sentence": _sentence(status, differs),
    }  # fmt: skip


def with_looks(result: FitResult, table: Table) -> FitResult:
    """The fit with this look at its table recorded and counted: `looks` {before, analyses}, None
    where nothing can be written beside the table."""
    known = result.provenance
    counted = looks.take(table.path, known["table"], known["choices"])
    origin = {**known, "looks": counted}
    arms = {a: replace(f, law=replace(f.law, provenance=origin)) for a, f in result.arms.items()}
    return replace(result, laws=[f.law for f in arms.values()], arms=arms, provenance=origin)


def of_rows(table: Table) -> dict[str, Any]:
    """What differs where the rows alone were chosen."""
    return {"where": {"frozen": None, "used": table.where}} if table.where else {}


def suffix(differs: dict[str, Any]) -> str:
    """What tells the files of an exploratory analysis from the frozen one's: nothing for the
    frozen one, the same for the same choices."""
    if not differs:
        return ""
    used = {k: v["used"] for k, v in sorted(differs.items())}
    return f".{EXPLORATORY}-{hashlib.sha256(json.dumps(used).encode()).hexdigest()[:8]}"


def _sentence(status: str, differs: dict[str, Any]) -> str:
    if differs:
        said = [
            f"{SPELLED[k]} {v['used']!s}" if v["frozen"] is None
            else f"{SPELLED[k]} {v['used']!s} in place of {v['frozen']!s}"
            for k, v in differs.items()
        ]  # fmt: skip
        return f"exploratory: {'; '.join(said)}"
    return {
        EXPLORATORY: "exploratory: the sweep's law was changed after its first submission",
        NOT_FROZEN: "no analysis was frozen before these runs",
    }.get(status, "")
