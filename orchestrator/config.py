"""What one run is: typed, checked, and hashed into its identity.

Two configs that train the same thing have the same `run_id`; where and how a run is trained
(cluster, tracking, execution) never enters it. Fields marked `per_run` are tensors inside the
compiled training step; all others belong to the *shape*, which is compiled once.
This module imports neither torch nor Hydra.
"""

from __future__ import annotations

import dataclasses
import json
import math
from dataclasses import dataclass, field
from functools import cached_property, lru_cache
from typing import Any, Literal

from orchestrator.coerce import build, hints_of, plain, require, takes_numbers
from orchestrator.errors import UserError
from orchestrator.identity import digest, flatten, identity, plain_dict, shape_fields, target
from orchestrator.optimizers.adamw import AdamW
from orchestrator.optimizers.base import LENGTH as _LENGTH
from orchestrator.optimizers.base import PER_RUN as _PER_RUN
from orchestrator.optimizers.base import RESOLVED as _RESOLVED
from orchestrator.optimizers.base import Optim
from orchestrator.parts.measure import require_known
from orchestrator.parts.optimizer import require_numbers
from orchestrator.parts.own import Part, guarded, load, ours, user_parts
from orchestrator.parts.recorded import is_recorded, recorded_model, recorded_optim, recorded_task
from orchestrator.parts.settings import PLAIN, OwnModel, is_plain, own_model
from orchestrator.parts.source import source_hash
from orchestrator.parts.task import require_members

_LABEL = {"per_run": True, "label": True}
OUR_MODEL = "orchestrator.models.transformer.Transformer"
"""model._target_ of our own model, whose settings are Model's."""
OUR_OPTIMIZER = "orchestrator.optimizers.adamw.AdamW"
"""optim._target_ where none is given."""


