"""What momentum is worth, in sentences that a person would say, each with its interval."""

from __future__ import annotations

import numpy as np

from analysis.gamma_star.cells import Cells
from analysis.text import number


def means(cells: Cells) -> tuple[np.ndarray, np.ndarray]:
    """Cell means and standard errors (G,)."""
    count = np.maximum(np.isfinite(cells.y).sum(0), 1)
    mean, _ = cells.means()
    return mean, np.sqrt(cells.variance / 2 / count)


def best_gamma(cells: Cells) -> float | None:
    """The positive gamma with the best mean."""
    mean, _ = means(cells)
    inside = np.flatnonzero(cells.positive & np.isfinite(mean))
    return float(cells.gamma[inside[np.argmin(mean[inside])]]) if len(inside) else None


def bracket(low: float, high: float, digits: str = ".2g") -> str:
    """[1.6, 2.3], with what isn't bounded said."""
    ends = ("unbounded" if not np.isfinite(v) else format(v, digits) for v in (low, high))
    return f"[{', '.join(ends)}]"


def sentences(groups, effective, rate, interaction) -> list[str]:
    """Sentences a person would say."""
    out, beyond, nothing = [], [], []
    for cells in groups:
        gamma = best_gamma(cells)
        row = effective[(effective["depth"] == cells.depth) & (effective["gamma"] == gamma)]
        if row.empty:
            continue
        row = row.iloc[0]
        at = f"{cells.depth} (γ = {number(gamma)})"
        if row["place"] == "inside":
            out.append(f"at depth {cells.depth}, momentum (γ = {number(gamma)}) is worth "
                       f"{number(row['worth'], 2)} {bracket(row['worth_low'], row['worth_high'])} "
                       f"layers")  # fmt: skip
        elif row["place"] == "above":
            low = row["worth_low"]
            least = (
                f", worth at least {number(low, 2)} layers" if np.isfinite(low) and low > 0 else ""
            )
            beyond.append(at + least)
        else:
            nothing.append(str(cells.depth))
    if beyond:
        out.append("momentum reaches a loss that no depth trained without it reaches at depth "
                   + "; ".join(beyond))  # fmt: skip
    if nothing:
        out.append(f"at depth {', '.join(nothing)}, momentum is worth no layer")
    for r in rate.itertuples():
        buys, low, high = (100 * np.expm1(v * np.log(2)) for v in (r.mrs, r.low, r.high))
        out.append(f"at depth {r.depth} around γ = {number(r.gamma, 2)}, doubling γ buys "
                   f"{buys:.0f} % depth {bracket(low, high, '.0f')}")  # fmt: skip
    if interaction.get("finding"):
        out.append(interaction["finding"])
    return out
