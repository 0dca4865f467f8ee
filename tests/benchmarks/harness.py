"""What a chunk costs in Lightning's Trainer and in our loop over Fabric: `python -m
tests.benchmarks.harness`. The chunk does nothing, so that what is left is the harness.
"""

from __future__ import annotations

import logging
import statistics
import time
import warnings

import torch
from lightning.fabric import Fabric
from lightning.pytorch import LightningModule, Trainer

CHUNKS = 500


class Chunk(LightningModule):
    """A training step that stands for a chunk of optimiser steps made by hand."""

    def __init__(self) -> None:
        super().__init__()
        self.automatic_optimization = False
        self.weight = torch.nn.Parameter(torch.zeros(1))

    def training_step(self, batch: object, index: int) -> None:
        return None

    def configure_optimizers(self) -> None:
        return None


def trainer_s() -> float:
    """Seconds a chunk with everything switched off that can be."""
    trainer = Trainer(
        max_steps=-1, max_epochs=1, accelerator="cpu", logger=False, barebones=True,
    )  # fmt: skip
    begun = time.perf_counter()
    trainer.fit(Chunk(), torch.utils.data.DataLoader(range(CHUNKS), batch_size=None))
    return (time.perf_counter() - begun) / CHUNKS


def fabric_s() -> float:
    """Seconds a chunk in a loop as training/pack.py has it."""
    fabric = Fabric(accelerator="cpu", devices=1)
    begun = time.perf_counter()
    for _ in range(CHUNKS):
        with fabric.autocast():
            pass
    return (time.perf_counter() - begun) / CHUNKS


def main() -> None:
    warnings.simplefilter("ignore")
    logging.getLogger("lightning.pytorch").setLevel(logging.ERROR)
    sides = {"Trainer": trainer_s, "Fabric": fabric_s}
    for f in sides.values():
        f()
    times = {name: [] for name in sides}
    for _ in range(5):
        for name, f in sides.items():
            times[name].append(f() * 1e6)
    for name, values in times.items():
        print(f"{name}: median {statistics.median(values):.1f} us a chunk "
              f"({min(values):.1f}-{max(values):.1f})")  # fmt: skip


if __name__ == "__main__":
    main()
