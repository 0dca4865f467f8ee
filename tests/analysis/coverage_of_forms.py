"""How often each automatic form's intervals hold the planted truth: no test, `python -m` this module.

Every line draws its own seeds: the noise levels are separate experiments, not one scaled.
"""

from __future__ import annotations

import argparse
from itertools import product

from analysis.forms.law import fit_table
from tests.analysis.test_own_forms import AUTOMATIC, mapped, planted


def covered(form: str, noise: float, replicates: int, first: int) -> dict[str, str]:
    """Parameter -> "intervals that hold the truth / tables that identify it"; and verdicts."""
    hits: dict[str, list[bool]] = {}
    supported = 0
    for seed in range(first, first + replicates):
        table, truth = planted(form, noise, seed)
        law = fit_table(form, table, mapped(form)).law
        supported += law.verdict == "supported"
        for name, value in truth.items():
            p = law.parameters[name]
            told = hits.setdefault(name, [])
            if p.identified:
                told.append(p.low <= value <= p.high)
    found = {name: f"{sum(told)}/{len(told)}" for name, told in hits.items()}
    return {"supported": f"{supported}/{replicates}", **found}


def main() -> None:
    """Print a line for each form and noise."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--replicates", type=int, default=60)
    parser.add_argument("--noise", type=float, nargs="+", default=[3e-3, 3e-2])
    given = parser.parse_args()
    for at, (form, noise) in enumerate(product(AUTOMATIC, given.noise)):
        print(form, noise, covered(form, noise, given.replicates, 10_000 * (at + 1)), flush=True)


if __name__ == "__main__":
    main()
