"""Keys that move together: a sweep with `zip` is the union that one would write by hand."""

from __future__ import annotations

import random
from itertools import product
from pathlib import Path

import pytest
import yaml

from orchestrator.errors import UserError
from tests.launch.test_compose import composed

KEYS = {
    "model.depth": [1, 2, 3, 4], "model.width": [16, 24, 32, 48], "optim.lr": [1e-3, 2e-3, 4e-3],
    "seed": [0, 1, 2, 3], "budget.steps": [100, 200, 300], "model.momentum.gamma": [0.0, 0.4, 0.8],
    "model/momentum": ["raw", "key_only", "norm_matched"],
}  # fmt: skip


def ids(sweeper: dict, *overrides: str) -> list[str]:
    Path("sweeps").mkdir(exist_ok=True)
    content = {"defaults": ["config", "_self_"], "hydra": {"sweeper": sweeper}}
    Path("sweeps/moving.yaml").write_text(yaml.safe_dump(content))
    return [e.run.run_id for e in composed(*overrides, sweep="moving")]


def text(values: list) -> str:
    return ",".join(map(str, values))


@pytest.mark.parametrize("seed", range(25))
def test_a_zip_is_its_hand_written_union(store, seed):
    rng = random.Random(seed)
    keys = rng.sample(list(KEYS), 6)
    entries = []
    for size in rng.choice([(2,), (3,), (2, 2), (1, 2)]):
        mine = [keys.pop() for _ in range(size)]
        n = rng.randint(1, min(len(KEYS[k]) for k in mine))
        entries.append({k: rng.sample(KEYS[k], n) for k in mine})
    params = {k: rng.sample(KEYS[k], 2) for k in keys[:1]}
    grids = [{k: rng.sample(KEYS[k], rng.randint(1, 2)) for k in keys[1:2]}
             for _ in range(rng.randint(1, 2))]  # fmt: skip
    moving = list(entries[0])
    word = None  # of the command line, in place of what moves
    if rng.random() < 0.5:
        word = (moving[0], rng.choice(KEYS[moving[0]]))
    together = [[dict(zip(e, row, strict=True)) for row in zip(*e.values(), strict=True)]
                for e in entries]  # fmt: skip
    union = []
    for point in product(*together):
        moved = {k: v for part in point for k, v in part.items()}
        union += [{k: str(v) for k, v in moved.items()} | {k: text(v) for k, v in g.items()}
                  for g in grids]  # fmt: skip
    said = {
        "params": {k: text(v) for k, v in params.items()},
        "grids": [{k: text(v) for k, v in g.items()} for g in grids],
        "zip": [{k: text(v) for k, v in e.items()} for e in entries],
    }
    words = [f"{word[0]}={word[1]}"] if word else []
    try:
        mine = ids(said, *words)
    except UserError as e:  # a constant in the place of all that moved: one run twice
        assert word and len(moving) == 1 and "twice" in str(e)
        return
    by_hand = ids({"params": said["params"], "grids": union}, *words)
    assert sorted(set(mine)) == sorted(set(by_hand))
    distinct_grids = [g for i, g in enumerate(grids) if g not in grids[:i]]
    if len(distinct_grids) == len(grids) == 1:
        assert len(mine) == len(set(mine))


def test_a_later_word_takes_the_place_of_what_moves(store):
    moving = {"zip": [{"model.depth": "1,2,4", "optim.lr": "4e-3,2e-3,1e-3"}]}
    by_hand = [{"model.depth": d, "optim.lr": r} for d, r in ((1, 4e-3), (2, 2e-3), (4, 1e-3))]
    assert sorted(ids(moving)) == sorted(ids({"grids": by_hand}))
    held = [{"optim.lr": r} for r in (4e-3, 2e-3, 1e-3)]
    assert sorted(ids(moving, "model.depth=3")) == sorted(ids({"grids": held}, "model.depth=3"))
    other = [{"model.depth": d, "optim.lr": r} for d, r in ((5, 4e-3), (6, 2e-3), (7, 1e-3))]
    assert sorted(ids(moving, "model.depth=5,6,7")) == sorted(ids({"grids": other}))


@pytest.mark.parametrize(
    ("sweeper", "overrides", "said"),
    [
        ({"zip": [{"model.depth": "1,2", "optim.lr": "1e-3,2e-3,3e-3"}]}, [],
         "2 of model.depth and 3 of optim.lr"),
        ({"zip": [{"model.depth": "1,2", "optim.lr": "1e-3"}]}, [], "1 of optim.lr"),
        ({"zip": [{"model.depth": "1,2", "seed": "0,1"}]}, ["seed=0,1,2"], "3 of seed"),
        ({"zip": {"model.depth": "1,2"}}, [], "must be a list"),
        ({"zip": ["model.depth"]}, [], "must map keys to values"),
        ({"zip": [{"model.depth": "1,2"}, {"model.depth": "3,4"}]}, [], "in two entries"),
        ({"zip": [{"model.depth": "1,2"}], "params": {"model.depth": "1,2"}}, [], "in params too"),
        ({"zip": [{"model.width": "interval(8,16)", "seed": "0,1"}]}, [], "interval is no grid"),
        ({"zip": [{"model.dept": "1,2", "seed": "0,1"}]}, [], "model.dept"),
    ],
)  # fmt: skip
def test_what_cannot_move_together_is_one_line(store, sweeper, overrides, said):
    with pytest.raises(UserError, match=said) as refused:
        ids(sweeper, *overrides)
    assert "\n" not in str(refused.value)
