"""Seconds of one call: CPU time on a CPU, where neighbours stretch the wall's, else wall time."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any

import torch


def best(call: Callable[[], Any], device: torch.device, seconds: float = 0.2) -> float:
    """The least of repeated measurements, over about `seconds` after one call to warm up."""
    call()
    least, end = float("inf"), time.monotonic() + seconds
    while True:
        began = now(device)
        call()
        least = min(least, now(device) - began)
        if time.monotonic() > end:
            return least


def now(device: torch.device) -> float:
    """A clock in seconds that has waited for the device."""
    if device.type == "cuda":
        torch.cuda.synchronize(device)
        return time.perf_counter()
    return time.process_time()
