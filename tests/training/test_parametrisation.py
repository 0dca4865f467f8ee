"""μP and CompleteP against their published tables, written out: multipliers in the forward pass, a rate,
an epsilon and a decay for each tensor."""

import dataclasses

import pytest
import torch
import torch.nn.functional as F
from torch.func import functional_call

from orchestrator.config import Budget, Model, Momentum, RunConfig
from orchestrator.errors import UserError
from orchestrator.models.module import initial_of, module_of, taps_of
from orchestrator.optimizers.adamw import AdamW
from orchestrator.optimizers.lion import Lion
from orchestrator.tasks.recall import Recall
from orchestrator.training.step import Core
from tests.training.few_steps import train

TASK = Recall(pairs=3, queries=3, keys=6, values=6)
LR, DECAY, EPS = 3e-3, 0.1, 1e-4
HOW = {"mup": {"base_width": 16}, "completep": {"base_width": 16, "base_depth": 2}}


def a_run(how="standard", width=64, depth=4, precision="64-true", **model) -> RunConfig:
    bases = HOW.get(how, {})
    shape = {"heads": 2, "mlp_ratio": 2.0, "momentum": Momentum(gamma=0.4)} | model
    return RunConfig(
        TASK, Model(depth=depth, width=width, parametrisation=how, **bases, **shape),
        AdamW(lr=LR, weight_decay=DECAY, eps=EPS, clip=None, warmup=0, schedule="constant"),
        Budget(steps=6, batch=8), precision=precision,
    )  # fmt: skip


def published(
    name: str, how: str, width: float, depth: float, multiplier: float
) -> tuple[float, float, float, float]:
    """(SD at the start over that of the base model, multiplier in the forward pass, rate, epsilon)."""
    alpha = depth if how == "completep" else 1.0
    residual = name.endswith(("output.weight", "down.weight"))
    if name == "embedding.weight":
        return 1.0, multiplier, 1.0, 1 / width
    if name == "head.weight":
        return 1.0, 1 / width, 1.0, 1 / width
    if name == "norm.weight":
        return 1.0, 1.0, 1.0, 1 / width
    inside = 1 / width / alpha
    if name.endswith("norm.weight"):
        return 1.0, 1.0, 1.0, inside
    query = width**-0.5 if name.endswith("query.weight") else 1.0  # 1 / d and not 1 / √d
    return width**-0.5, query / (alpha if residual else 1.0), 1 / width, inside


@pytest.mark.parametrize("multiplier", [1.0, 7.0])
@pytest.mark.parametrize("how", HOW)
def test_it_is_the_published_table(how, multiplier):
    """Steps in float64, beside torch's own AdamW with a group for each tensor."""
    width, depth = 4.0, 2.0
    run = a_run(how, embedding_multiplier=multiplier)
    core = Core(run, torch.device("cpu"))
    begun = core.init(run)
    module = module_of(run).double()
    start = {n: x.double() for n, x in initial_of(module, run).items()}
    base = initial_of(module_of(a_run(how, width=16, depth=2)), a_run(how, width=16, depth=2))
    own, groups, factor = {}, [], {}
    for name, value in start.items():
        sd, c, rate, eps = published(name, how, width, depth, multiplier)
        own[name] = (value / c).clone().requires_grad_()
        factor[name] = c
        groups.append({"params": [own[name]], "lr": LR * rate, "eps": EPS * eps,
                       "weight_decay": DECAY / rate})  # fmt: skip
        like = name.replace("blocks.3", "blocks.1").replace("blocks.2", "blocks.0")
        if value.ndim > 1:
            wanted = base[like].std().item() * sd
            if how == "mup" and name.endswith(("output.weight", "down.weight")):
                wanted *= depth**-0.5  # μP leaves depth as it stands
            assert own[name].std().item() == pytest.approx(wanted, rel=0.15), name
    optimizer = torch.optim.AdamW(groups, betas=(0.9, 0.999))
    params, taps, state = begun.params, begun.taps, run.optim.init(begun.params, core.sizes)
    for step in range(1, 7):
        tokens, targets = TASK.batch(torch.tensor(3), torch.tensor(step), 8)
        loss, _, params, state = core.step(
            params, taps, begun.clip, begun.hyper, state, tokens, targets,
            torch.tensor(float(step), dtype=torch.float64), torch.tensor(1.0, dtype=torch.float64),
        )  # fmt: skip
        optimizer.zero_grad()
        inside = {n: factor[n] * w for n, w in own.items()}
        logits = functional_call(module, inside, (tokens, taps_of(run).double()))
        theirs = F.cross_entropy(logits.flatten(0, 1), targets.flatten())
        theirs.backward()
        optimizer.step()
        assert loss.item() == pytest.approx(theirs.item(), rel=1e-9), step


@pytest.mark.parametrize("how", HOW)
def test_at_the_base_it_is_the_standard_one_bit_for_bit(how):
    runs = [a_run(way, width=16, depth=2, precision="32-true") for way in ("standard", how)]
    plain, ours = (train([run] * 2, 2, "eager") for run in runs)
    assert all(torch.equal(a, b) for a, b in zip(plain, ours, strict=True))
    assert runs[0].run_id != runs[1].run_id and runs[0].shape_id != runs[1].shape_id


@pytest.mark.parametrize("how", ["standard", *HOW])
def test_our_own_code_trains_it_too(how):
    run = a_run(how, precision="32-true", embedding_multiplier=3.0)
    ours, plain = train([run] * 2, 2, "native"), train([run] * 2, 2, "eager")
    for a, b in zip(ours, plain, strict=True):
        assert torch.allclose(a.double(), b.double(), rtol=1e-4, atol=1e-5)


REFUSED = {
    "model.base_width=null: model.parametrisation=mup needs it": {"parametrisation": "mup"},
    "model.base_depth=null: model.parametrisation=completep needs it":
        {"parametrisation": "completep", "base_width": 16},
    "model.base_depth=2: has no effect under": {"parametrisation": "mup", "base_width": 16, "base_depth": 2},
    "model.base_width=16: has no effect under": {"base_width": 16},
    "model.embedding_multiplier=0: must be above 0": {"embedding_multiplier": 0},
    "model.tied_head=true: must be false with": {"embedding_multiplier": 2.0, "tied_head": True},
    "model.base_width=0": {"parametrisation": "mup", "base_width": 0},
    "model.tied_head=true: must be false under": {"parametrisation": "mup", "base_width": 16, "tied_head": True},
}  # fmt: skip


@pytest.mark.parametrize("said", REFUSED)
def test_what_makes_no_sense_is_one_line(said):
    with pytest.raises(UserError) as e:
        Model(width=32, **REFUSED[said])
    assert said in str(e.value) and "\n" not in str(e.value)


def test_other_optimisers_are_refused():
    run = a_run("mup")
    many = a_run(embedding_multiplier=2.0)
    with pytest.raises(UserError, match="model.embedding_multiplier=2.0: is known for optim=adamw"):
        dataclasses.replace(many, optim=Lion())
    with pytest.raises(UserError, match="known for optim=adamw alone"):
        dataclasses.replace(run, optim=Lion())
