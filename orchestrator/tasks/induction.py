"""Induction: a random sequence repeated; from the second period on the next token is known."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar

from orchestrator.coerce import require

if TYPE_CHECKING:
    from torch import Tensor


@dataclass(frozen=True)
class Induction:
    """x_1 ... x_p x_1 ... x_p ...: the model continues the repetition."""

    vocab: int = 16
    """Size of the vocabulary."""
    period: int = 12
    """Length of the random sequence; the longest where it varies."""
    shortest: int | None = None
    """Shortest period; each sequence's is drawn from shortest..period. null: all are `period`, and
    one layer that looks a fixed number of tokens back can do the task without induction."""
    repeats: int = 2
    """How often it stands, at least 2."""
    unique: bool = True
    """Tokens distinct within a period, so that one token of context determines the next."""

    name: ClassVar[str] = "induction"
    version: ClassVar[int] = 1

    def __post_init__(self) -> None:
        require(self.vocab >= 2, "task.vocab", self.vocab, "must be an integer of at least 2")
        require(self.period >= 2, "task.period", self.period, "must be an integer of at least 2")
        require(self.repeats >= 2, "task.repeats", self.repeats, "must be an integer of at least 2")
        require(
            self.shortest is None or 2 <= self.shortest <= self.period, "task.shortest", self.shortest,
            f"must be in 2..task.period={self.period}, or null",
        )  # fmt: skip
        require(
            not self.unique or self.period <= self.vocab, "task.period", self.period,
            f"must be at most task.vocab={self.vocab} where task.unique=true",
        )  # fmt: skip

    @property
    def length(self) -> int:
        """Input length T; the last token is only a target."""
        return self.period * self.repeats - 1

    @property
    def scored(self) -> slice:
        """Positions from the (longest) second period's first token on."""
        return slice(self.period, self.length, 1)

    @property
    def chance(self) -> float:
        """Accuracy of a guess among the vocabulary."""
        return 1 / self.vocab

    @property
    def chance_loss(self) -> float:
        """Cross-entropy of that guess, nats."""
        return math.log(self.vocab)

    def batch(self, seed: Tensor, step: Tensor, size: int) -> tuple[Tensor, Tensor]:
        """Tokens (size, length) and targets (size, scored), int64, of one step of one run."""
        import torch

        from orchestrator import prng

        words = (seed, step, 1)
        if self.unique:
            once = prng.choices(words, size, self.vocab, self.period, seed.device)
        else:
            once = prng.integers(words, (size, self.period), self.vocab, seed.device)
        if self.shortest is None:
            tokens = once.repeat(1, self.repeats)
        else:
            spread = self.period - self.shortest + 1
            period = self.shortest + prng.integers((seed, step, 2), (size, 1), spread, seed.device)
            place = torch.arange(self.period * self.repeats, device=seed.device)
            tokens = once.gather(1, place % period)
        return tokens[:, :-1], tokens[:, self.period + 1 :]
