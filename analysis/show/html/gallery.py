"""Figures inside the page, each with what it shows in words."""

from __future__ import annotations

import base64
import io
from html import escape
from typing import Any

from analysis.tables.published import GAMMA_STAR

CAPTIONS = {
    "gamma_star_law": "Best γ against depth: optima with 95 % intervals, the fitted law with its "
    f"band, rivals, the held-out depth and the published {GAMMA_STAR[0]}·N^-{GAMMA_STAR[1]}.",
    "metric_vs_gamma": "The metric against γ at each depth: every run, the fitted curve, γ*.",
    "training_time": "The exponent against training time.",
    "training": "The metric over training: a line a run, coloured by γ; dashed where the run never "
    "learned the task.",
    "contours": "Lines of equal metric over depth and γ; the ridge is the best γ.",
    "collapse": "Effective over real depth: one curve for all depths would mean that momentum "
    "acts through an effective depth.",
    "comparison": "The law against its rivals, and the held-out depth against naive predictions.",
    "specification": "The exponent under every choice of metric, form and window.",
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
    from analysis.show.figures.style import png

    buffer = io.BytesIO()
    png(figure, buffer, 160)
    data = base64.b64encode(buffer.getvalue()).decode()
    width = figure.get_figwidth() / 7.0 * 100
    return (
        f"<figure><img style='width:{width:.0f}%' alt='{escape(caption)}' "
        f"src='data:image/png;base64,{data}'><figcaption>{escape(caption)}</figcaption></figure>"
    )
