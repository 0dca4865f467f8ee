"""Runs of several lengths that share their beginning: what is shared, and bit for bit as alone."""

import random
from dataclasses import replace
from itertools import product

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from orchestrator.config import Budget, Model, Momentum, RunConfig
from orchestrator.launch.experiment import Experiment
from orchestrator.launch.packs import by_trunk, make_packs, not_gone_on_from
from orchestrator.optimizers.adamw import AdamW
from orchestrator.records.attempts import attempts, claim, end, results
from orchestrator.records.packs import Frozen, Pack, all_packs, freeze, new_pack
from orchestrator.records.store import Store, read_lines
from orchestrator.records.trunks import kept_trunks
from orchestrator.settings import Execution
from orchestrator.settings import settings as lab_settings
from orchestrator.tasks.recall import Recall
from orchestrator.training.checkpoint import saved
from orchestrator.training.pack import PackTrainer, Stopped
from orchestrator.training.schedule import learning_rate_factor
from orchestrator.trunks import in_order, shared, steps_to_train
from tests.training.attempted import until_done

TASK = Recall(pairs=3, queries=3, keys=6, values=6)


def a_run(steps: int, seed: int = 0, gamma: float = 0.4, **changes) -> RunConfig:
    budget = {"evals": 4, "spacing": "log", "eval_steps": None}
    optim = {"schedule": "constant_decay", "warmup": 3, "decay_fraction": 0.25, "final": 0.1}
    budget |= {k: changes.pop(k) for k in list(changes) if k in budget}
    return RunConfig(
        TASK, Model(depth=1, width=16, heads=1, momentum=Momentum(gamma=gamma)),
        AdamW(**{**optim, **changes}),
        Budget(steps=steps, batch=8, eval_sequences=32, curve_sequences=16, **budget), seed=seed,
    )  # fmt: skip


def rates(run: RunConfig) -> list[float]:
    steps = run.budget.steps
    return [learning_rate_factor(n, steps, run.optim) for n in range(1, steps + 1)]


def beginnings(runs: list[RunConfig]) -> int:
    """Distinct beginnings of runs' courses, one trunk after the other: the least number of steps."""
    found = set()
    for run in runs:
        course = rates(run)
        found |= {(run.trunk_id, tuple(course[:n])) for n in range(1, len(course) + 1)}
    return len(found)


@st.composite
def sweeps(draw) -> list[RunConfig]:
    """A few models in random lengths and courses."""
    course = st.fixed_dictionaries({
        "steps": st.integers(1, 30), "warmup": st.sampled_from([0, 2, 5]),
        "schedule": st.sampled_from(["constant_decay", "constant_decay", "constant", "cosine"]),
        "decay_fraction": st.sampled_from([0.0, 0.2, 0.25, 0.5, 1.0]),
        "final": st.sampled_from([0.0, 0.1, 0.5, 1.0]),
    })  # fmt: skip
    model = st.fixed_dictionaries({
        "seed": st.integers(0, 2), "gamma": st.sampled_from([0.0, 0.4]),
    })  # fmt: skip
    rows = draw(st.lists(st.tuples(course, model), min_size=1, max_size=14))
    runs = {r.run_id: r for r in (a_run(**c, **m) for c, m in rows)}
    return list(runs.values())


@settings(max_examples=300, deadline=None)
@given(sweeps())
def test_what_is_shared_is_all_that_may_be_and_nothing_else(runs):
    how = lab_settings({})
    families = by_trunk([Experiment(r, how) for r in runs])
    assert sorted(e.run.run_id for f in families for e in f) == sorted(r.run_id for r in runs)
    planned = sum(steps_to_train([e.run for e in f]) for f in families)
    assert planned == beginnings(runs)
    for a, b in product(runs, runs):
        if a.trunk_id == b.trunk_id:
            n = shared(a, b)
            assert rates(a)[:n] == rates(b)[:n]
            assert n == min(len(rates(a)), len(rates(b))) or rates(a)[n] != rates(b)[n]
    for family in families:
        one = [e.run for e in family]
        assert len({r.trunk_id for r in one}) == 1 and in_order(one) == list(range(len(one)))
        for i, j in product(range(len(one)), repeat=2):  # what two share, all between them share
            if i < j:
                assert shared(one[i], one[j]) == min(
                    shared(one[k], one[k + 1]) for k in range(i, j)
                )


