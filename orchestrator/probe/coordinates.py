"""`orchestrator probe --coordinates`: the coordinate check of a parametrisation (Yang et al. 2022, arXiv 2203.03466, appendix D.1): how large
activations are at the start, and how far the first steps move them, against width and depth.

μP and CompleteP say with which power of width and depth each goes in the limit of large ones; what the
first steps do at the sizes that are to be trained shows whether they hold there.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import torch
from rich.console import Console
from rich.table import Table
from torch import Tensor

from orchestrator.coerce import plain
from orchestrator.config import Model, RunConfig
from orchestrator.errors import UserError
from orchestrator.identity import target
from orchestrator.probe.progress import counted
from orchestrator.probe.summary import as_text
from orchestrator.records.tables import write_parquet
from orchestrator.training.data import evaluation_batches, training_batches
from orchestrator.training.schedule import learning_rate_factor
from orchestrator.training.slices import slots_of, start, stepwise
from orchestrator.training.step import Core, over_runs

QUANTITIES = ("embedding", "attention", "mlp", "scores", "residual", "logits")
"""Of the residual stream: what the embedding brings, what each layer's attention and MLP add, and what
leaves the last layer; q·k / √D of the causal pairs; the output."""
WHEN = ("start", "update")
"""Root mean square at the start, and of the change since then."""
FLAT = 0.1
"""A size is flat where its largest mean over seeds is at most so much above its least."""


def measure(run: RunConfig, steps: int) -> list[dict[str, Any]]:
    """Sizes of one run's activations before its first step and of their change after `steps`, a row for
    each quantity; layers and positions are averaged over (root mean square).

    Raises: UserError where its model is no transformer of ours.
    """
    if not isinstance(run.model, Model):
        raise UserError(
            f"model._target_={target(run.model)}: coordinates are of our own model alone"
        )
    core = Core(run, torch.device("cpu"))
    state, tensors = start(core, [run], slots_of(1, 1)[0])
    seen, _ = evaluation_batches(run, core.device)[0]
    before = _activations(core, state.params[0], tensors.taps[0], seen)
    numbers = torch.arange(1, steps + 1)
    factors = [learning_rate_factor(n, run.budget.steps, run.optim) for n in range(1, steps + 1)]
    batches = training_batches(run, torch.tensor([run.seed_data]), numbers)
    stepwise(over_runs(core)[0])(
        state, tensors, *batches, torch.zeros(1, dtype=torch.int64), numbers.to(core.dtype),
        torch.tensor(factors, dtype=core.dtype),
    )  # fmt: skip
    after = _activations(core, state.params[0], tensors.taps[0], seen)
    m = run.model
    named = {
        "run_id": run.run_id, "arm": run.arm, "parametrisation": m.parametrisation, "width": m.width,
        "depth": m.depth, "head_dim_fixed": m.head_dim is not None, "seed": run.seed, "steps": steps,
    }  # fmt: skip
    return [
        {**named, "quantity": name, "start": _rms(before[name]),
         "update": _rms([b - a for a, b in zip(before[name], after[name], strict=True)])}
        for name in QUANTITIES if before[name]
    ]  # fmt: skip


def _rms(parts: Sequence[Tensor]) -> float:
    """Root of the mean over layers of each one's mean square; NaN where one is not finite."""
    return math.sqrt(sum(x.double().square().mean().item() for x in parts) / len(parts))


def _activations(
    core: Core, params_P: Tensor, taps: Tensor, tokens_BT: Tensor
) -> dict[str, list[Tensor]]:
    """Of one forward pass, each quantity in every layer that has it."""
    found: dict[str, list[Tensor]] = {name: [] for name in QUANTITIES}
    with torch.no_grad(), _watched(core.module, found):
        found["logits"].append(core.logits(core.unflatten(params_P), taps, tokens_BT))
    return found


@contextmanager
def _watched(module: Any, found: dict[str, list[Tensor]]) -> Iterator[None]:
    """While it lasts, forward passes of our transformer add what they compute to `found`."""
    places = [(module.embedding, "embedding"), (module.blocks[-1], "residual")]
    for block in module.blocks:
        places.append((block.attention, "attention"))
        if hasattr(block, "down"):
            places.append((block.down, "mlp"))
    hooks = [
        part.register_forward_hook(lambda _, __, out, name=name: found[name].append(out))
        for part, name in places
    ]
    attention = [(block.attention, block.attention.attend) for block in module.blocks]

    def watching(attend: Any) -> Any:
        def watched(q_BHTD: Tensor, k_BHTD: Tensor, v_BHTD: Tensor) -> Tensor:
            past = torch.ones(q_BHTD.shape[2], q_BHTD.shape[2], dtype=torch.bool).tril()
            scores_BHTT = q_BHTD @ k_BHTD.transpose(-2, -1) * q_BHTD.shape[-1] ** -0.5
            found["scores"].append(scores_BHTT[..., past])
            return attend(q_BHTD, k_BHTD, v_BHTD)

        return watched

    try:
        for part, attend in attention:
            part.attend = watching(attend)
        yield
    finally:
        for part, attend in attention:
            part.attend = attend
        for hook in hooks:
            hook.remove()


