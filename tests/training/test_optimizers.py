"""Every optimiser: its published reference step by step, vmapped, compiled, resumed bit for bit."""

from __future__ import annotations

import dataclasses
from pathlib import Path

import lion_pytorch
import pytest
import torch
import torch.nn.functional as F

from orchestrator.config import Budget, Model, RunConfig
from orchestrator.models.initial import initial_parameters
from orchestrator.models.native.serves import serves
from orchestrator.models.taps import filter_taps
from orchestrator.models.transformer import Transformer
from orchestrator.optimizers import Optim, join, split
from orchestrator.optimizers.adamw import AdamW
from orchestrator.optimizers.lion import Lion
from orchestrator.optimizers.muon import Muon
from orchestrator.records.attempts import claim, end, results
from orchestrator.records.packs import Frozen, freeze, new_pack
from orchestrator.records.store import Store
from orchestrator.settings import Execution
from orchestrator.tasks.recall import Recall
from orchestrator.training.checkpoint import saved
from orchestrator.training.compiled import Compiled
from orchestrator.training.data import training_batches
from orchestrator.training.memory import InParts
from orchestrator.training.pack import PackTrainer, Stopped
from orchestrator.training.schedule import learning_rate_factor
from orchestrator.training.slices import slots_of, start, stepwise
from orchestrator.training.step import STEP_SHARED, Core, over_runs

TASK = Recall(pairs=3, queries=3, keys=6, values=6)
CPU = torch.device("cpu")
STEPS = 30
KINDS = [AdamW(), Lion(), Muon()]


def runs_of(optim: Optim, n: int, precision: str = "32-true", **model) -> list[RunConfig]:
    """A pack's worth: rates, decay, clip and seed differ."""
    model = Model(**{"depth": 2, "width": 16, "heads": 2, "mlp_ratio": 2.0, **model})
    return [
        RunConfig(
            task=TASK, model=model, budget=Budget(steps=STEPS, batch=8, evals=3, eval_sequences=32),
            optim=dataclasses.replace(
                optim, lr=optim.lr * (1 + i / 2), weight_decay=0.1 * i, warmup=5,
                clip=(None, 1.0, 0.05)[i % 3],
            ),
            precision=precision, seed=i,
        )
        for i in range(n)
    ]  # fmt: skip


def trained(runs: list[RunConfig], wrap=lambda step: step, steps: int = STEPS):
    """Parameters (steps, runs, P) after each step, by the lab's own step over a slice."""
    core, slots = Core(runs[0], CPU), slots_of(len(runs), len(runs))[0]
    state, tensors = start(core, runs, slots)
    seeds = torch.tensor([r.seed_data for r in runs])
    advance, out = stepwise(wrap(over_runs(core)[0])), []
    for n in range(1, steps + 1):
        batch = training_batches(runs[0], seeds, torch.tensor([n]))
        number = torch.tensor([n], dtype=core.dtype)
        factor = torch.tensor([learning_rate_factor(n, STEPS, runs[0].optim)], dtype=core.dtype)
        advance(state, tensors, *batch, torch.arange(len(runs)), number, factor)
        out.append(state.params)
    return torch.stack(out), core


def by_reference(run: RunConfig, stock) -> list[dict[str, torch.Tensor]]:
    """The same run by stock optimisers and stock torch, run alone: parameters after each step."""
    net = Transformer(run.model, TASK.vocab, TASK.length, TASK.scored).to(torch.float64)
    net.load_state_dict(initial_parameters(net, run.model, run.seed_init))
    optimizers, out = stock(run.optim, net), []
    peaks = [[g["lr"] for g in o.param_groups] for o in optimizers]
    for n in range(1, STEPS + 1):
        tokens, targets = TASK.batch(torch.tensor(run.seed_data), torch.tensor(n), 8)
        net.zero_grad()
        logits = net(tokens, filter_taps(run.model))
        F.cross_entropy(logits.flatten(0, 1), targets.flatten()).backward()
        torch.nn.utils.clip_grad_norm_(net.parameters(), run.optim.clip or torch.inf)
        factor = learning_rate_factor(n, STEPS, run.optim)
        for optimizer, peak in zip(optimizers, peaks, strict=True):
            for group, lr in zip(optimizer.param_groups, peak, strict=True):
                group["lr"] = lr * factor
            optimizer.step()
        out.append({k: p.detach().clone() for k, p in net.named_parameters()})
    return out


