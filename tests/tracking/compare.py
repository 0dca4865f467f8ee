"""What the server was told against our records, read here without the code that sends."""

from __future__ import annotations

import json
from typing import Any

from orchestrator.records.store import Store
from tests.tracking.loopback import KEY, Loopback

METRICS = ("val_loss", "accuracy", "eval_correct", "train_loss", "grad_norm", "lr", "tokens")


def recorded(store: Store) -> dict[str, dict[int, dict[str, Any]]]:
    """run id → step → metrics that are numbers, straight from the files."""
    out: dict[str, dict[int, dict[str, Any]]] = {}
    for folder in store.packs.iterdir():
        members = json.loads((folder / "pack.json").read_text())["members"]
        for path in sorted(folder.glob("*/curves.jsonl")):
            for line in path.read_text().splitlines():
                row = json.loads(line)
                for i in range(len(row["val_loss"])):
                    run_id = members[row["first"] + i]["run_id"]
                    values = {
                        m: row[m][i] if isinstance(row[m], list) else row[m] for m in METRICS
                    }  # fmt: skip
                    out.setdefault(run_id, {})[row["step"]] = {
                        k: v for k, v in values.items() if v is not None
                    }
    return out


def results(store: Store) -> dict[str, dict[str, Any]]:
    """run id → its result."""
    paths = store.packs.glob("*/results-*.json")
    return {row["run_id"]: row for p in paths for row in json.loads(p.read_text())["runs"]}


def same_rows(run: dict[str, Any], rows: dict[int, dict[str, Any]]) -> bool:
    """Whether the server's history is our rows, each once and in order."""
    history = run["history"]
    assert [h["_step"] for h in history] == sorted(rows), run["displayName"]
    for h in history:
        assert {m: h[m] for m in METRICS if m in h} == rows[h["_step"]], run["displayName"]
    return True


def holds_all(server: Loopback, store: Store, sweep: str = "s") -> None:
    """Assert that the server holds each run once, closed, with each step once and our values."""
    ours, final = recorded(store), results(store)
    theirs = server.all_runs()
    assert sorted(r["id"] for r in theirs) == sorted(ours)
    for run in theirs:
        same_rows(run, ours[run["id"]])
        result = final[run["id"]]
        assert (run["state"], run["exitcode"]) == ("finished", 0)
        assert (run["group"], run["jobType"]) == (sweep, "train")
        assert f"sweep:{sweep}" in run["tags"]
        for key in ("status", "val_loss", "accuracy", "steps", "tokens"):
            assert run["summary"][key] == ("NaN" if result[key] is None else result[key]), key
        config = {k: v["value"] for k, v in run["config"].items() if k != "_wandb"}
        assert config["run_id"] == run["id"]
        assert not any(isinstance(v, (dict, list)) for v in config.values())
        numbers = ("depth", "width", "heads", "gamma", "seed", "lr", "params", "flops")
        assert all(isinstance(config[k], (int, float)) for k in numbers)
    assert not server.unknown


def no_key_under(*folders) -> None:
    """Assert that no file under the folders holds the key."""
    for folder in folders:
        for path in folder.rglob("*"):
            if path.is_file():
                assert KEY.encode() not in path.read_bytes(), path