@dataclass(frozen=True)
class Momentum:
    """The momentum operator: a short causal filter on queries and keys (arXiv 2602.04902)."""

    arm: str = field(default="raw", metadata=_LABEL)
    """Name of this variant in tables and figures; not part of the run's identity."""
    gamma: float | list | None = field(default=0.0, metadata=_PER_RUN)
    """Shear strength: q̂_t = q_t + γ (q_t - q_{t-1}), taps (1+γ, -γ). A number, a list with one
    number a layer, or a list of lists with one number a layer and head. Negative γ is a low-pass;
    γ = -1 is the pure shift."""
    angle: float | None = field(default=None, metadata=_PER_RUN)
    """Tap angle φ in degrees, instead of γ: taps (cos φ, -sin φ); γ = tan φ / (1 - tan φ)."""
    taps: list[float] | None = field(default=None, metadata=_PER_RUN)
    """Taps (c_0, c_1, ...) instead of γ: q̂_t = Σ c_k q_{t-k}, with q_{-k} = q_0."""
    smoothing: float = field(default=0.0, metadata=_PER_RUN)
    """β of an exponential moving average over past momenta, 0 ≤ β < 1; 0 is the plain shear."""
    kernel: int = 2
    """Number of taps kept, at least 2; a smoothed momentum is cut off there."""
    streams: str = field(default="qk", metadata=_PER_RUN)
    """What is filtered: any of the letters q (queries), k (keys), v (values)."""
    norm: Literal["raw", "matched", "gain_only"] = field(default="raw", metadata=_PER_RUN)
    """raw: the filter as it is; matched: divided by its gain √Σc² for uncorrelated neighbours;
    gain_only: that gain alone, without the filter."""
    layers: str | list[int] = field(default="all", metadata=_PER_RUN)
    """all, first, middle, last, or a list of layer numbers from 0."""
    placement: Literal["post_rope", "pre_rope"] = "post_rope"
    """Filter after the rotary embedding (the paper's) or before."""
    learn: Literal["none", "gamma", "taps"] = "none"
    """Whether γ (or all taps) is trained, starting at the value given."""
    learn_per: Literal["model", "layer", "head"] = "head"
    """How many learned values there are."""
    operator: str | None = None
    """Import path of another operator f(z_BHTD, taps_HK) -> z_BHTD; null is our filter."""

    def __post_init__(self) -> None:
        key = "model.momentum"
        numbers = [g for row in _rows(self.gamma) for g in row] if self.gamma is not None else []
        require(
            all(isinstance(g, (int, float)) and math.isfinite(g) for g in numbers),
            f"{key}.gamma", self.gamma, "gamma must be a finite number, or lists of them",
        )  # fmt: skip
        given = [self.angle is not None, self.taps is not None]
        require(sum(given) <= 1, f"{key}.angle", self.angle, "give angle or taps, not both")
        require(
            self.gamma is not None or any(given), f"{key}.gamma", None,
            "give one of gamma, angle and taps",
        )  # fmt: skip
        require(
            not any(given) or self.gamma in (None, 0.0), f"{key}.gamma", self.gamma,
            "gamma must be null or 0 where angle or taps is given",
        )  # fmt: skip
        require(
            self.angle is None or math.isfinite(self.angle), f"{key}.angle", self.angle,
            "angle must be finite, in degrees",
        )  # fmt: skip
        require(
            self.taps is None or (len(self.taps) > 0 and all(map(math.isfinite, self.taps))),
            f"{key}.taps", self.taps, "taps must be one or more finite numbers",
        )  # fmt: skip
        require(0 <= self.smoothing < 1, f"{key}.smoothing", self.smoothing, "must be in [0, 1)")
        require(2 <= self.kernel <= 64, f"{key}.kernel", self.kernel, "must be in 2..64")
        require(
            self.smoothing == 0 or self.kernel > 2, f"{key}.kernel", self.kernel,
            "a smoothed momentum needs kernel > 2",
        )  # fmt: skip
        require(
            self.streams != "" and set(self.streams) <= set("qkv")
            and len(set(self.streams)) == len(self.streams),
            f"{key}.streams", self.streams, "must be letters out of q, k, v, each at most once",
        )  # fmt: skip
        named = self.layers in ("all", "first", "middle", "last")
        require(
            named or isinstance(self.layers, list), f"{key}.layers", self.layers,
            "must be all, first, middle, last, or a list of layer numbers",
        )  # fmt: skip
        require(
            self.learn == "none" or (self.norm == "raw" and self.smoothing == 0),
            f"{key}.learn", self.learn, "learned taps go with norm=raw and smoothing=0",
        )  # fmt: skip
        require(
            self.learn != "gamma" or not any(given), f"{key}.learn", self.learn,
            "learn=gamma starts from gamma; with angle or taps use learn=taps",
        )  # fmt: skip

    @property
    def kernel_size(self) -> int:
        """Number of taps K that the compiled filter has."""
        return max(self.kernel, len(self.taps) if self.taps else 2)

    @property
    def filters_values(self) -> bool:
        return "v" in self.streams

    @property
    def scalar_gamma(self) -> float | None:
        """γ of the table: null where it is learned, differs by layer, or is no shear."""
        if self.learn != "none" or self.taps is not None or isinstance(self.gamma, list):
            return None
        if self.angle is not None:
            t = math.tan(math.radians(self.angle))
            return t / (1 - t) if abs(1 - t) > 1e-12 else None
        return self.gamma