def stock_muon(o: Muon, net: torch.nn.Module) -> list[torch.optim.Optimizer]:
    """As its documentation has it: Muon for hidden matrices, AdamW for the rest."""
    hidden = [p for n, p in net.named_parameters() if n.startswith("blocks") and p.ndim == 2]
    rest = [p for p in net.parameters() if all(p is not q for q in hidden)]
    return [
        torch.optim.Muon(
            hidden, lr=o.lr, weight_decay=o.weight_decay, momentum=o.momentum, nesterov=o.nesterov,
            ns_steps=o.iterations, adjust_lr_fn=o.scale,
        ),
        torch.optim.AdamW(
            rest, lr=o.adamw_lr, betas=(o.beta1, o.beta2), eps=o.eps, weight_decay=o.weight_decay
        ),
    ]  # fmt: skip


def stock_lion(o: Lion, net: torch.nn.Module) -> list[torch.optim.Optimizer]:
    betas = (o.beta1, o.beta2)
    return [lion_pytorch.Lion(net.parameters(), o.lr, betas, o.weight_decay)]


@pytest.mark.parametrize(
    ("optim", "stock"),
    [
        (Lion(), stock_lion), (Muon(iterate_in="float64"), stock_muon),
        (Muon(iterate_in="float64", nesterov=False, scale="match_rms_adamw", iterations=3),
         stock_muon),
    ],
)  # fmt: skip
def test_every_step_of_every_run_is_the_published_optimisers(optim, stock, monkeypatch, capsys):
    """In float64, where torch's Muon must be kept from rounding to bfloat16."""
    monkeypatch.setattr(torch.Tensor, "bfloat16", lambda x: x.double().clone())
    runs = runs_of(optim, 3, "64-true")
    ours, core = trained(runs)
    worst = 0.0
    for i, run in enumerate(runs):
        for step, theirs in enumerate(by_reference(run, stock)):
            mine = core.unflatten(ours[step, i])
            worst = max(worst, *((mine[k] - p).abs().max().item() for k, p in theirs.items()))
    with capsys.disabled():
        print(
            f"\n{type(optim).__name__}: largest difference over {STEPS} steps of 3 runs {worst:.1e}"
        )
    assert worst < 1e-11 and (ours[-1] - ours[0]).abs().max() > 1e-2


def test_muon_rounds_as_torchs_does(capsys):
    """bfloat16, as published, the same gradients to both, without vmap: bit for bit."""
    generator = torch.Generator().manual_seed(0)
    shapes = {"a.weight": (16, 24), "b.weight": (40, 8), "c.weight": (8, 8), "d.weight": (1, 8)}
    params = {n: torch.randn(s, generator=generator) for n, s in shapes.items()}
    theirs = [torch.nn.Parameter(p.clone()) for p in params.values()]
    optim = Muon()
    stock = torch.optim.Muon(theirs, lr=0.02, weight_decay=0.1)
    ours_P, worst = join(params, shapes), 0.0
    state = optim.init(ours_P, shapes)
    rates = {
        "lr": torch.tensor(0.02),
        "weight_decay": torch.tensor(0.1),
        "adamw_lr": torch.tensor(0.0),
    }
    for n in range(1, STEPS + 1):
        grads = {k: torch.randn(s, generator=generator) for k, s in shapes.items()}
        for p, g in zip(theirs, grads.values(), strict=True):
            p.grad = g.clone()
        stock.step()
        ours_P, state = optim.update(
            ours_P, join(grads, shapes), state, shapes, torch.tensor(float(n)), **rates
        )
        for mine, p in zip(split(ours_P, shapes).values(), theirs, strict=True):
            worst = max(worst, (mine - p.detach()).abs().max().item())
    with capsys.disabled():
        print(
            f"\nMuon in bfloat16 beside torch's: largest difference over {STEPS} steps {worst:.1e}"
        )
    assert worst < 1e-6


