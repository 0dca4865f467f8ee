"""Tasks: batches are functions of (seed, step) whose answers follow from what was shown."""

from __future__ import annotations

import pytest
import torch

from orchestrator.config import Budget, RunConfig
from orchestrator.errors import UserError
from orchestrator.tasks.hops import Hops
from orchestrator.tasks.induction import Induction
from orchestrator.tasks.recall import Recall
from orchestrator.training.data import evaluation_batches, training_batches

TASKS = [
    Recall(), Recall(pairs=8, queries=3, keys=32, values=5), Induction(),
    Induction(vocab=5, period=9, repeats=3, unique=False), Induction(shortest=6),
    Hops(), Hops(3, symbols=5, queries=2),
]  # fmt: skip


def batch(task, seed=1, step=2, size=64):
    return task.batch(torch.tensor(seed), torch.tensor(step), size)


@pytest.mark.parametrize("task", TASKS, ids=str)
def test_shapes_ranges_and_dependence_on_seed_and_step(task):
    tokens, targets = batch(task)
    assert tokens.shape == (64, task.length)
    assert targets.shape == (64, len(range(task.length)[task.scored]))
    assert 0 <= tokens.min() and tokens.max() < task.vocab
    assert torch.equal(tokens, batch(task)[0])
    assert not torch.equal(tokens, batch(task, seed=2)[0])
    assert not torch.equal(tokens, batch(task, step=3)[0])


@pytest.mark.parametrize("task", TASKS[:2], ids=str)
def test_recall_asks_for_what_was_shown(task):
    tokens, targets = batch(task)
    for row, answers in zip(tokens.tolist(), targets.tolist(), strict=True):
        shown = row[: 2 * task.pairs]
        keys, values = shown[::2], shown[1::2]
        assert len(set(keys)) == task.pairs and max(keys) < task.keys <= min(values)
        asked = row[task.scored]
        assert len(set(asked)) == task.queries
        assert [dict(zip(keys, values, strict=True))[k] for k in asked] == answers


def test_induction_repeats_its_period():
    task = Induction(vocab=9, period=7, repeats=3)
    tokens, targets = batch(task)
    whole = torch.cat((tokens, targets[:, -1:]), 1)
    assert torch.equal(whole, whole[:, :7].repeat(1, 3))
    assert torch.equal(targets, whole[:, 8:])
    assert all(len(set(r)) == 7 for r in whole[:, :7].tolist())


def test_induction_of_varying_period_repeats_each_sequences_own():
    task = Induction(vocab=9, period=7, shortest=4)
    tokens, targets = batch(task, size=512)
    whole = torch.cat((tokens, targets[:, -1:]), 1)
    assert torch.equal(targets, whole[:, 8:])
    seen = set()
    for row in whole.tolist():
        period = row.index(row[0], 1)
        assert len(set(row[:period])) == period
        assert row == [row[i % period] for i in range(14)]
        seen.add(period)
    assert seen == {4, 5, 6, 7}


@pytest.mark.parametrize("hops", [1, 2, 5])
def test_hops_follows_the_shown_map_k_times(hops):
    task = Hops(hops, symbols=6, queries=4)
    tokens, targets = batch(task, size=512)
    for row, answers in zip(tokens.tolist(), targets.tolist(), strict=True):
        after = {a: v - 6 for a, v in zip(row[:12:2], row[1:12:2], strict=True)}
        assert set(after) == set(after.values()) == set(range(6))
        asked = row[task.scored]
        assert len(set(asked)) == 4
        for q, answer in zip(asked, answers, strict=True):
            at = q
            for _ in range(hops):
                at = after[at]
            assert answer == at + 6 and at != q
    # the other symbols are as likely as the task's chance says
    distance = (targets - 6 - tokens[:, task.scored]) % 6
    share = torch.bincount(distance.flatten(), minlength=6)[1:] / distance.numel()
    assert (share - task.chance).abs().max() < 4 * (0.2 * 0.8 / 512) ** 0.5


def test_runs_that_share_seed_data_see_the_same_batches_at_every_grouping():
    run = RunConfig(task=Recall(), budget=Budget(batch=4))
    steps = torch.arange(1, 6)
    both = training_batches(run, torch.tensor([3, 8]), steps)[0]
    alone = training_batches(run, torch.tensor([8]), steps[2:])[0]
    assert torch.equal(both[2:, 1:], alone)


def test_the_evaluation_set_is_the_tasks_own():
    a = evaluation_batches(RunConfig(task=Recall(), seed=1), torch.device("cpu"))
    b = evaluation_batches(RunConfig(task=Recall(), seed=2), torch.device("cpu"))
    assert sum(len(t) for t, _ in a) == 512
    assert all(torch.equal(x[0], y[0]) for x, y in zip(a, b, strict=True))


@pytest.mark.parametrize(
    ("make", "words"),
    [
        (lambda: Recall(pairs=17, queries=4), "task.pairs=17: must be at most task.keys=16"),
        (lambda: Recall(queries=9), "task.queries=9"),
        (lambda: Induction(period=20), "task.period=20"),
        (lambda: Induction(repeats=1), "task.repeats=1"),
        (lambda: Hops(6), "task.hops=6: must be in 1..5"),
        (lambda: Hops(queries=9), "task.queries=9"),
        (lambda: Hops(symbols=2), "task.symbols=2"),
    ],
)
def test_impossible_tasks_are_refused(make, words):
    with pytest.raises(UserError, match=words.replace(".", r"\.")):
        make()
