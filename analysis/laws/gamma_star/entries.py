"""Parts of an arm's entry in laws.json, and the sentence of a held-out depth."""

from __future__ import annotations

from typing import Any

import numpy as np

from analysis.laws.gamma_star.outcome import HeldOut, Optimum, RivalFit


def optimum_json(o: Optimum) -> dict[str, Any]:
    """A depth's optimum in laws.json."""
    names = ("depth", "width", "kind", "gamma", "low", "high", "bound_low", "bound_high",
             "plateau_low", "plateau_high", "epsilon", "best", "log_se")  # fmt: skip
    return {name: getattr(o, name) for name in names}


def rival_json(r: RivalFit) -> dict[str, Any]:
    """A rival in laws.json."""
    return {"name": r.name, "nested": r.nested, "delta_ic": r.delta_ic, "excluded": r.excluded,
            "parameters": r.parameters, "words": r.words}  # fmt: skip


def held_words(h: HeldOut) -> str:
    """A held-out depth in a sentence: prediction, interval, error against naive rivals."""
    said = (f"held out ({h.condition}) depth {h.depth}: predicted {h.predicted:.3g} "
            f"[{h.low:.3g}, {h.high:.3g}]")  # fmt: skip
    if h.observed is None:
        return f"{said}, no optimum inside the grid there"
    rest = ", ".join(f"{name} {100 * np.expm1(v):.0f} %" for name, v in h.naive.items())
    return (f"{said}, seen {h.observed:.3g} ({'inside' if h.inside else 'OUTSIDE'}); off by "
            f"{100 * np.expm1(h.log_error):.0f} % ({rest})")  # fmt: skip