def trained(root, pack: Pack, stops: random.Random | None = None, **execution):
    """(result, curve) of each run of a pack, and the steps that were taken; `stops`: interrupted at
    random, so that checkpoints are written and gone on from."""
    store, taken = Store(root), 0
    freeze(store, pack)
    tries = attempts(store, pack.pack_id)

    class Counted(PackTrainer):
        def _chunk(self, state, tensors, number, until):
            nonlocal taken
            taken += (until - state.step) * len(self.chunks[number][0].members)
            return super()._chunk(state, tensors, number, until)

    how = Execution(
        device="cpu", keep_weights=True, checkpoint_s=1e-9 if stops else 60, **execution
    )
    stopping = lambda: stops is not None and len(tries) < 40 and stops.random() < 0.2
    until_done(store, pack, tries, lambda a: Counted(pack, a, how, lambda *_: None, stopping))
    found = results(tries)
    out = {}
    for slot, run_id in enumerate(pack.run_ids):
        rows = read_lines(tries[found[run_id]["attempt"] - 1].curves)
        mine = {
            r["step"]: _of(r, slot) for r in rows if 0 <= slot - r["first"] < len(r["val_loss"])
        }
        out[run_id] = _lasting(found[run_id]), [mine[step] for step in sorted(mine)]
    return out, taken


def _of(row, slot):
    i = slot - row["first"]
    keep = ("step", "tokens", "val_loss", "accuracy", "eval_correct", "eval_total", "train_loss",
            "grad_norm", "lr")  # fmt: skip
    return {k: row[k][i] if isinstance(row[k], list) else row[k] for k in keep}


def _lasting(row):
    return {k: v for k, v in row.items() if k not in ("wall_s", "attempt")}


HOW = {
    "native": Frozen(False, True, 1, 2), "eager": Frozen(False, False, 1, 2),
    "compiled": Frozen(True, False, 1, 2),
}  # fmt: skip


@pytest.mark.parametrize("how", HOW)
def test_every_length_is_bit_for_bit_the_run_trained_alone(how, tmp_path):
    lengths = [{"steps": n} for n in (8, 16, 32)] + [{"steps": 20, "schedule": "constant"}]
    lengths.append({"steps": 16, "evals": 2})  # the same course, looked at otherwise
    lengths.append({"steps": 12, "decay_fraction": 0.5})  # leaves where the first one does
    models = [{"seed": s, "gamma": g} for s in range(2) for g in (0.0, 0.4)][:3]
    one = [a_run(**lengths[k], **models[0]) for k in range(6)]
    order = in_order(one)
    runs = [a_run(**lengths[k], **m) for k in order for m in models]
    together, taken = trained(tmp_path / "all", new_pack(runs, replace(HOW[how], lengths=6)))
    assert taken == 3 * steps_to_train([one[k] for k in order]) < 3 * 104
    for k, length in enumerate(lengths):
        alone = [a_run(**length, **m) for m in models]
        found, _ = trained(tmp_path / str(k), new_pack(alone, HOW[how]))
        assert found == {r.run_id: together[r.run_id] for r in alone}


@pytest.mark.parametrize("seed", range(6))
def test_it_goes_on_from_wherever_it_was_stopped(seed, tmp_path):
    """Random courses, stopped at random in beginnings and in what leaves them."""
    r = random.Random(seed)
    courses = [
        {"steps": r.randint(4, 40), "schedule": r.choice(["constant_decay"] * 3 + ["constant"]),
             "decay_fraction": r.choice([0.2, 0.5]), "final": r.choice([0.0, 0.1]),
             "spacing": r.choice(["log", "linear"])}
        for _ in range(4)
    ]  # fmt: skip
    some = list({x.run_id: x for x in (a_run(**c) for c in courses)}.values())
    some = [some[i] for i in in_order(some)]
    runs = [replace(x, seed=s, seed_init=None, seed_data=None) for x in some for s in range(3)]
    frozen = Frozen(False, seed % 2 == 0, 1, 2, len(some))
    whole, least = trained(tmp_path / "whole", new_pack(runs, frozen))
    again, taken = trained(tmp_path / "again", new_pack(runs, frozen), random.Random(seed))
    assert again == whole and taken >= least == 3 * steps_to_train(some)


