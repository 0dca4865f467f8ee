"""A plan on the screen: what it assumes, what b would be known to, the verdicts' chances, the cost."""

from __future__ import annotations

from typing import Any

import numpy as np

from analysis.gamma_star.plan import Plan
from analysis.tables.laws_json import VERDICTS, plain
from analysis.text import number

DIGITS = 2


def sentences(found: Plan) -> list[str]:
    """One a line."""
    noise, law, planned = found.noise, found.law, found.planned
    depths = ", ".join(f"{d:g}" for d in planned.depth)
    counts = sorted({len(g) for g in planned.gamma})
    seeds = sorted(set(planned.seeds.tolist()))
    scatter = (
        f"noise: {number(float(np.mean(noise.sd)), DIGITS)} of ln {found.metric} a run; of ln γ*"
    )
    between = (f"{number(noise.seed_sd, DIGITS)} between seeds, {number(noise.depth_sd, DIGITS)} between "
               "depths")  # fmt: skip
    grid = f"planned: depths {depths}; {span(counts)} γ, {span(seeds)} seeds: {planned.runs} runs"
    lines = [
        f"assumed: γ* = a N^-b, a = {number(law.a)}, b = {number(law.b)} (arm {found.arm})",
        f"{scatter} {between}",
        grid + (f", and {found.tuning} that tune" if found.tuning else ""),
    ]  # fmt: skip
    lines += [f"cost: {number(total)} {unit}" for unit, total in found.cost.items()]
    now = found.precision[1]
    lost = [f"{d:g}" for d, s in zip(planned.depth, now.log_sd, strict=True) if not np.isfinite(s)]
    if lost:
        lines.append(f"no optimum inside the planned γ at depth {', '.join(lost)}")
    if np.isfinite(now.half):
        more = ", ".join(
            f"± {number(found.precision[m].half, DIGITS)} with {m} times the seeds" for m in (2, 4)
        )
        lines.append(f"half-width of b: ± {number(now.half, DIGITS)} (Monte Carlo error "
                     f"{number(now.error, 1)}); {more}")  # fmt: skip
    else:
        lines.append("half-width of b: none, fewer than 3 depths with an optimum inside the grid")
    out = found.outcomes
    count = len(out.half)
    middle, error = out.median
    if out.told:
        lines.append(f"{count} simulated sweeps: ± {number(middle, DIGITS)} (Monte Carlo error "
                     f"{number(error, 1)}), an interval in {out.told}, which holds b in {out.covers}")  # fmt: skip
    chances = []
    for name in VERDICTS:
        share = out.verdicts.get(name, 0) / count
        wrong = np.sqrt(max(share * (1 - share), 0.25 / count) / count)
        chances.append(f"{name} {100 * share:.0f} % (± {100 * wrong:.0f})")
    lines.append("verdict: " + ", ".join(chances))
    lines.append(
        "taken as given: learning rates tuned, momentum helping, the pilot's curves and noise"
    )
    return lines


def span(values: list[int]) -> str:
    """8, or 6-8 where the depths differ."""
    return str(values[0]) if len(values) == 1 else f"{values[0]}-{values[-1]}"


def as_json(found: Plan) -> dict[str, Any]:
    """The plan in JSON's own types."""
    out = found.outcomes
    middle, error = out.median
    return plain({
        "arm": found.arm, "metric": found.metric,
        "law": {"a": found.law.a, "b": found.law.b},
        "noise": {"depth": found.noise.depth, "sd": found.noise.sd,
                  "seed_sd": found.noise.seed_sd, "depth_sd": found.noise.depth_sd},
        "depths": found.planned.depth, "gammas": [list(g) for g in found.planned.gamma],
        "seeds": found.planned.seeds, "runs": found.planned.runs, "tuning_runs": found.tuning,
        "cost": found.cost,
        "half_width": {str(m): {"half": p.half, "error": p.error, "log_sd": p.log_sd}
                       for m, p in found.precision.items()},
        "simulated": {"sweeps": len(out.half), "half": middle, "error": error, "told": out.told,
                      "covers": out.covers, "verdicts": out.verdicts},
    })  # fmt: skip
