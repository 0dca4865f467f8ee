"""Every kind of record, damaged in every way: submit until it is complete, collect, compare.

    python -m tests.store.corrupt [--cases N] [--seed S] [--part I/N]

A store holds a sweep that is half trained (a pack that is done, one that was killed in its second
slice, with two checkpoints) and another sweep's pack. For each case one record of a copy of it is
damaged. At most two submissions must complete the sweep, the tables must equal the undisturbed ones
bit for bit but for evaluations whose loss is named, and no traceback may be seen.
"""

from __future__ import annotations

import argparse
import contextlib
import io
import json
import os
import random
import shutil
import signal
import subprocess
import sys
import tempfile
import time
import traceback
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import pandas as pd

SWEEP = """
defaults: [config, _self_]
model: {width: 8, depth: 1}
task: {pairs: 2, queries: 2, keys: 4, values: 4}
budget: {steps: 24, evals: 4, eval_sequences: 16, curve_sequences: null, batch: 4}
optim: {warmup: 4}
execution: {compile: "off", native: "off", width: 2, checkpoint_s: 1.0e-9}
cluster: {processes: 1}
hydra:
  sweeper:
    params:
      model.depth: DEPTHS
      model.momentum.gamma: 0,0.5
      seed: 0,1
"""
EXACT = ["run_id", "status", "val_loss", "accuracy", "eval_correct", "eval_total", "mean_loss",
         "steps_to_solve"]  # fmt: skip
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
        for outcome in run(Path(folder), args.cases, args.seed, part):
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
    folder: Path, count: int | None = None, seed: int = 0, part: tuple[int, int] = (1, 1)
) -> Iterator[Outcome]:  # fmt: skip
    """Yields the outcome of every case, of `count` of them, or of a part."""
    import lightning  # noqa: F401 (once, for all that are forked from here)
    import torch

    import orchestrator.launch.verbs
    import orchestrator.launch.worker
    import orchestrator.training.pack  # noqa: F401

    torch.set_num_threads(1)
    (folder / "work" / "sweeps").mkdir(parents=True)
    for name, depths in (("small", "1,2"), ("other", "3")):
        (folder / "work" / "sweeps" / f"{name}.yaml").write_text(SWEEP.replace("DEPTHS", depths))
    template = folder / "template"
    in_child(lambda: _half_trained(folder, template))
    undisturbed = folder / "undisturbed"
    shutil.copytree(template, undisturbed)
    _complete(folder, undisturbed)
    expected = tables(folder)
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
    submissions, text = _complete(folder, store)
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


def tables(folder: Path) -> tuple[pd.DataFrame, pd.DataFrame]:
    """The table and the curves collected last."""
    at = folder / "work" / "results" / "small"
    table, curves = (pd.read_parquet(at / f"{n}.parquet") for n in ("table", "curves"))
    return (
        table.sort_values("run_id", ignore_index=True),
        curves.sort_values(["run_id", "step"], ignore_index=True),
    )


def _complete(folder: Path, store: Path) -> tuple[int, str]:
    """Submit until nothing is missing, and collect; how often, 3 where twice was not enough."""
    said = ""
    for n in (1, 2):
        code, text = orchestrator(folder, store, "submit", "small")
        said += text
        logs = "".join(p.read_text() for p in (store / "logs").rglob("*.log"))
        said += logs if "Traceback" in logs else ""
        collected, text = orchestrator(folder, store, "collect", "small", "--json")
        said += text
        answer = next((line for line in text.splitlines() if line.startswith("{")), "{}")
        if code == 0 and collected == 0 and json.loads(answer).get("missing") == 0:
            return n, said
    return 3, said


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


