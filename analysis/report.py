"""`analysis report`: one self-contained, printable report.html beside a sweep's table.

Guarantee: the page needs no other file and no network; every number on it comes from the table
or its fit, every verdict stands in words beside the checks it rests on, and a figure that could
not be drawn is named with the reason.
"""

from __future__ import annotations

import base64
import io
import math
import os
from html import escape
from pathlib import Path
from typing import Any

import pandas as pd

from analysis.errors import InputError

STYLE = """
body{font:15px/1.5 system-ui,-apple-system,"Segoe UI",sans-serif;color:#1a1a1a;max-width:60rem;
margin:2rem auto;padding:0 1rem}
h1{font-size:1.6rem;margin-bottom:.2rem}h2{font-size:1.2rem;margin-top:2rem;border-bottom:1px solid
#ccc}h3{font-size:1rem;margin:1.2rem 0 .3rem}
table{border-collapse:collapse;font-size:.85rem;margin:.6rem 0}
th,td{padding:.15rem .7rem .15rem 0;text-align:left;vertical-align:top}
th{border-bottom:1px solid #888}td.n{font-variant-numeric:tabular-nums}
figure{margin:1rem 0;break-inside:avoid}figure img{max-width:100%}
figcaption,.quiet{color:#555;font-size:.85rem}
.verdict{font-weight:600}.supported{color:#00704a}.not-supported{color:#a33d00}
.scroll{overflow-x:auto}
@media print{body{margin:0;max-width:none;font-size:11px}h2{break-after:avoid}tr{break-inside:avoid}}
"""
CAPTIONS = {
    "gamma_star_law": "Best γ against depth: optima with 95 % intervals, the fitted law with its "
    "band, rivals, the held-out depth and the published 4.17·N^-0.74.",
    "metric_vs_gamma": "The metric against γ at each depth: every run, the fitted curve, γ*.",
    "contours": "Lines of equal metric over depth and γ; the ridge is the best γ.",
    "collapse": "Effective over real depth: one curve for all depths would mean that momentum "
    "acts through an effective depth.",
    "comparison": "The law against its rivals, and the held-out depth against naive predictions.",
    "specification": "The exponent under every choice of metric, form and window.",
    "training_time": "The exponent against training time.",
    "formation": "The share of seeds that learn the task, against γ.",
    "divergence": "Which runs diverged.",
    "residuals": "Residuals of the curves by γ, depth, seed and fitted value, and their quantiles.",
    "forensics_bode": "Frequency response of the filter: by theory, by an impulse, and from the "
    "queries or keys of a trained model before and after it.",
    "forensics_spectra": "Power along the sequence of queries and keys, before and after the "
    "filter, by RoPE pair, and the gain at each pair's own rate.",
    "forensics_overlap": "Overlap of the spectra of content and momentum: 0 would be orthogonal "
    "bands.",
    "forensics_bands": "Share of energy below π/2: content, momentum, and out of the filter.",
    "forensics_prefix_matching": "Attention to the token after an earlier occurrence, of each "
    "run's best head.",
    "forensics_copying": "Copying score of that head's output circuit.",
    "forensics_causal": "Accuracy left when the filter of a trained model is changed at evaluation.",
}


def write(table: str | Path, partial: bool = False, out: str | Path | None = None,
          where: str | None = None) -> Path:  # fmt: skip
    """Fit a sweep's table and write report.html beside it (or to `out`); returns its path.

    A table of several tasks or budgets gets the comparison of its arms; where: the rows to report.
    Raises InputError where the table can't be fitted or the page can't be written.
    """
    from analysis import fit
    from analysis.groups import load_groups
    from analysis.sections import compared, priced, probed

    groups = load_groups(table, where)
    if len(groups) > 1:
        body = compared(groups) + priced(groups) + probed(groups)
        page = frame(f"Momentum: {', '.join(groups)}", body)
    else:
        (loaded,) = groups.values()
        page = html(loaded, fit(loaded, partial=partial))
    target = Path(out) if out is not None else Path(table).with_name("report.html")
    temporary = target.with_name(f".{target.name}.{os.getpid()}")
    try:
        temporary.write_text(page, encoding="utf-8")
        temporary.replace(target)
    except OSError as error:
        raise InputError(f"can't write {target}: {error.strerror or error}") from error
    return target


def html(loaded: Any, result: Any) -> str:
    """The page. loaded: `analysis.load`'s Table; result: its FitResult."""
    from analysis.sections import compared, priced, probed

    groups = {str(loaded.runs["task"].iloc[0]): loaded}
    parts = [verdicts(result), summary(loaded, result)]
    parts += [arm_section(fit) for fit in result.arms.values()]
    parts += [compared(groups), exchange(result), priced(groups)]
    parts += [figures(result), probed(groups), details(result), method(result)]
    return frame(f"Momentum and depth: {loaded.sweep}", "".join(parts))


