"""Parameters and FLOPs of a run: ours by formula, without torch; a user's model is counted."""

from __future__ import annotations

from orchestrator.config import Model, RunConfig
from orchestrator.parts.counts import counts


def parameters(run: RunConfig) -> int:
    """All trained numbers of a run."""
    m = run.model
    if not isinstance(m, Model):
        return counts(run).params
    return non_embedding_parameters(run) + run.task.vocab * m.width * (1 if m.tied_head else 2)


def non_embedding_parameters(run: RunConfig) -> int:
    """Trained numbers without embedding and head."""
    m = run.model
    if not isinstance(m, Model):
        return counts(run).params_non_embedding
    inner = m.heads * m.size_of_head
    layer = 4 * m.width * inner + m.width
    if m.hidden:
        layer += 2 * m.width * m.hidden + m.width
    return m.depth * layer + m.width + _learned(run)


def _learned(run: RunConfig) -> int:
    m = run.model.momentum
    if m.learn == "none":
        return 0
    count = 1 if m.learn_per == "model" else run.model.depth
    count *= run.model.heads if m.learn_per == "head" else 1
    return count * (m.kernel_size if m.learn == "taps" else 1)


def forward_flops(run: RunConfig) -> int:
    """FLOPs of the matrix products of one sequence's forward pass.

    Two a multiply-add; attention over the full T² (the mask saves nothing in a dense product);
    the head at the scored positions, where alone it is computed. The filter is no matrix product.
    """
    m, task = run.model, run.task
    if not isinstance(m, Model):
        return counts(run).forward_flops
    length = task.length
    scored = len(range(length)[task.scored])
    inner = m.heads * m.size_of_head
    layer = 4 * length * m.width * inner + 2 * length * length * inner
    layer += 2 * length * m.width * m.hidden
    return 2 * (m.depth * layer + scored * m.width * task.vocab)


def step_flops(run: RunConfig) -> int:
    """FLOPs of one optimiser step: three times the forward's (Kaplan et al. 2020)."""
    return 3 * forward_flops(run) * run.budget.batch


def train_flops(run: RunConfig) -> int:
    """FLOPs of a whole training."""
    return step_flops(run) * run.budget.steps


def tokens_per_step(run: RunConfig) -> int:
    """Input tokens of one optimiser step."""
    return run.budget.batch * run.task.length
