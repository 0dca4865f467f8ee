"""Associative recall (MQAR-like; Arora et al. 2023, arXiv 2312.04927): keys and values are
disjoint vocabularies, keys unique within a sequence, so that the answer is always determined."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar

from orchestrator.coerce import require

if TYPE_CHECKING:
    from torch import Tensor


@dataclass(frozen=True)
class Recall:
    """k_1 v_1 ... k_n v_n, then q_1 a_1 ... q_m: the model answers each queried key."""

    pairs: int = 4
    """Key-value pairs in a sequence."""
    queries: int = 4
    """Distinct keys asked, at most `pairs`."""
    keys: int = 16
    """Size of the key vocabulary."""
    values: int = 16
    """Size of the value vocabulary."""

    name: ClassVar[str] = "recall"
    version: ClassVar[int] = 1

    def __post_init__(self) -> None:
        require(self.pairs >= 1, "task.pairs", self.pairs, "must be an integer of at least 1")
        require(
            self.pairs <= self.keys,
            "task.pairs",
            self.pairs,
            f"must be at most task.keys={self.keys}",
        )
        require(
            1 <= self.queries <= self.pairs,
            "task.queries",
            self.queries,
            f"must be in 1..task.pairs={self.pairs}",
        )
        require(self.values >= 2, "task.values", self.values, "must be an integer of at least 2")

    @property
    def vocab(self) -> int:
        """Tokens: keys first, then values."""
        return self.keys + self.values

    @property
    def length(self) -> int:
        """Input length T; the last answer is not an input."""
        return 2 * self.pairs + 2 * self.queries - 1

    @property
    def scored(self) -> slice:
        """Positions whose next token is scored: the queried keys."""
        return slice(2 * self.pairs, self.length, 2)

    @property
    def chance(self) -> float:
        """Accuracy of a guess among the values."""
        return 1 / self.values

    @property
    def chance_loss(self) -> float:
        """Cross-entropy of that guess, nats."""
        return math.log(self.values)

    def batch(self, seed: Tensor, step: Tensor, size: int) -> tuple[Tensor, Tensor]:
        """Tokens (size, length) and targets (size, scored), int64, of one step of one run."""
        import torch

        from orchestrator import prng

        device = seed.device
        keys = prng.choices((seed, step, 1), size, self.keys, self.pairs, device)
        values = prng.integers((seed, step, 2), (size, self.pairs), self.values, device)
        values = values + self.keys
        asked = prng.choices((seed, step, 3), size, self.pairs, self.queries, device)
        shown = torch.stack((keys, values), -1).flatten(1)
        answers = values.gather(1, asked)
        asks = torch.stack((keys.gather(1, asked), answers), -1).flatten(1)
        return torch.cat((shown, asks[:, :-1]), 1), answers
