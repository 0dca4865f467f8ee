"""What a task must provide, and its trial: batches are functions of (seed, step) alone, and of the
shapes, types and ranges that it says.

    from dataclasses import dataclass
    import math, torch
    from orchestrator import prng

    @dataclass(frozen=True)
    class Copy:
        size: int = 8                              # a setting: task.size=8

        name = "copy"                              # in tables
        version = 1                                # raised when batches change otherwise than by code
        vocab = property(lambda self: self.size)
        length = property(lambda self: 2 * self.size - 1)
        scored = property(lambda self: slice(self.size - 1, self.length))
        chance = property(lambda self: 1 / self.size)
        chance_loss = property(lambda self: math.log(self.size))

        def batch(self, seed, step, size):
            once = prng.integers((seed, step, 1), (size, self.size), self.size, seed.device)
            twice = torch.cat((once, once), 1)
            return twice[:, :-1], twice[:, self.size :]
"""

from __future__ import annotations

import inspect
import math
from typing import TYPE_CHECKING, Any, Protocol

from orchestrator.parts.own import Part, guarded, load

if TYPE_CHECKING:
    from torch import Tensor

    from orchestrator.config import RunConfig


class Task(Protocol):
    """A frozen dataclass whose fields are the settings `task.*` (numbers, texts, lists)."""

    name: str
    """What it is called in tables and figures."""
    version: int
    """Raised by hand when its batches change without its code (another data file, say)."""
    vocab: int
    """Number of tokens: inputs and targets are in 0..vocab-1."""
    length: int
    """Input length T."""
    scored: slice
    """Positions in 0..T-1 that are scored, Q of them, ascending."""
    chance: float
    """Accuracy of a guess, in [0, 1]."""
    chance_loss: float
    """Cross-entropy of that guess, nats."""

    def batch(self, seed: Tensor, step: Tensor, size: int) -> tuple[Tensor, Tensor]:
        """Tokens (size, T) and targets (size, Q), int64, on seed's device.

        `seed` and `step` are int64 scalars. It is called under `vmap` over both: no `.item()`, no
        `if` on a tensor's value, no in-place writing to its arguments, and no randomness but theirs
        (orchestrator.prng makes any from them).
        """
        ...


MEMBERS = ("name", "version", "vocab", "length", "scored", "chance", "chance_loss", "batch")


def require_members(part: Part, task: Any) -> None:
    """Raises: UserError where a task lacks a member or one has no possible value. No torch."""
    with guarded(part, "can't be read"):
        found = {m: getattr(task, m) for m in MEMBERS if _has(task, m)}
    lacking = [m for m in MEMBERS if m not in found]
    part.require(not lacking, f"lacks {', '.join(lacking)} (a task has {', '.join(MEMBERS)})")

    def whole(name: str, least: int) -> None:
        x = found[name]
        ok = isinstance(x, int) and not isinstance(x, bool) and x >= least
        part.require(ok, f"{name} is {x!r}, must be an integer of at least {least}")

    def real(name: str, most: float, allowed: str) -> None:
        x = found[name]
        ok = isinstance(x, (int, float)) and not isinstance(x, bool) and 0 <= x <= most
        part.require(ok and math.isfinite(x), f"{name} is {x!r}, must be {allowed}")

    name, scored = found["name"], found["scored"]
    part.require(isinstance(name, str) and name != "", f"name is {name!r}, must be a text")
    whole("version", 0)
    whole("vocab", 2)
    whole("length", 1)
    part.require(isinstance(scored, slice), f"scored is {scored!r}, must be a slice of positions")
    with guarded(part, f"scored is {scored!r}, must be a slice of positions"):
        positions = range(found["length"])[scored]
    part.require(
        len(positions) > 0 and positions.step > 0 and (scored.stop or 0) <= found["length"],
        f"scored is {scored!r}, must be ascending positions in 0..length-1={found['length'] - 1}",
    )
    real("chance", 1, "a number in [0, 1]")
    real("chance_loss", math.inf, "a finite number of nats, 0 or more")
    batch = found["batch"]
    part.require(callable(batch), "batch must be a method batch(seed, step, size)")
    part.require(_takes(batch, 3), "batch must take (seed, step, size)")


def _has(task: Any, member: str) -> bool:
    """Whether it has a member; a property that raises has it, and says why it fails."""
    return member in dir(task) or hasattr(task, member)


def _takes(function: Any, count: int) -> bool:
    """Whether a function can be called with so many positional arguments."""
    try:
        inspect.signature(function).bind(*range(count))
    except TypeError:
        return False
    except ValueError:  # a builtin without a signature
        return True
    return True


