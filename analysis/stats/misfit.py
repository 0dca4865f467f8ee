"""How large a misfit is, whatever a test says of it."""

from __future__ import annotations

import numpy as np


def misfit(residual: np.ndarray, log_y: np.ndarray) -> dict[str, float | None]:
    """residual, log_y (n,): {"rms": of ln y - ln f, "share_of_variance": of ln y that f explains;
    None where ln y does not vary, "largest": of |ln y - ln f|}."""
    total = float(np.sum((log_y - log_y.mean()) ** 2))
    left = float(np.sum(residual**2))
    rms = float(np.sqrt(np.mean(residual**2)))
    share = 1 - left / total if total > 0 else None
    return {"rms": rms, "share_of_variance": share, "largest": float(np.abs(residual).max())}
