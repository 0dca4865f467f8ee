"""A collected sweep as one archive: what was found, what trained it, and how to find it again.

Guarantee: the same records and results give the same bytes, and nothing in it names this machine:
settings of clusters and tracking stay behind, and a file that holds a path or a secret of this
machine is refused.
"""

from __future__ import annotations

import gzip
import io
import json
import os
import tarfile
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from omegaconf import OmegaConf

from orchestrator.config import RunConfig
from orchestrator.errors import UserError
from orchestrator.launch.export_texts import citation, readme
from orchestrator.launch.sweeps import find_sweep
from orchestrator.records.manifests import Sweep, read_manifests, read_sweep
from orchestrator.records.packs import read_pack
from orchestrator.records.store import Store, open_store

_SCIENCE = ("model", "task", "optim", "budget", "precision", "seed", "seed_init", "seed_data")
_RESULTS = ("table.parquet", "curves.parquet", "laws.json", "fit.json", "report.html")
_SECRET = ("KEY", "TOKEN", "SECRET", "PASSWORD")


def export(sweep: str, results: Path, out: Path | None = None) -> Path:
    """Write the archive of a sweep collected in RESULTS/SWEEP, and say where.

    Raises: UserError where it was not submitted or not collected, or a file names this machine.
    """
    store = open_store()
    name = Path(sweep).stem if "/" in sweep else sweep
    members, manifests = read_sweep(store, name), read_manifests(store, name)
    folder = results / name
    if not (folder / "table.parquet").is_file():
        raise UserError(f"{folder}/table.parquet: not there; `orchestrator collect {name}` first")
    files = {n: (folder / n).read_bytes() for n in _RESULTS if (folder / n).is_file()}
    for figure in sorted((folder / "figures").glob("*.p[nd][gf]")):
        files[f"figures/{figure.name}"] = figure.read_bytes()
    files |= {f"sweeps/{p.name}": p.read_bytes() for p in _sweep_files(sweep)}
    files["configs.jsonl"] = _lines(_configs(store, members))
    submissions = [_submission(m) for m in manifests]
    files["submissions.jsonl"] = _lines(submissions)
    last = submissions[-1]
    files["CITATION.cff"] = citation(name, last).encode()
    files["README.md"] = readme(name, len(members.members), last, sorted(files)).encode()
    _require_clean(files, store)
    out = out or results / f"{name}.tar.gz"
    try:
        out.parent.mkdir(parents=True, exist_ok=True)
        out.write_bytes(_archive(name, files))
    except OSError as e:
        raise UserError(f"--out {out}: can't be written ({e.strerror})") from e
    return out


def _sweep_files(sweep: str) -> list[Path]:
    """The sweep's file and the sweep files that it inherits; [] where it is found no more."""
    try:
        path = find_sweep(sweep)
    except UserError:
        return []
    out, names = [path], OmegaConf.load(path).get("defaults", [])
    for name in names:
        if isinstance(name, str) and name not in ("config", "_self_"):
            out += _sweep_files(name)
    return out


def _configs(store: Store, sweep: Sweep) -> list[dict[str, Any]]:
    """Resolved config of every run, by run id, with the arm and seed that the sweep gives it."""
    packs: dict[str, dict[str, RunConfig]] = {}
    out = []
    for run_id, member in sorted(sweep.members.items()):
        if member.pack_id not in packs:
            packs[member.pack_id] = {r.run_id: r for r in read_pack(store, member.pack_id).runs}
        run = packs[member.pack_id][run_id]
        config = {**run.as_dict(), "seed": member.seed}
        out.append({"run_id": run_id, "arm": member.arm, "config": config})
    return out


def _submission(manifest: dict[str, Any]) -> dict[str, Any]:
    """A manifest without run ids and without what is this machine's, such as its cluster."""
    keep = ("git_commit", "code_version", "packages", "law")
    own = [o for o in manifest["overrides"] if o.lstrip("+~").split("=")[0].split("@")[0]
           .replace("/", ".").split(".")[0] in _SCIENCE]  # fmt: skip
    date = datetime.fromtimestamp(manifest["time"], UTC).date().isoformat()
    return {"date": date, "overrides": own, **{k: manifest[k] for k in keep}}


def _lines(rows: list[dict[str, Any]]) -> bytes:
    return "".join(json.dumps(row, sort_keys=True) + "\n" for row in rows).encode()


def _require_clean(files: dict[str, bytes], store: Store) -> None:
    """Raise UserError for a file that holds a path or a secret of this machine."""
    places = {str(store.root), str(Path.cwd()), str(Path.home())} - {"/"}
    secrets = {
        v for k, v in os.environ.items() if any(s in k.upper() for s in _SECRET) and len(v) >= 12
    }
    for name, content in files.items():
        if any(s.encode() in content for s in secrets):
            raise UserError(f"{name}: holds a secret from the environment; not exported")
        found = sorted(p for p in places if f"{p}/".encode() in content)
        if found:
            raise UserError(f"{name}: names a folder of this machine ({found[0]}); not exported")


def _archive(name: str, files: dict[str, bytes]) -> bytes:
    """A tar.gz without times, owners or order of its own."""
    raw = io.BytesIO()
    with tarfile.open(fileobj=raw, mode="w", format=tarfile.USTAR_FORMAT) as tar:
        for path in sorted(files):
            info = tarfile.TarInfo(f"{name}/{path}")
            info.size = len(files[path])
            tar.addfile(info, io.BytesIO(files[path]))
    return gzip.compress(raw.getvalue(), mtime=0)
