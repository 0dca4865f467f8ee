"""What the pieces found, as one page of Markdown."""

from __future__ import annotations

from typing import Any

TITLES = {
    "machine": "Machine", "correctness": "Losses of 10 steps, greatest relative difference from the CPU's in float32",
    "resumption": "A pack stopped at every look, against one that is not",
    "out_of_memory": "A call that memory does not take",
    "widths": "Runs a call", "bench": "`orchestrator bench`", "paper": "Bound by the data sheet",
    "language": "125M parameters, T = 1,024, bf16", "jax": "The same model in JAX",
    "peer": "Baseline (a): stock Hydra and Lightning", "law": "5,100 runs to a law",
}  # fmt: skip


def page(found: dict[str, dict[str, Any]], device: str, small: bool) -> str:
    """All that is known so far."""
    parts = [f"# The first minutes of {device}"]
    if small:
        parts.append(
            "At sizes that a CPU takes: it runs from end to end, and no number here is a result."
        )
    for name, title in TITLES.items():
        one = found.get(name)
        parts.append(f"## {title}")
        parts.append("not yet" if one is None else _said(one))
    if "peer" in found and "law" in found and not small:
        each = found["law"]["seconds"] / found["law"]["runs"]
        parts.append(f"A run of the law took {each:.3g} s, one of baseline (a) {found['peer']['run_s']:.3g} s: "
                     f"{found['peer']['run_s'] / each:.3g} times.")  # fmt: skip
    return "\n\n".join(parts) + "\n"


def _said(one: dict[str, Any]) -> str:
    """Plain values as lines, lists of rows as tables."""
    lines, tables = [], []
    for key, value in one.items():
        if isinstance(value, list) and value and isinstance(value[0], dict):
            tables.append(_table(value))
        elif isinstance(value, dict):
            tables.append(f"**{key}**\n\n{_said(value)}")
        else:
            lines.append(f"- {key.replace('_', ' ')}: {_number(value)}")
    return "\n\n".join([*(["\n".join(lines)] if lines else []), *tables])


def _table(rows: list[dict[str, Any]]) -> str:
    head = list(rows[0])
    lines = ["| " + " | ".join(k.replace("_", " ") for k in head) + " |", "|" + "---|" * len(head)]
    lines += ["| " + " | ".join(_number(row[k]) for k in head) + " |" for row in rows]
    return "\n".join(lines)


def _number(value: Any) -> str:
    return f"{value:.4g}" if isinstance(value, float) else str(value)