LATER = [
    "kept",
    "stopped",
    "damaged",
    "lost",
    "looked at otherwise",
    "not all models",
    "other code",
]


WHY_NOT = {
    "looked at otherwise": {
        "it was evaluated at other steps (budget.eval_steps says them for all lengths)": 3
    },
    "not all models": {"not all models of its slice are asked for": 1},
    "other code": {"other code trained it": 3},
}


@pytest.mark.parametrize("case", LATER)
@pytest.mark.parametrize("schedule", ["constant_decay", "constant"])
def test_a_length_added_later_goes_on_from_what_was_kept(case, schedule, tmp_path, monkeypatch):
    points = {"eval_steps": [3, 6, 12, 15, 24, 48], "schedule": schedule}
    models = [{"seed": s, "gamma": g} for s in range(3) for g in (0.0, 0.4)][:5]
    frozen = Frozen(False, case != "stopped", 1, 2, 2)
    first = new_pack([a_run(n, **points, **m) for n in (8, 20) for m in models], frozen)
    trained(tmp_path, first, random.Random(0), keep_trunk=True)
    store = Store(tmp_path)
    for path in (store.packs / first.pack_id).glob("trunk-001.pt"):
        if case == "damaged":
            path.write_bytes(path.read_bytes()[:-100])
        elif case == "lost":
            path.unlink()
    if case == "looked at otherwise":
        points["eval_steps"] = [3, 7, 12, 24, 48]
    if case == "not all models":
        models = models[1:]
    if case == "other code":
        monkeypatch.setattr("orchestrator.launch.packs.code_version", lambda: "another")
        monkeypatch.setattr("orchestrator.training.pack.code_version", lambda: "another")
    kept = kept_trunks(store, all_packs(store))
    step = 15
    assert {t.step for t in kept} == {step} and len(kept) == (2 if case == "lost" else 3)
    how = lab_settings({"execution": {"native": "on" if frozen.native else "off", "width": 2}})
    asked = [a_run(n, **points, **m) for n in (40, 60) for m in models]
    experiments = [Experiment(run, how) for run in asked]
    packs = make_packs(experiments, 0, kept)
    assert not_gone_on_from(experiments, kept) == WHY_NOT.get(case, {})
    lengths = [run for run in asked if run.trunk_id == asked[0].trunk_id]
    whole = steps_to_train([lengths[i] for i in in_order(lengths)])
    taken, together = 0, {}
    for pack in packs:
        found, count = trained(tmp_path, pack, random.Random(1) if case == "stopped" else None)
        taken, together = taken + count, together | found
    alone, _ = trained(tmp_path / "alone", new_pack(asked, frozen))
    assert together == alone
    gone_on = {"kept": 5, "damaged": 3, "lost": 3, "not all models": 3}.get(case, 0)
    if case == "stopped":
        assert taken < 5 * (whole - step) * 3
    else:
        assert taken == len(models) * whole - gone_on * step


def test_a_checkpoint_without_a_length_is_not_gone_on_from_for_it(tmp_path):
    """It was written when the results of that length stood on record; they have been lost since."""
    pack = new_pack(
        [a_run(n, seed=s) for n in (8, 16, 32) for s in range(2)], Frozen(False, True, 1, 2, 3)
    )
    whole, least = trained(tmp_path / "whole", pack)
    store = Store(tmp_path)
    freeze(store, pack)
    attempt = claim(store, pack.pack_id, {"code_version": "test"})
    steps = []
    trainer = PackTrainer(
        pack, attempt, Execution(device="cpu", checkpoint_s=1e-9),
        lambda _, step, share: steps.append(step), lambda: bool(steps),
    )  # fmt: skip
    with pytest.raises(Stopped):
        trainer.train(set(pack.run_ids[:2]), [])
    end(attempt, "stopped")
    assert steps == [1] and saved([attempt])  # before any length leaves
    again, taken = trained(tmp_path, pack)
    assert again == whole and taken == least
