"""Broken parts, generated: what a user can get wrong, times the parts that it can go wrong in.

Each is a whole part that works with one text in it replaced, and words of the line that must say so.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

TASK = """
import math, random, sys, time
from dataclasses import dataclass, field
import numpy as np
import torch
from orchestrator import prng
from orchestrator.errors import UserError

calls = []

@dataclass(frozen=True)
class Part:
    kind: int = 3
    name = "mine"
    version = 1
    vocab = 7
    length = 6
    scored = slice(1, 6, 4)
    chance = 1 / 7
    chance_loss = math.log(7)

    def batch(self, seed, step, size):
        tokens = prng.integers((seed, step, 1), (size, 6), 7, seed.device)
        targets = tokens[:, :2]
        return tokens, targets
"""
MAKE, TARGETS = "(seed, step, 1), (size, 6), 7, seed.device)", "targets = tokens[:, :2]"
GIVE = "return tokens, targets"

STREAM = """
import random, sys
import numpy as np
import torch
from torch.nn import functional as F
from orchestrator.models.attention import attend
from orchestrator.models.momentum import causal_filter

calls = []

def Part(*given):
    z = given[-1] if len(given) == 3 else given[0]
    out = attend(*given) if len(given) == 3 else causal_filter(*given)
    return out
"""
OUT = "    return out"

MODEL = """
import random, sys
import numpy as np
import torch
from torch import nn
from torch.nn import functional as F

HEAD = nn.Parameter(torch.randn(32, 8))

class Part(nn.Module):
    def __init__(self, vocab, length, scored, width: int = 8, depth: int = 1):
        super().__init__()
        self.embedding = nn.Embedding(vocab, width)
        self.mix = nn.Conv1d(width, width, 3)
        self.head = nn.Linear(width, vocab)
        self.calls = []

    def forward(self, tokens):
        x = self.embedding(tokens)
        x = x + self.mix(F.pad(x.transpose(1, 2), (2, 0))).transpose(1, 2)
        logits = self.head(x)
        return logits
