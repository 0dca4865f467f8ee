"""From records to tidy tables: one row a run, one row an evaluation; what is missing is named."""

from __future__ import annotations

import json
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq

from orchestrator.describe import describe
from orchestrator.records.attempts import Attempt, attempts, results
from orchestrator.records.curves import of_slot, slots
from orchestrator.records.manifests import Member, Sweep
from orchestrator.records.packs import Pack, read_pack
from orchestrator.records.store import Store, read_json, read_lines

CURVE_COLUMNS = (
    "step", "tokens", "eval_total", "val_loss", "accuracy", "eval_correct", "train_loss",
    "grad_norm", "lr",
)  # fmt: skip


def collect(store: Store, sweeps: list[Sweep]) -> tuple[pd.DataFrame, pd.DataFrame, list[dict]]:
    """Table, curves, and the runs without a result: {arm, depth, gamma, lr, seed, reason}."""
    rows: list[dict[str, Any]] = []
    curves: list[pd.DataFrame] = []
    missing: list[dict[str, Any]] = []
    for pack_id, wanted in _by_pack(sweeps).items():
        pack = read_pack(store, pack_id)
        tries = attempts(store, pack_id)
        found = results(tries)
        by_number = {a.number: a for a in tries}
        for slot, run_id in enumerate(pack.run_ids):
            if run_id not in wanted:
                continue
            names, member = wanted[run_id]
            described = _describe(pack, slot, names, member)
            result = found.get(run_id)
            if result is not None:
                rows.append({**described, **result, **_origin(by_number, result, pack)})
                continue
            failed = bool(tries) and (tries[-1].end() or {}).get("status") == "failed"
            if failed:
                rows.append({**described, "status": "failed", "attempt": tries[-1].number})
            keys = ("arm", "depth", "gamma", "lr", "seed")
            reason = "failed" if failed else "not trained yet"
            missing.append({**{k: described[k] for k in keys}, "reason": reason})
        curves.extend(_curves(pack, tries, found, wanted))
    table = pd.DataFrame(rows)
    joined = pd.concat(curves, ignore_index=True) if curves else pd.DataFrame()
    return table, joined, missing


def write_tables(
    folder: Path, table: pd.DataFrame, curves: pd.DataFrame, about: dict[str, Any], csv: bool
) -> list[Path]:
    """Write table and curves; `about` goes into the Parquet files' metadata as "orchestrator"."""
    out = []
    for name, frame in (("table", table), ("curves", curves)):
        out.append(write_parquet(folder / f"{name}.parquet", frame, about))
        if csv:
            frame.to_csv(folder / f"{name}.csv", index=False)
            out.append(folder / f"{name}.csv")
    return out


def write_parquet(path: Path, frame: pd.DataFrame, about: dict[str, Any]) -> Path:
    """Write one table, whole or not at all, with `about` in its metadata as "orchestrator"."""
    path.parent.mkdir(parents=True, exist_ok=True)
    arrow = pa.Table.from_pandas(frame, preserve_index=False)
    meta = {**(arrow.schema.metadata or {}), b"orchestrator": json.dumps(about).encode()}
    temporary = path.with_name(f".{path.name}.new")
    pq.write_table(arrow.replace_schema_metadata(meta), temporary)
    temporary.replace(path)
    return path


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


def _origin(by_number: dict[int, Attempt], result: dict[str, Any], pack: Pack) -> dict[str, Any]:
    attempt = by_number[result["attempt"]]
    claim = attempt.claim
    versions = ",".join(f"{k}={v}" for k, v in pack.versions.items())
    return {
        "device": read_json(attempt.folder / "device.json"),
        "git_commit": claim["git_commit"],
        "code_version": f"{claim['code_version']} ({versions})",
    }


def _curves(
    pack: Pack, tries: list[Attempt], found: dict[str, Any], wanted: dict[str, Any]
) -> list[pd.DataFrame]:
    """Evaluations of a pack's runs, from the attempt whose result counts."""
    counting = {a.number for a in tries} & {row["attempt"] for row in found.values()}
    ids = pack.run_ids
    rows = []
    for attempt in tries:
        if attempt.number not in counting:
            continue
        mine = [
            r in wanted and found.get(r, {}).get("attempt") == attempt.number for r in ids
        ]  # fmt: skip
        for row in read_lines(attempt.curves):
            for slot in slots(row):
                if mine[slot]:
                    one = of_slot(row, slot)
                    rows.append({"run_id": ids[slot], **{k: one[k] for k in CURVE_COLUMNS}})
    return [pd.DataFrame(rows)] if rows else []
