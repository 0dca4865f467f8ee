"""b bounded over what the diverged runs would have been: as bad as chance, or as good as the best run
of their cell. A verdict must not hang on runs that nobody saw.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd

from analysis.gamma_star.explore.specification import Specification, one
from analysis.gamma_star.records import DepthCurve
from analysis.tables.laws_json import Parameter
from analysis.text import named_depths

CASES = {"at_chance": "as chance", "at_best": "as best"}


def bounds(
    runs: pd.DataFrame, use: np.ndarray, primary: Specification, b: Parameter
) -> dict[str, Any] | None:
    """{"runs", "low", "high", case: [b, low, high]}; None where no run at a chosen rate was lost or
    b isn't known. use (R,): runs at the chosen rates.

    b may rest on optima carried to the best rate: the cases are shifted as the runs left out are.
    """
    lost = use & (runs["status"] == "diverged").to_numpy()
    if not lost.any() or b.estimate is None:
        return None
    left_out = one(runs, use, primary)
    shift = 0.0 if np.isnan(left_out["b"]) else b.estimate - left_out["b"]
    out: dict[str, Any] = {"runs": int(lost.sum()), "left_out": [b.estimate, b.low, b.high]}
    for name, diverged in CASES.items():
        spec = Specification(primary.metric, primary.form, primary.window, diverged)
        found = one(runs, use, spec)
        out[name] = [None if np.isnan(found[k]) else float(found[k] + shift)
                     for k in ("b", "low", "high")]  # fmt: skip
    ends = [out[name][1:] for name in ("left_out", *CASES)]
    known = not any(v is None or not np.isfinite(v) for pair in ends for v in pair)
    out["low"] = min(pair[0] for pair in ends) if known else None
    out["high"] = max(pair[1] for pair in ends) if known else None
    return out


def lost_depths(runs: pd.DataFrame, curves: list[DepthCurve]) -> list[int]:
    """Depths that lost runs and have no curve. runs: the arm's, at every rate."""
    lost = runs[(runs["status"] != "completed") & (runs["gamma"] > 0)]
    places = set(zip(lost["depth"], lost["width"], strict=True))
    return sorted({c.depth for c in curves if not len(c.gamma) and (c.depth, c.width) in places})


def check_depths(lost: list[int]) -> dict[str, Any]:
    """A law of the depths that survived is not one of those that didn't."""
    return {"passed": False, "value": lost, "contradicted": False,
            "finding": f"too few runs converged at {named_depths(lost)} to see a best "
                       "γ there: what holds is of the others alone"}  # fmt: skip


def check(found: dict[str, Any]) -> dict[str, Any]:
    """Whether the law says the same whatever the lost runs would have been."""
    _, low, high = found["left_out"]
    cases = [found[name][0] for name in CASES]
    told = None not in (low, high, *cases)
    same = told and all(low <= b <= high for b in cases) and (low > 0 or high < 0)
    same = same and (found["low"] or 0) * (found["high"] or 0) > 0
    said = ", ".join(f"{'unknown' if found[n][0] is None else format(found[n][0], '.2g')} "
                     f"{n.replace('_', ' ')}" for n in CASES)  # fmt: skip
    words = f"{found['runs']} runs were lost: b = {said}"
    return {"passed": bool(same), "value": cases, "contradicted": False,
            "finding": words if same else
            f"b depends on what the lost runs would have been ({words})"}  # fmt: skip
