"""Figures of trained models opened by `orchestrator probe`, drawn from its tables alone."""

from __future__ import annotations

from typing import TYPE_CHECKING

from analysis.tables.probe import Forensics, arms

if TYPE_CHECKING:
    from matplotlib.figure import Figure


def figures(forensics: Forensics) -> dict[str, Figure | str]:
    """Name -> the figure, or one line on why it is not drawn. To be called in `style.styled()`."""
    from analysis.show.figures.forensics import bands, bode, causal, heads, spectra
    from analysis.show.figures.style import slug

    drawn: dict[str, Figure | str] = {}
    for arm in arms(forensics):
        drawn[f"forensics_bode_{slug(arm)}"] = bode.draw(forensics, arm)
        drawn[f"forensics_spectra_{slug(arm)}"] = spectra.draw(forensics, arm)
    drawn["forensics_overlap"] = bands.draw_overlap(forensics)
    for arm in arms(forensics):
        drawn[f"forensics_bands_{slug(arm)}"] = bands.draw_shares(forensics, arm)
    for score in ("prefix_matching", "copying"):
        drawn[f"forensics_{score}"] = heads.draw(forensics, score)
    drawn["forensics_causal"] = causal.draw(forensics)
    return drawn
