"""From records to tidy tables: one row a run, one row an evaluation; what is missing is named.

Curves are the most of it: they go from the records to the file batch by batch.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pyarrow as pa

from orchestrator.describe import describe
from orchestrator.errors import UserError
from orchestrator.records.attempts import Attempt, attempts, results
from orchestrator.records.commits import Commit, commits
from orchestrator.records.curves import slots
from orchestrator.records.damage import say
from orchestrator.records.manifests import Member, Sweep
from orchestrator.records.packs import Pack, PackLost, read_pack
from orchestrator.records.sealed import Damaged, unseal
from orchestrator.records.store import Store, read_lines
from orchestrator.records.tables import Columns, write_batches, write_csv

CURVES = pa.schema([
    ("run_id", pa.string()), ("step", pa.int64()), ("tokens", pa.int64()),
    ("eval_total", pa.int64()), ("val_loss", pa.float64()), ("accuracy", pa.float64()),
    ("eval_correct", pa.int64()), ("train_loss", pa.float64()), ("grad_norm", pa.float64()),
    ("lr", pa.float64()),
])  # fmt: skip
"""Of every evaluation; a column for each measure follows."""
BATCH = 65536
"""Evaluations in a row group, about."""


@dataclass
class Collected:
    """What was written, and what could not be."""

    paths: list[Path] = field(default_factory=list)
    statuses: dict[str, int] = field(default_factory=dict)
    """Rows of the table by status."""
    missing: list[dict[str, Any]] = field(default_factory=list)
    """Runs without a result: {arm, depth, gamma, lr, seed, reason}."""


def collect(
    store: Store, sweeps: list[Sweep], folder: Path, about: dict[str, Any], csv: bool = False
) -> Collected:
    """Write table and curves of sweeps into a folder.

    `about`, and what is `missing`, go into the Parquet files' metadata as "orchestrator".
    Raises: UserError where no run has finished.
    """
    out, rows = Collected(), Columns()
    sources: list[_Source] = []
    for pack_id, wanted in _by_pack(sweeps).items():
        try:
            pack = read_pack(store, pack_id)
        except PackLost as e:
            say(store.packs / pack_id, f"{len(wanted)} runs are missing: {e}")
            out.missing += [_unknown(member) for _, member in wanted.values()]
            continue
        for row in _pack_rows(store, pack, wanted, out.missing, sources):
            rows.add(row)
    table = rows.table()
    if not len(table):
        raise UserError(f"sweep {about['sweep']}: no run has finished in {store.root}")
    out.statuses = dict(Counter(table["status"].to_pylist()).most_common())
    about = {**about, "missing": out.missing}
    curves = _schema(sources)
    for name, schema, batches in (
        ("table", table.schema, table.combine_chunks().to_batches()),
        ("curves", curves, _batches(sources, curves)),
    ):
        out.paths.append(write_batches(folder / f"{name}.parquet", schema, batches, about))
        if csv:
            out.paths.append(write_csv(out.paths[-1]))
    return out


@dataclass(frozen=True)
class _Source:
    """Where the curves of some runs of one attempt lie."""

    path: Path
    runs: dict[int, str]
    """Run id by slot."""
    committed: list[Commit]
    """Of this attempt; none where an earlier version of the code trained."""


def _pack_rows(
    store: Store, pack: Pack, wanted: dict[str, tuple[str, Member]],
    missing: list[dict[str, Any]], sources: list[_Source],
) -> Iterator[dict[str, Any]]:  # fmt: skip
    """The table's rows of a pack; appends to `missing` and to `sources`."""
    tries, made = attempts(store, pack.pack_id), commits(store.packs / pack.pack_id)
    found = results(tries, made)
    origins = _origins(tries, made)
    by_attempt: dict[int, dict[int, str]] = {}
    for slot, run_id in enumerate(pack.run_ids):
        if run_id not in wanted:
            continue
        names, member = wanted[run_id]
        described = _describe(pack, slot, names, member)
        result = found.get(run_id)
        if result is not None:
            device, commit, code = origins[result["attempt"]]
            versions = ",".join(f"{k}={v}" for k, v in pack.versions.items())
            by_attempt.setdefault(result["attempt"], {})[slot] = run_id
            yield {**described, **result, "device": device, "git_commit": commit,
                   "code_version": f"{code} ({versions})"}  # fmt: skip
            continue
        failed = bool(tries) and (tries[-1].end() or {}).get("status") == "failed"
        if failed:
            yield {**described, "status": "failed", "attempt": tries[-1].number}
        keys = ("arm", "depth", "gamma", "lr", "seed")
        reason = "failed" if failed else "not trained yet"
        missing.append({**{k: described[k] for k in keys}, "reason": reason})
    for number, runs in sorted(by_attempt.items()):
        path = store.packs / pack.pack_id / f"{number:04d}" / "curves.jsonl"
        sources.append(_Source(path, runs, [m for m in made if m.attempt == number]))


