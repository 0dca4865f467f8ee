"""Every kind of record, damaged in every way: submit until it is complete, collect, compare.

    python -m tests.store.corrupt [--cases N] [--seed S] [--part I/N]

A store holds a sweep that is half trained (a pack that is done, one that was killed in its second
slice, with two checkpoints) and another sweep's pack. For each case one record of a copy of it is
damaged. At most two submissions must complete the sweep, the tables must equal the undisturbed ones
bit for bit but for evaluations whose loss is named, and no traceback may be seen.
"""

from __future__ import annotations

import argparse
import json
import os
import random
import shutil
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pandas as pd

from tests.store.forked import orchestrator, warm
from tests.store.half_trained import EXACT, complete, made, tables

WAYS = ("empty", "zeros", "random bytes", "a quarter", "a half", "three quarters",
        "one unknown key", "removed", "a folder", "dated tomorrow")  # fmt: skip
DAMAGE = WAYS[:6]


@dataclass(frozen=True)
class Outcome:
    """What became of one case."""

    kind: str
    way: str
    wrong: str
    """Why the case fails; empty where all is well."""
    lost: int
    """Evaluations that are lost, and were named."""
    submissions: int


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--cases", type=int, help="only so many of them, by chance")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--part", default="1/1", help="every Nth case from the Ith on")
    args = parser.parse_args()
    part = tuple(map(int, args.part.split("/")))
    began, outcomes = time.monotonic(), []
    with tempfile.TemporaryDirectory(prefix="corrupt-") as folder:
        warm()
        expected = made(Path(folder), Path(folder) / "template")
        for outcome in run(Path(folder), expected, args.cases, args.seed, part):
            outcomes.append(outcome)
            if outcome.wrong:
                print(f"{outcome.kind}, {outcome.way}: {outcome.wrong}", flush=True)
    print(summary(outcomes, time.monotonic() - began))
    sys.exit(1 if any(o.wrong for o in outcomes) else 0)


def summary(outcomes: list[Outcome], seconds: float) -> str:
    """One line."""
    wrong = sum(bool(o.wrong) for o in outcomes)
    kinds = len({o.kind for o in outcomes})
    often = Counter(o.submissions for o in outcomes)
    lost = sum(bool(o.lost) for o in outcomes)
    return (
        f"{len(outcomes)} cases, {kinds} kinds of records: {len(outcomes) - wrong} well, {wrong} "
        f"wrong; complete after one submission {often[1]}, after two {often[2]}; tables equal bit "
        f"for bit, {lost} cases with evaluations lost and named; {seconds:.0f} s"
    )


def run(
    folder: Path, expected: tuple[pd.DataFrame, pd.DataFrame], count: int | None = None,
    seed: int = 0, part: tuple[int, int] = (1, 1),
) -> Iterator[Outcome]:  # fmt: skip
    """Yields the outcome of every case, of `count` of them, or of a part.

    `folder`, `expected`: where the half-trained store `template` is, and the tables it comes to.
    """
    template = folder / "template"
    cases = [(k, p, w) for k, p in kinds(template).items() for w in WAYS if applies(p, w)]
    if count is not None:
        cases = random.Random(seed).sample(cases, min(count, len(cases)))
    for i, (kind, path, way) in list(enumerate(cases))[part[0] - 1 :: part[1]]:
        store = folder / f"case-{i}"
        shutil.copytree(template, store)
        yield one(folder, store, kind, store / path, way, expected, random.Random(seed + i))
        shutil.rmtree(store)


