"""The least time a training step of a shape can take here: its multiply-adds at the processor's peak, or
its bytes at the memory's; beside it, what torch takes for its matrix products alone."""

from __future__ import annotations

import ctypes

import torch

from orchestrator.bench.clock import best
from orchestrator.config import RunConfig
from orchestrator.cost import parameters
from orchestrator.data_sheets import named
from orchestrator.models.native.build import Unbuilt, library

CHAINS, LANES, ROUNDS = (4, 12), 16, 10**6
"""Of native/peak.h."""


_Products = list[tuple[int, int, int, int, int]]
"""(count, batch, M, K, N) of matrix products of one step of one run, backward included."""


def linear_products(run: RunConfig) -> _Products:
    """Those with weights."""
    m, task, B = run.model, run.task, run.budget.batch
    T, inner = task.length, m.heads * m.size_of_head
    scored = len(range(T)[task.scored])
    linear = [(4 * m.depth, B * T, m.width, inner), (1, B * scored, m.width, task.vocab)]
    if m.hidden:
        linear.append((2 * m.depth, B * T, m.width, m.hidden))
    out = []
    for count, rows, a, b in linear:
        out += [(count, 1, rows, a, b), (count, 1, rows, b, a), (count, 1, a, rows, b)]
    return out


def attention_products(run: RunConfig) -> _Products:
    """Those between positions, over all T x T."""
    m, T, D = run.model, run.task.length, run.model.size_of_head
    heads = run.budget.batch * m.heads
    return [(2 * m.depth, heads, T, D, T), (4 * m.depth, heads, T, T, D)]


def least_flops(run: RunConfig) -> float:
    """FLOPs of those products that are needed: of attention's, those of the causal half."""
    T = run.task.length
    return _flops(linear_products(run)) + _flops(attention_products(run)) * (T + 1) / (2 * T)


def _flops(products: _Products) -> int:
    return sum(2 * count * batch * M * K * N for count, batch, M, K, N in products)


def peak_flops(device: torch.device, precision: str) -> tuple[float, str]:
    """FLOPs a second that a device has at most, and where that is from: a core's multiply-adds, measured;
    a GPU's data sheet; torch's best product where neither is known."""
    if device.type == "cpu" and precision == "32-true":
        try:
            return max(_core(chains) for chains in CHAINS), "this core's multiply-adds"
        except Unbuilt:
            pass
    if device.type == "cuda":
        for sheet in named(torch.cuda.get_device_name(device)):
            peak = sheet.tensor_flops if precision == "bf16-mixed" else sheet.plain_flops
            return peak, f"{sheet.name}'s data sheet"
    return _largest_product(device, precision), "torch's products of 1024 x 1024"


def _core(chains: int) -> float:
    function = library().peak
    function.argtypes = [ctypes.c_int64, ctypes.c_int64, ctypes.c_float, ctypes.c_float]
    function.restype = ctypes.c_float
    seconds = best(lambda: function(ROUNDS, chains, 0.999, 0.001), torch.device("cpu"))
    return 2 * chains * LANES * ROUNDS / seconds


def _largest_product(device: torch.device, precision: str) -> float:
    kind = {"64-true": torch.float64, "bf16-mixed": torch.bfloat16}.get(precision, torch.float32)
    x = torch.randn(1024, 1024, device=device).to(kind)
    return 2 * 1024**3 / best(lambda: x @ x, device)


def product_s(run: RunConfig, width: int, device: torch.device) -> float:
    """Seconds that torch takes for those products alone, for one run: each by itself, where its
    operands lie in the cache, or for `width` runs at once, whichever is faster."""
    total = 0.0
    for count, batch, M, K, N in linear_products(run) + attention_products(run):
        each = []
        for runs in {1, width}:
            a = torch.randn(runs * batch, M, K, device=device).squeeze(0)
            b = torch.randn(runs * batch, K, N, device=device).squeeze(0)
            repeat = max(1, int(1e7 / (2 * runs * batch * M * K * N)))
            once = lambda a=a, b=b, repeat=repeat: [a @ b for _ in range(repeat)]
            each.append(best(once, device) / runs / repeat)
        total += count * min(each)
    return total


def copied_bytes(device: torch.device) -> float:
    """Bytes a second that are read and written where memory is copied."""
    x = torch.empty(2**25, device=device)
    y = torch.empty_like(x)
    return 2 * x.nbytes / best(lambda: y.copy_(x), device)


def limit(run: RunConfig, width: int, device: torch.device) -> dict[str, float | str]:
    """limit_s: the larger of `flops_s`, its products at `peak_flops`, and `state_s`, one run's parameters
    and both moments read and written once at `bytes_per_s`; products_s: what torch takes for the products.
    """
    peak, source = peak_flops(device, run.precision)
    bandwidth = copied_bytes(device)
    flops_s, state_s = least_flops(run) / peak, 6 * 4 * parameters(run) / bandwidth
    return {
        "limit_s": max(flops_s, state_s), "flops_s": flops_s, "state_s": state_s,
        "peak_flops": peak, "peak_is": source, "bytes_per_s": bandwidth,
        "products_s": product_s(run, width, device),
    }  # fmt: skip