def _origins(
    tries: list[Attempt], made: list[Commit]
) -> dict[int, tuple[str | None, str | None, str]]:
    """Device, git commit and code version of each attempt."""
    out = {m.attempt: (m.device, m.git_commit, m.code_version) for m in made}
    for attempt in tries:
        if attempt.number not in out:
            code = (attempt.claim["git_commit"], attempt.claim["code_version"])
            out[attempt.number] = (_device(attempt), *code)
    return out


def _device(attempt: Attempt) -> str | None:
    """Of an attempt by an earlier version of the code, which kept it in a file of its own."""
    try:
        name = unseal((attempt.folder / "device.json").read_bytes())
    except (FileNotFoundError, NotADirectoryError, IsADirectoryError, Damaged):
        return None
    return name if isinstance(name, str) else None


def _unknown(member: Member) -> dict[str, Any]:
    named = {"arm": member.arm, "depth": None, "gamma": None, "lr": None, "seed": member.seed}
    return {**named, "reason": "its pack.json is lost"}


def _by_pack(sweeps: Iterable[Sweep]) -> dict[str, dict[str, tuple[str, Member]]]:
    """pack → run → the names of the sweeps that hold it, and what the last of them calls it.

    A run of several sweeps is one row; where they name different packs, the last one's counts.
    """
    last: dict[str, tuple[str, Member]] = {}
    for sweep in sweeps:
        for run_id, member in sweep.members.items():
            before = last.get(run_id)
            last[run_id] = (f"{before[0]},{sweep.name}" if before else sweep.name, member)
    out: dict[str, dict[str, tuple[str, Member]]] = {}
    for run_id, (names, member) in last.items():
        out.setdefault(member.pack_id, {})[run_id] = (names, member)
    return out


def _describe(pack: Pack, slot: int, sweep: str, member: Member) -> dict[str, Any]:
    """A row's columns that are known before training."""
    run = describe(pack.runs[slot], member.arm, member.seed)
    return {
        "run_id": run["run_id"], "sweep": sweep, **run, "pack": pack.pack_id,
        "pack_size": len(pack.run_ids), "slice_width": pack.frozen.width,
        "compiled": pack.frozen.compile,
    }  # fmt: skip


def _schema(sources: list[_Source]) -> pa.Schema:
    """CURVES and what any of the runs measured."""
    rows = (made.last for source in sources for made in source.committed)
    names = dict.fromkeys(name for row in rows for name in row.get("measures", ()))
    return pa.schema([*CURVES, *((name, pa.float64()) for name in names)])


def _batches(sources: list[_Source], schema: pa.Schema) -> Iterator[pa.RecordBatch]:
    """The evaluations, in batches; null where a run did not measure."""
    columns: dict[str, list[Any]] = {name: [] for name in schema.names}
    for source in sources:
        for row in _evaluations(source):
            mine = [i for i, slot in enumerate(slots(row)) if slot in source.runs]
            columns["run_id"] += [source.runs[row["first"] + i] for i in mine]
            measured = dict.fromkeys(schema.names[len(CURVES) :]) | row.get("measures", {})
            for name in schema.names[1:]:
                value = row[name] if name in CURVES.names else measured[name]
                each = [value[i] for i in mine] if isinstance(value, list) else [value] * len(mine)
                columns[name] += each
        if len(columns["run_id"]) >= BATCH:
            yield pa.record_batch(list(columns.values()), schema=schema)
            columns = {name: [] for name in schema.names}
    yield pa.record_batch(list(columns.values()), schema=schema)


def _evaluations(source: _Source) -> Iterator[dict[str, Any]]:
    """An attempt's evaluations; the last of each slice stands in its commit, should it be lost."""
    seen: dict[int, set[int]] = {}
    for row in read_lines(source.path):
        seen.setdefault(row["first"], set()).add(row["step"])
        yield row
    for made in source.committed:
        first = made.last.get("first")
        lost = [s for s in made.steps if s not in seen.get(first, ())]
        if lost and lost[-1] == made.last["step"]:
            lost.pop()
            yield made.last
        if lost:
            which = f"evaluations at steps {', '.join(map(str, lost))} of the slice at slot {first}"
            say(source.path, f"{which} are lost, and missing from the curves")
