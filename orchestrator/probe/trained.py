"""A trained model, opened: what its filters and its attention see, and how it does with other taps.

All in float64 and without our compiled kernels, so that what is measured is the operator and the
weights, not the arithmetic.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor

from orchestrator.config import Model, RunConfig
from orchestrator.errors import UserError
from orchestrator.identity import target
from orchestrator.models.taps import filter_taps
from orchestrator.models.transformer import Attention, Transformer
from orchestrator.parts.changes import require_unedited
from orchestrator.records.packs import Pack
from orchestrator.training.data import evaluation_batches

RECORDED = 256
"""Most evaluation sequences whose queries and keys are kept."""


@dataclass(frozen=True)
class Layer:
    """What one layer's attention saw. Streams are q, k and, where values are filtered, v."""

    before: list[Tensor]
    """(B, H, T, D) a stream: into the filter (with `placement=post_rope`, rotated already)."""
    after: list[Tensor]
    """(B, H, T, D) a stream: out of the filter."""
    pattern_BHTT: Tensor
    """Attention of position t (third axis) to position s (last)."""


def opened(pack: Pack, slot: int) -> RunConfig:
    """A pack's run with the parts that it names, to be opened.

    Raises: UserError where its model is no transformer of ours, or a part has changed since.
    """
    recorded = pack.runs[slot]
    if not isinstance(recorded.model, Model):
        raise UserError(
            f"run {recorded.run_id}: its model is {target(recorded.model)}; probe opens our own alone"
        )
    run = require_unedited(f"run {recorded.run_id}", pack, slot)
    run.__dict__["run_id"] = recorded.run_id  # what it is called on record
    return run


class Trained:
    """A run's model with its trained parameters.

    taps_LSHK: the taps in force, learned ones read from the weights.
    """

    def __init__(self, run: RunConfig, parameters: dict[str, Tensor]) -> None:
        task = run.task
        module = Transformer(run.model, task.vocab, task.length, task.scored)
        module.load_state_dict(parameters)
        self.run, self.module = run, module.double().requires_grad_(False)
        self.taps_LSHK = module.taps(filter_taps(run.model))
        module.learn = "none"  # from now on the taps are those given
        self.batches = evaluation_batches(run, torch.device("cpu"))

    def evaluate(self, taps_LSHK: Tensor) -> tuple[float, int, int]:
        """Mean loss (nats a scored token), right answers and answers of the evaluation set."""
        loss, right, total = 0.0, 0, 0
        for tokens, targets in self.batches:
            logits = self.module(tokens, taps_LSHK)
            loss += F.cross_entropy(logits.flatten(0, 1), targets.flatten(), reduction="sum").item()
            right += int((logits.argmax(-1) == targets).sum())
            total += targets.numel()
        return loss / total, right, total

    def record(self) -> tuple[Tensor, list[Layer]]:
        """Tokens (B, T) of up to RECORDED evaluation sequences, and what every layer saw."""
        tokens_BT = torch.cat([tokens for tokens, _ in self.batches])[:RECORDED]
        taps = [_Tap(block.attention) for block in self.module.blocks]
        try:
            self.module(tokens_BT, self.taps_LSHK)
        finally:
            for tap in taps:
                tap.remove()
        return tokens_BT, [Layer(t.before, t.after, t.pattern) for t in taps]


class _Tap:
    """Listens to the filter and the attention of one layer."""

    def __init__(self, attention: Attention) -> None:
        self.attention = attention
        self.filter, self.attend = attention.filter, attention.attend
        self.before: list[Tensor] = []
        self.after: list[Tensor] = []
        attention.filter, attention.attend = self._filter, self._attend

    def _filter(self, z_BHTD: Tensor, taps_HK: Tensor) -> Tensor:
        out = self.filter(z_BHTD, taps_HK)
        self.before.append(z_BHTD)
        self.after.append(out)
        return out

    def _attend(self, q_BHTD: Tensor, k_BHTD: Tensor, v_BHTD: Tensor) -> Tensor:
        # Attention of any kind to values that are unit vectors is its pattern.
        unit_TT = torch.eye(v_BHTD.shape[2], dtype=v_BHTD.dtype)
        self.pattern = self.attend(q_BHTD, k_BHTD, unit_TT.expand(*v_BHTD.shape[:2], -1, -1))
        return self.attend(q_BHTD, k_BHTD, v_BHTD)

    def remove(self) -> None:
        self.attention.filter, self.attention.attend = self.filter, self.attend
