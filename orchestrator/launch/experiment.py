"""A run together with how it is to be trained: what composition gives and planning takes."""

from __future__ import annotations

from dataclasses import dataclass

from orchestrator.config import RunConfig
from orchestrator.settings import Settings


@dataclass(frozen=True)
class Experiment:
    """One run and how it is to be trained."""

    run: RunConfig
    settings: Settings
