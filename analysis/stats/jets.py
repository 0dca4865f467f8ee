"""Numbers that carry their first and second derivatives through numpy's functions (forward mode).

Guarantee: a function written in numpy's arithmetic gives exact derivatives, not differences; a
function of numpy that is not known here raises TypeError by name.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.lib.mixins import NDArrayOperatorsMixin

# f -> (f', f'') at v, given f(v)
UNARY = {
    np.exp: lambda v, f: (f, f),
    np.log: lambda v, f: (1 / v, -1 / v**2),
    np.log2: lambda v, f: (1 / (v * np.log(2)), -1 / (v**2 * np.log(2))),
    np.log10: lambda v, f: (1 / (v * np.log(10)), -1 / (v**2 * np.log(10))),
    np.log1p: lambda v, f: (1 / (1 + v), -1 / (1 + v) ** 2),
    np.expm1: lambda v, f: (f + 1, f + 1),
    np.sqrt: lambda v, f: (0.5 / f, -0.25 / f**3),
    np.square: lambda v, f: (2 * v, np.full_like(v, 2.0)),
    np.tanh: lambda v, f: (1 - f**2, -2 * f * (1 - f**2)),
    np.sin: lambda v, f: (np.cos(v), -f),
    np.cos: lambda v, f: (-np.sin(v), -f),
    np.reciprocal: lambda v, f: (-(f**2), 2 * f**3),
    np.negative: lambda v, f: (np.full_like(v, -1.0), np.zeros_like(v)),
    np.positive: lambda v, f: (np.ones_like(v), np.zeros_like(v)),
    np.absolute: lambda v, f: (np.sign(v), np.zeros_like(v)),
}
COMPARED = {np.less, np.less_equal, np.greater, np.greater_equal, np.equal, np.not_equal}


@dataclass(frozen=True, eq=False)
class Jet(NDArrayOperatorsMixin):
    """value (...), first (..., p) and second (..., p, p) derivatives; shapes broadcast."""

    value: np.ndarray
    first: np.ndarray
    second: np.ndarray

    def __array_ufunc__(self, function, method: str, *inputs: Any, **given: Any):
        if method != "__call__" or given:
            raise TypeError(f"no derivative of numpy.{function.__name__}.{method}")
        if function in COMPARED:
            return function(*(v.value if isinstance(v, Jet) else v for v in inputs))
        if function in UNARY:
            f = function(self.value)
            return _chain(self, f, *UNARY[function](self.value, f))
        if function not in BINARY:
            raise TypeError(f"no derivative of numpy.{function.__name__}")
        return BINARY[function](*inputs)

    def __array_function__(self, function, types, inputs, given):
        if function is not np.where or len(inputs) != 3:
            raise TypeError(f"no derivative of numpy.{function.__name__}")
        return _chosen(*inputs)


def variables(theta: np.ndarray) -> list[Jet]:
    """The columns of θ (B, p) as jets of shape (B, 1)."""
    p = theta.shape[1]
    unit, none = np.eye(p), np.zeros((1, 1, p, p))
    return [Jet(theta[:, i : i + 1], unit[i][None, None], none) for i in range(p)]


def _chain(a: Jet, f, slope, bend) -> Jet:
    outer = a.first[..., :, None] * a.first[..., None, :]
    second = slope[..., None, None] * a.second + bend[..., None, None] * outer
    return Jet(f, slope[..., None] * a.first, second)


def _split(v: Any, like: Jet) -> Jet:
    """A jet, or a constant as one."""
    if isinstance(v, Jet):
        return v
    p = like.first.shape[-1]
    v = np.asarray(v, float)
    return Jet(v, np.zeros((*(1,) * v.ndim, p)), np.zeros((*(1,) * v.ndim, p, p)))


def _both(a, b) -> tuple[Jet, Jet]:
    like = a if isinstance(a, Jet) else b
    return _split(a, like), _split(b, like)


def _sum(a, b, sign: float = 1.0) -> Jet:
    a, b = _both(a, b)
    return Jet(a.value + sign * b.value, a.first + sign * b.first, a.second + sign * b.second)


def _product(a, b) -> Jet:
    a, b = _both(a, b)
    cross = a.first[..., :, None] * b.first[..., None, :]
    u, v = a.value[..., None], b.value[..., None]
    second = u[..., None] * b.second + v[..., None] * a.second + cross + np.swapaxes(cross, -1, -2)
    return Jet(a.value * b.value, u * b.first + v * a.first, second)


def _power(a, b) -> Jet:
    if not isinstance(b, Jet):
        b = np.asarray(b, float)
        slope, bend = b * a.value ** (b - 1), b * (b - 1) * a.value ** (b - 2)
        return _chain(a, a.value**b, slope, bend)
    return np.exp(_product(b, np.log(a)))


def _chosen(which, a, b) -> Jet:
    a, b = _both(a, b)
    which = np.asarray(which)
    return Jet(
        np.where(which, a.value, b.value),
        np.where(which[..., None], a.first, b.first),
        np.where(which[..., None, None], a.second, b.second),
    )


def _larger(a, b) -> Jet:
    a, b = _both(a, b)
    return _chosen(a.value >= b.value, a, b)


def _smaller(a, b) -> Jet:
    a, b = _both(a, b)
    return _chosen(a.value <= b.value, a, b)


def _logaddexp(a, b) -> Jet:
    a, b = _both(a, b)
    gap = _sum(b, a, -1.0)
    f = np.logaddexp(0.0, gap.value)
    share = np.exp(gap.value - f)
    return _sum(a, _chain(gap, f, share, share * (1 - share)))


BINARY = {
    np.add: _sum,
    np.subtract: lambda a, b: _sum(a, b, -1.0),
    np.multiply: _product,
    np.divide: lambda a, b: _product(a, np.reciprocal(b) if isinstance(b, Jet) else 1 / b),
    np.power: _power,
    np.float_power: _power,
    np.maximum: _larger,
    np.minimum: _smaller,
    np.logaddexp: _logaddexp,
}
