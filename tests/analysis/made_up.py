"""A γ*(N) fit made by hand, so that drawing is tested apart from fitting."""

from __future__ import annotations

import numpy as np
import pandas as pd

from analysis.gamma_star.records import (
    DepthCurve,
    DepthLine,
    FitResult,
    GammaStarFit,
    HeldOut,
    Optimum,
    RivalFit,
)
from analysis.tables.laws_json import Law, Parameter

GRID = np.array([0, 0.05, 0.1, 0.2, 0.4, 0.8, 1.6, 3.2, 6.4])


def curve(depth: int, kind: str, seeds: int = 3, diverged: int = 0) -> DepthCurve:
    random = np.random.default_rng(depth)
    best = 1.2 * depth**-0.6
    if kind in {"right", "none"}:
        best = 30.0

    def loss(gamma):
        gap = np.log(np.maximum(gamma, 0.01) / best)
        return 0.05 + 3.0 * (1 - np.exp(-0.25 * gap**2))

    rows = [
        {
            "run_id": f"{depth}-{g}-{s}",
            "gamma": g,
            "seed": s,
            "status": "completed",
            "used": True,
            "value": float(loss(g) * np.exp(random.normal(0, 0.15))),
        }
        for g in GRID
        for s in range(seeds)
    ]
    for row in rows[len(rows) - diverged :]:
        row.update(status="diverged", used=False, value=np.nan)
    gamma = np.geomspace(GRID[1], GRID[-1], 80)
    fitted = loss(gamma)
    optimum = Optimum(depth, 32, kind, best, best / 1.3, best * 1.3, best=0.05, log_se=0.13)
    if kind != "interior":
        optimum = Optimum(depth, 32, kind, bound_low=6.4 if kind == "right" else None)
    return DepthCurve(
        depth,
        32,
        "val_loss",
        gamma,
        fitted,
        fitted * 0.85,
        fitted * 1.18,
        pd.DataFrame(rows).assign(y=lambda r: np.log(r["value"])),
        3.0,
        optimum,
        "skew",
        {},
        {"adequate": True},
    )


def arm(name: str, kinds: dict[int, str], line: bool = True, diverged: int = 0) -> GammaStarFit:
    curves = [curve(d, k, diverged=diverged) for d, k in kinds.items()]
    depth = np.geomspace(min(kinds), max(kinds), 40)
    gamma = 1.2 * depth**-0.6
    fitted = DepthLine(32, depth, gamma, gamma / 1.2, gamma * 1.2, gamma / 1.5, gamma * 1.5)
    b = Parameter(0.6, 0.41, 0.79, True) if line else Parameter(None, None, None, False)
    law = Law(
        "gamma_star",
        "a N^-b",
        "val_loss",
        name,
        {"a": Parameter(1.2, 1.0, 1.4, True), "b": b},
        verdict="not distinguishable",
        method="by hand",
    )
    rivals = [
        RivalFit("constant", True, 12.0, depth, np.full(40, 0.8), {}, True, "worse"),
        RivalFit("exponential", False, 5.0, depth, 1.1 * np.exp(-0.2 * depth), {}, True, "worse"),
        RivalFit(
            "step at N = 1",
            False,
            -1.0,
            depth,
            np.where(depth < 1.5, 1.2, 0.6),
            {},
            False,
            "not told apart",
        ),
    ]
    held = HeldOut(
        "deepest",
        max(kinds),
        32,
        0.5,
        0.3,
        0.8,
        0.55,
        "interior",
        True,
        0.1,
        0.4,
        True,
        {"last depth": 0.2},
    )
    random = np.random.default_rng(0)
    used = pd.concat([c.observed.assign(depth=c.depth, width=c.width) for c in curves])
    used = used[used["used"] & (used["gamma"] > 0)]
    residuals = used.assign(
        lr=1e-3,
        fitted=used["value"],
        residual=random.normal(0, 0.15, len(used)),
        standardised=random.normal(0, 1, len(used)),
    )
    return GammaStarFit(
        name,
        "val_loss",
        "skew",
        None,
        curves,
        fitted if line else None,
        law,
        rivals if line else [],
        held if line else None,
        None,
        residuals,
        [],
    )


def result(arms: list[GammaStarFit], **tables) -> FitResult:
    given = {
        name: pd.DataFrame()
        for name in ("specification", "training_time", "divergence", "formation", "learning_rates")
    }
    given.update(tables)
    return FitResult(
        [a.law for a in arms],
        {a.arm: a for a in arms},
        "val_loss",
        "skew",
        None,
        {"verdict": "untested", "words": "", "arms": {}},
        fungibility={},
        notes=[],
        partial=False,
        **given,
    )
