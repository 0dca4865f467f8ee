"""The archive's words: how to regenerate what is in it, and how to cite it."""

from __future__ import annotations

from typing import Any

CONTENTS = {
    "table.parquet": "one row a run",
    "curves.parquet": "one row a run and evaluation",
    "laws.json": "the fitted laws with intervals and verdicts",
    "fit.json": "the whole fit, from which figures and report are drawn without fitting again",
    "report.html": "the analysis on one page",
    "configs.jsonl": "the resolved config of every run, by run id",
    "submissions.jsonl": "what was submitted: overrides, commit, package versions, frozen analysis",
    "CITATION.cff": "how to cite it",
}


def readme(name: str, runs: int, submission: dict[str, Any], files: list[str]) -> str:
    """README.md of an archive that holds `files`; `submission`: the last one."""
    held = [f"- `{f}`: {CONTENTS[f]}" for f in files if f in CONTENTS]
    for folder, what in (("figures", "its figures"), ("sweeps", "the sweep's file, as it is now")):
        held += [f"- `{folder}/`: {what}"] if any(f.startswith(f"{folder}/") for f in files) else []
    commit = (submission["git_commit"] or "unknown").rstrip("+")
    changed = " with changes that were not committed" if commit != submission["git_commit"] else ""
    file = f"sweeps/{name}.yaml"
    again = f"orchestrator submit ./{file} && orchestrator collect {name}"
    retrain = f"""
Training it again, with the overrides that `submissions.jsonl` names:

    {again}
""" if file in files else "\nThe sweep's file was not found; `configs.jsonl` has every run.\n"  # fmt: skip
    packages = ", ".join(f"{k} {v}" for k, v in sorted(submission["packages"].items()))
    return f"""# {name}: {runs} runs of momentum-lab

{chr(10).join(held)}

Figures, laws and report come from the tables, without training and without a GPU:

    pip install .    # in a checkout of momentum-lab at commit {commit}
    analysis report table.parquet
{retrain}
Last submitted {submission["date"]} with commit {commit}{changed}, code version
{submission["code_version"]}; {packages}.
"""


def citation(name: str, submission: dict[str, Any]) -> str:
    """CITATION.cff 1.2.0 of the archive as a data set, with the paper that it tests."""
    commit = submission["git_commit"]
    return f"""cff-version: 1.2.0
type: dataset
title: "momentum-lab: the sweep {name}"
message: "If you use these results, please cite them, and the paper that they test."
authors:
  - name: "The momentum-lab contributors"
license: MIT
date-released: {submission["date"]}
{f'version: "{commit}"' if commit else f'version: "{submission["code_version"]}"'}
references:
  - type: article
    title: "Momentum Attention: The Physics of In-Context Learning and Spectral Forensics for Mechanistic Interpretability"
    authors:
      - family-names: Maitra
        given-names: K.
    identifiers:
      - type: other
        value: "arXiv:2602.04902"
    url: "https://arxiv.org/abs/2602.04902"
"""