def frame(title: str, body: str) -> str:
    """The whole page about its body."""
    return (
        f"<!doctype html><html lang='en'><head><meta charset='utf-8'><title>{escape(title)}"
        f"</title><meta name='viewport' content='width=device-width,initial-scale=1'>"
        f"<style>{STYLE}</style></head><body><h1>{escape(title)}</h1>{body}</body></html>\n"
    )


def summary(loaded: Any, result: Any) -> str:
    """What was measured."""
    runs: pd.DataFrame = loaded.runs
    status = ", ".join(f"{n} {name}" for name, n in runs["status"].value_counts().items())
    count = f"{len(runs)} of {loaded.expected} planned ({status})"
    rows = [("table", loaded.path.name), ("runs", count)]
    for name, label in (
        ("task", "task"),
        ("arm", "arms"),
        ("depth", "depths (layers)"),
        ("width", "widths"),
        ("gamma", "γ"),
        ("lr", "learning rates"),
        ("seed", "seeds"),
        ("steps", "steps"),
        ("tokens", "tokens"),
        ("params", "parameters"),
        ("flops", "FLOPs"),
        ("device", "devices"),
    ):
        if name in runs and runs[name].notna().any():
            rows.append((label, _values(runs[name].dropna())))
    window = "all γ" if result.window is None else f"±{result.window:g} in ln γ"
    rows.append(("metric", f"{result.metric} (form {result.form}, window: {window})"))
    text = "<h2>Data</h2>" + _table(["", ""], [[k, v] for k, v in rows])
    if loaded.missing:
        text += f"<p>{len(loaded.missing)} planned runs are missing.</p>"
    if result.partial:
        text += "<p class='verdict'>The sweep is unfinished: no verdict is given.</p>"
    return text


def verdicts(result: Any) -> str:
    """The finding in words, first."""
    lines = ["<h2>Verdict</h2>"]
    for law in result.laws:
        word = law.verdict or "no verdict (unfinished sweep)"
        kind = word.replace(" ", "-")
        lines.append(
            f"<p>Arm <b>{escape(str(law.arm))}</b>: γ*(N) = a·N^-b is "
            f"<span class='verdict {kind}'>{escape(word)}</span>. {_parameters(law)}</p>"
        )
    if result.attribution.get("words"):
        lines.append(f"<p>{escape(result.attribution['words'])}.</p>")
    lines += [f"<p class='quiet'>{escape(note)}</p>" for note in result.notes]
    return "".join(lines)


def arm_section(fit: Any) -> str:
    """One arm: optima per depth, checks, rivals, held-out."""
    law = fit.law
    text = [f"<h2>Arm {escape(fit.arm)}</h2>"]
    text += [f"<p>{escape(word)}</p>" for word in fit.words]
    text.append(
        "<h3>Best γ per depth</h3>"
        + _table(
            [
                "depth",
                "width",
                "γ* with 95 % interval",
                "γ within ε of the best",
                f"{fit.metric} there",
                "at γ = 0",
            ],
            [
                [
                    c.depth,
                    c.width,
                    c.optimum.words or _span(c.optimum.gamma, c.optimum.low, c.optimum.high),
                    _span(None, c.optimum.plateau_low, c.optimum.plateau_high),
                    _number(c.optimum.best),
                    _number(c.zero),
                ]
                for c in fit.curves
            ],
        )
    )
    text.append(
        "<h3>Checks</h3>"
        + _table(
            ["check", "", "what was found"],
            [
                [name.replace("_", " "), _passed(check.get("passed")), _said(check)]
                for name, check in law.checks.items()
            ],
        )
    )
    if fit.rivals:
        text.append(
            "<h3>Rivals</h3>"
            + _table(
                ["rival", "form", "information criterion, less the law's", ""],
                [
                    [
                        r.name.replace("_", " "),
                        r.words,
                        _number(r.delta_ic),
                        "excluded" if r.excluded else "not told apart",
                    ]
                    for r in fit.rivals
                ],
            )
        )
    held = fit.held_out
    if held is not None:
        text.append(
            f"<p>Depth {held.depth} held out: predicted "
            f"{_span(held.predicted, held.low, held.high)}, observed "
            f"{_number(held.observed)} ({escape(held.observed_kind)}).</p>"
        )
    return "".join(text)


def exchange(result: Any) -> str:
    """Momentum in the currency of depth."""
    found = result.fungibility or {}
    if not found:
        return ""
    text = ["<h2>Momentum in exchange for depth</h2>"]
    for arm, item in found.items():
        text += [f"<p><b>{escape(arm)}</b>: {escape(word)}</p>" for word in item.words]
        if item.defined and len(item.effective):
            best = item.effective[item.effective["place"] == "inside"]
            best = best.sort_values("n_eff").groupby("depth").tail(1).sort_values("depth")
            text.append(_frame(best, ["depth", "gamma", "n_eff", "low", "high"]))
        if item.defined and len(item.cost):
            text.append(_frame(item.cost, list(item.cost.columns)))
    return "".join(text)


