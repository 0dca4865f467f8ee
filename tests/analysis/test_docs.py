"""What docs/claims.md says stands in the tables beside it, and needs no training to see."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

import analysis
from analysis.contrasts.arms import compare_arms
from analysis.tables.groups import load_groups
from analysis.tables.probe import of_table

DOCS = Path(__file__).resolve().parents[2] / "docs"
TABLES = sorted(DOCS.glob("data/*/table.parquet"))


def test_every_link_and_table_of_the_claims_is_there():
    text = (DOCS / "claims.md").read_text()
    for target in re.findall(r"\]\((?!http)([^)]+)\)", text):
        assert (DOCS / target).exists(), target
    for name in re.findall(r"docs/data/(\w+)/table", text):
        assert (DOCS / "data" / name / "table.parquet") in TABLES, name
    assert TABLES


@pytest.mark.parametrize("path", TABLES, ids=lambda p: p.parent.name)
def test_each_table_is_whole_and_its_arms_can_be_judged(path):
    groups = load_groups(path)
    for table in groups.values():
        assert table.curves_path is not None and table.runs["run_id"].is_unique
        assert set(table.runs["status"]) <= {"completed", "diverged"}
    assert all(r["seeds"] >= 1 for r in compare_arms(groups).rows)


def test_the_exponent_quoted_is_the_one_fitted():
    table = analysis.load(DOCS / "data/gamma_depth_small_tuned/table.parquet")
    b = analysis.fit(table, explore=False).arms["raw"].law.parameters["b"]
    said = f"{b.estimate:.2f} [{b.low:.2f}, {b.high:.2f}]"
    assert f"b = {said}" in (DOCS / "claims.md").read_text()


def test_the_one_layer_accuracies_quoted_are_those_judged():
    rows = compare_arms(load_groups(DOCS / "data/single_layer_induction_small/table.parquet")).rows
    text = (DOCS / "claims.md").read_text()
    one = {r["arm"]: r for r in rows if r["task"].startswith("induction") and r["depth"] == 1}
    said = [f"{one['raw'][k]:.3f}".lstrip("0")
            for k in ("accuracy", "accuracy_low", "accuracy_high")]  # fmt: skip
    assert f"{said[0]} [{said[1]}, {said[2]}]" in text
    assert one["key_only"]["accuracy"] > 0.99 and one["none"]["formed"] == 0


def test_the_response_measured_on_trained_heads_is_theorys():
    probed = of_table(DOCS / "data/forensics_small/table.parquet")
    assert probed["response"]["error_sequences"].max() < 1e-5
    assert probed["response"]["error_impulse"].max() < 1e-5


def test_under_completep_the_numbers_quoted_are_those_fitted():
    fit = analysis.fit(
        analysis.load(DOCS / "data/gamma_completep_small/table.parquet"), explore=False
    )
    raw = fit.arms["raw"]
    b = raw.law.parameters["b"]
    stars = ", ".join(f"{c.optimum.gamma:.2f}".lstrip("0") for c in raw.curves)
    text = " ".join((DOCS / "claims.md").read_text().split())
    assert f"raw γ\\* {stars}, b = {b.estimate:.2f} [{b.low:.2f}, {b.high:.2f}]" in text
    assert {c.optimum.gamma for c in fit.arms["norm_matched"].curves} == {None}


def test_the_shares_of_deep_runs_quoted_are_those_of_the_tables():
    def shares(name: str) -> list[str]:
        runs = analysis.load(DOCS / f"data/{name}/table.parquet").runs
        raw = runs[(runs["arm"] == "raw") & (runs["seed"] < 100)]
        return [f"{100 * (raw['accuracy'][raw['depth'] == d] > 0.9).mean():.0f}" for d in (6, 8)]

    text = " ".join((DOCS / "claims.md").read_text().split())
    above, here = shares("gamma_depth_small_tuned"), shares("gamma_completep_small")
    assert f"of which {above[0]} and {above[1]} % came to accuracy .9 above" in text
    assert f"in {here[0]} and {here[1]} % of runs" in text