def _half_trained(folder: Path, template: Path) -> None:
    """The store that every case begins with."""
    from orchestrator.launch.worker import run as work
    from orchestrator.records.attempts import attempts
    from orchestrator.records.jobs import new_array, record
    from orchestrator.records.measurements import keep
    from orchestrator.records.packs import all_packs
    from orchestrator.records.store import Store
    from orchestrator.settings import Execution

    store = Store(template)
    for words in (("other",), ("small", "model.depth=1")):
        code, said = orchestrator(folder, template, "submit", *words)
        assert code == 0, said
    before = {p.pack_id for p in all_packs(store)}
    # the second pack is frozen, and nobody trains it
    orchestrator(folder, template, "submit", "small", worker=_Nobody)
    (pack,) = (p for p in all_packs(store) if p.pack_id not in before)
    looks = iter(range(10**6))
    execution = Execution(device="cpu", checkpoint_s=1e-9)
    work(store, [pack.pack_id], execution, lambda: next(looks) >= 7)
    (attempt,) = attempts(store, pack.pack_id)
    (attempt.folder / "end.json").unlink()  # killed, not stopped
    assert attempt.checkpoint.exists() and attempt.earlier_checkpoint.exists()
    record(store, new_array("small", "0", [[pack.pack_id]], template / "logs"))
    keep(store, {"host": "elsewhere", "rows": []})


class _Nobody:
    """A worker that has ended before it began."""

    returncode, pid = 0, 0

    def __init__(self, *_: object, **__: object) -> None: ...

    def poll(self) -> int:
        return 0

    def wait(self, timeout: float | None = None) -> int:
        return 0


class _Forked:
    """A worker as a fork of this process, which has torch already."""

    def __init__(self, words: list[str], stdout, stderr=None, env=None, **_: object) -> None:
        self.returncode: int | None = None
        self.pid = os.fork()
        if self.pid:
            return
        os.dup2(stdout.fileno(), 1)
        os.dup2(stdout.fileno(), 2)
        sys.stdout, sys.stderr = os.fdopen(1, "w"), os.fdopen(2, "w")
        sys.argv = words[words.index("-m") + 1 :]
        code = 1
        try:
            from orchestrator.launch.worker import main as work

            work()
            code = 0
        except SystemExit as e:
            code = e.code or 0
        except BaseException:  # noqa: BLE001 (as an interpreter does)
            traceback.print_exc()
        finally:
            sys.stdout.flush()
            sys.stderr.flush()
            os._exit(code)

    def poll(self) -> int | None:
        if self.returncode is None:
            pid, status = os.waitpid(self.pid, os.WNOHANG)
            if pid:
                self.returncode = os.waitstatus_to_exitcode(status)
        return self.returncode

    def wait(self, timeout: float | None = None) -> int:
        while self.poll() is None:
            time.sleep(0.01)
        return self.returncode

    def terminate(self) -> None:
        os.kill(self.pid, signal.SIGTERM)

    def kill(self) -> None:
        os.kill(self.pid, signal.SIGKILL)


_POPEN = subprocess.Popen


def orchestrator(
    folder: Path, store: Path, *words: str, worker: type = _Forked
) -> tuple[int, str]:  # fmt: skip
    """Exit status of the command and all it said, in a process of its own."""

    def popen(words, *args, **kwargs):
        mine = isinstance(words, list) and "orchestrator.launch.worker" in words
        return (worker if mine else _POPEN)(words, *args, **kwargs)

    def call() -> tuple[int, str]:
        os.chdir(folder / "work")
        os.environ["ORCHESTRATOR_STORE"] = str(store)
        subprocess.Popen = popen
        from orchestrator.cli import main as command

        said, code = io.StringIO(), 0
        with contextlib.redirect_stdout(said), contextlib.redirect_stderr(said):
            try:
                command(list(words))
            except SystemExit as e:
                code = e.code or 0
            except BaseException:  # noqa: BLE001 (as an interpreter does)
                traceback.print_exc(file=said)
                code = 1
        return code, said.getvalue()

    return in_child(call)


def in_child(function: Callable):
    """What a function returns (as JSON can say it), called in a fork of this process."""
    reader, writer = os.pipe()
    pid = os.fork()
    if not pid:
        code = 1
        try:
            os.close(reader)
            out = json.dumps(function()).encode()
            with os.fdopen(writer, "wb") as pipe:
                pipe.write(out)
            code = 0
        except BaseException:  # noqa: BLE001 (a child never comes back into the caller's code)
            traceback.print_exc()
        finally:
            os._exit(code)
    os.close(writer)
    with os.fdopen(reader, "rb") as pipe:
        content = pipe.read()
    _, status = os.waitpid(pid, 0)
    if status:
        raise RuntimeError(f"a forked process failed ({os.waitstatus_to_exitcode(status)})")
    return json.loads(content)


if __name__ == "__main__":
    main()
