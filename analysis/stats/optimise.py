"""A damped Newton method over many problems at once: starts, profiles and bootstraps alike.

Guarantee: every returned point has an objective no higher than its start, and `gradient` says
how close to stationary it is (a scale-free norm), so that no caller has to trust a `success`
flag. The second derivatives are exact; negative curvature is reflected, so saddle points repel.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

import numpy as np

from analysis.stats.losses import Loss


class Model(Protocol):
    """ln f over the rows for a batch of parameter vectors θ of shape (B, p)."""

    size: int

    def log_value(self, theta: np.ndarray) -> np.ndarray:
        """(B, n); nan or inf where f is not positive."""

    def derivatives(self, theta: np.ndarray) -> tuple[np.ndarray, np.ndarray, object]:
        """ln f (B, n), its Jacobian (B, n, p) and what `second` can reuse."""

    def second(self, cache: object, weight: np.ndarray) -> np.ndarray:
        """Σ_i weight_bi ∇² ln f_bi, shape (B, p, p)."""


@dataclass(frozen=True)
class Minimum:
    """theta (B, p), value (B,), gradient (B,): |Σ g_i| / √Σ g_i² over rows, worst coordinate."""

    theta: np.ndarray
    value: np.ndarray
    gradient: np.ndarray


def objective(
    model: Model, theta: np.ndarray, log_y: np.ndarray, weight: np.ndarray, loss: Loss
) -> np.ndarray:
    """Σ_i w_i ρ(ln y_i - ln f_i), shape (B,); +inf where f is not positive."""
    with np.errstate(all="ignore"):
        r = log_y - model.log_value(theta)
        total = np.sum(weight * loss.rho(r), axis=-1)
    return np.where(np.isfinite(total), total, np.inf)


def minimise(
    model: Model,
    theta: np.ndarray,
    log_y: np.ndarray,
    weight: np.ndarray,
    loss: Loss,
    basis: np.ndarray | None = None,
    iterations: int = 300,
    longest: float = 2.0,
) -> Minimum:
    """Minimise Σ w ρ(ln y - ln f) from each row of `theta` (B, p).

    weight is (n,) or (B, n). basis (B, p, q) restricts the search to θ0 + basis·u (profiles).
    longest bounds one step's largest coordinate.
    """
    theta = np.array(theta, float)
    batch = theta.shape[0]
    weight = np.broadcast_to(weight, (batch, log_y.size))
    value = objective(model, theta, log_y, weight, loss)
    gradient = np.full(batch, np.inf)
    damping = np.full(batch, 1e-3)
    active = np.flatnonzero(np.isfinite(value))
    g, h = _slopes(model, theta[active], log_y, weight[active], loss, gradient, active, basis)
    stalled = np.zeros(batch, int)
    for _ in range(iterations):
        if active.size == 0:
            break
        axes = basis[active] if basis is not None else None
        step, drop = _step(g, h, damping[active], axes, longest)
        trial = theta[active] + step
        new = objective(model, trial, log_y, weight[active], loss)
        gain = value[active] - new
        tiny = 1e-15 * np.abs(value[active]) + 1e-300
        good = gain > np.maximum(1e-4 * drop, 0)
        better = active[good]
        theta[better], value[better] = trial[good], new[good]
        ratio = gain / np.maximum(drop, 1e-300)
        damping[active] = np.clip(
            damping[active] * np.where(~good, 6.0, np.where(ratio > 0.5, 0.15, 1.0)), 1e-15, 1e8
        )
        stalled[active] = np.where(good & (gain > 10 * tiny), 0, stalled[active] + 1)
        moving = (drop > tiny) & (damping[active] < 1e7) & (stalled[active] < 14)
        # the gradient must be fresh where the point moved, also for those that stop here
        refresh = good
        if refresh.any():
            where = active[refresh]
            fresh = _slopes(model, theta[where], log_y, weight[where], loss, gradient, where, basis)
            g[refresh], h[refresh] = fresh
        active, g, h = active[moving], g[moving], h[moving]
    return Minimum(theta, value, gradient)


def _slopes(model, theta, log_y, weight, loss, norm, where, basis):
    """Gradient (B, p) and Hessian (B, p, p); writes the scale-free gradient norm into `norm`."""
    log_f, jac, cache = model.derivatives(theta)
    r = log_y - log_f
    pull = weight * loss.psi(r)
    # products, not sums over the rows' axis: those stride
    g = -(pull[:, None] @ jac)[:, 0]
    spread = np.sqrt(((pull**2)[:, None] @ jac**2)[:, 0])
    bent = jac * (weight * loss.curvature(r))[..., None]
    h = np.swapaxes(jac, 1, 2) @ bent - model.second(cache, pull)
    if basis is None:
        ratio = np.abs(g) / np.maximum(spread, 1e-300)
        ratio[spread < 1e-13] = 0.0
        norm[where] = ratio.max(axis=1)
    else:
        ratio = np.abs(np.einsum("bp,bpq->bq", g, basis[where]))
        norm[where] = ratio.max(axis=1) / np.maximum(spread.max(axis=1), 1e-300)
    return g, h


def _step(g, h, damping, axes, longest):
    """Reflected, damped Newton step (B, p) and the decrease it predicts (B,)."""
    if axes is not None:
        g = np.einsum("bp,bpq->bq", g, axes)
        h = np.swapaxes(axes, 1, 2) @ h @ axes
    h = np.where(np.isfinite(h), h, 0.0)
    g = np.where(np.isfinite(g), g, 0.0)
    eig, vec = np.linalg.eigh(h)
    top = np.maximum(np.abs(eig).max(axis=1), 1e-200)
    bent = np.maximum(np.abs(eig), 1e-14 * top[:, None]) + (damping * top)[:, None]
    along = np.einsum("bpq,bp->bq", vec, g)
    u = -np.einsum("bpq,bq->bp", vec, along / bent)
    step = np.einsum("bpq,bq->bp", axes, u) if axes is not None else u
    shorten = np.minimum(1.0, longest / np.maximum(np.abs(step).max(axis=1), 1e-300))
    drop = shorten * np.sum(along**2 / bent * (1 - 0.5 * shorten[:, None]), axis=1)
    return step * shorten[:, None], drop
