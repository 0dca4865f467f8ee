"""The step: stock AdamW and clip run by run, one run's NaN its own, packs and solo runs agree."""

from __future__ import annotations

import dataclasses
import math

import pytest
import torch
import torch.nn.functional as F

from orchestrator.config import Budget, Model, Momentum, RunConfig
from orchestrator.models.initial import initial_parameters
from orchestrator.models.taps import filter_taps
from orchestrator.models.transformer import Transformer
from orchestrator.optimizers.adamw import AdamW
from orchestrator.tasks.recall import Recall
from orchestrator.training.data import training_batches
from orchestrator.training.schedule import evaluation_steps, learning_rate_factor
from orchestrator.training.slices import slots_of, start
from orchestrator.training.step import Core, over_runs

TASK = Recall(pairs=3, queries=3, keys=6, values=6)
STEPS = 30


def run_of(**changes) -> RunConfig:
    base = RunConfig(
        task=TASK, model=Model(depth=2, width=16, heads=2, mlp_ratio=2),
        budget=Budget(steps=STEPS, batch=8), precision="64-true",
    )  # fmt: skip
    return dataclasses.replace(base, **changes)


def runs_of_a_pack() -> list[RunConfig]:
    """One shape; learning rate, decay, clip, γ and seed differ."""
    return [
        run_of(
            model=Model(depth=2, width=16, heads=2, mlp_ratio=2, momentum=Momentum(gamma=gamma)),
            optim=AdamW(lr=lr, weight_decay=decay, clip=clip, warmup=5), seed=0, seed_init=seed,
            seed_data=seed,
        )
        for gamma, lr, decay, clip, seed in [
            (0.0, 1e-3, 0.0, None, 1), (0.5, 3e-3, 0.1, 1.0, 2), (2.0, 1e-2, 0.01, 0.05, 2),
            (0.1, 5e-3, 0.0, 0.5, 3),
        ]
    ]  # fmt: skip


def train(runs: list[RunConfig], steps: int = STEPS):
    """Losses (steps, runs), gradient norms and parameters of a slice, by the lab's step."""
    core = Core(runs[0], torch.device("cpu"))
    step, _ = over_runs(core)
    (slots,) = slots_of(len(runs), len(runs))
    state, t = start(core, runs, slots)
    seeds = sorted({r.seed_data for r in runs})
    seen = torch.tensor([seeds.index(r.seed_data) for r in runs])
    tokens, targets = training_batches(runs[0], torch.tensor(seeds), torch.arange(1, steps + 1))
    params, optim = state.params, state.optim.values()
    losses, norms = [], []
    for i in range(steps):
        factor = learning_rate_factor(i + 1, STEPS, runs[0].optim)
        loss, norm, params, *optim = step(
            params, t.taps, t.clip, seen, *t.hyper.values(), *optim, tokens[i], targets[i],
            torch.tensor(i + 1, dtype=core.dtype), torch.tensor(factor, dtype=core.dtype),
        )  # fmt: skip
        losses.append(loss)
        norms.append(norm)
    return torch.stack(losses), torch.stack(norms), params, core


def test_every_run_of_a_pack_follows_stock_adamw_and_clip():
    runs = runs_of_a_pack()
    losses, norms, params, core = train(runs)
    for i, run in enumerate(runs):
        net = Transformer(run.model, TASK.vocab, TASK.length, TASK.scored).double()
        net.load_state_dict(initial_parameters(net, run.model, run.seed_init))
        o = run.optim
        adamw = torch.optim.AdamW(
            net.parameters(), lr=o.lr, betas=(o.beta1, o.beta2), eps=o.eps,
            weight_decay=o.weight_decay,
        )  # fmt: skip
        taps = filter_taps(run.model)
        for n in range(1, STEPS + 1):
            tokens, targets = TASK.batch(torch.tensor(run.seed_data), torch.tensor(n), 8)
            loss = F.cross_entropy(net(tokens, taps).flatten(0, 1), targets.flatten())
            adamw.zero_grad()
            loss.backward()
            norm = torch.nn.utils.clip_grad_norm_(net.parameters(), o.clip or math.inf)
            for group in adamw.param_groups:
                group["lr"] = o.lr * learning_rate_factor(n, STEPS, o)
            adamw.step()
            assert losses[n - 1, i].item() == pytest.approx(loss.item(), rel=1e-8)
            assert norms[n - 1, i].item() == pytest.approx(norm.item(), rel=1e-8)
        ours = core.unflatten(params[i])
        for name, p in net.named_parameters():
            torch.testing.assert_close(ours[name], p.data, rtol=1e-6, atol=1e-9)


@pytest.mark.parametrize("width", [2, 16, 64])
def test_a_run_alone_and_in_a_pack_agree(width):
    """Float32: the same sums in another order; 1e-4 relative on the loss after 30 steps.

    A step's rounding is about 1e-7 relative; training lets it grow, here by less than 1000 times.
    """
    runs = [
        run_of(precision="32-true", seed=i % 3, model=Model(
            depth=1, width=16, momentum=Momentum(gamma=0.1 * i)))
        for i in range(width)
    ]  # fmt: skip
    together = train(runs)[0]
    for i in (0, width // 2, width - 1):
        alone = train([runs[i]])[0]
        torch.testing.assert_close(together[:, i], alone[:, 0], rtol=1e-4, atol=1e-6)


def test_a_run_that_blows_up_leaves_its_mates_bit_for_bit():
    calm = runs_of_a_pack()
    wild = list(calm)
    wild[1] = dataclasses.replace(calm[1], optim=AdamW(lr=1e250, clip=None, warmup=0))
    losses, _, params, _ = train(calm)
    wild_losses, _, wild_params, _ = train(wild)
    assert not torch.isfinite(wild_losses[-1, 1])
    for i in (0, 2, 3):
        assert torch.equal(losses[:, i], wild_losses[:, i])
        assert torch.equal(params[i], wild_params[i])


def test_schedules():
    def course(**optim):
        o = AdamW(warmup=4, **optim)
        return [learning_rate_factor(n, 20, o) for n in range(1, 21)]

    cosine = course(schedule="cosine", final=0.1)
    assert cosine[:4] == [0.25, 0.5, 0.75, 1.0] and cosine[-1] == pytest.approx(0.1)
    assert cosine[3:] == sorted(cosine[3:], reverse=True)
    assert course(schedule="constant")[4:] == [1.0] * 16
    decayed = course(schedule="constant_decay", decay_fraction=0.25, final=0.0)
    assert decayed[3:15] == [1.0] * 12 and decayed[-1] == 0.0
    assert decayed[15:] == pytest.approx([0.8, 0.6, 0.4, 0.2, 0.0])


@pytest.mark.parametrize(("steps", "evals"), [(1, 20), (7, 20), (400, 20), (400, 1), (5000, 100)])
def test_evaluations_are_log_spaced_and_end_with_the_last_step(steps, evals):
    at = evaluation_steps(Budget(steps=steps, evals=evals))
    assert at[-1] == steps and at == sorted(set(at)) and len(at) <= evals and at[0] >= 1
    if steps >= 50 * evals:
        assert len(at) > 0.9 * evals
