"""The least time a training step of a shape can take here: its matrix products, or its bytes."""

from __future__ import annotations

import torch

from orchestrator.bench.clock import best
from orchestrator.config import RunConfig
from orchestrator.cost import parameters


def products(run: RunConfig) -> list[tuple[int, int, int, int, int]]:
    """(count, batch, M, K, N) of the matrix products of one step of one run, backward included."""
    m, task, B = run.model, run.task, run.budget.batch
    T, inner = task.length, m.heads * m.size_of_head
    scored = len(range(T)[task.scored])
    linear = [(4 * m.depth, B * T, m.width, inner), (1, B * scored, m.width, task.vocab)]
    if m.hidden:
        linear.append((2 * m.depth, B * T, m.width, m.hidden))
    out = []
    for count, rows, a, b in linear:
        out += [(count, 1, rows, a, b), (count, 1, rows, b, a), (count, 1, a, rows, b)]
    heads = B * m.heads
    out += [(2 * m.depth, heads, T, m.size_of_head, T), (4 * m.depth, heads, T, T, m.size_of_head)]
    return out


def product_s(run: RunConfig, width: int, device: torch.device) -> float:
    """Seconds that torch takes for those products alone, for one run: each by itself, where its
    operands lie in the cache, or for `width` runs at once, whichever is faster."""
    total = 0.0
    for count, batch, M, K, N in products(run):
        each = []
        for runs in {1, width}:
            a = torch.randn(runs * batch, M, K, device=device).squeeze(0)
            b = torch.randn(runs * batch, K, N, device=device).squeeze(0)
            repeat = max(1, int(1e7 / (2 * runs * batch * M * K * N)))
            once = lambda a=a, b=b, repeat=repeat: [a @ b for _ in range(repeat)]
            each.append(best(once, device) / runs / repeat)
        total += count * min(each)
    return total


def state_s(run: RunConfig, device: torch.device) -> float:
    """Seconds to read and write one run's parameters and both moments at the copy bandwidth."""
    x = torch.empty(2**25, device=device)
    y = torch.empty_like(x)
    bandwidth = 2 * x.nbytes / best(lambda: y.copy_(x), device)
    return 6 * 4 * parameters(run) / bandwidth
