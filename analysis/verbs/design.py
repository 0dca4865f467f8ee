"""`analysis design PILOT ...`: what a planned sweep would tell of b, before it is trained."""

from __future__ import annotations

import argparse
import json
import sys

from analysis.errors import InputError


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The flags."""
    parser.add_argument(
        "pilot", metavar="PILOT", help="table.parquet (or .csv) of a sweep: its noise"
    )
    parser.add_argument("sweep", nargs="?", metavar="SWEEP.yaml",
                        help="the sweep file that is planned; or give its cells:")  # fmt: skip
    parser.add_argument("--depths", metavar="1,2,4,8")
    parser.add_argument("--gammas", metavar="0,0.1,...")
    parser.add_argument("--seeds", type=int, metavar="COUNT")
    parser.add_argument("--arm", help="the pilot's arm (its first)")
    parser.add_argument("--a", type=float, help="assume γ* = a N^-b (the pilot's own a)")
    parser.add_argument("--b", type=float, help="and b (the pilot's own)")
    parser.add_argument("--where", metavar="CONDITION", help="these rows of the pilot alone")
    parser.add_argument("--replicates", type=int, default=200, help="simulated sweeps (200)")
    parser.add_argument("--seed", type=int, default=0, help="of the simulation (0)")
    parser.add_argument("--json", action="store_true", help="print JSON, nothing else")


def run(given: argparse.Namespace) -> int:
    """Simulate and print; returns the exit status."""
    from analysis.gamma_star.plan import cells_of_lists, cells_of_sweep, plan
    from analysis.show.console.design import as_json, sentences
    from analysis.show.progress import Bootstraps
    from analysis.tables.table import load

    lists = (given.depths, given.gammas, given.seeds)
    if (given.sweep is None) == (None in lists) or (
        given.sweep and any(v is not None for v in lists)
    ):
        raise InputError("give a sweep file, or all of --depths, --gammas and --seeds")
    if given.replicates < 20:
        raise InputError(f"--replicates {given.replicates}: at least 20")
    if given.a is not None and not given.a > 0:
        raise InputError(f"--a {given.a:g}: positive")
    table = load(given.pilot, given.where)
    arm = given.arm or str(table.runs["arm"].iloc[0])
    if given.sweep is not None:
        cells = cells_of_sweep(given.sweep, arm)
    else:
        depths, gammas = numbers("--depths", given.depths, 1), numbers("--gammas", given.gammas, 0)
        cells = cells_of_lists(depths, gammas, given.seeds)
    found = plan(
        table,
        cells,
        arm,
        given.a,
        given.b,
        given.replicates,
        given.seed,
        Bootstraps("simulated sweep"),
    )
    if given.json:
        sys.stdout.write(json.dumps(as_json(found), indent=1, allow_nan=False) + "\n")
        return 0
    print("\n".join(sentences(found)))
    return 0


def numbers(flag: str, text: str, least: float) -> list[float]:
    """ "1,2,4" as numbers. Raises InputError."""
    try:
        found = [float(part) for part in text.split(",")]
    except ValueError:
        found = []
    if not found or not all(least <= v < float("inf") for v in found):
        raise InputError(f"{flag} {text!r}: numbers from {least:g} up, parted by commas")
    return sorted(set(found))
