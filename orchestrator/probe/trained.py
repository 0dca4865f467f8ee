"""A trained model, opened: what its filters and its attention see, and how it does with other taps.

All in float64 and without our compiled kernels, so that what is measured is the operator and the
weights, not the arithmetic.
"""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor

from orchestrator.config import Model, RunConfig
from orchestrator.errors import UserError
from orchestrator.identity import target
from orchestrator.models.taps import filter_taps
from orchestrator.models.trace import Layer
from orchestrator.models.transformer import Transformer
from orchestrator.parts.changes import require_unedited
from orchestrator.records.packs import Pack
from orchestrator.training.data import evaluation_batches

RECORDED = 256
"""Most evaluation sequences whose queries and keys are kept."""


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
        layers: list[Layer] = []
        self.module(tokens_BT, self.taps_LSHK, layers)
        return tokens_BT, layers
