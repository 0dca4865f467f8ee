"""What a fit costs: `python -m tests.benchmarks.laws [TABLE]`, wall seconds on this machine.

A simulated sweep of 5,000 runs (4 arms, 12 depths, 13 gammas, 8 seeds) with its curves is fitted
and reported through the commands; a Chinchilla law is fitted to TABLE (Epoch AI's points) or, where
none is given, to 240 simulated ones.
"""

from __future__ import annotations

import subprocess
import sys
import tempfile
import time
from pathlib import Path

import numpy as np
import pandas as pd

from tests.worlds import FULL, World, power, simulate

DEPTHS = tuple(range(1, 13))
ARMS = ("raw", "norm_matched", "gain_only", "raw_first")
MAP = "N=Model Size,D=`Training FLOP`/(6*`Model Size`),L=loss"


def sweep_table(folder: Path) -> Path:
    """table.parquet and curves.parquet of a simulated sweep."""
    rng = np.random.default_rng(0)
    table = pd.concat([
        simulate(World(arm, power(), DEPTHS, FULL[:13], seeds=8, arm=arm, tuned=False), rng)
        for arm in ARMS
    ]).reset_index(drop=True)  # fmt: skip
    steps = np.unique(np.geomspace(10, 1000, 20).astype(int))
    late = np.exp(1.5 * (1 - steps / steps[-1]))
    curves = table.loc[table.index.repeat(len(steps)), ["run_id", "val_loss"]]
    curves = curves.assign(
        step=np.tile(steps, len(table)), tokens=np.tile(steps * 1000, len(table))
    )
    curves["val_loss"] = np.minimum(curves["val_loss"] * np.tile(late, len(table)), np.log(32))
    table.to_parquet(folder / "table.parquet")
    curves.to_parquet(folder / "curves.parquet")
    return folder / "table.parquet"


def points() -> pd.DataFrame:
    """240 points of a Chinchilla law with 1 % noise."""
    rng = np.random.default_rng(0)
    n, d = 10 ** rng.uniform(7.5, 10.3, 240), 10 ** rng.uniform(8.5, 11.5, 240)
    loss = (1.8 + 480 / n**0.35 + 2100 / d**0.37) * np.exp(rng.normal(0, 0.01, 240))
    return pd.DataFrame({"Model Size": n, "Training FLOP": 6 * n * d, "loss": loss})


def command_s(*words: str) -> float:
    """Seconds of an `analysis` command, start and imports included."""
    begun = time.perf_counter()
    subprocess.run([sys.executable, "-m", "analysis", *words], check=True, capture_output=True)
    return time.perf_counter() - begun


def main() -> None:
    from analysis.forms.law import fit_table

    data = pd.read_csv(sys.argv[1]) if len(sys.argv) > 1 else points()
    data = data[data["loss"] < data["loss"].nlargest(5).min()]
    times = []
    for _ in range(4):
        begun = time.perf_counter()
        fit_table("chinchilla", data, MAP)
        times.append(time.perf_counter() - begun)
    print(f"chinchilla fit with profiles, {len(data)} points: first {times[0]:.2f} s (imports "
          f"included), then {', '.join(f'{t:.2f}' for t in times[1:])} s", flush=True)  # fmt: skip
    with tempfile.TemporaryDirectory() as folder:
        csv = Path(folder) / "points.csv"
        data.to_csv(csv, index=False)
        seconds = command_s("law", "chinchilla", str(csv), "--map", MAP, "--bootstrap", "4000")
        print(f"4,000 bootstraps, whole command: {seconds:.1f} s", flush=True)
        table = sweep_table(Path(folder))
        runs = len(pd.read_parquet(table))
        print(f"gamma*(N) fit of {runs} runs, whole command: {command_s('fit', str(table)):.1f} s",
              flush=True)  # fmt: skip
        print(f"report of {runs} runs, whole command: {command_s('report', str(table)):.1f} s")


if __name__ == "__main__":
    main()
