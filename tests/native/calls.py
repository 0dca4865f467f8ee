"""Calls of our C++ as plain arrays: random shapes, damaged ones, and files for driver.cpp.

A call is what training/native.py hands over, by name, so that it can be changed before it is made.
"""

from __future__ import annotations

import struct
import subprocess
from dataclasses import dataclass, field, replace
from pathlib import Path

import numpy as np
import torch

from orchestrator.config import Budget, Model, Momentum, RunConfig
from orchestrator.cost import parameters
from orchestrator.models.native import build
from orchestrator.models.taps import filter_taps
from orchestrator.optimizers.adamw import AdamW
from orchestrator.training.native import Native, _Shape
from orchestrator.training.step import Core, over_runs

HERE = Path(__file__).parent


@dataclass(frozen=True)
class Noise:
    """A task of no sense: any length, vocabulary and scored positions. Its batches are drawn here."""

    vocab: int = 9
    length: int = 7
    first: int = 0
    last: int = 7
    every: int = 1
    version: int = field(default=1, repr=False)

    @property
    def scored(self) -> slice:
        return slice(self.first, self.last, self.every)


@dataclass(frozen=True)
class Call:
    """One call of `train` or `evaluate`."""

    name: str
    run: RunConfig
    shape: dict[str, float]
    """Fields of Shape."""
    sizes: dict[str, int]
    """What the call is told, by the letters of native._CALLS."""
    values: dict[str, np.ndarray | float]
    """What it is given."""

    def told(self, **sizes: int) -> Call:
        return replace(self, sizes={**self.sizes, **sizes})

    def shaped(self, **fields: float) -> Call:
        return replace(self, shape={**self.shape, **fields})

    def given(self, **values: np.ndarray | float) -> Call:
        return replace(self, values={**self.values, **values})

    def packed(self) -> bytes:
        """For driver.cpp."""
        out = [struct.pack("q", self.name == "train"), bytes(_Shape(**self.shape))]
        out.append(struct.pack(f"{len(self.sizes)}q", *self.sizes.values()))
        for value in self.values.values():
            if isinstance(value, np.ndarray):
                out += [struct.pack("q", value.size), value.tobytes()]
            else:
                out.append(struct.pack("f", value))
        return b"".join(out)


WAYS = (
    {"tied_head": False}, {"tied_head": True}, {"parametrisation": "mup", "base_width": 16},
    {"parametrisation": "completep", "base_width": 48, "base_depth": 2},
)  # fmt: skip


def random_run(seed: int) -> RunConfig:
    """A run of a small random shape that our C++ serves."""
    r = np.random.default_rng(seed)
    pick = lambda *options: options[r.integers(len(options))]
    length = int(pick(1, 2, *r.integers(3, 34, 6)))
    first = int(r.integers(0, length))
    heads, kernel = int(pick(1, 1, 2, 2, 3, 4, 40)), int(pick(2, 2, 2, 3, 4, 9))
    rope = pick(None, 10000.0)
    dim = int(pick(*r.integers(1, 41, 3), 64))
    return RunConfig(
        task=Noise(int(r.integers(1, 70)), length, first, length, int(r.integers(1, 4))),
        model=Model(
            depth=int(r.integers(1, 4)), width=int(r.integers(1, 70)), heads=heads,
            head_dim=dim + dim % 2 if rope else dim, mlp_ratio=float(pick(0.0, 0.5, 1.7, 4.0)),
            rope_base=rope, **pick(*WAYS),
            momentum=Momentum(gamma=0.5, kernel=kernel, streams=pick("qk", "q", "k")),
        ),
        optim=AdamW(lr=3e-3, eps=1e-3, clip=pick(None, 0.5)), budget=Budget(batch=int(r.integers(1, 9))),
    )  # fmt: skip


