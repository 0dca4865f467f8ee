"""Sections that a fit fills: verdicts, optima, checks, rivals, and what was measured."""

from __future__ import annotations

from html import escape
from typing import Any

import pandas as pd

from analysis.show import verdict_words as words
from analysis.show.html.gallery import gallery
from analysis.show.html.grid import DIGITS, grid, grid_of, values
from analysis.text import estimate, number


def verdicts(result: Any) -> str:
    """The question, the answer, and for every arm the verdict with its reasons."""
    text = [f"<h2>Verdict</h2><p class='quiet'>{escape(words.QUESTION)}</p>",
            f"<p class='answer'>{escape(words.of_result(result))}</p>"]  # fmt: skip
    for arms, answer, why in words.of_arms(result):
        law = result.arms[arms[0]].law
        word = law.verdict or "no verdict"
        told = [f"<b>{escape(a)}</b>" + (f" ({escape(words.ARMS[a])})" if a in words.ARMS else "")
                for a in arms]  # fmt: skip
        text.append(
            f"<p>{'Arm' if len(arms) == 1 else 'Arms'} {', '.join(told)}: <span class='verdict "
            f"{word.replace(' ', '-')}'>{escape(word)}</span>{_mark(law)}. {escape(answer)}"
            f"<br><span class='quiet'>{escape(' '.join(why))}</span></p>"
        )
    if result.attribution.get("finding"):
        text.append(f"<p>{escape(words.sentence(result.attribution['finding']))}</p>")
    return "".join(text)


def notes(result: Any) -> str:
    """What a reader must know beside the law."""
    if not result.notes:
        return ""
    return "<h2>Notes</h2>" + "".join(f"<p>{escape(words.sentence(n))}</p>" for n in result.notes)


def _mark(law: Any) -> str:
    """That no frozen analysis gave a verdict, and in what it differs from one."""
    sentence = law.provenance.get("sentence")
    return f" <span class='exploratory'>({escape(sentence)})</span>" if sentence else ""


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
            rows.append((label, values(runs[name].dropna())))
    window = "all γ" if result.window is None else f"±{result.window:g} in ln γ"
    rows.append(("metric", f"{result.metric} (form {result.form}, window: {window})"))
    text = "<h2>Data</h2>" + grid(["", ""], [[k, v] for k, v in rows])
    if loaded.missing:
        text += f"<p>{len(loaded.missing)} planned runs are missing.</p>"
    if result.partial:
        text += "<p class='verdict'>The sweep is unfinished: no verdict is given.</p>"
    return text


def arm_section(fit: Any) -> str:
    """One arm: optima per depth, checks, rivals, held-out."""
    law = fit.law
    several = len({c.width for c in fit.curves}) > 1
    text = [f"<h2>Arm {escape(fit.arm)}</h2>"]
    text.append(f"<p>{escape(words.sentence(words.formula(fit)))}</p>")
    text += [f"<p>{escape(words.sentence(word))}</p>" for word in fit.sentences]
    text.append(
        "<h3>Best γ per depth</h3>"
        + grid(
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
                    c.width if several else None,
                    c.optimum.label.removeprefix("γ* = ")
                    or estimate(c.optimum.gamma, c.optimum.low, c.optimum.high, DIGITS),
                    estimate(None, c.optimum.plateau_low, c.optimum.plateau_high, DIGITS),
                    number(c.optimum.best, DIGITS),
                    number(c.zero, DIGITS),
                ]
                for c in fit.curves
            ],
        )
    )
    text.append(
        "<h3>Checks</h3>"
        + grid(
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
            + grid(
                ["rival", "form", "information criterion, less the law's", ""],
                [
                    [
                        r.name.replace("_", " "),
                        r.description,
                        number(r.delta_ic, DIGITS),
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
            f"{estimate(held.predicted, held.low, held.high, DIGITS)}, observed "
            f"{number(held.observed, DIGITS)} ({escape(held.observed_kind)}).</p>"
        )
    return "".join(text)


def exchange(result: Any) -> str:
    """Momentum in the currency of depth."""
    found = result.fungibility or {}
    if not found:
        return ""
    text = ["<h2>Momentum in exchange for depth</h2>"]
    alike: dict[str, list[str]] = {}
    for arm, item in found.items():
        for word in item.sentences:
            alike.setdefault(word, []).append(arm)
    text += [f"<p><b>{escape(', '.join(arms))}</b>: {escape(w)}</p>" for w, arms in alike.items()]
    for item in found.values():
        if item.defined and len(item.effective):
            best = item.effective[item.effective["place"] == "inside"]
            best = best.sort_values("n_eff").groupby("depth").tail(1).sort_values("depth")
            text.append(grid_of(best, ["depth", "gamma", "n_eff", "low", "high"]))
    return "".join(text)


def figures(loaded: Any, result: Any) -> dict[str, str]:
    """The figures of the law, of training, of the metric against γ, and all others."""
    from analysis.show.figures import figures as draw
    from analysis.show.figures import of_training

    drawn = draw(result)
    law = {k: v for k, v in drawn.items() if k == "gamma_star_law"}
    curves = {k: v for k, v in drawn.items() if k.startswith("metric_vs_gamma")}
    rest = {k: v for k, v in drawn.items() if k not in {*law, *curves}}
    return {
        "law": gallery(law), "curves": "<h2>The metric against γ</h2>" + gallery(curves),
        "training": "<h2>Training</h2>" + gallery(of_training(loaded, result)),
        "rest": "<h2>More figures</h2>" + gallery(rest),
    }  # fmt: skip


def details(result: Any) -> str:
    """Learning rates, divergence and formation, where there is something to say."""
    text = []
    rates = result.learning_rates
    if len(rates):
        text.append("<h2>Learning rates</h2>" + grid_of(rates, list(rates.columns)))
    lost = result.divergence
    if len(lost) and lost["diverged"].sum():
        text.append(
            "<h2>Diverged runs</h2>"
            + grid_of(
                lost[lost["diverged"] > 0], ["arm", "depth", "width", "gamma", "runs", "diverged"]
            )
        )
    return "".join(text)


def method(result: Any) -> str:
    """How it was fitted."""
    ways = list(dict.fromkeys(law.method for law in result.laws if law.method))
    text = ["<h2>How it was fitted</h2>"]
    text += [f"<p>{escape(way)}.</p>" for way in ways]
    joint = [f"{f.arm}: {f.joint.sentence}" for f in result.arms.values() if f.joint is not None]
    text += [f"<p>Cross-check, {escape(line)}.</p>" for line in joint]
    text.append(
        "<p>“Supported” needs every check passed; intervals are at 95 %. Numbers that the "
        "data do not bound are shown as —.</p>"
    )
    return "".join(text)


def _passed(value: Any) -> str:
    return {True: "passed", False: "failed"}.get(value, "not decided")


def _said(check: dict[str, Any]) -> str:
    """A check's findings: its words, or its plain numbers."""
    if check.get("finding"):
        return str(check["finding"])
    return ", ".join(
        f"{k.replace('_', ' ')} {number(v, DIGITS)}"
        for k, v in check.items()
        if k != "passed" and isinstance(v, int | float | str | bool)
    )
