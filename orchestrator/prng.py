"""Random numbers as a function of (seed, stream, index): the same on every device and pack width.

A counter-based hash in 32-bit arithmetic held in int64 tensors, so that no product overflows
and CPU, CUDA and compiled code agree bit for bit. The mixer is the 32-bit finaliser "lowbias32"
of C. Wellons, "Prospecting for Hash Functions" (2018), applied once to every word of the key.
"""

from __future__ import annotations

import math

import torch
from torch import Tensor

_MASK = 0xFFFFFFFF


def _times(x: Tensor | int, constant: int) -> Tensor | int:
    """x · constant mod 2^32: a constant of 2^31 or more as the negative number that is equal to it
    mod 2^32, so that nothing reaches 2^63."""
    return (x * (constant if constant < 2**31 else constant - 2**32)) & _MASK


def _mix(x: Tensor | int) -> Tensor | int:
    x = _times(x ^ (x >> 16), 0x7FEB352D)
    x = _times(x ^ (x >> 15), 0x846CA68B)
    return x ^ (x >> 16)


def bits(words: tuple[Tensor | int, ...], count: int, device: torch.device | None = None) -> Tensor:
    """`count` hashed words in [0, 2^32), int64, keyed by `words` (integers or 0-d tensors)."""
    state: Tensor | int = 0  # of integers alone it is made without a tensor operation
    for word in words:
        state = _mix((state + 0x9E3779B9 + word) & _MASK)
    index = torch.arange(count, dtype=torch.int64, device=device)
    return _mix((_times(index + 1, 0x9E3779B1) + state) & _MASK)


def integers(words: tuple[Tensor | int, ...], shape: tuple[int, ...], high: int, device=None):
    """Integers in [0, high), int64, of `shape`; the bias of the modulus is below high / 2^32."""
    return bits(words, math.prod(shape), device).view(shape) % high


def choices(words: tuple[Tensor | int, ...], rows: int, high: int, count: int, device=None):
    """(rows, count) int64: in each row `count` distinct integers out of [0, high), in random order.

    The index is appended to each random key, so that no two are equal and every device sorts alike.
    """
    key = bits(words, rows * high, device).view(rows, high)
    key = key * high + torch.arange(high, dtype=torch.int64, device=device)
    return key.topk(count, dim=-1).values % high


def normals(words: tuple[int, ...], shape: tuple[int, ...]) -> Tensor:
    """Standard normals, float64 on the CPU, by Box and Muller's transform (1958)."""
    n = math.prod(shape)
    u = (bits((*words, 1), n).double() + 0.5) / 2**32
    v = bits((*words, 2), n).double() / 2**32
    return ((-2 * u.log()).sqrt() * (2 * math.pi * v).cos()).view(shape)
