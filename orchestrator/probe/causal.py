"""Is it the filter? A trained model's evaluation with its taps changed and its weights left alone.

With e = (1, 0, ...) and taps c in force: `gamma_zero` is e. `half_gamma`, `double_gamma` and
`sign_flipped` scale by α = 1/2, 2, -1 what c differs from a plain gain, Σc e + α (c - Σc e), which
for the shear is exactly α γ; where the arm is norm-matched the result is normed again.
`norm_matched` is c / √Σc², `gain_only` √Σc² e. `queries_off` and `keys_off` put e on that stream
alone. A stream or layer that the run does not filter stays as it is under each of them.
"""

from __future__ import annotations

import pandas as pd
import torch
from torch import Tensor

from orchestrator.models.taps import gain
from orchestrator.probe.trained import Trained


def interventions(taps_LSHK: Tensor, matched: bool) -> dict[str, Tensor]:
    """Taps under each intervention; `matched`: whether the arm divides them by their gain."""
    identity = torch.zeros_like(taps_LSHK)
    identity[..., 0] = 1
    plain = taps_LSHK.sum(-1, keepdim=True) * identity
    norm = gain(taps_LSHK)[..., None].clamp_min(1e-300)

    def scaled(alpha: float) -> Tensor:
        taps = plain + alpha * (taps_LSHK - plain)
        return taps / gain(taps)[..., None].clamp_min(1e-300) if matched else taps

    def without(stream: int) -> Tensor:
        taps = taps_LSHK.clone()
        taps[:, stream] = identity[:, stream]
        return taps

    return {
        "intact": taps_LSHK, "gamma_zero": identity, "half_gamma": scaled(0.5),
        "double_gamma": scaled(2.0), "sign_flipped": scaled(-1.0),
        "norm_matched": taps_LSHK / norm, "gain_only": norm * identity,
        "queries_off": without(0), "keys_off": without(1),
    }  # fmt: skip


def causal_rows(model: Trained) -> pd.DataFrame:
    """Loss (nats a scored token) and accuracy under each intervention, a row each."""
    rows = []
    matched = model.run.model.momentum.norm == "matched"
    for name, taps in interventions(model.taps_LSHK, matched).items():
        loss, right, total = model.evaluate(taps)
        rows.append({
            "intervention": name, "val_loss": loss, "accuracy": right / total,
            "eval_correct": right, "eval_total": total, "chance": model.run.task.chance,
        })  # fmt: skip
    return pd.DataFrame(rows)
