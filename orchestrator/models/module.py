"""The module of a run: our transformer, or a user's model (parts.model.ModelClass)."""

from __future__ import annotations

import inspect
from typing import Any

import torch
from torch import Tensor, nn
from torch.func import functional_call

from orchestrator.config import Model, RunConfig
from orchestrator.models.initial import initial_parameters
from orchestrator.models.taps import filter_taps
from orchestrator.models.transformer import Transformer
from orchestrator.parts.model import new_module


def module_of(run: RunConfig) -> nn.Module:
    """The module on the CPU. Its parameters' values are `initial_of`'s to give; its buffers are the
    same for every seed."""
    task = run.task
    if not isinstance(run.model, Model):
        return new_module(run, 0)
    with torch.device("cpu"):
        return Transformer(run.model, task.vocab, task.length, task.scored)


def initial_of(module: nn.Module, run: RunConfig) -> dict[str, Tensor]:
    """Parameters {name: tensor} before the first step, by seed_init alone, on the CPU.

    Ours are drawn by name; a user's model draws its own, torch's generator seeded with seed_init.
    """
    if isinstance(run.model, Model):
        return initial_parameters(module, run.model, run.seed_init)
    own = new_module(run, run.seed_init)
    return {name: p.detach() for name, p in own.named_parameters()}


def taps_of(run: RunConfig) -> Tensor:
    """Filter taps (L, S, H, K), float64; (0,) for a user's model, which has none."""
    return filter_taps(run.model) if isinstance(run.model, Model) else torch.zeros(0).double()


def logits_of(
    module: nn.Module, scored: slice, params: dict[str, Tensor], taps: Tensor, tokens_BT: Tensor,
    trace: list[Any] | None = None,
) -> Tensor:  # fmt: skip
    """Logits (B, Q, V) at the scored positions, with these parameters and taps.

    To `trace` each layer adds what its attention saw; a user's model whatever its forward adds,
    where that takes one.
    """
    if isinstance(module, Transformer):
        return functional_call(module, params, (tokens_BT, taps, trace))
    words = {}
    if trace is not None and "trace" in inspect.signature(module.forward).parameters:
        words = {"trace": trace}
    logits = functional_call(module, params, (tokens_BT,), words)
    return logits[:, scored] if logits.shape[1] == tokens_BT.shape[1] else logits