@dataclass(frozen=True)
class Model:
    """A decoder-only transformer."""

    depth: int = 1
    """Number of layers N."""
    width: int = 32
    """Residual stream's dimension."""
    heads: int = 1
    """Attention heads a layer."""
    head_dim: int | None = None
    """Dimension of one head; null: width / heads."""
    mlp_ratio: float = 0.0
    """Hidden over residual dimension of the MLP; 0: attention only."""
    tied_head: bool = False
    """Whether the output head is the embedding's transpose."""
    rope_base: float | None = 10000.0
    """Base of the rotary embedding; null: no positions."""
    init_scale: float = 1.0
    """Factor on the initial standard deviation 1/√fan_in (residual outputs / √(2 depth))."""
    parametrisation: Literal["standard", "mup", "completep"] = "standard"
    """How starting values and each tensor's rate go with size: standard; mup (width; Yang et al. 2022,
    arXiv 2203.03466); completep (depth too, α = 1; Dey et al. 2025, arXiv 2505.01618)."""
    base_width: int | None = None
    """Width at which mup and completep are the standard parametrisation."""
    base_depth: int | None = None
    """Depth at which completep is."""
    embedding_multiplier: float = 1.0
    """Factor on what the embedding gives (μP's input multiplier): at depths and widths that are to share
    a rate, large enough for the stream to begin as the embedding's and not as the first layers'."""
    attention: str | None = None
    """Import path of another attention f(q_BHTD, k_BHTD, v_BHTD) -> o_BHTD; null is ours."""
    momentum: Momentum = field(default_factory=Momentum)

    def __post_init__(self) -> None:
        for name in ("depth", "width", "heads"):
            value = getattr(self, name)
            require(value >= 1, f"model.{name}", value, "must be an integer of at least 1")
        if self.head_dim is None:
            require(
                self.width % self.heads == 0, "model.width", self.width,
                f"must be divisible by model.heads={self.heads}, or give model.head_dim",
            )  # fmt: skip
        else:
            require(self.head_dim >= 1, "model.head_dim", self.head_dim, "must be at least 1")
        require(
            self.rope_base is None or self.size_of_head % 2 == 0,
            "model.head_dim", self.size_of_head,
            "must be even with rotary positions (model.rope_base=null turns them off)",
        )  # fmt: skip
        require(
            self.rope_base is None or (math.isfinite(self.rope_base) and self.rope_base > 1),
            "model.rope_base", self.rope_base, "must be a finite number above 1, or null",
        )  # fmt: skip
        require(
            0 <= self.mlp_ratio < math.inf, "model.mlp_ratio", self.mlp_ratio, "must be 0 or more"
        )
        require(
            0 < self.init_scale < math.inf, "model.init_scale", self.init_scale,
            "must be above 0",
        )  # fmt: skip
        require(
            0 < self.embedding_multiplier < math.inf, "model.embedding_multiplier",
            self.embedding_multiplier, "must be above 0",
        )  # fmt: skip
        self._require_bases()
        m = self.momentum
        if isinstance(m.layers, list):
            require(
                all(0 <= i < self.depth for i in m.layers), "model.momentum.layers", m.layers,
                f"layer numbers must be in 0..{self.depth - 1}",
            )  # fmt: skip
        if isinstance(m.gamma, list):
            rows = _rows(m.gamma)
            require(
                len(rows) == self.depth and all(len(r) in (1, self.heads) for r in rows),
                "model.momentum.gamma", m.gamma,
                f"a list needs one entry a layer ({self.depth}), each a number or one a head",
            )  # fmt: skip

    def _require_bases(self) -> None:
        how, bases = self.parametrisation, ("base_width", "base_depth")
        uses = bases[: {"standard": 0, "mup": 1, "completep": 2}[how]]
        for name in bases:
            value, key = getattr(self, name), f"model.{name}"
            if name in uses:
                wanted = f"model.parametrisation={how} needs it, an integer of at least 1"
                require(value is not None and value >= 1, key, value, wanted)
            else:
                none = f"has no effect under model.parametrisation={how}; leave it null"
                require(value is None, key, value, none)
        require(
            how == "standard" or not self.tied_head, "model.tied_head", self.tied_head,
            f"must be false under model.parametrisation={how}: the two ends go with width differently",
        )  # fmt: skip
        require(
            self.embedding_multiplier == 1 or not self.tied_head, "model.tied_head", self.tied_head,
            "must be false with model.embedding_multiplier, which is of one of the two ends",
        )  # fmt: skip

    @property
    def size_of_head(self) -> int:
        """head_dim, resolved."""
        return self.head_dim if self.head_dim is not None else self.width // self.heads

    @property
    def hidden(self) -> int:
        """Hidden dimension of the MLP; 0: none."""
        return round(self.mlp_ratio * self.width)


LENGTHS = ("tokens", "tokens_per_parameter", "flops")
"""Of a budget, the ways to say `steps`."""
POINTS = ("eval_steps", "eval_tokens")
"""Of a budget, the ways to say when a run is evaluated."""


