"""What a probe found, as plain rows for the screen and for JSON."""

from __future__ import annotations

import json
import math
from typing import Any

import pandas as pd
from rich.console import Console
from rich.table import Table
from scipy import stats

Frames = dict[str, pd.DataFrame]
PLACE = ["layer", "stream", "head"]


def of_run(frames: Frames) -> dict[str, Any]:
    """One run: its filters' responses, bands, heads and interventions."""
    response = frames["response"].assign(taps=frames["response"]["taps"].map(json.loads))
    rows = []
    for (layer, stream, head), curve in response.groupby(PLACE, sort=False):
        rows.append({
            "layer": int(layer), "stream": stream, "head": int(head), "taps": curve["taps"].iloc[0],
            "gain_dc": float(curve["magnitude_impulse"].iloc[0]),
            "gain_nyquist": float(curve["magnitude_impulse"].iloc[-1]),
            "error": float(curve["error_impulse"].max()),
            "error_sequences": _number(curve["error_sequences"].max()),
        })  # fmt: skip
    identity = list(frames["heads"].columns[:6])
    return {"responses": rows} | {
        name: _plain(frames[name].drop(columns=identity)) for name in ("bands", "heads", "causal")
    }


def of_sweep(frames: Frames) -> list[dict[str, Any]]:
    """One row an arm, task, depth and γ: means over runs, with 95 % t intervals over runs.

    A run's overlap is the mean of its filtered heads' queries and keys, its prefix matching and
    copying those of the head that matches best.
    """
    by = ["arm", "task", "depth", "gamma"]
    errors = frames["response"].groupby("run_id")[["error_impulse", "error_sequences"]].max()
    bands = frames["bands"]
    of = {
        name: bands[bands["quantity"] == name].groupby("run_id")["value"].mean().rename(name)
        for name in ("overlap", "overlap_flat")
    }
    heads = frames["heads"]
    best = heads.loc[heads.groupby("run_id")["prefix_matching"].idxmax()].set_index("run_id")
    causal = frames["causal"].pivot(index="run_id", columns="intervention", values="accuracy")
    named = heads.drop_duplicates("run_id").set_index("run_id")[by]
    runs = named.join([errors, *of.values(), best[["prefix_matching", "copying"]],
                       causal])  # fmt: skip
    rows = []
    for key, cell in runs.groupby(by, dropna=False):
        row = {k: _number(v) for k, v in zip(by, key, strict=True)} | {"runs": len(cell)}
        row |= {k: _number(cell[k].max()) for k in (*errors.columns, "overlap_flat")}
        for name in ("overlap", "prefix_matching", "copying", *causal.columns):
            row[name] = _interval(cell[name])
        rows.append(row)
    return rows


def _interval(values: pd.Series) -> dict[str, float | None]:
    """Mean and its 95 % t interval, cut at 1, which none of them passes; it needs two runs."""
    mean, half = values.mean(), stats.t.ppf(0.975, len(values) - 1) * values.sem()
    high = min(mean + half, max(1.0, mean))
    return {"mean": _number(mean), "low": _number(mean - half), "high": _number(high)}


def _number(value: Any) -> Any:
    """A plain value; null where it is not a finite number."""
    value = value.item() if hasattr(value, "item") else value
    return None if isinstance(value, float) and not math.isfinite(value) else value


def _plain(frame: pd.DataFrame) -> list[dict[str, Any]]:
    return [{k: _number(v) for k, v in row.items()} for row in frame.to_dict("records")]


def show(found: dict[str, Any]) -> None:
    """Print what `probe` found."""
    if "sweep" in found:
        _show_sweep(found)
        return
    rows = found["responses"]
    sequences = "error_sequences" in rows[0]
    titles = ["layer", "stream", "head", "taps", "gain at DC", "at Nyquist", "off theory by"]
    table = Table(*titles, *(["from its sequences"] if sequences else []))
    for r in rows:
        cells = [str(r["layer"]), r["stream"], str(r["head"]), " ".join(f"{t:.4g}" for t in r["taps"]),
                 f"{r['gain_dc']:.4f}", f"{r['gain_nyquist']:.4f}", f"{r['error']:.1e}"]  # fmt: skip
        table.add_row(*cells, *([as_text(r["error_sequences"], ".1e")] if sequences else []))
    console = Console()
    console.print(table)
    for name in ("bands", "heads", "causal"):
        if name in found:
            console.print(_frame(found[name]))


def _show_sweep(found: dict[str, Any]) -> None:
    table = Table("arm", "task", "depth", "γ", "runs", "off theory by", "from sequences", "overlap", "if flat",
                  "prefix matching", "copying", "accuracy", "at γ = 0", "sign flipped")  # fmt: skip
    for r in found["cells"]:
        table.add_row(
            r["arm"], r["task"], str(r["depth"]), as_text(r["gamma"], "g"), str(r["runs"]),
            as_text(r["error_impulse"], ".1e"), as_text(r["error_sequences"], ".1e"),
            _spread(r["overlap"]), as_text(r["overlap_flat"], ".3f"),
            *(_spread(r[k]) for k in ("prefix_matching", "copying")),
            *(as_text(r[k]["mean"], ".3f") for k in ("intact", "gamma_zero", "sign_flipped")),
        )  # fmt: skip
    Console().print(table)
    others = [(found["without_weights"], "kept no weights"), (found["diverged"], "diverged"),
              (found["unfinished"], "not finished")]  # fmt: skip
    said = "".join(f"; {n} {what}" for n, what in others if n)
    print(f"{found['probed']} runs probed{said}")
    for path in found["tables"]:
        print(path)


def _frame(rows: list[dict[str, Any]]) -> Table:
    table = Table(*(key.replace("_", " ") for key in rows[0]))
    for row in rows:
        table.add_row(
            *(as_text(v, ".4g") if isinstance(v, float) else str(v) for v in row.values())
        )
    return table


def _spread(x: dict[str, float | None]) -> str:
    if x["low"] is None:
        return as_text(x["mean"], ".3f")
    return f"{x['mean']:.3f} [{x['low']:.3f}, {x['high']:.3f}]"


def as_text(value: float | None, form: str) -> str:
    """A number as a table has it; a dash where there is none."""
    return "–" if value is None else format(value, form)
