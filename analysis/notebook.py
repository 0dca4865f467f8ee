"""What a result shows of itself in a notebook; how it looks is the business of `show`."""

from __future__ import annotations

from importlib import import_module


class Shown:
    """A result that a notebook shows as a piece of a page."""

    def _repr_html_(self) -> str:
        # by name: the rooms that compute do not need the one that shows
        return import_module("analysis.show.html.notebook").shown(self)