def calls(run: RunConfig, seed: int = 0, runs: int = 2, steps: int = 5) -> tuple[Call, Call]:
    """Training and evaluation of a run's shape, from random parameters; some targets are ignored."""
    r = np.random.default_rng(seed)
    m, o, task, batch = run.model, run.optim, run.task, run.budget.batch
    P, Q, seeds = parameters(run), len(range(task.length)[task.scored]), 2
    native = Native(run)
    shape = {name: getattr(native.shape, name) for name, _ in _Shape._fields_}
    tables = dict(zip(("cos", "sin"), (t.numpy() for t in native.tables), strict=True))
    f = lambda *axes, scale=1.0: (scale * r.standard_normal(axes)).astype(np.float32)
    full = lambda n, value: np.full(n, value, np.float32)
    targets = r.integers(0, task.vocab, (steps, seeds, batch, Q))
    targets[(r.random(targets.shape) < 0.1) & (np.arange(Q) > 0)] = -100
    tokens = r.integers(0, task.vocab, (steps, seeds, batch, task.length))
    params = np.tile(f(P, scale=0.3), (runs, 1))
    taps = np.stack([filter_taps(m).numpy().astype(np.float32)] * runs)
    zeros = np.zeros((runs, P), np.float32)
    train = Call("train", run, shape, {"W": runs, "C": steps, "U": seeds, "B": batch}, {
        **tables, "params": params, "mean": zeros, "square": zeros, "taps": taps,
        "lr": full(runs, o.lr), "weight_decay": full(runs, o.weight_decay),
        "clip": full(runs, o.clip or np.inf), "tokens": tokens, "targets": targets,
        "seen": np.arange(runs) % seeds, "number": np.arange(1, steps + 1, dtype=np.float32),
        "factor": full(steps, 1), "beta1": o.beta1, "beta2": o.beta2, "eps": o.eps, "scale": native.scales[0].numpy(),
        "floor": native.scales[1].numpy(),
        "loss": np.zeros((runs, steps), np.float32), "norm": full(runs, 0),
    })  # fmt: skip
    test = Call("evaluate", run, shape, {"W": runs, "B": batch}, {
        **tables, "params": params, "taps": taps, "tokens": tokens[0, 0], "targets": targets[0, 0],
        "loss": full(runs, 0), "correct": np.zeros(runs, np.int64),
    })  # fmt: skip
    return train, test


def torch_losses(call: Call, precision: str = "64-true") -> np.ndarray:
    """(W, C) losses of a training call, by the torch operations."""
    run = replace(call.run, precision=precision)
    core = Core(run, torch.device("cpu"))
    step = over_runs(core)[0]
    x = {k: torch.from_numpy(v) if isinstance(v, np.ndarray) else v for k, v in call.values.items()}
    x = {
        k: v.to(core.dtype) if hasattr(v, "dtype") and v.is_floating_point() else v
        for k, v in x.items()
    }
    params, mean, square, losses = x["params"], x["mean"], x["square"], []
    for c in range(call.sizes["C"]):
        loss, _, params, mean, square = step(
            params, x["taps"], x["clip"], x["seen"], x["lr"], x["weight_decay"], mean, square,
            x["tokens"][c], x["targets"][c], x["number"][c], x["factor"][c],
        )  # fmt: skip
        losses.append(loss)
    return torch.stack(losses, 1).double().numpy()


@dataclass(frozen=True)
class Answer:
    """What one call came to."""

    words: str
    """Why it was refused; empty: it was not."""
    values: dict[str, np.ndarray]
    """What it wrote."""


WRITTEN = {"train": ("params", "loss", "norm"), "evaluate": ("loss", "correct")}


def drive(program: list[str], made: list[Call], folder: Path) -> list[Answer]:
    """The calls, made by a build of driver.cpp. Raises: AssertionError with what it printed."""
    asked, told = folder / "asked", folder / "told"
    asked.write_bytes(struct.pack("q", len(made)) + b"".join(c.packed() for c in made))
    done = subprocess.run(
        [*program, str(asked), str(told)], capture_output=True, text=True, timeout=300, check=False
    )
    assert done.returncode == 0 and not done.stderr, (done.returncode, done.stderr[:3000])
    content, answers = told.read_bytes(), []
    for call in made:
        (size,) = struct.unpack_from("q", content)
        words, content = content[8 : 8 + size].decode(), content[8 + size :]
        values = {}
        for name in WRITTEN[call.name]:
            like = call.values[name]
            values[name] = np.frombuffer(content[: like.nbytes], like.dtype).reshape(like.shape)
            content = content[like.nbytes :]
        answers.append(Answer(words, values))
    assert not content
    return answers


def compiled(words: list[str], folder: Path) -> Path:
    """driver.cpp, built by a compiler and its flags."""
    out = folder / "driver"
    done = subprocess.run(
        [*words, "-std=c++17", f"-I{build.SOURCE.parent}", str(HERE / "driver.cpp"), "-o", str(out)],
        capture_output=True, text=True, timeout=300, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr[:3000]
    return out
