"""How far the best rate moves with size, of a table of rates x sizes x seeds.

    orchestrator submit rate_depth_small && orchestrator collect rate_depth_small
    python -m tests.benchmarks.transfer results/rate_depth_small/table.parquet depth

For every task, arm and size: the grid's best rate and the vertex of a parabola in ln rate through it and
its two neighbours on either side, both of the mean ln loss over seeds, and the least and largest vertex
where one seed is left out. Then how far they move over the sizes; and of every arm the one rate that is
best on average over sizes, with what it loses there (mean over seeds, 95 % t interval) against the other
arm's own best rate at each size.
"""

from __future__ import annotations

import argparse
from pathlib import Path

import numpy as np
import pandas as pd
from scipy import stats

REACH, LEAST = 2, 4


def vertex(means: pd.Series) -> float:
    """Of mean ln loss by rate; NaN where it has none near the best."""
    x, y = np.log(means.index.to_numpy(float)), means.to_numpy(float)
    at = int(np.nanargmin(y))
    near = slice(max(0, at - REACH), at + REACH + 1)
    if len(x[near]) < 3:
        return np.nan
    c = np.polyfit(x[near], y[near], 2)
    found = -c[1] / (2 * c[0]) if c[0] > 0 else np.nan
    return float(np.exp(found)) if x[near][0] <= found <= x[near][-1] else np.nan


def by_rate(part: pd.DataFrame) -> pd.DataFrame:
    """ln loss, a row a rate and a column a seed: of those rates that have all seeds, where there are
    LEAST of them, else of those seeds that all rates have, so that a rate is not judged by its seeds."""
    whole = part.pivot_table(index="lr", columns="seed", values="ln_loss")
    rates = whole.dropna()
    return rates if len(rates) >= LEAST else whole.dropna(axis=1)


def report(runs: pd.DataFrame, size: str) -> None:
    """Print it all."""
    runs = runs.assign(ln_loss=np.log(runs["val_loss"]))
    for task, of_task in runs.groupby("task", sort=False):
        grids = {key: by_rate(part) for key, part in of_task.groupby(["arm", size], sort=False)}
        arms = list(dict.fromkeys(arm for arm, _ in grids))
        sizes = sorted({n for _, n in grids})
        for arm in arms:
            print(
                f"\n{task}, {arm}: {size}, grid's best, vertex [leaving a seed out], ln loss there"
            )
            best, vertices = [], []
            for n in sizes:
                grid = grids[arm, n]
                means = grid.mean(axis=1)
                less = [vertex(grid.drop(columns=s).mean(axis=1)) for s in grid]
                best.append(means.idxmin())
                vertices.append(vertex(means))
                edge = " (the grid's edge)" if best[-1] in (means.index[0], means.index[-1]) else ""
                print(f"  {n:4d}  {best[-1]:.4g}{edge}  {vertices[-1]:.4g} [{min(less):.4g}, {max(less):.4g}]"
                      f"  {means.min():.2f}")  # fmt: skip
            print(f"  moves by {max(best) / min(best):.2f} on the grid, {np.nanmax(vertices) / np.nanmin(vertices):.2f}"
                  " by vertices")  # fmt: skip
        for arm in arms:
            common = pd.concat([grids[arm, n].mean(axis=1).rename(n) for n in sizes], axis=1)
            rate = common.dropna().mean(axis=1).idxmin()
            for other in (a for a in arms if a != arm):
                print(
                    f"\n{task}: {arm} at {rate:.4g} for all, less {other} at its own best: ln loss"
                )
                for n in sizes:
                    theirs = grids[other, n]
                    less = grids[arm, n].loc[rate] - theirs.loc[theirs.mean(axis=1).idxmin()]
                    half = stats.t.ppf(0.975, len(less) - 1) * less.sem()
                    print(f"  {n:4d}  {less.mean():+.2f} ± {half:.2f}")


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m tests.benchmarks.transfer", description=__doc__,
                                     formatter_class=argparse.RawDescriptionHelpFormatter)  # fmt: skip
    parser.add_argument("table", type=Path, nargs="+")
    parser.add_argument("size", choices=("depth", "width"))
    args = parser.parse_args()
    report(pd.concat([pd.read_parquet(path) for path in args.table]), args.size)


if __name__ == "__main__":
    main()
