"""Optimisers: each a frozen dataclass of typed settings and a pure function of flat tensors."""

from orchestrator.optimizers.base import PER_RUN, RATE, Optim
from orchestrator.optimizers.flat import join, split

__all__ = ["PER_RUN", "RATE", "Optim", "join", "split"]