@dataclass(frozen=True)
class Budget:
    """How long one run trains and how it is evaluated."""

    steps: int = field(default=400, metadata=_LENGTH)
    """Optimiser steps."""
    tokens: int | None = field(default=None, metadata=_RESOLVED)
    """Input tokens of the whole training, in place of steps: as many whole steps as come nearest."""
    tokens_per_parameter: float | None = field(default=None, metadata=_RESOLVED)
    """Input tokens for each trained number, embedding and head included, in place of steps."""
    flops: float | None = field(default=None, metadata=_RESOLVED)
    """FLOPs of the whole training, as the tables count them, in place of steps."""
    batch: int = 64
    """Sequences a step."""
    evals: int = field(default=20, metadata=_LENGTH)
    """Evaluations, the last one at the end."""
    spacing: Literal["log", "linear"] = field(default="log", metadata=_LENGTH)
    """How the evaluations are spread over the steps: log from steps/50 on, linear from steps/evals."""
    eval_steps: list[int] | None = field(default=None, metadata=_LENGTH)
    """Steps of evaluation beside the last, in place of evals and spacing; those past the end of a
    shorter run are none of its own."""
    eval_tokens: list[int] | None = field(default=None, metadata=_RESOLVED)
    """The same in input tokens: each the first step by which they are taken."""
    eval_sequences: int = 512
    """Sequences in the evaluation set, the same for every run of a task."""
    curve_sequences: int | None = None
    """Of these, how many the evaluations before the last see, a divisor; null: all."""
    solve_at: float = field(default=0.99, metadata=_LENGTH)
    """Accuracy at which the task counts as solved (steps_to_solve)."""

    def __post_init__(self) -> None:
        for name in ("steps", "batch", "evals", "eval_sequences"):
            value = getattr(self, name)
            require(value >= 1, f"budget.{name}", value, "must be an integer of at least 1")
        lengths = {k: v for k in LENGTHS if (v := getattr(self, k)) is not None}
        for name, value in lengths.items():
            require(0 < value < math.inf, f"budget.{name}", value, "must be above 0 and finite")
        if len(lengths) > 1:
            raise UserError(f"{_keys(lengths)}: each says how long a run trains; give one of them")
        points = {k: v for k in POINTS if (v := getattr(self, k)) is not None}
        for name, value in points.items():
            require(
                all(v >= 1 for v in value),
                f"budget.{name}",
                value,
                "must be integers of at least 1",
            )
        if len(points) > 1:
            raise UserError(f"{_keys(points)}: each says when a run is evaluated; give one of them")
        few = self.curve_sequences
        require(
            few is None or (few >= 1 and self.eval_sequences % few == 0), "budget.curve_sequences",
            few, f"must be a divisor of budget.eval_sequences={self.eval_sequences}, or null",
        )  # fmt: skip
        require(0 < self.solve_at <= 1, "budget.solve_at", self.solve_at, "must be in (0, 1]")


OTHER_WAYS = tuple(f.name for f in dataclasses.fields(Optim) if f.metadata.get("resolved"))
"""Of an optimiser, the settings that are another way to say one (orchestrator.rates)."""