def test_muon_leaves_embedding_head_norms_and_learned_filters_to_adamw():
    from orchestrator.config import Momentum

    model = Model(depth=2, width=16, heads=2, momentum=Momentum(learn="gamma"))
    run = dataclasses.replace(runs_of(Muon(), 1)[0], model=model)
    core = Core(run, CPU)
    matrices, rest = run.optim._kinds(core.sizes)
    assert {n.split(".")[-2] for n in matrices} == {"query", "key", "value", "output"}
    assert {"embedding.weight", "head.weight", "momentum", "norm.weight"} <= rest.keys()


@pytest.mark.parametrize("optim", KINDS, ids=lambda o: type(o).__name__)
def test_a_slice_called_in_halves_trains_as_a_whole_one(optim):
    runs, calls = runs_of(optim, 4, "64-true"), []
    if isinstance(optim, Muon):  # bfloat16 shows how a product was batched
        runs = runs_of(dataclasses.replace(optim, iterate_in="float64"), 4, "64-true")

    def small(step):
        def call(*args):
            calls.append(len(args[0]))
            if len(args[0]) > 2:
                raise torch.OutOfMemoryError("stand-in")
            return step(*args)

        return InParts(lambda: call, STEP_SHARED)

    whole, parts = trained(runs)[0], trained(runs, small)[0]
    assert calls[:3] == [4, 2, 2]
    torch.testing.assert_close(parts, whole, rtol=1e-9, atol=1e-9)


@pytest.mark.slow
def test_compiled_steps_are_the_eager_ones():
    """Of the optimiser with most state, so with the most that could be mixed up."""
    runs = runs_of(Muon(iterate_in="float64"), 2, "64-true", depth=1, mlp_ratio=0.0)
    ours, plain = trained(runs, Compiled)[0], trained(runs)[0]
    torch.testing.assert_close(ours, plain, rtol=1e-9, atol=1e-9)


class Steps:
    """Says `stop` once, after the first chunk of steps that ends past `at`."""

    def __init__(self, at: int) -> None:
        self.at, self.step, self.told = at, 0, False

    def report(self, slots, step: int, share: float) -> None:
        self.step = step

    def stopping(self) -> bool:
        stop = not self.told and self.step >= self.at
        self.told = self.told or stop
        return stop


@pytest.mark.parametrize("optim", KINDS, ids=lambda o: type(o).__name__)
def test_training_goes_on_bit_for_bit_from_a_checkpoint(optim, tmp_path: Path):
    runs = runs_of(optim, 3)
    assert serves(runs[0]) == isinstance(optim, AdamW)
    found = {}
    for name, at in (("whole", STEPS), ("stopped", 3)):
        store = Store(tmp_path / name)
        pack = new_pack(runs, Frozen(False, False, 1, 2))  # two slices, one of them padded
        freeze(store, pack)
        execution, tries, clock = Execution(device="cpu"), [], Steps(at)
        for _ in range(2):
            tries.append(claim(store, pack.pack_id, {"code_version": "test"}))
            trainer = PackTrainer(pack, tries[-1], execution, clock.report, clock.stopping)
            done = set(results(tries[:-1]))
            try:
                trainer.train(done, saved(tries[:-1]))
                break
            except Stopped:
                assert name == "stopped"
                end(tries[-1], "stopped")
        rows = results(tries)
        found[name] = {r: {k: v for k, v in row.items() if k not in ("wall_s", "attempt")}
                       for r, row in rows.items()}  # fmt: skip
        assert len(tries) == (2 if name == "stopped" else 1) and len(rows) == 3
    assert found["whole"] == found["stopped"]
    assert all(row["status"] == "completed" for row in found["whole"].values())