def check(run: RunConfig, part: Part) -> None:
    """Try a task's batches: training ones, alone and under vmap, and the evaluation set.

    Raises: UserError.
    """
    import torch

    from orchestrator.training.data import evaluation_batches, training_batches

    load(part)
    task, size = run.task, run.budget.batch
    seed, step = torch.tensor(1), torch.tensor(2)
    with guarded(part, "batch fails"):
        made = task.batch(seed, step, size)
    require_batch(part, task, made, size)
    part.require(
        seed.item() == 1 and step.item() == 2, "batch writes to its arguments, which others read"
    )

    def again(s: int, t: int) -> tuple[Tensor, Tensor]:
        with guarded(part, "batch fails"), torch.random.fork_rng(devices=[]):
            torch.manual_seed(s + 7919 * t)  # whoever draws from it draws otherwise each time
            return task.batch(torch.tensor(s), torch.tensor(t), size)

    others = [again(1, t) for t in (1, 3, 4, 5)], [again(s, 2) for s in (0, 2, 3, 4)]
    part.require(
        _same(again(1, 2), made),
        "batch differs between two calls with one (seed, step): it must depend on these alone "
        "(randomness from orchestrator.prng, no state kept)",
    )
    for what, made_otherwise in zip(("step", "seed"), others, strict=True):
        part.require(
            not all(_same(made, other) for other in made_otherwise),
            f"batch is the same for every {what}: it must depend on (seed, step)",
        )
    with guarded(part, "batch fails under vmap over seed and step"):
        tokens, targets = training_batches(run, torch.tensor([4, 1]), torch.tensor([2, 5]))
    part.require(
        _same((tokens[0, 1], targets[0, 1]), made),
        "batch under vmap over seed and step differs from the batch alone",
    )
    with guarded(part, "batch fails for the evaluation set"):
        whole = task.batch(torch.tensor(2**31), torch.tensor(0), run.budget.eval_sequences)
        evaluation_batches(run, torch.device("cpu"))
    require_batch(part, task, whole, run.budget.eval_sequences)
    _require_device(part, task, size)


def require_batch(part: Part, task: Any, made: Any, size: int) -> None:
    """Raises: UserError where (tokens, targets) are not as a batch of `size` must be."""
    from torch import Tensor, int64

    part.require(
        isinstance(made, (tuple, list)) and len(made) == 2
        and all(isinstance(x, Tensor) for x in made),
        f"batch gives {_named(made)}, must give two tensors (tokens, targets)",
    )  # fmt: skip
    scored = len(range(task.length)[task.scored])
    shapes = {
        "tokens": ((size, task.length), "(size, length)"),
        "targets": ((size, scored), "(size, scored positions)"),
    }
    for x, (name, (shape, words)) in zip(made, shapes.items(), strict=True):
        part.require(
            tuple(x.shape) == shape,
            f"batch's {name} are {tuple(x.shape)}, must be {shape}, {words}",
        )
        part.require(x.dtype == int64, f"batch's {name} are {x.dtype}, must be torch.int64")
        part.require(x.device.type == "cpu", f"batch's {name} are on {x.device}, not seed's device")
        low, high = int(x.min()), int(x.max())
        part.require(
            0 <= low and high < task.vocab,
            f"batch's {name} are in {low}..{high}, must be in 0..vocab-1={task.vocab - 1}",
        )


def _require_device(part: Part, task: Any, size: int) -> None:
    """Batches are made where the seed is, so that a GPU can train on them: the meta device, which
    only knows shapes, stands for one."""
    import torch

    from orchestrator.parts.devices import Mixed, OneDevice

    seed = torch.zeros((), dtype=torch.int64, device="meta")
    try:
        with OneDevice():
            made = task.batch(seed, seed, size)
    except Mixed as e:
        raise part.fault(
            f"batch makes a tensor on the CPU that meets seed's device in {e}: use "
            "device=seed.device"
        ) from e
    except Exception:  # noqa: BLE001 (it ran above: this is an operation that meta tensors lack)
        return
    part.require(
        all(x.device.type == "meta" for x in made),
        "batch makes tensors on another device than seed's: use device=seed.device",
    )


def _same(a: tuple[Tensor, Tensor], b: tuple[Tensor, Tensor]) -> bool:
    import torch

    return all(x.shape == y.shape and torch.equal(x, y) for x, y in zip(a, b, strict=True))


def _named(x: Any) -> str:
    if isinstance(x, (tuple, list)):
        return f"{len(x)} {'values' if len(x) != 1 else 'value'}"
    return type(x).__name__