@dataclass(frozen=True)
class RunConfig:
    """One training of one model: everything the result depends on."""

    task: Any = field(metadata={"part": True})
    """A task, ours or a user's (parts.task.Task)."""
    model: Model | OwnModel = field(default_factory=Model, metadata={"part": True})
    """Our transformer, or the settings of a user's model (parts.model.ModelClass)."""
    optim: Optim = field(default_factory=AdamW, metadata={"part": True})
    """An optimiser, ours or a user's (optimizers.base.Optim)."""
    budget: Budget = field(default_factory=Budget)
    measures: list[str] = field(default_factory=list)
    """What is measured at each evaluation besides loss and accuracy: names of ours
    (orchestrator.measures), import paths of a user's. Training does not depend on it."""
    precision: Literal["32-true", "bf16-mixed", "64-true"] = "32-true"
    """Lightning's name of the arithmetic."""
    seed: int = field(default=0, metadata=_LABEL)
    """Sets seed_init and seed_data unless they are given."""
    seed_init: int | None = field(default=None, metadata=_PER_RUN)
    """Initial weights."""
    seed_data: int | None = field(default=None, metadata=_PER_RUN)
    """Training data; runs that share it see the same batches."""

    def __post_init__(self) -> None:
        for name in ("seed", "seed_init", "seed_data"):
            value = getattr(self, name)
            if value is None:
                object.__setattr__(self, name, self.seed)
                value = self.seed
            require(0 <= value < 2**31, name, value, "must be an integer in 0..2^31-1")
        object.__setattr__(self, "measures", sorted(set(self.measures)))
        require_known(self.measures)
        if any(getattr(self.budget, k) is not None for k in LENGTHS + POINTS):
            from orchestrator.budgets import resolved

            object.__setattr__(self, "budget", resolved(self))
        if isinstance(self.model, Model) and type(self.optim) is not AdamW:
            for name in ("parametrisation", "embedding_multiplier"):
                value = getattr(self.model, name)
                require(
                    value == getattr(Model, name), f"model.{name}", value,
                    "is known for optim=adamw alone",
                )  # fmt: skip
        if any(getattr(self.optim, k) is not None for k in OTHER_WAYS):
            from orchestrator import rates

            object.__setattr__(self, "optim", rates.resolved(self))

    @cached_property
    def versions(self) -> dict[str, int | str]:
        """What of the code results depend on: the semantic version of each of our components, and
        the hash of the source of each module that holds a part of the user's.

        Raises: UserError where such a source can't be read.
        """
        from orchestrator import measures, models, training

        out = {
            "model": models.VERSION,
            "task": int(self.task.version),
            "training": training.VERSION,
            **dict(map(source_hash, user_parts(self))),
        }
        optim = target(self.optim)
        if optim and ours(optim):  # AdamW's version is training's, a user's its source
            out["optim"] = self.optim.version
        if self.measures:
            out["measures"] = measures.VERSION
        return out

    @cached_property
    def config_id(self) -> str:
        """Hash of the resolved scientific config alone."""
        return digest(identity(self))

    @cached_property
    def run_id(self) -> str:
        """Hash of the resolved scientific config and the versions of the code it depends on."""
        return digest([identity(self), self.versions])

    @cached_property
    def trunk_id(self) -> str:
        """The same of all but its length: runs of one trunk may share their beginning."""
        return digest([identity(self, length=False), self.versions])

    @cached_property
    def shape(self) -> dict[str, Any]:
        """All that the compiled step depends on: every field that is not `per_run`, nor of its length."""
        m = self.model.momentum
        fields = shape_fields(self)
        if m is None:
            return {**fields, "versions": self.versions}
        fields["model"]["momentum"]["kernel"] = m.kernel_size
        fields["filters_values"] = m.filters_values
        if m.learn != "none":  # a learned filter's place is part of the graph
            fields["learned"] = [m.streams, m.layers]
        return {**fields, "versions": self.versions}

    @cached_property
    def shape_id(self) -> str:
        return digest(self.shape)

    @property
    def arm(self) -> str:
        """Name of the operator's variant in tables; a user's model is one by its class's name."""
        m = self.model
        return m.name if m.momentum is None else m.momentum.arm

    @property
    def gamma(self) -> float | None:
        """γ of the table (Momentum.scalar_gamma); a user's model may have a setting of that name."""
        m = self.model
        return number_of(m, "gamma") if m.momentum is None else m.momentum.scalar_gamma

    def size(self, name: str) -> int | None:
        """depth, width, heads or head_dim; None where a user's model has no such number."""
        if name == "head_dim" and isinstance(self.model, Model):
            return self.model.size_of_head
        return number_of(self.model, name)

    def leaves(self) -> dict[str, Any]:
        """Every resolved leaf as {"model.depth": 2, ...}."""
        return dict(flatten(plain_dict(self)))

    def as_dict(self) -> dict[str, Any]:
        """Plain nested dict that `run_config` reads back."""
        return plain_dict(self)


def _keys(given: dict[str, Any]) -> str:
    return " and ".join(f"budget.{k}={plain(v)}" for k, v in given.items())


def number_of(model: Any, name: str) -> Any:
    """A model's setting where it has one of that name that is a number; else None."""
    value = getattr(model, name, None)
    return value if isinstance(value, (int, float)) and not isinstance(value, bool) else None


def run_config(data: dict[str, Any], facts: dict[str, Any] | None = None) -> RunConfig:
    """Build and check a run from a plain nested dict.

    `facts`: what a record keeps of the user's parts (parts.recorded.facts); given, nothing of the
    user's is imported, and the run can be read but not trained.
    Raises: UserError naming the key, the value and what is allowed.
    """
    data = dict(data)
    task = data.pop("task", None)
    if not isinstance(task, dict) or "_target_" not in task:
        raise UserError(f"task={plain(task)}: must be a task group (task=recall) with a _target_")
    known = "" if facts is None else json.dumps(facts)
    fixed = {"task": _section("task", json.dumps(task), known)}
    for name in ("model", "budget", "optim"):
        if name in data:  # the runs of a sweep share most of their sections
            value = data.pop(name)
            if not isinstance(value, dict):
                raise UserError(f"{name}={plain(value)}: must be a group of settings")
            if name == "optim" and (texts := _expressions(value, facts)):
                from orchestrator.rates import evaluated

                sized = build(RunConfig, data, fixed=fixed)
                value = value | {k: evaluated(v, sized, f"optim.{k}") for k, v in texts.items()}
            fixed[name] = _section(name, json.dumps(value), known)
    return build(RunConfig, data, fixed=fixed)


