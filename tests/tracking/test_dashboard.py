"""Must-show 3: the specification without a server; saved, read back, updated in place with one."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

pytest.importorskip("wandb_workspaces", reason="the optional extra `dashboard`")


def analysed(folder: Path) -> None:
    """What collect, fit and plot leave, made up: only the bytes matter here."""
    import matplotlib.figure

    results = folder / "results" / "s"
    (results / "figures").mkdir(parents=True)
    (results / "laws.json").write_text('[{"law": "gamma_star", "verdict": "supported"}]')
    (results / "table.parquet").write_bytes(b"a table")
    matplotlib.figure.Figure(figsize=(1, 1)).savefig(results / "figures" / "law.png")


def panels(spec: dict) -> dict[str, list[dict]]:
    """The panels of each section of a workspace."""
    sections = spec["section"]["panelBankConfig"]["sections"]
    return {s["name"]: [p for p in s["panels"]] for s in sections}


def test_specification_needs_no_server(bench):
    bench.planned(packs=2)
    analysed(bench.folder)
    bench.server.kill()
    bench.env.pop("WANDB_API_KEY")
    made = bench.orchestrator("dashboard", "s", "--print")
    assert made.returncode == 0, made.stderr
    spec = json.loads(made.stdout)
    by_section = panels(spec["workspace"]["spec"])
    assert list(by_section) == [
        "Curves", "val_loss against γ", "Depth × γ", "Failures and divergences", "Compare runs"
    ]  # fmt: skip
    groups = [p["config"].get("groupBy") for p in by_section["Curves"]]
    assert {"depth.value", "gamma.value"} <= set(groups)
    (against,) = by_section["val_loss against γ"]
    assert against["config"]["xAxis"] == "config:gamma_raw.value"
    assert against["config"]["zAxis"] == "config:depth.value"
    heat = by_section["Depth × γ"][0]["config"]
    assert (heat["xAxis"], heat["yAxis"], heat["zAxis"]) == (
        "config:gamma.value", "config:depth.value", "summary:val_loss"
    )  # fmt: skip
    assert by_section["Compare runs"][0]["viewType"] == "Run Comparer"
    filters = spec["workspace"]["spec"]["section"]["runSets"][0]["filters"]["filters"]
    assert filters[0]["value"] == ["sweep:s"] and filters[0]["key"]["name"] == "tags"
    report = json.dumps(spec["report"]["blocks"], ensure_ascii=False)
    assert "gamma_star" in report and "figures/law" in report and "raw, depth 2" in report


def test_saved_read_back_and_updated_in_place(bench):
    bench.planned(packs=1, runs=2)
    analysed(bench.folder)
    first = bench.orchestrator("dashboard", "s")
    assert first.returncode == 0 and first.stdout.startswith("created: "), first.stderr
    assert "laws.json, table.parquet, law.png" in first.stdout
    before = dict(bench.server.views)
    assert sorted(v["type"] for v in before.values()) == ["project-view", "runs"]
    url = first.stdout.splitlines()[0].removeprefix("created: ")
    code = f"from tests.tracking.test_dashboard import read_back; print(read_back({url!r}))"
    out = subprocess.run(
        [sys.executable, "-c", code], env={**os.environ, **bench.env}, capture_output=True,
        text=True, check=True,
    )  # fmt: skip
    assert "'sweep s'" in out.stdout and "Depth × γ" in out.stdout
    committed = [a["files"] for a in bench.server.artifacts.values() if a["committed"]]
    assert sorted(committed) == [["laws.json"], ["table.parquet"]]

    (bench.folder / "results" / "s" / "laws.json").write_text('[{"law": "another"}]')
    again = bench.orchestrator("dashboard", "s")
    assert again.returncode == 0 and again.stdout.startswith("updated: "), again.stderr
    assert again.stdout.splitlines()[:2] == [
        line.replace("created", "updated") for line in first.stdout.splitlines()[:2]
    ]
    assert set(bench.server.views) == set(before)
    (report,) = [v for v in bench.server.views.values() if v["type"] == "runs"]
    assert "another" in report["spec"] and "gamma_star" not in report["spec"]
    runset = json.loads(report["spec"])["blocks"][-2]["metadata"]["runSets"][0]
    names = [f["key"]["name"] for f in runset["filters"]["filters"]]
    assert names == ["tags", "arm", "depth"]
    (analysis,) = bench.server.all_runs()
    assert analysis["displayName"] == "analysis of s" and len(analysis["history"]) == 2
    assert not bench.server.unknown


def read_back(url: str) -> dict:
    """A saved workspace as the client reads it."""
    import wandb_workspaces.workspaces as ws

    view = ws.Workspace.from_url(url)
    return {"name": view.name, "sections": [s.name for s in view.sections]}