def figures(result: Any) -> str:
    """Every figure of the laws."""
    from analysis.figures import figures as draw

    return "<h2>Figures</h2>" + gallery(draw(result))


def gallery(drawn: dict[str, Any]) -> str:
    """Figures by name, embedded; those not drawn are named."""
    shown, absent = [], []
    for name, figure in drawn.items():
        if isinstance(figure, str):
            absent.append(f"<li>{escape(figure)}</li>")
            continue
        key = next((k for k in CAPTIONS if name.startswith(k)), "")
        arm = name.removeprefix(key).strip("_")
        shown.append(embedded(figure, CAPTIONS.get(key, name) + (f" Arm {arm}." if arm else "")))
    if absent:
        shown.append("<p>Not drawn:</p><ul class='quiet'>" + "".join(absent) + "</ul>")
    return "".join(shown)


def embedded(figure: Any, caption: str) -> str:
    """A figure inside the page."""
    from analysis.figures.style import png

    buffer = io.BytesIO()
    png(figure, buffer, 160)
    data = base64.b64encode(buffer.getvalue()).decode()
    width = figure.get_figwidth() / 7.0 * 100
    return (
        f"<figure><img style='width:{width:.0f}%' alt='{escape(caption)}' "
        f"src='data:image/png;base64,{data}'><figcaption>{escape(caption)}</figcaption></figure>"
    )


def details(result: Any) -> str:
    """Learning rates, divergence and formation, where there is something to say."""
    text = []
    rates = result.learning_rates
    if len(rates):
        text.append("<h2>Learning rates</h2>" + _frame(rates, list(rates.columns)))
    lost = result.divergence
    if len(lost) and lost["diverged"].sum():
        text.append(
            "<h2>Diverged runs</h2>"
            + _frame(
                lost[lost["diverged"] > 0], ["arm", "depth", "width", "gamma", "runs", "diverged"]
            )
        )
    return "".join(text)


def method(result: Any) -> str:
    """How it was fitted."""
    ways = list(dict.fromkeys(law.method for law in result.laws if law.method))
    text = ["<h2>How it was fitted</h2>"]
    text += [f"<p>{escape(way)}.</p>" for way in ways]
    joint = [f"{f.arm}: {f.joint.words}" for f in result.arms.values() if f.joint is not None]
    text += [f"<p>Cross-check, {escape(line)}.</p>" for line in joint]
    text.append(
        "<p>“Supported” needs every check passed; intervals are at 95 %. Numbers that the "
        "data do not bound are shown as —.</p>"
    )
    return "".join(text)


def _parameters(law: Any) -> str:
    return "; ".join(
        f"{escape(name)} = {_span(p.estimate, p.low, p.high)}"
        + ("" if p.identified else " (not identified)")
        for name, p in law.parameters.items()
    )


def _span(value: float | None, low: float | None, high: float | None) -> str:
    interval = f"[{_number(low)}, {_number(high)}]"
    return interval if value is None else f"{_number(value)} {interval}"


def _number(value: Any) -> str:
    if value is None or (isinstance(value, float) and not math.isfinite(value)):
        return "—"
    if isinstance(value, bool):
        return "yes" if value else "no"
    return f"{value:.4g}" if isinstance(value, float) else str(value)


def _passed(value: Any) -> str:
    return {True: "passed", False: "failed"}.get(value, "not decided")


def _said(check: dict[str, Any]) -> str:
    """A check's findings: its words, or its plain numbers."""
    if check.get("words"):
        return str(check["words"])
    return ", ".join(
        f"{k.replace('_', ' ')} {_number(v)}"
        for k, v in check.items()
        if k != "passed" and isinstance(v, int | float | str | bool)
    )


def _values(column: pd.Series) -> str:
    """The distinct values, or their range where there are many."""
    values = sorted(column.unique(), key=lambda v: (isinstance(v, str), v))
    said = [
        _number(float(v)) if isinstance(v, int | float) or hasattr(v, "dtype") else str(v)
        for v in values
    ]
    return ", ".join(said) if len(said) <= 16 else f"{said[0]} to {said[-1]} ({len(said)} values)"


def _table(head: list[str], rows: list[list[Any]]) -> str:
    top = "".join(f"<th>{escape(h)}</th>" for h in head)
    top = f"<tr>{top}</tr>" if any(head) else ""
    body = "".join(
        "<tr>" + "".join(f"<td class='n'>{escape(_number(v))}</td>" for v in row) + "</tr>"
        for row in rows
    )
    return f"<div class='scroll'><table>{top}{body}</table></div>"


def _frame(table: pd.DataFrame, columns: list[str]) -> str:
    rows = [
        [None if pd.isna(v) else v.item() if hasattr(v, "item") else v for v in row]
        for row in table[columns].itertuples(index=False)
    ]
    return _table([c.replace("_", " ") for c in columns], rows)
