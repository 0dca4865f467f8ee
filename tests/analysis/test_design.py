"""`analysis design`: the half-width said of a plan is the one found over simulated sweeps."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from analysis.cli import main
from analysis.errors import InputError
from analysis.gamma_star import fit
from analysis.gamma_star.cells import cells_of
from analysis.gamma_star.curve_fit import fit_curves
from analysis.gamma_star.depth_law import points_of, power_design
from analysis.gamma_star.design import simulate as simulated
from analysis.gamma_star.optimum import optima
from analysis.gamma_star.pilot import of_fits, planned_as
from analysis.gamma_star.precision import Noise, Planned, half_width, half_widths, optimum_sd
from analysis.stats.censored_line import interval, regress
from analysis.tables.metrics import scale
from analysis.tables.sweep_grid import read_grid
from tests.worlds import DEPTHS_5, DEPTHS_8, World, power, simulate, table_of

SWEEPS = Path(__file__).resolve().parents[2] / "sweeps"
WORLD = World("w", power(2.0, 0.5), tuned=False)


def curves(world: World, seed: int):
    frame = simulate(world, np.random.default_rng([7, seed]))
    scaled = scale(frame, "val_loss")
    fits = fit_curves(cells_of(frame, scaled, np.ones(len(frame), bool)), "two_sided", None)
    found = optima(fits)
    return fits, found, points_of(found)


def pilot(world: World, seed: int = 0):
    """Noise and law of one simulated pilot, and its own cells."""
    fits, found, points = curves(world, seed)
    line = regress(points, power_design(points))
    inside = np.array([o.kind == "interior" for o in found])
    a, b = float(np.exp(line.coefficients[0])), float(line.coefficients[1])
    return *of_fits(fits, inside, a, b, line.tau), planned_as(fits)


@pytest.mark.parametrize(("depths", "changes"), [
    (DEPTHS_8, {}), (DEPTHS_8, {"seed_sd": 0.12, "depth_sd": 0.1}),
    (DEPTHS_5, {"seed_sd": 0.12}), (DEPTHS_8, {"noise": 0.25, "seeds": 3}),
])  # fmt: skip
def test_the_half_width_said_is_that_of_a_hundred_sweeps(depths, changes):
    """Curves of another form than the fitted one; the truth's own noise, so that what is tested is the
    function and not the pilot."""
    world = WORLD.but(depths=depths, **changes)
    found = []
    for i in range(100):
        points = curves(world, i)[2]
        _, low, high = interval(points, power_design(points), 1)
        found.append((high - low) / 2)
    noise, law, cells = pilot(world)
    noise = Noise(
        noise.depth, np.full(len(noise.depth), world.noise), world.seed_sd, world.depth_sd
    )
    said = half_width(cells, noise, law)
    assert said.half == pytest.approx(np.median(found), rel=0.15), said.error
    assert 0 < said.error < 0.05 * said.half


def test_a_pilot_tells_its_noise():
    world = WORLD.but(seed_sd=0.15, depth_sd=0.1, seeds=8)
    told = [pilot(world, i)[0] for i in range(12)]
    assert np.mean([n.sd.mean() for n in told]) == pytest.approx(0.1, rel=0.1)
    assert np.sqrt(np.mean([n.seed_sd**2 for n in told])) == pytest.approx(0.15, rel=0.2)
    assert np.sqrt(np.mean([n.depth_sd**2 for n in told])) == pytest.approx(0.1, rel=0.25)
    # what moves a seed's losses all by the same moves no optimum
    frame = simulate(WORLD, np.random.default_rng(0))
    level = np.exp(np.random.default_rng(1).normal(0, 0.5, 99))[frame["seed"]]
    scaled = scale(frame.assign(val_loss=frame["val_loss"] * level, chance=1e-9), "val_loss")
    fits = fit_curves(cells_of(frame, scaled, np.ones(len(frame), bool)), "two_sided", None)
    noise, _ = of_fits(fits, np.ones(8, bool), 2.0, 0.5, 0.0)
    assert noise.sd.mean() < 0.15


def test_many_plans_are_one_call_and_more_is_better():
    noise, law, cells = pilot(WORLD.but(seed_sd=0.12, depth_sd=0.05))
    fewer = Planned(cells.depth[:5], cells.gamma[:5], cells.seeds[:5])
    plans = [fewer, cells, cells.times(2), cells.times(4)]
    found = [p.half for p in half_widths(plans, noise, law)]
    assert found == sorted(found, reverse=True)
    assert found[1] == half_width(cells, noise, law).half or len(set(cells.depth)) == 8
    one_seed = optimum_sd(replace(cells, seeds=np.ones(8, int)), noise, law)
    assert (optimum_sd(cells.times(4), noise, law) < optimum_sd(cells, noise, law)).all()
    assert np.isinf(one_seed).sum() <= 8
    # gammas that leave the optimum outside give no optimum, and two depths no interval
    high = replace(cells, gamma=tuple(np.geomspace(5, 50, 8) for _ in cells.gamma))
    assert np.isinf(optimum_sd(high, noise, law)).all() and np.isinf(
        half_width(high, noise, law).half
    )
    two = Planned(cells.depth[:2], cells.gamma[:2], cells.seeds[:2])
    assert np.isinf(half_width(two, noise, law).half)


def test_simulated_sweeps_say_the_same_and_their_verdicts():
    noise, law, cells = pilot(WORLD.but(noise=0.1))
    found = simulated(cells, noise, law, 60)
    assert found.median[0] == pytest.approx(half_width(cells, noise, law).half, rel=0.15)
    assert found.verdicts["supported"] >= 40 and found.covers >= 52
    assert sum(found.verdicts.values()) == 60
    flat = replace(law, b=0.0, a=0.6)
    assert simulated(cells, noise, flat, 40).verdicts.get("supported", 0) <= 2
    few = Planned(cells.depth[:4], cells.gamma[:4], cells.seeds[:4])
    assert simulated(few, noise, law, 20).verdicts == {"not distinguishable": 20}


@pytest.mark.parametrize("name", ["demo", "gamma_depth_small_tuned"])
def test_a_sweep_file_is_read_as_it_is_planned(name, capsys, tmp_path, monkeypatch):
    from orchestrator.cli import main as orchestrator

    monkeypatch.chdir(SWEEPS.parent)
    monkeypatch.setenv("ORCHESTRATOR_STORE", str(tmp_path))
    with pytest.raises(SystemExit, match="0"):
        orchestrator(["plan", name])
    grid, tuning = read_grid(SWEEPS / f"{name}.yaml")
    assert f"{len(grid)} runs" in capsys.readouterr().out
    assert name != "gamma_depth_small_tuned" or tuning == (100,)


@pytest.mark.parametrize(("text", "said"), [
    ("- 1", "not a sweep file"), ("a: [", "can't read"), ("task: {pairs: 3}", "not a sweep file"),
    ("hydra: {sweeper: {params: {model.depth: [1, 2]}}}", "as one text"),
    ("hydra: {sweeper: {params: {model.depth: 'interval(1,2)'}}}", "can't be read here"),
    ("hydra: {sweeper: {params: {model.depth: 'range(1,x)'}}}", "whole numbers"),
    ("hydra: {sweeper: {params: {model.depth: 'a,b'}}}", "not a number"),
    ("hydra: {sweeper: {params: [1]}}", "map keys"), ("hydra: {sweeper: {grids: 5}}", "map keys"),
    ("hydra: {sweeper: {zip: 5}}", "map keys"), ("hydra: {sweeper: {zip: {seed: 1}}}", "map keys"),
    ("defaults: [s]", "not a sweep file"),
])  # fmt: skip
def test_a_file_that_is_no_grid_is_one_line(tmp_path, text, said):
    (tmp_path / "s.yaml").write_text(text)
    with pytest.raises(InputError, match=said):
        read_grid(tmp_path / "s.yaml")


def test_a_file_inherits_from_the_one_that_it_names(tmp_path):
    (tmp_path / "base.yaml").write_text(
        "optim: {lr: 1e-3}\nhydra: {sweeper: {params: {model.depth: '1,2', seed: 'range(0,3)'}}}\n"
    )
    (tmp_path / "more.yaml").write_text(
        "defaults: [base, _self_]\nhydra: {sweeper: {grids: [{model.momentum.gamma: '0,1'}, "
        "{model.depth: 4, model.momentum.gamma: 2}]}}\n"
    )
    grid, _ = read_grid(tmp_path / "more.yaml")
    assert len(grid) == 2 * 3 * 2 + 3 and set(grid["depth"]) == {1, 2, 4}
    (tmp_path / "a.yaml").write_text("defaults: [b]\nhydra: {sweeper: {params: {seed: 1}}}")
    (tmp_path / "b.yaml").write_text("defaults: [a]")
    with pytest.raises(InputError, match="name it again"):
        read_grid(tmp_path / "a.yaml")


def test_keys_that_move_together_are_read_so(tmp_path):
    def read(zips: str, more: str = "") -> set[tuple]:
        (tmp_path / "z.yaml").write_text(
            f"hydra: {{sweeper: {{params: {{seed: 'range(0,2)'}}, zip: {zips}{more}}}}}\n"
        )
        grid, _ = read_grid(tmp_path / "z.yaml")
        return set(grid[["depth", "lr", "seed"]].itertuples(index=False, name=None))

    both = "[{model.depth: '1,2,4', optim.lr: '4e-3,2e-3,1e-3'}]"
    points = ((1, 4e-3), (2, 2e-3), (4, 1e-3))
    assert read(both) == {(d, r, s) for d, r in points for s in (0, 1)}
    held = read(both, ", grids: [{model.depth: 3}]")
    assert held == {(3, r, s) for _, r in points for s in (0, 1)}
    with pytest.raises(InputError, match="as many values each"):
        read("[{model.depth: '1,2', optim.lr: '1e-3'}]")


@pytest.fixture
def pilot_table(tmp_path) -> str:
    frame = simulate(WORLD.but(seeds=3), np.random.default_rng(0))
    frame["flops"] = 1e9 * frame["depth"]
    frame.to_parquet(tmp_path / "table.parquet")
    return str(tmp_path / "table.parquet")


def test_the_verb_says_precision_chances_and_cost(pilot_table, capsys):
    cells = [
        "--depths",
        "1,2,4,8,16,32",
        "--gammas",
        "0.05,0.1,0.2,0.4,0.8,1.6,3.2,6.4",
        "--seeds",
        "4",
    ]
    assert main(["design", pilot_table, *cells, "--replicates", "20", "--json"]) == 0
    found = json.loads(capsys.readouterr().out)
    assert found["runs"] == 6 * 8 * 4 and found["cost"]["FLOPs"] == pytest.approx(
        32e9 * 63, rel=1e-6
    )
    half = [found["half_width"][m]["half"] for m in "124"]
    assert half == sorted(half, reverse=True) and half[0] < 0.2
    assert sum(found["simulated"]["verdicts"].values()) == 20
    assert main(["design", pilot_table, *cells, "--replicates", "20", "--b", "0.1"]) == 0
    out = capsys.readouterr().out
    for words in ("b = 0.1", "half-width of b: ±", "verdict: supported", "FLOPs", "taken as given"):
        assert words in out
    assert main(["design", pilot_table, *cells, "--replicates", "20", "--b", "0.1"]) == 0
    assert capsys.readouterr().out == out  # the seed decides


@pytest.mark.parametrize(("given", "said"), [
    ([], "--depths, --gammas and --seeds"), (["x.yaml", "--seeds", "3"], "--depths, --gammas"),
    (["x.yaml"], "can't read"),
    (["--depths", "1,2", "--gammas", "1,2,3,4,5", "--seeds", "3"], "a slope needs 3"),
    (["--depths", "1,2,4", "--gammas", "1,2", "--seeds", "3"], "5 gammas above 0"),
    (["--depths", "1,2,4", "--gammas", "1,2,3,4,5", "--seeds", "1"], "two or more"),
    (["--depths", "0,2,4", "--gammas", "1,2,3,4,5", "--seeds", "3"], "--depths"),
    (["--depths", "1,2,4", "--gammas", "-1,2,3,4,5", "--seeds", "3"], "--gammas"),
    (["--depths", "1,2,4", "--gammas", "1,2,3,4,5", "--seeds", "3", "--arm", "no"], "no runs of arm"),
    (["--depths", "1,2,4", "--gammas", "1,2,3,4,5", "--seeds", "3", "--a", "0"], "--a"),
    (["--depths", "1,2,4", "--gammas", "1,2,3,4,5", "--seeds", "3", "--replicates", "3"],
     "at least 20"),
])  # fmt: skip
def test_what_is_refused_is_one_line(pilot_table, capsys, given, said):
    given = [g.replace("--gammas=-1", "-1") for g in given]
    if "-1,2,3,4,5" in given:
        at = given.index("--gammas")
        given[at : at + 2] = ["--gammas=-1,2,3,4,5"]
    assert main(["design", pilot_table, *given]) == 2
    out, err = capsys.readouterr()
    assert said in err and err.count("\n") == 1 and not out


def test_one_seed_is_no_pilot(tmp_path):
    frame = simulate(WORLD.but(seeds=1), np.random.default_rng(0))
    frame.to_parquet(tmp_path / "t.parquet")
    assert main(["design", str(tmp_path / "t.parquet"), "--depths", "1,2,4", "--gammas",
                 "1,2,3,4,5", "--seeds", "3"]) == 2  # fmt: skip


def test_a_fit_says_what_more_seeds_would_buy():
    """Against fits of tables that have them, where the curves have the form that is fitted: what a
    wrong form puts optima off by does not shrink with seeds."""
    said, found = [], []
    for i in range(10):
        world = WORLD.but(seed_sd=0.12, seeds=3, shape="two_sided")
        law = fit(table_of([world], np.random.default_rng([1, i])), explore=False).laws[0]
        said.append(law.data["more_runs"]["half"]["4"])
        wide = fit(table_of([world.but(seeds=12)], np.random.default_rng([2, i])), explore=False)
        b = wide.laws[0].parameters["b"]
        found.append((b.high - b.low) / 2)
    assert np.median(said) == pytest.approx(np.median(found), rel=0.25)


def test_low_power_is_no_contradiction():
    """An interval of b that merely holds 0 tells nothing; one that holds little else does."""
    loud = World(
        "w", power(2.0, 0.2), depths=(1, 2, 3, 4, 6, 8), seeds=3, noise=0.25, depth_sd=0.25
    )
    verdicts, told = [], 0
    for i in range(8):
        arm = fit(table_of([loud], np.random.default_rng([5, i])), explore=False).arms["raw"]
        checks, b = arm.law.checks, arm.law.parameters["b"]
        if b.low is None or not b.low <= 0 <= b.high:
            continue
        wide = max(-b.low, b.high) >= 0.25
        assert checks["stable"]["contradicted"] is not wide
        verdicts.append(arm.law.verdict)
        told += "at this noise b would need" in arm.sentences[0]
    assert len(verdicts) >= 4 and told == verdicts.count("not distinguishable") > 0
    quiet = World("w", power(1.0, 0.0), seeds=5, noise=0.05)
    law = fit(table_of([quiet], np.random.default_rng(0)), explore=False).laws[0]
    assert law.verdict == "not supported" and law.checks["stable"]["contradicted"]


def test_pandas_stays_out_of_the_pure_function():
    """Noise, law and cells are arrays: nothing of a table is needed to ask."""
    noise = Noise(np.array([1.0, 8.0]), np.array([0.1, 0.1]), 0.0, 0.0)
    _, law, cells = pilot(WORLD)
    assert isinstance(half_width(cells, noise, law).half, float)
    assert not any(
        isinstance(v, pd.DataFrame) for v in (*vars(noise).values(), *vars(law).values())
    )
