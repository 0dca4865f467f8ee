"""k-hop composition: pointer chasing over shown pairs, a task with a depth dial (k-hop induction of
Sanford, Hsu and Telgarsky 2024, arXiv 2402.09268, over explicit pairs; one hop is recall)."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar

from orchestrator.coerce import require

if TYPE_CHECKING:
    from torch import Tensor


@dataclass(frozen=True)
class Hops:
    """a_1 σ(a_1) ... a_n σ(a_n), then q_1 ... q_m: the model answers σ^k(q) at every q.

    σ is a random cycle through all n symbols, so that σ^k(q) is never q and every other symbol is as
    likely. A symbol has one token as an argument and another as a value, so that a token shown
    once as each leaves no doubt; the answers are not shown, since they would be pairs of another map.
    """

    hops: int = 2
    """k, how often σ is applied, below `symbols`."""
    symbols: int = 6
    """n, all of which are shown."""
    queries: int = 6
    """m distinct symbols asked, at most `symbols`."""

    name: ClassVar[str] = "hops"
    version: ClassVar[int] = 1

    def __post_init__(self) -> None:
        require(self.symbols >= 3, "task.symbols", self.symbols, "must be an integer of at least 3")
        require(
            1 <= self.hops < self.symbols,
            "task.hops",
            self.hops,
            f"must be in 1..{self.symbols - 1}, below symbols",
        )
        require(
            1 <= self.queries <= self.symbols, "task.queries", self.queries,
            f"must be in 1..task.symbols={self.symbols}",
        )  # fmt: skip

    @property
    def vocab(self) -> int:
        """Tokens: symbols as arguments first, then as values."""
        return 2 * self.symbols

    @property
    def length(self) -> int:
        """Input length T."""
        return 2 * self.symbols + self.queries

    @property
    def scored(self) -> slice:
        """Positions that are scored: the queries."""
        return slice(2 * self.symbols, self.length, 1)

    @property
    def chance(self) -> float:
        """Accuracy of a guess among the other symbols."""
        return 1 / (self.symbols - 1)

    @property
    def chance_loss(self) -> float:
        """Cross-entropy of that guess, nats."""
        return math.log(self.symbols - 1)

    def batch(self, seed: Tensor, step: Tensor, size: int) -> tuple[Tensor, Tensor]:
        """Tokens (size, length) and targets (size, scored), int64, of one step of one run."""
        import torch

        from orchestrator import prng

        n = self.symbols

        def shuffled(stream: int, count: int) -> Tensor:
            return prng.choices((seed, step, stream), size, n, count, seed.device)

        cycle = shuffled(1, n)  # σ maps each symbol of the row to the next
        shown, asked = shuffled(2, n), shuffled(3, self.queries)  # places on the cycle
        pairs = torch.stack((cycle.gather(1, shown), n + cycle.gather(1, (shown + 1) % n)), -1)
        answers = n + cycle.gather(1, (asked + self.hops) % n)
        return torch.cat((pairs.flatten(1), cycle.gather(1, asked)), 1), answers