def _expressions(optim: dict[str, Any], facts: dict[str, Any] | None) -> dict[str, str]:
    """Those settings of an optimiser that are numbers and are given as text."""
    path = optim.get("_target_", OUR_OPTIMIZER)
    if not isinstance(path, str) or is_recorded(path, facts):
        return {}
    return {k: v for k, v in optim.items() if isinstance(v, str) and k in _numbers(path)}


@lru_cache(maxsize=64)
def _numbers(path: str) -> frozenset[str]:
    """The settings of an optimiser that take numbers and no text."""
    return frozenset(k for k, hint in hints_of(_optimizer(path)).items() if takes_numbers(hint))


@lru_cache(maxsize=2**16)
def _section(name: str, text: str, known: str) -> Any:
    """A section of a run, built once for each distinct content."""
    data = json.loads(text)
    facts = json.loads(known) if known else None
    if name == "task":
        return _task(data, facts)
    if name == "model":
        return _model(data, facts)
    if name == "optim":
        return _optim(data, facts)
    return build(Budget, data, path="budget.")


def _model(data: dict[str, Any], facts: dict[str, Any] | None) -> Any:
    target = data.get("_target_", OUR_MODEL)
    if target == OUR_MODEL:
        return build(Model, {k: v for k, v in data.items() if k != "_target_"}, path="model.")
    if not isinstance(target, str):
        raise UserError(f"model._target_={plain(target)}: must be an import path, my.module.Net")
    if is_recorded(target, facts):
        return recorded_model(data, facts.get("model", {}))
    model = own_model(data)
    _require_plain(Part("model", "model._target_", target), model, "model")
    return model


def _optim(data: dict[str, Any], facts: dict[str, Any] | None) -> Optim:
    path = data.get("_target_", OUR_OPTIMIZER)
    values = {k: v for k, v in data.items() if k != "_target_"}
    if not isinstance(path, str):
        raise UserError(
            f"optim._target_={plain(path)}: must be an import path, my.module.Optimizer"
        )
    if is_recorded(path, facts):
        return recorded_optim(data)
    part, cls = Part("optimizer", "optim._target_", path), _optimizer(path)
    if ours(path):
        return build(cls, values, path="optim.")
    with guarded(part, "can't be built"):
        optim = build(cls, values, path="optim.")
    _require_plain(part, optim, "optim")
    require_numbers(part, optim)
    return optim


def _optimizer(path: str) -> type[Optim]:
    """The class of an optimiser. Raises: UserError."""
    part = Part("optimizer", "optim._target_", path)
    cls = load(part)
    part.require(
        isinstance(cls, type) and issubclass(cls, Optim) and "__dataclass_fields__" in vars(cls),
        "must be a frozen dataclass that inherits orchestrator.optimizers.Optim",
    )
    return cls


def _task(data: dict[str, Any], facts: dict[str, Any] | None) -> Any:
    target = data["_target_"]
    if not isinstance(target, str):
        raise UserError(f"task._target_={plain(target)}: must be an import path, my.module.Task")
    if is_recorded(target, facts):
        return recorded_task(data, facts.get("task", {}))
    part = Part("task", "task._target_", target)
    cls = load(part)
    with guarded(part, "can't be read"):
        dataclass = isinstance(cls, type) and dataclasses.is_dataclass(cls)
    part.require(dataclass, "must be a dataclass (a class)")
    values = {k: v for k, v in data.items() if k != "_target_"}
    if ours(target):
        return build(cls, values, path="task.")
    with guarded(part, "can't be built"):
        task = build(cls, values, path="task.")
    require_members(part, task)
    _require_plain(part, task, "task")
    return task


def _require_plain(part: Part, built: Any, section: str) -> None:
    """A record must give back what it was given."""
    for f in dataclasses.fields(built):
        value = getattr(built, f.name)
        part.require(f.init, f"{section}.{f.name}: a field with init=False can't be a setting")
        part.require(is_plain(value), f"{section}.{f.name} is {value!r}: {PLAIN}")


def _rows(gamma: Any) -> list[list]:
    """γ as a list of lists, one a layer."""
    if not isinstance(gamma, list):
        return [[gamma]]
    return [g if isinstance(g, list) else [g] for g in gamma]
