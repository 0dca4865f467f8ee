"""What may be chosen of a fit of a law form, in one record: the flags of `analysis law`.

Guarantee: what can't go together is refused in one line before anything is read or fitted.
"""

from __future__ import annotations

from dataclasses import dataclass

from analysis.errors import InputError
from analysis.forms.form import Form
from analysis.forms.isoflop import MINIMA
from analysis.forms.scaled import SCALES
from analysis.stats.losses import parse_loss


@dataclass(frozen=True)
class Choices:
    """loss: huber:DELTA, lad or l2 (None: the form's own). where, hold_out: conditions on rows.
    bootstrap: how many (0: profile likelihood). cluster: the column whose rows are one unit ("none":
    every row; None: found by itself). weights: a column of precisions (inverse variances up to a
    factor). scale: residuals of ln y ("log") or y ("linear"). fix, tie: "E=0", "alpha=beta".
    minimum: isoflop's, "spline" or "parabola". predict: "N=1e9,D=2e10"."""

    loss: str | None = None
    where: str | None = None
    bootstrap: int = 0
    hold_out: str | None = None
    level: float = 0.95
    seed: int = 0
    cluster: str | None = None
    weights: str | None = None
    scale: str = "log"
    fix: str | None = None
    tie: str | None = None
    minimum: str | None = None
    predict: str | None = None

    def check(self, form: Form | None) -> None:
        """Raise InputError for what can't be asked of `form` (None: isoflop)."""
        if self.scale not in SCALES:
            raise InputError(f"--scale {self.scale!r}: allowed are {', '.join(SCALES)}")
        loss = parse_loss(self.loss) if self.loss else None
        if form is not None:
            if self.minimum:
                raise InputError(f"--minimum {self.minimum}: isoflop's alone")
            if self.predict and (not self.bootstrap or self.weights or self.scale != "log"):
                raise InputError("--predict needs --bootstrap and rows of one weight on the log "
                                 "scale")  # fmt: skip
            return
        if self.minimum and self.minimum not in MINIMA:
            raise InputError(f"--minimum {self.minimum}: one of {', '.join(MINIMA)}")
        if self.predict:
            raise InputError("--predict: not of isoflop, whose line predicts no loss")
        if self.weights or self.scale != "log":
            raise InputError("isoflop takes neither --weights nor --scale linear")
        if self.fix or self.tie:
            raise InputError("isoflop's line has no parameter to fix or tie")
        if loss is not None and loss.kind != "l2":
            raise InputError("--loss: isoflop's line through the optima is least squares (l2) only")
        if self.hold_out:
            raise InputError("--hold-out: isoflop predicts no loss to compare; leave rows out with "
                             "--where")  # fmt: skip
