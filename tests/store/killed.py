"""Killed before every write, or refused from one on: the same table, or one clear line and then it.

    python -m tests.store.killed [--cases N] [--seed S] [--verb VERB]

Each verb works on a copy of a half-trained store. At its k-th write (a folder made, a file linked,
renamed, synchronised, removed) it is killed, or finds the disk full or the store forbidden from
there on; or one of its workers is killed. Then at most two submissions must complete the sweep, the
tables must be the undisturbed ones, and what it said must be no traceback.
"""

from __future__ import annotations

import argparse
import errno
import json
import os
import random
import shutil
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

import pandas as pd

from tests.store.forked import KILLED, orchestrator, warm
from tests.store.half_trained import EXACT, complete, made, tables

WRITES = ("link", "rename", "replace", "fsync", "unlink", "mkdir", "utime", "ftruncate")
REFUSED = {
    "full": (errno.ENOSPC, ("link", "fsync", "mkdir")),
    "forbidden": (errno.EACCES, ("link", "rename", "replace", "unlink", "mkdir", "utime")),
    "no hard links": (errno.EPERM, ("link",)),
}
"""What a file system answers, and to what."""
WAYS = ("killed", "worker killed", *REFUSED)
VERBS = {
    "plan": ("plan", "small"), "first": ("submit", "small"), "submit": ("submit", "small"), "retry": ("retry", "small"),
    "replan": ("retry", "small", "--replan"), "cancel": ("cancel", "small"),
    "collect": ("collect", "small", "--format", "csv"), "check": ("check", "--repair"),
    "status": ("status", "small"),
}  # fmt: skip
OPENED = ("first", "submit", "retry", "replan")
"""Verbs that have workers."""


@dataclass(frozen=True)
class Case:
    """One fault: before write number `at` of a verb."""

    verb: str
    way: str
    at: int

    def __str__(self) -> str:
        return f"{self.verb}, {self.way} at write {self.at}"


class Writes:
    """Stands between a process and its file system."""

    def __init__(self, way: str, at: int, log: Path) -> None:
        self.way, self.at, self.log = way, at, log
        self.owner, self.count, self.really = os.getpid(), 0, {w: getattr(os, w) for w in WRITES}
        for name in WRITES:
            setattr(os, name, lambda *a, _name=name, **k: self._write(_name, *a, **k))

    def _write(self, name: str, *args, **kwargs):
        mine = (os.getpid() == self.owner) == (self.way != "worker killed")
        if mine:
            now, self.count = self.count, self.count + 1
            if self.way == "count":
                with open(self.log, "a") as f:
                    f.write(f"{name} {args[0]}\n")
            elif self.way in REFUSED:
                number, what = REFUSED[self.way]
                if now >= self.at and name in what:
                    open(self.log, "a").close()
                    raise OSError(number, os.strerror(number), str(args[0]))
            elif now == self.at and not self.log.exists():  # once
                open(self.log, "a").close()
                os._exit(KILLED)
        return self.really[name](*args, **kwargs)


def writes(folder: Path, template: Path, verb: str) -> int:
    """How many writes a verb does there."""
    store, log = folder / "count", folder / "count.log"
    shutil.copytree(template, store)
    prepare(store, verb)
    code, said = orchestrator(folder, store, *VERBS[verb], before=lambda: Writes("count", 0, log))
    assert code == 0, said
    count = len(log.read_text().splitlines()) if log.exists() else 0
    shutil.rmtree(store)
    log.unlink(missing_ok=True)
    return count


def prepare(store: Path, verb: str) -> None:
    """Make the half-trained store one that the verb has something to do in."""
    if verb == "first":  # nothing was submitted yet
        shutil.rmtree(store)
        return
    if verb == "cancel":  # nobody asks for a squeue
        shutil.rmtree(store / "jobs")
    (half,) = (p.parent for p in store.glob("packs/*/0001/checkpoint.pt"))
    if verb in ("retry", "replan"):
        end = {"status": "failed", "error": "RuntimeError: no luck today"}
        (half / "end.json").write_text(json.dumps(end) + "\n")
    if verb == "check":
        first, *_ = sorted(store.glob("sweeps/small/*.json"))
        for path in (first, half / "checkpoint.pt", half / "progress.json", half / "curves.jsonl"):
            path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])


def one(
    folder: Path, case: Case, expected: tuple[pd.DataFrame, pd.DataFrame]
) -> tuple[str, bool]:  # fmt: skip
    """What goes wrong in a case, empty where all is well; and whether the fault struck."""
    store, struck = folder / "case", folder / "struck"
    shutil.copytree(folder / "template", store)
    prepare(store, case.verb)
    wrong = []
    try:
        code, said = orchestrator(
            folder, store, *VERBS[case.verb], before=lambda: Writes(case.way, case.at, struck)
        )
        hit = struck.exists()
        if case.way in REFUSED and code not in (0, 1, 2):
            wrong.append(f"exits {code}")
        if case.way in REFUSED and code == 2 and not said.strip():
            wrong.append("exits 2 without a word")
        if "Traceback" in said:
            wrong.append(said[said.rindex("Traceback") :][-600:])
        if case.verb == "replan":
            orchestrator(folder, store, *VERBS["replan"])
        submissions, said = complete(folder, store)
        if submissions > 2:
            wrong.append("not complete after two submissions: " + said[-600:])
        else:
            wrong += differences(tables(folder), expected)
        if "Traceback" in said:
            wrong.append("later " + said[said.rindex("Traceback") :][-600:])
    finally:
        shutil.rmtree(store)
        struck.unlink(missing_ok=True)
    return "; ".join(wrong), hit


def differences(
    found: tuple[pd.DataFrame, pd.DataFrame], expected: tuple[pd.DataFrame, pd.DataFrame]
) -> list[str]:
    """Which of the table and the curves are not the undisturbed ones."""
    return [
        f"the {name} differs"
        for name, ours, theirs in zip(("table", "curves"), found, expected, strict=True)
        if not ours[[c for c in EXACT if c in ours]].equals(theirs[[c for c in EXACT if c in theirs]])
    ]  # fmt: skip


def cases(folder: Path, verbs: Iterable[str]) -> list[Case]:
    """Every case of these verbs."""
    out = []
    for verb in verbs:
        number = writes(folder, folder / "template", verb)
        ways = [w for w in WAYS if w != "worker killed" or verb in OPENED]
        out += [
            Case(verb, way, at) for way in ways
            for at in range(25 if way == "worker killed" else number)
        ]  # fmt: skip
    return out


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--cases", type=int, help="only so many of them, by chance")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--verb", choices=VERBS, action="append")
    args = parser.parse_args()
    began, done, wrong = time.monotonic(), Counter(), 0
    warm()
    with tempfile.TemporaryDirectory(prefix="killed-") as name:
        folder = Path(name)
        expected = made(folder, folder / "template")
        chosen = cases(folder, args.verb or VERBS)
        if args.cases is not None:
            chosen = random.Random(args.seed).sample(chosen, min(args.cases, len(chosen)))
        for case in chosen:
            what, _ = one(folder, case, expected)
            done[case.way] += 1
            wrong += bool(what)
            if what:
                print(f"{case}: {what}", flush=True)
    ways = ", ".join(f"{way} {n}" for way, n in done.items())
    print(f"{done.total()} cases ({ways}), {wrong} wrong; {time.monotonic() - began:.0f} s")
    sys.exit(1 if wrong else 0)


if __name__ == "__main__":
    main()
