"""`analysis allocate FORM TABLE --map ... --flops C`: the best N and D for a budget, with intervals."""

from __future__ import annotations

import argparse
import json
import sys
from dataclasses import asdict

from analysis.errors import InputError
from analysis.text import number


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The flags."""
    parser.add_argument("form", metavar="FORM", help="a law of N and D: chinchilla, over-training")
    parser.add_argument("data", metavar="DATA", help="the table that it is fitted to")
    parser.add_argument("--map", required=True, dest="mapping", metavar="N=params,D=tokens,L=loss")
    parser.add_argument("--flops", required=True, metavar="1e21,1e23", help="budgets C")
    parser.add_argument(
        "--flops-per-token", type=float, default=6.0, help="per parameter: C = 6 N D (6)"
    )
    parser.add_argument("--loss", help="as in `analysis law`")
    parser.add_argument("--where", metavar="CONDITION", help="rows to keep")
    parser.add_argument("--fix", metavar="E=0,...", help="parameters held at a value")
    parser.add_argument("--tie", metavar="alpha=beta,...", help="parameters held equal")
    parser.add_argument("--bootstrap", type=int, default=400, help="case bootstraps (400)")
    parser.add_argument("--seed", type=int, default=0, help="of the bootstrap (0)")
    parser.add_argument("--json", action="store_true", help="print JSON, nothing else")


def run(given: argparse.Namespace) -> int:
    """Fit, allocate, print; returns the exit status."""
    from analysis.forms.allocation import allocate, possible
    from analysis.forms.choices import Choices
    from analysis.forms.law import fit_table
    from analysis.forms.named import find
    from analysis.show.progress import Bootstraps
    from analysis.text import estimate

    if given.bootstrap < 100:
        raise InputError(f"--bootstrap {given.bootstrap}: at least 100")
    try:
        budgets = [float(part) for part in given.flops.split(",")]
    except ValueError:
        raise InputError(f"--flops {given.flops!r}: numbers, parted by commas") from None
    form = None if given.form == "isoflop" else find(given.form, given.fix, given.tie)
    for flops in budgets:
        possible(form, flops, given.flops_per_token)
    choices = Choices(given.loss, given.where, given.bootstrap, seed=given.seed, fix=given.fix,
                      tie=given.tie)  # fmt: skip
    fitted = fit_table(given.form, given.data, given.mapping, choices, Bootstraps())
    found = [allocate(fitted, flops, given.flops_per_token) for flops in budgets]
    if given.json:
        sys.stdout.write(json.dumps([asdict(one) for one in found], indent=1) + "\n")
        return 0
    print(f"{fitted.law.form}: {fitted.law.verdict}; {found[0].replicates} case bootstraps")
    for one in found:
        parts = zip(("N", "D", "L"), (one.size, one.tokens, one.loss), strict=True)
        print(f"C = {number(one.flops)}: " + ", ".join(f"{n} = {estimate(*v)}" for n, v in parts))
        for words in one.outside:
            print(f"  {words}")
    return 0
