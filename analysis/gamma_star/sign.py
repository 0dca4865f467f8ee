"""Whether momentum helps at all, then where the best filter lies: asked before any law of gamma*.

Helps: the best gamma above 0 against gamma = 0, each at its own tuned rate (`gain`). Where: the minimum
over the tap angle (`tap_angle`). A law of gamma* is not asked where the best gamma isn't positive.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any

import numpy as np

from analysis.gamma_star.cells import Cells
from analysis.gamma_star.gain import Gain, gain_of, share, zero_of
from analysis.gamma_star.tap_angle import Angle, angle_of, gamma_at
from analysis.text import number

# A gain whose interval ends below this share of the metric is none: with gammas close to 0 the best
# of them can't be told from 0 whatever momentum does.
SMALL = 0.01


@dataclass(frozen=True)
class Sign:
    """above, below: the gain of gamma > 0 and of gamma < 0 (None: not in the table, or one seed);
    angle: None without both signs. asked: whether a law of gamma* is."""

    above: Gain | None
    below: Gain | None
    angle: Angle | None
    asked: bool
    finding: str

    def to_json(self) -> dict[str, Any]:
        """Its entry in laws.json."""
        return asdict(self)

    def check(self) -> dict[str, Any] | None:
        """The check it makes of a law; None where nothing was told."""
        if self.above is None and self.angle is None:
            return None
        told = "can't be told" not in self.finding
        return {"passed": self.asked if told else None, "value": None if self.above is None else self.above.estimate,
                "contradicted": not self.asked, "finding": self.finding}  # fmt: skip


def sign_of(groups: list[Cells], zeros: list[Cells]) -> Sign:
    """groups: one arm's cells of every gamma at their chosen rates; zeros: those of an arm that has
    gamma = 0, for an arm that hasn't (plain attention is the same in all of them)."""
    plain = {(c.depth, c.width): c for c in zeros}
    columns = [(c, zero_of(c, plain.get((c.depth, c.width)))) for c in groups]
    above, below = gain_of(columns, +1), gain_of(columns, -1)
    both = any((c.gamma < 0).any() for c in groups) and any((c.gamma > 0).any() for c in groups)
    angle = angle_of(columns) if both else None
    if angle is not None and (angle.high < 0 or angle.low > 0):
        asked = bool(angle.low > 0)
    else:
        asked = bool(above is None or above.high >= np.log1p(SMALL))
    return Sign(above, below, angle, asked, sentence(above, below, angle, asked))


def sentence(above: Gain | None, below: Gain | None, angle: Angle | None, asked: bool) -> str:
    """The finding, in the order of the questions: does it help, where is the best."""
    if not asked and above is not None and not any(above.depths.values()):
        return "the metric is the same with momentum (γ > 0) and without; a law of γ* is not asked"
    parts = []
    if not asked and above is not None and above.low >= np.log1p(SMALL):
        parts.append("momentum (γ > 0) helps, but the best γ is below 0")
    elif not asked:
        parts.append("momentum (γ > 0) does not help here")
    elif (angle is not None and angle.low > 0) or (above is not None and above.low > 0):
        parts.append("momentum (γ > 0) helps")
    elif above is not None:
        parts.append("whether momentum (γ > 0) helps can't be told")
    if above is not None:
        parts.append(f"its best γ is {share(above)} than γ = 0")
    if angle is not None:
        side = ("low-pass" if angle.high < 0 else "high-pass" if angle.low > 0
                else "not told apart from plain attention")  # fmt: skip
        parts.append(f"the best filter is {side}, phi = {angle.estimate:.0f} "
                     f"[{angle.low:.0f}, {angle.high:.0f}] degrees "
                     f"(γ = {number(gamma_at(angle.estimate), 2)})")  # fmt: skip
    if below is not None:
        parts.append(f"the best γ < 0 is {share(below)} than γ = 0")
    if not asked:
        parts.append("a law of γ* is not asked")
    return "; ".join(parts) or "whether momentum helps is not known: no seeds of γ = 0 to compare"