def theory(how: str, axis: str, quantity: str, when: str, head_dim_fixed: bool) -> float | None:
    """The power of an axis with which a size goes, in the limit; None where nothing is said of it.

    As the tables have it (arXiv 2203.03466, tables 3 and 8; 2505.01618, table 1): what a step changes
    goes with the power 0, but what one of N layers adds to the residual stream under CompleteP with -1. At
    the start sums over independent weights go with -1/2: scores with the dimension of a head, logits with
    the width.
    """
    if how == "standard" or (axis == "depth" and how == "mup"):
        return None
    if axis == "depth":
        return -1.0 if quantity in ("attention", "mlp") else 0.0
    if when == "start" and (quantity == "logits" or (quantity == "scores" and not head_dim_fixed)):
        return -0.5
    return 0.0


def summary(frame: pd.DataFrame) -> list[dict[str, Any]]:
    """One row for an arm, a parametrisation, an axis, the other size, a quantity and when: the power of
    the axis in the means over seeds, that of theory, and largest over least mean beside theory's power
    (beside 0 where it says none)."""
    rows = []
    for axis, other in (("width", "depth"), ("depth", "width")):
        by = ["arm", "parametrisation", "head_dim_fixed", other, "quantity"]
        for (arm, how, fixed, size, quantity), part in frame.groupby(by, sort=False):
            means = part.groupby(axis)[list(WHEN)].mean()
            if len(means) < 2:
                continue
            for when in WHEN:
                expected = theory(how, axis, quantity, when, fixed)
                x, y = np.log(means.index.to_numpy(float)), np.log(means[when].to_numpy(float))
                known = bool(np.isfinite(y).all())
                left = y - (expected or 0.0) * x
                rows.append({
                    "arm": arm, "parametrisation": how, "axis": axis, other: int(size),
                    "from": int(means.index[0]), "to": int(means.index[-1]),
                    "quantity": quantity, "when": when,
                    "power": float(np.polyfit(x, y, 1)[0]) if known else None, "theory": expected,
                    "spread": float(np.exp(np.ptp(left))) if known else None,
                })  # fmt: skip
    return rows


def check(name: str, runs: Sequence[RunConfig], steps: int, results: Path) -> dict[str, Any]:
    """Measure a sweep's runs, and write RESULTS/NAME/coordinates.parquet and a figure for each axis.

    Raises: UserError where no two of them differ in width or depth alone.
    """
    from analysis.show.figures import coordinates, write
    from analysis.show.figures.style import styled

    if steps < 1:
        raise UserError(f"--steps {steps}: must be at least 1")
    if any(steps > run.budget.steps for run in runs):
        raise UserError(f"--steps {steps}: budget.steps is less")
    _require_alike(runs)
    torch.set_num_threads(1)
    found = counted((measure(run, steps) for run in runs), len(runs), "coordinates")
    sizes = pd.DataFrame([row for rows in found for row in rows])
    powers = summary(sizes)
    if not powers:
        raise UserError(f"{name}: no two runs differ in model.width or model.depth alone")
    folder = results / name
    table = write_parquet(folder / "coordinates.parquet", sizes, {"format": 1, "sweep": name})
    with styled():
        drawn = {
            f"coordinates_{axis}": coordinates.draw(sizes, pd.DataFrame(powers), axis)
            for axis in ("width", "depth") if axis in {row["axis"] for row in powers}
        }  # fmt: skip
    files = [table, *write(drawn, folder / "figures")]
    return {"sweep": name, "runs": len(runs), "steps": steps, "powers": powers,
            "files": [str(path) for path in files]}  # fmt: skip


def _require_alike(runs: Sequence[RunConfig]) -> None:
    """Raises: UserError where runs of one size, arm and parametrisation differ in more than their seeds,
    over which is averaged."""
    first: dict[tuple[Any, ...], dict[str, Any]] = {}
    for run in runs:
        leaves = {k: v for k, v in run.leaves().items() if not k.startswith("seed")}
        one = (run.arm, *(leaves.get(f"model.{k}") for k in ("parametrisation", "width", "depth")))
        known = first.setdefault(one, leaves)
        for key in sorted(known.keys() | leaves.keys()):
            if known.get(key) != leaves.get(key):
                raise UserError(
                    f"{key}={plain(known.get(key))},{plain(leaves.get(key))}: runs of one size may differ in "
                    "their seeds alone; give one value, or name each model.momentum.arm"
                )


def show(found: dict[str, Any]) -> None:
    """Print what `check` found: a row a quantity, and how many are as theory has them."""
    keys = ("arm", "parametrisation", "axis", "from", "to")
    for key in dict.fromkeys(tuple(row[k] for k in keys) for row in found["powers"]):
        arm, how, axis, low, high = key
        rows = [row for row in found["powers"] if tuple(row[k] for k in keys) == key]
        title = f"{how}, {arm}: {axis} {low} to {high}, {found['steps']} steps"
        columns = [f"{what}: power" for what in ("start", "change")]
        table = Table("", *(c for what in columns for c in (what, "in theory", "spread")), title=title,
                      title_justify="left")  # fmt: skip
        for quantity in dict.fromkeys(row["quantity"] for row in rows):
            cells = []
            for row in (r for r in rows if r["quantity"] == quantity):
                cells += [as_text(row["power"], "+.2f"), as_text(row["theory"], "+g"),
                          as_text(row["spread"], ".2f")]  # fmt: skip
            table.add_row(quantity, *cells)
        Console().print(table)
        said = [row for row in rows if row["theory"] is not None]
        if said:
            flat = sum(row["spread"] is not None and row["spread"] <= 1 + FLAT for row in said)
            print(f"{flat} of {len(said)} within {FLAT:.0%} of the power that theory has\n")
    for path in found["files"]:
        print(path)
