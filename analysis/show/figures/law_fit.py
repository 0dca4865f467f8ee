"""The figures of a general law: fit, residuals, profiles and bootstrap (or budgets and optima).

Guarantee: every row fitted is on the fit and on the residuals; a profile is drawn with the
threshold that its interval comes from, and stays open where the parameter is not identified.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np
from matplotlib.figure import Figure

from analysis.errors import InputError
from analysis.forms.law import FittedLaw
from analysis.show.figures import style
from analysis.show.figures.law_budgets import budgets, optima
from analysis.show.figures.law_pairs import pairs, profiles

DOTS = {
    "markerfacecolor": "none",
    "markeredgecolor": style.COLOURS[0],
    "markeredgewidth": 0.5,
    "linestyle": "none",
    "marker": "o",
}


def plot_law(fitted: FittedLaw, out_dir: Path) -> list[Path]:
    """Draw all figures of a law into `out_dir`; returns their paths. Raises InputError where
    the folder can't be written."""
    name = style.slug(fitted.law.law)
    with style.styled():
        drawn: dict[str, Figure | None] = {}
        if fitted.isoflop is not None:
            drawn[f"{name}_budgets"] = budgets(fitted)
            drawn[f"{name}_optima"] = optima(fitted)
        else:
            drawn[f"{name}_fit"] = curve(fitted)
            drawn[f"{name}_residuals"] = residuals(fitted)
            drawn[f"{name}_profiles"] = profiles(fitted)
            drawn[f"{name}_bootstrap"] = pairs(fitted)
    try:
        return [
            path
            for key, figure in drawn.items()
            if figure is not None
            for path in style.save(figure, out_dir, key)
        ]
    except OSError as error:
        raise InputError(f"can't write figures to {out_dir}: {error.strerror or error}") from error


def curve(fitted: FittedLaw) -> Figure:
    """One variable: data and curve; several: observed against fitted."""
    form, law = fitted.form, fitted.law
    fig, axes = style.figure(1, 1, style.SINGLE, 2.6)
    ax = axes[0, 0]
    inputs = [v for v in form.variables if v != form.response]
    y = fitted.columns[form.response]
    model = np.log(y) - fitted.fit.residuals
    ax.set_xscale("log")
    ax.set_yscale("log")
    if len(inputs) == 1:
        x = fitted.columns[inputs[0]]
        ax.plot(x, y, **DOTS, markersize=2.6)
        values = {n: p.estimate for n, p in law.parameters.items()}
        if all(v is not None for v in values.values()):
            line = np.geomspace(x.min(), x.max(), 200)
            with np.errstate(all="ignore"):
                ax.plot(line, form.predict(values, {inputs[0]: line}), color=style.COLOURS[1])
        else:
            order = np.argsort(x)
            ax.plot(x[order], np.exp(model[order]), color=style.COLOURS[1])
        ax.set_xlabel(_wrapped(f"{inputs[0]}: {fitted.labels[inputs[0]]} (log)"))
        ax.set_ylabel(_wrapped(f"{fitted.labels[form.response]} (log)"))
    else:
        ax.plot(np.exp(model), y, **DOTS, markersize=2.6)
        ends = np.array([min(np.exp(model).min(), y.min()), max(np.exp(model).max(), y.max())])
        ax.plot(ends, ends, color=style.COLOURS[1], linewidth=0.9)
        ax.set_xlabel(_wrapped(f"fitted {fitted.labels[form.response]} (log)"))
        ax.set_ylabel(_wrapped(f"observed {fitted.labels[form.response]} (log)"))
    for axis in "xy":
        style.log_ticks(ax, axis)
    rms = 100 * float(np.sqrt(np.mean(fitted.fit.residuals**2)))
    ax.set_title(f"{form.text}\n{y.size} rows, residual rms {rms:.2g} %")
    return fig


def residuals(fitted: FittedLaw) -> Figure:
    """Residuals (per cent) against every variable, and their quantiles."""
    from scipy import stats

    form = fitted.form
    r = 100 * fitted.fit.residuals
    inputs = [v for v in form.variables if v != form.response and np.ptp(fitted.columns[v]) > 0]
    fig, axes = style.panels(len(inputs) + 1, height=2.0, most=3)
    for ax, name in zip(axes, inputs, strict=False):
        ax.set_xscale("log")
        ax.plot(fitted.columns[name], r, **DOTS, markersize=2.4)
        ax.axhline(0, color=style.GREY, linewidth=0.6)
        ax.set_xlabel(_wrapped(f"{name}: {fitted.labels[name]} (log)"))
        style.log_ticks(ax, "x")
    columns = axes[0].get_gridspec().ncols
    for index, ax in enumerate(axes[:-1]):
        if index % columns == 0:
            ax.set_ylabel("residual (% of fitted)")
    ordered = np.sort(r)
    normal = stats.norm.ppf((np.arange(1, r.size + 1) - 0.5) / r.size)
    axes[-1].plot(normal, ordered, **DOTS, markersize=2.4)
    low, high = np.quantile(r, [0.25, 0.75])
    axes[-1].plot(
        normal, np.median(r) + normal * (high - low) / 1.349, color=style.GREY, linewidth=0.8
    )
    axes[-1].set_xlabel("normal quantile (SD)")
    axes[-1].set_ylabel("residual quantile (%)")
    return fig


def _wrapped(text: str, width: int = 44) -> str:
    text = text.replace("`", "")
    return text if len(text) <= width else text[: width - 1] + "…"