def one(
    folder: Path, store: Path, kind: str, path: Path, way: str,
    expected: tuple[pd.DataFrame, pd.DataFrame], chance: random.Random,
) -> Outcome:  # fmt: skip
    """One case."""
    damage(path, way, chance)
    found, said = orchestrator(folder, store, "check")
    wrong = []
    must = way in DAMAGE and not (way == "empty" and path.suffix == ".jsonl")
    if found != (1 if must or way in ("a folder",) else found):
        wrong.append(f"check exits {found}: {said.strip()[-200:]}")
    submissions, text = complete(folder, store)
    said += text
    if submissions > 2:
        wrong.append("not complete after two submissions")
    named = path.name in said or path.parent.name in said or "lost" in said
    if must and not named:
        wrong.append("damaged, and nobody says so")
    if "Traceback" in said:
        wrong.append("a traceback: " + said[said.rindex("Traceback") :][-400:])
    lost = 0
    if submissions <= 2:
        table, curves = tables(folder)
        if not table[EXACT].equals(expected[0][EXACT]):
            wrong.append("the table differs")
        both = curves.merge(expected[1], how="left", indicator=True)
        lost = len(expected[1]) - len(curves)
        if not (both["_merge"] == "both").all():
            wrong.append("the curves differ")
        if lost and "lost" not in said:
            wrong.append(f"{lost} evaluations are missing without a word")
    return Outcome(kind, way, "; ".join(wrong), lost, submissions)


def kinds(template: Path) -> dict[str, Path]:
    """The kinds of records, and where one of each lies in the store."""
    packs = template / "packs"
    (half,) = (p.parent.parent for p in packs.glob("*/0001/checkpoint.pt"))
    done, other = _packs_of(template, "small") - {half.name}, _packs_of(template, "other")
    done, other = packs / done.pop(), packs / other.pop()
    first, last = sorted((template / "sweeps" / "small").glob("*.json"))
    out = {
        "manifest, first": first, "manifest, last": last,
        "manifest of another sweep": next((template / "sweeps" / "other").glob("*.json")),
        "pack of another sweep": other / "pack.json",
        "job array": next((template / "jobs").glob("*.json")),
        "measurements": next((template / "bench").glob("*.jsonl")),
        "checkpoint": half / "0001" / "checkpoint.pt",
        "checkpoint before": half / "0001" / "checkpoint.earlier.pt",
        "end": done / "0001" / "end.json",
    }  # fmt: skip
    for name, folder in (("half", half), ("done", done)):
        out |= {
            f"pack, {name}": folder / "pack.json", f"claim, {name}": folder / "0001.claim",
            f"commit, {name}": folder / "results-000.json",
            f"curves, {name}": folder / "0001" / "curves.jsonl",
            f"heartbeat, {name}": folder / "0001" / "progress.json",
        }  # fmt: skip
    return {kind: path.relative_to(template) for kind, path in out.items()}


def _packs_of(template: Path, sweep: str) -> set[str]:
    rows = [
        row for p in (template / "sweeps" / sweep).glob("*.json")
        for row in json.loads(p.read_text())["runs"]
    ]  # fmt: skip
    return {row[1] for row in rows}


def applies(path: Path, way: str) -> bool:
    """Whether a record can be damaged so: only JSON has keys."""
    return way != "one unknown key" or path.suffix != ".pt"


def damage(path: Path, way: str, chance: random.Random) -> None:
    """Damage one record."""
    content = path.read_bytes()
    parts = {"a quarter": 0.25, "a half": 0.5, "three quarters": 0.75}
    if way in parts:
        path.write_bytes(content[: int(len(content) * parts[way])])
    elif way == "one unknown key":
        lines = [{**json.loads(x), "later_version": 1} for x in content.splitlines()]
        path.write_text("".join(json.dumps(line) + "\n" for line in lines))
    elif way == "dated tomorrow":
        tomorrow = time.time() + 86400
        os.utime(path, (tomorrow, tomorrow))
    elif way in ("removed", "a folder"):
        path.unlink()
        if way == "a folder":
            path.mkdir()
    else:
        path.write_bytes({
            "empty": b"", "zeros": bytes(len(content)),
            "random bytes": chance.randbytes(len(content)),
        }[way])  # fmt: skip


if __name__ == "__main__":
    main()