"""
ENDS = "        return logits"
BUILT = "        self.calls = []"
SUPER = "        super().__init__()"


@dataclass(frozen=True)
class Broken:
    """A part with one fault. `words`: part of the line that must be printed."""

    name: str
    key: str
    source: str
    words: str
    path: str = "broken.Part"


def broken() -> Iterator[Broken]:
    """All of them."""
    yield from _modules()
    for name, old, new, words in TASK_FAULTS:
        yield Broken(f"task {name}", "task._target_", _replaced(TASK, old, new), words)
    for key in ("model.momentum.operator", "model.attention"):
        for name, new, words in STREAM_FAULTS:
            source = _replaced(STREAM, OUT, new)
            yield Broken(f"{key.rpartition('.')[2]} {name}", key, source, words)
    for name, old, new, words in MODEL_FAULTS:
        yield Broken(f"model {name}", "model._target_", _replaced(MODEL, old, new), words)


def _replaced(text: str, old: str, new: str) -> str:
    assert text.count(old) == 1, old
    return text.replace(old, new)


def _modules() -> Iterator[Broken]:
    """Faults of a module, or of the name in it, whichever part it holds."""
    texts = {
        "task._target_": TASK, "model.momentum.operator": STREAM, "model.attention": STREAM,
        "model._target_": MODEL,
    }  # fmt: skip
    for key, text in texts.items():
        faults = (
            (
                "imports what is not there",
                "import no_such_thing\n" + text,
                "No module named 'no_such",
            ),
            ("has a syntax error", text + "\ndef broken(:\n", "SyntaxError: invalid syntax"),
            (
                "raises on import",
                "print('hi')\nraise ValueError('no\\nluck')\n",
                "ValueError: no luck",
            ),
            ("exits on import", "import sys; sys.exit(0)\n", "exits the interpreter with status 0"),
            ("is no Python", "\0\0", "can't be imported"),
        )
        for name, source, words in faults:
            yield Broken(f"{key} {name}", key, source, words)
        for name, set_, words in (
            (
                "default dtype",
                "torch.set_default_dtype(torch.float64)",
                "sets the default dtype to",
            ),
            (
                "no gradients",
                "torch.set_grad_enabled(False)",
                "sets gradients off for all of torch",
            ),
        ):
            yield Broken(f"{key} {name}", key, f"{text}\n{set_}\n", words)
        yield Broken(f"{key} no module", key, text, "No module named 'brokn'", "brokn.Part")
        yield Broken(f"{key} no name", key, text, "has no attribute 'Prt'", "broken.Prt")
        yield Broken(f"{key} no path", key, text, "must be an import path", "broken")
        yield Broken(f"{key} a number", key, text + "\nnumber = 3\n", "must be a", "broken.number")


def _without(member: str) -> tuple[str, str, str, str]:
    line = next(x for x in TASK.splitlines() if x.startswith(f"    {member} ="))
    return f"lacks {member}", f"{line}\n", "", f"lacks {member} (a task has name, version"


def _value(member: str, value: str, words: str) -> tuple[str, str, str, str]:
    line = next(x for x in TASK.splitlines() if x.startswith(f"    {member} ="))
    return f"{member} is {value}", line, f"    {member} = {value}", words


def _given(name: str, text: str, words: str) -> tuple[str, str, str, str]:
    return name, GIVE, f"{text}\n        {GIVE}", words


def _made(name: str, text: str, words: str) -> tuple[str, str, str, str]:
    batch = "    def batch("
    return name, batch, f"    def __post_init__(self):\n        {text}\n\n{batch}", words


MEMBERS = ("name", "version", "vocab", "length", "scored", "chance", "chance_loss")
TASK_FAULTS = [
    *map(_without, MEMBERS),
    _value("name", "3", "name is 3, must be a text"),
    _value("version", "'one'", "version is 'one', must be an integer"),
    _value("version", "True", "version is True, must be an integer"),
    _value("vocab", "7.0", "vocab is 7.0, must be an integer of at least 2"),
    _value("length", "0", "length is 0, must be an integer of at least 1"),
    _value("scored", "3", "scored is 3, must be a slice"),
    _value("scored", "slice(6, 9)", "must be ascending positions in 0..length-1=5"),
    _value("scored", "slice(2, 8)", "must be ascending positions in 0..length-1=5"),
    _value("scored", "slice(5, 1, -1)", "must be ascending positions"),
    _value("scored", "slice(0, 6, 0)", "must be a slice of positions"),
    _value("scored", "slice(1, 6, 2)", "targets are (64, 2), must be (64, 3)"),
    _value("scored", "slice(1, 2)", "targets are (64, 2), must be (64, 1)"),
    _value("chance", "2", "chance is 2, must be a number in [0, 1]"),
    _value("chance", "float('nan')", "chance is nan"),
    _value("chance_loss", "math.inf", "chance_loss is inf, must be a finite number"),
    ("member that raises", "    chance = 1 / 7", "    chance = property(lambda self: 1 / 0)",
     "ZeroDivisionError"),
    ("batch missing", "def batch(", "def batches(", "lacks batch"),
    ("batch is a number", "    def batch(", "    batch = 3\n    def other(", "batch must be a method"),
    ("batch of two arguments", "(self, seed, step, size)", "(self, seed, step, size=1, *, x)",
     "batch must take (seed, step, size)"),
    ("no dataclass", "@dataclass(frozen=True)", "", "must be a dataclass"),
    ("function that makes one", "    def batch(", ("    def batch(self):\n        pass\n\n"
     "def Part(kind: int = 3):\n    def batch("), "must be a dataclass"),
    ("class that can't be looked at", "@dataclass(frozen=True)\nclass Part:",
     ("class Odd(type):\n    def __getattribute__(cls, name):\n        raise OSError(name)\n\n"
      "class Part(metaclass=Odd):"), "can't be read (OSError: "),
    ("scored twice", "slice(1, 6, 4)", "[1, 1]", "scored is [1, 1], must be a slice"),
    ("more symbols than memory", "vocab = 7", "vocab = 2**40", "can't be built (RuntimeError: "),
    _made("post_init raises", "raise ValueError('kind\\nmust be 4')",
          "can't be built (ValueError: kind must be 4"),
    _made("post_init exits", "sys.exit(5)", "exits the interpreter with status 5"),
    _made("post_init says so itself", "raise UserError('task.kind=3: must\\nbe 4')",
          "task.kind=3: must be 4"),
    ("hint of nothing", "kind: int = 3", "kind: 'Nothing' = 3", "name 'Nothing' is not defined"),
    ("setting that is no JSON", "kind: int = 3", "kind: tuple = (3, 4)", "task.kind is (3, 4)"),
    ("setting that is nan", "kind: int = 3", "kind: float = math.nan", "task.kind is nan"),
    ("setting without init", "kind: int = 3", "kind: int = field(default=3, init=False)",
     "init=False"),
    ("setting that must be given", "kind: int = 3", "kind: int", "task.kind: must be given"),
    ("tokens too short", "(size, 6)", "(size, 5)", "tokens are (64, 5), must be (64, 6)"),
    ("tokens too long", "(size, 6)", "(size, 7)", "tokens are (64, 7), must be (64, 6)"),
    ("too few sequences", "(size, 6)", "(8, 6)", "tokens are (8, 6), must be (64, 6)"),
    ("targets too wide", TARGETS, "targets = tokens[:, :3]", "targets are (64, 3), must be (64, 2)"),
    ("targets too short", TARGETS, "targets = tokens[:, :1]", "targets are (64, 1), must be"),
    ("targets flat", TARGETS, "targets = tokens[:, 0]", "targets are (64,), must be (64, 2)"),
    _given("float tokens", "tokens = tokens.float()", "tokens are torch.float32, must be torch.int64"),
    _given("int32 tokens", "tokens = tokens.int()", "tokens are torch.int32, must be torch.int64"),
    _given("int32 targets", "targets = targets.int()", "targets are torch.int32"),
    _given("bool targets", "targets = targets > 3", "targets are torch.bool"),
    _given("tokens past the vocabulary", "tokens = tokens + 1", "tokens are in 1..7, must be in 0..v"),
    _given("negative tokens", "tokens = tokens - 1", "tokens are in -1..5, must be in 0..vocab-1=6"),
    _given("targets past the vocabulary", "targets = targets + 1", "targets are in 1..7"),
    _given("ignored targets", "targets = targets * 0 - 100", "targets are in -100..-100"),
    _given("range wrong in evaluation", "tokens = tokens + 7 * (step == 0)", "tokens are in 7..13"),
    ("one tensor", GIVE, "return tokens", "must give two tensors (tokens, targets)"),
    ("three tensors", GIVE, "return tokens, targets, targets", "batch gives 3 values"),
    ("nothing", GIVE, "pass", "batch gives NoneType"),
    ("numpy", GIVE, "return np.zeros((size, 6)), np.zeros((size, 2))", "must give two tensors"),
    _given("torch's randomness", "tokens = torch.randint(7, (size, 6))", "differs between two calls"),
    _given("numpy's randomness", "tokens = torch.from_numpy(np.random.randint(0, 7, (size, 6)))",
           "differs between two calls"),
    _given("the clock", "tokens = (tokens + torch.tensor(np.random.default_rng(time.time_ns())"
           ".integers(0, 7, (size, 6)))) % 7", "differs between two calls"),
    _given("state kept", "calls.append(1); tokens = (tokens + len(calls)) % 7",
           "differs between two calls"),
    ("same at every step", MAKE, MAKE.replace("step", "seed"), "the same for every step"),
    ("same for every seed", MAKE, MAKE.replace("seed,", "step,", 1), "the same for every seed"),
    _given("item", "tokens = (tokens + seed.item()) % 7", "fails under vmap over seed and step"),
    _given("if on the seed", "tokens = tokens if seed > 3 else 6 - tokens", "fails under vmap"),
    _given("numbers of tensors", "tokens = tokens.roll(int(step))", "fails under vmap"),
    _given("in-place writing", "seed.add_(1)", "batch writes to its arguments"),
    _given("raises", "raise IndexError('no\\nluck')", "batch fails (IndexError: no luck; broken.py"),
    _given("exits", "print('bye'); sys.exit('gone')", "exits the interpreter with status gone"),
    _given("raises what can't be said", "class E(Exception):\n            __str__ = None\n"
           "        raise E", "batch fails (E; broken.py"),
    _given("more memory than there is", "torch.zeros(10**15)", "batch fails (RuntimeError: "),
    _given("made on the CPU", "targets = targets + torch.zeros(size, 2).long().to('cpu')",
           "device=seed.device"),
    _given("given on another device", "tokens = tokens.to('meta')", "tokens are on meta"),
]  # fmt: skip

STREAM_FAULTS = [
    ("one position short", "    return out[:, :, 1:]", "must give (B, H, T, D) = (3, 1, 15, 32)"),
    ("axes swapped", "    return out.transpose(1, 2)", "gives shape (3, 15, 1, 32)"),
    ("float64", "    return out.double()", "gives torch.float64, must give torch.float32"),
    ("half", "    return out.half()", "gives torch.float16"),
    ("nothing", "    pass", "gives NoneType, must give a tensor"),
    ("a pair", "    return out, out", "gives tuple, must give a tensor"),
    ("NaN", "    return out / (z - z)", "not finite"),
    ("mean over time", "    return out + z.mean(2, keepdim=True)", "is not causal: what stands at"),
    ("the next position", "    return out + z.roll(-1, 2)", "is not causal"),
    ("the last position", "    return out + z[:, :, -1:]", "is not causal"),
    ("mean over sequences", "    return out + z.mean(0, keepdim=True)", "mixes sequences"),
    (
        "randomness",
        "    return out + 0.1 * torch.rand_like(z)",
        "another output at the second call",
    ),
    ("dropout", "    return F.dropout(out, 0.5)", "another output at the second call"),
    ("state kept", "    calls.append(1)\n    return out * len(calls)", "at the second call"),
    ("in-place writing", "    z.mul_(2)\n    return out", "writes to its arguments"),
    ("detached", "    return out.detach()", "no gradient comes back"),
    (
        "parameters of its own",
        "    return out * torch.ones(1, requires_grad=True)",
        "has parameters of its own, which nothing would train",
    ),
    ("nothing of it", "    return z.detach() + 0 * out", "no gradient comes back to"),
    ("gradient NaN", "    return out + (z - z).sqrt()", "is not finite"),
    ("if on a value", "    return out if z.sum() > 1e9 else out * 2", "fails under vmap over runs"),
    ("item", "    return out * (1 + 0 * z.sum().item())", "fails under vmap over runs"),
    (
        "numpy",
        "    return out + torch.from_numpy(z.detach().numpy())",
        "fails under vmap over runs",
    ),
    ("on another device", "    return out.to('meta')", "gives a tensor on meta"),
    ("raises", "    raise RuntimeError('no\\nluck')", "(RuntimeError: no luck; broken.py, line"),
    ("exits", "    print('bye'); sys.exit(0)", "exits the interpreter with status 0"),
    ("takes nothing", "    return out\n\ndef Part():\n    pass", "TypeError: Part() takes 0"),
    ("takes keywords", "    return out\n\ndef Part(*, z):\n    pass", "TypeError: Part() takes 0"),
]


def _after(name: str, text: str, words: str) -> tuple[str, str, str, str]:
    return name, ENDS, f"        {text}\n{ENDS}", words


def _built(name: str, text: str, words: str) -> tuple[str, str, str, str]:
    return name, BUILT, f"{BUILT}\n        {text}", words


MODEL_FAULTS = [
    ("no module", "class Part(nn.Module)", "class Part(object)", "must be a class of nn.Module"),
    ("any settings", "depth: int = 1", "**settings", "name each setting"),
    ("positional settings", "depth: int = 1", "*settings", "name each setting"),
    ("setting that is no JSON", "depth: int = 1", "depth=object()", "a setting must be a number"),
    ("setting of our name", "depth: int = 1", "momentum: int = 1", "can't be the name of a setting"),
    ("setting that must be given", "width: int = 8, depth: int = 1", "width: int",
     "model.width: must be given"),
    ("hint of nothing", "depth: int = 1", "depth: 'Nothing' = 1", "name 'Nothing' is not defined"),
    ("no super", SUPER, "        pass", "can't be built with width=8, depth=1 (cannot assign"),
    ("raises when built", SUPER, "        raise ValueError('no\\nluck')", "(ValueError: no luck;"),
    ("exits when built", SUPER, "        sys.exit(1)", "exits the interpreter with status 1"),
    ("no forward", "    def forward(", "    def backward(", "NotImplementedError"),
    ("forward of two arguments", "(self, tokens):", "(self, tokens, mask):", "TypeError"),
    _after("a pair", "logits = (logits, x)", "gives tuple, must give a tensor"),
    _after("vocabulary too wide", "logits = torch.cat((logits, logits), 2)", "gives shape (3, 15, 64)"),
    _after("last position alone", "logits = logits[:, -1]", "gives shape (3, 32), must give (3, 15"),
    _after("one position short", "logits = logits[:, 1:]", "gives shape (3, 14, 32)"),
    _after("float64", "logits = logits.double()", "gives torch.float64, must give torch.float32"),
    _after("on another device", "logits = logits.to('meta')", "gives a tensor on meta"),
    _after("NaN", "logits = logits / (logits - logits)", "logits that are not finite"),
    _after("infinite", "logits = logits.masked_fill(logits > 0, float('inf'))", "not finite"),
    _after("mean over time", "logits = logits + x.mean() * logits", "the logits of another"),
    _after("the next token", "logits = logits + x.mean(2, keepdim=True).roll(-1, 1)", "not causal"),
    _after("mean over sequences", "logits = logits + logits.mean(0)", "mixes sequences"),
    _after("dropout", "logits = F.dropout(logits, 0.1)", "other logits at the second call"),
    _after("state kept", "self.calls.append(1); logits = logits * len(self.calls)", "second call"),
    _after("in-place writing", "tokens.zero_()", "writes to the tokens"),
    _after("detached", "logits = logits.detach()", "can't be differentiated"),
    _after("half detached", "logits = self.head(x.detach())", "no gradient reaches its parameter emb"),
    _after("gradient zero", "logits = logits * 0.0 + x.detach().mean(2, keepdim=True)", "zero"),
    _after("gradient NaN", "logits = logits + (x - x).sqrt().sum(2, keepdim=True)", "not finite"),
    _after("if on a value", "logits = logits if x.sum() > 1e9 else 2 * logits", "vmap over runs fails"),
    _after("item", "logits = logits * (1 + 0 * x.sum().item())", "vmap over runs fails"),
    _after("raises", "raise RuntimeError('no\\nluck')", "(RuntimeError: no luck; broken.py, line"),
    _after("exits", "print('bye'); sys.exit(0)", "exits the interpreter with status 0"),
    _after("buffer written", "self.seen.add_(1)", "'Part' object has no attribute 'seen'"),
    _built("batch norm", "self.mix = nn.Sequential(self.mix, nn.BatchNorm1d(width))",
           "writes to its buffer mix.1"),
    _built("parameter not used", "self.more = nn.Linear(3, 3)", "no gradient reaches its parameter"),
    _built("parameter frozen", "self.head.requires_grad_(False)", "head.weight is frozen"),
    _built("parameter complex", "self.c = nn.Parameter(torch.zeros(3, dtype=torch.complex64))",
           "is torch.complex64"),
    _built("parameter NaN", "self.head.weight.data.fill_(float('nan'))", "not finite before training"),
    _built("parameter without a shape", "self.more = nn.LazyLinear(3)", "fails its trial (ValueError: "),
    _built("sparse gradient", "self.embedding.sparse = True", "fails its trial ("),
    _built("weights of the module", "self.head.weight = HEAD", "is one for all that are built"),
    _built("parameter elsewhere", "self.head = nn.Linear(width, vocab, device='meta')",
           "is on meta, not the CPU"),
    _built("seed of its own", "torch.manual_seed(0); self.embedding.reset_parameters(); "
           "self.mix.reset_parameters(); self.head.reset_parameters()", "same initial weights"),
    _built("numpy's randomness", "self.head.weight.data.mul_(float(np.random.rand()))",
           "has other initial weights when built again"),
    _built("Python's randomness", "self.head.weight.data.mul_(random.random())",
           "has other initial weights when built again"),
    _built("random buffer", "self.register_buffer('r', torch.rand(3))", "buffer r differs by seed"),
    ("no parameters", BUILT, f"{BUILT}\n        del self.embedding, self.mix, self.head",
     "has no parameters to train"),
]  # fmt: skip
