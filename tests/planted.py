"""Tables planted with what can fool a fit: each says what is true in it and what must be concluded.

Every function returns rows in the table's columns (a `pandas.DataFrame`), drawn from `rng`; the
curves in gamma are those of `tests.worlds`.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pandas as pd

from tests.worlds import CHANCE, DEPTHS_8, FULL, World, loss, power, simulate

TOP = np.log(1 / CHANCE)


@dataclass(frozen=True)
class ByRate:
    """gamma* is a function of the learning rate alone: ln gamma* = ln top + elasticity x
    ln(rate / 3e-3). The best rate falls with depth as N^-fall, so that b is elasticity x fall at
    tuned rates and 0 at any fixed rate."""

    elasticity: float = 0.9
    fall: float = 0.8
    top: float = 3.0
    depths: tuple[int, ...] = DEPTHS_8
    gammas: tuple[float, ...] = FULL
    seeds: int = 5
    noise: float = 0.05
    step: float = 2.0
    """Factor between neighbouring rates of the tuning grid: 2 is coarse, √2 fine."""
    own: float = 0.0
    """b at a fixed rate: what falls with depth whatever the rate."""
    bend: float = 0.0
    """Second derivative of ln gamma* by ln lr: the elasticity is one only near 3e-3."""
    shape: str = "skewed"
    seed_sd: float = 0.0
    """SD of ln gamma* between the seeds of a depth, the same at all rates."""
    depth_sd: float = 0.0
    tuning_gammas: tuple[float, ...] | None = None
    """The gammas of the tuning rows, if fewer."""

    @property
    def b_in_total(self) -> float:
        """The exponent at tuned rates (without `bend`)."""
        return self.own + self.elasticity * self.fall

    def best(self, depth: float) -> float:
        """The rate of least loss at a depth."""
        return 3e-3 * depth**-self.fall

    def shifts(self, count: int, rng: np.random.Generator) -> np.ndarray:
        """ln gamma* of each of a depth's seeds, off the truth."""
        if not self.seed_sd and not self.depth_sd:
            return np.zeros(count)
        return rng.normal(0, self.depth_sd) + rng.normal(0, self.seed_sd, count)

    def rows(
        self, depth: int, rate: float, seed: int, rng: np.random.Generator, off: float = 0.0,
        gammas: tuple[float, ...] | None = None,
    ) -> list[tuple]:  # fmt: skip
        """One row a gamma."""
        gammas = gammas or self.gammas
        with np.errstate(divide="ignore"):
            x = np.log(np.array(gammas))
        wrong, high = np.log(rate / self.best(depth)), np.log(rate / 3e-3)
        centre = np.log(self.top) + self.elasticity * high + 0.5 * self.bend * high**2
        value = loss(x, centre - self.own * np.log(depth) + off, depth, self.shape)
        value = value * np.exp(0.4 * wrong**2)
        value = value * np.exp(rng.normal(0, self.noise, len(x)))
        return [(depth, g, rate, seed, v) for g, v in zip(gammas, value, strict=True)]


def rate_by_hand(world: ByRate, rng: np.random.Generator) -> pd.DataFrame:
    """Every depth at its own best rate and no tuning row: nothing in the table can tell a law of
    depth from one of the rate. Must not be "supported"."""
    rows = []
    for depth in world.depths:
        off = world.shifts(world.seeds, rng)
        for seed in range(world.seeds):
            rows += world.rows(depth, float(f"{world.best(depth):.2g}"), seed, rng, off[seed])
    return _frame(rows)


def rate_tuned(world: ByRate, rng: np.random.Generator, tuning_seeds: int = 1) -> pd.DataFrame:
    """The same, with tuning rows: seeds 0.. at every rate of a grid, the others at its best one."""
    least, most = (world.best(d) for d in (max(world.depths), min(world.depths)))
    count = int(np.ceil(np.log(most / least) / np.log(world.step))) + 5
    rates = least / world.step**2 * world.step ** np.arange(count)
    rows = []
    for depth in world.depths:
        near = rates[np.abs(np.log(rates / world.best(depth))) <= 2.6 * np.log(world.step)]
        chosen = near[np.argmin(np.abs(np.log(near / world.best(depth))))]
        off = world.shifts(tuning_seeds + world.seeds, rng)
        for seed in range(tuning_seeds):
            for rate in near:
                rows += world.rows(depth, float(rate), seed, rng, off[seed], world.tuning_gammas)
        for seed in range(tuning_seeds, tuning_seeds + world.seeds):
            rows += world.rows(depth, float(chosen), seed, rng, off[seed])
    return _frame(rows)


def copied_seeds(world: World, copies: int, how: str, rng: np.random.Generator) -> pd.DataFrame:
    """Each reported seed stands `copies` times under other names: "outcome" repeats its numbers,
    "loss" its loss but no other number, "nearly" its numbers but for the last digits, "seeds" says
    by seed_init and seed_data that it is the same. The verdict must be that of the table without
    copies."""
    frame = simulate(world, rng)
    frame["seed_init"] = frame["seed_data"] = frame["seed"]
    out = [frame]
    for i in range(1, copies):
        again = frame.assign(seed=frame["seed"] + 1000 * i, run_id=frame["run_id"] + f"-copy{i}")
        if how != "seeds":
            again["seed_init"] = again["seed_data"] = again["seed"]
        if how == "loss":
            again["accuracy"] = rng.uniform(size=len(again))
        elif how != "outcome":  # the same seeds on another machine: the last bits differ
            size = {"seeds": 1e-6, "nearly": 1e-9}[how]
            again["val_loss"] = again["val_loss"] * np.exp(rng.normal(0, size, len(again)))
        out.append(again)
    return pd.concat(out, ignore_index=True)


def checkpoints(
    rng: np.random.Generator, models: int = 22, each: int = 12, model_sd: float = 0.01,
    row_sd: float = 0.002, alpha: float = 0.34, beta: float = 0.28,
) -> pd.DataFrame:  # fmt: skip
    """L = E + A N^-alpha + B D^-beta seen at several lengths of each of few models, every model
    with an effect of its own (SD of ln L): rows of one run_id are one unit."""
    sizes = np.geomspace(5e7, 2e9, models)
    rows = []
    for i, n in enumerate(sizes):
        effect = rng.normal(0, model_sd)
        for d in np.geomspace(2e9, 3e11, each):
            value = 1.8 + 480.0 * n**-alpha + 600.0 * d**-beta
            rows.append((f"model-{i}", n, d, value * np.exp(effect + rng.normal(0, row_sd))))
    return pd.DataFrame(rows, columns=["run_id", "N", "D", "L"])


def informative_divergence(
    rng: np.random.Generator, a: float = 2.0, b: float = 0.6, strength: float = 2.0
) -> pd.DataFrame:
    """Runs above gamma* are lost the sooner the worse they were going to be, so that those that
    are left look too good there, and more so in deep models. gamma* = a N^-b."""
    truth = power(a, b)
    frame = simulate(World("lost", truth, noise=0.25), rng)
    fitted = np.array([
        loss(np.log(g) if g > 0 else -np.inf, truth(np.array([d]))[0], d, "skewed")
        for d, g in zip(frame["depth"], frame["gamma"], strict=True)
    ])  # fmt: skip
    luck = np.log(frame["val_loss"].to_numpy() / fitted) / 0.25
    with np.errstate(divide="ignore"):
        over = np.log(frame["gamma"].to_numpy(float)) - truth(frame["depth"].to_numpy(float))
    chance = 1 / (
        1 + np.exp(-(strength * luck + 1.5 * (over - 1.0) + 0.5 * np.log(frame["depth"])))
    )
    lost = (rng.random(len(frame)) < chance) & (frame["gamma"] > 0) & (over > -0.5)
    frame["status"] = np.where(lost, "diverged", "completed")
    frame.loc[lost, "val_loss"] = np.nan
    return frame


def lost(frame: pd.DataFrame, which: np.ndarray) -> pd.DataFrame:
    """A table some of whose runs diverged. which: (R,) bool."""
    frame.loc[which, "status"] = "diverged"
    frame.loc[which, "val_loss"] = np.nan
    return frame


def lost_tuning_rows(rng: np.random.Generator) -> pd.DataFrame:
    """A true law, of whose tuning runs 2 % diverged, at random."""
    frame = simulate(World("p", power(1.0), noise=0.05), rng)
    return lost(frame, (frame["seed"] == 0).to_numpy() & (rng.random(len(frame)) < 0.02))


def lost_depths(rng: np.random.Generator) -> pd.DataFrame:
    """A true law to depth 12, and no run of depths 16 and 24 that converged."""
    frame = simulate(World("p", power(1.0), (*DEPTHS_8, 24), noise=0.05), rng)
    return lost(frame, (frame["depth"] > 12).to_numpy())


def drifting_valley(
    rng: np.random.Generator, fall: float = 0.74, wide: float = 2.4, seeds: int = 5,
    noise: float = 0.05, depths: tuple[int, ...] = DEPTHS_8,
) -> pd.DataFrame:  # fmt: skip
    """A flat floor in ln gamma, `wide` across, whose edges both fall with depth: there is no best
    gamma, and no b may be given."""
    x = np.log(np.array(FULL[1:]))
    rows = []
    for depth in depths:
        middle = np.log(3.0) - fall * np.log(depth)
        outside = np.maximum(np.abs(x - middle) - wide / 2, 0)
        curve = np.concatenate(([TOP], 0.05 + (TOP - 0.05) * (1 - np.exp(-1.2 * outside**2))))
        for seed in range(seeds + 1):
            rates = (3e-3,) if seed else tuple(np.geomspace(5e-4, 8e-3, 5))
            for rate in rates:
                wrong = np.log(rate / 2e-3)
                value = curve * np.exp(0.4 * wrong**2 * (seed == 0))
                value = np.minimum(value * np.exp(rng.normal(0, noise, len(value))), 2 * TOP)
                rows += [(depth, g, rate if seed == 0 else 2e-3, seed, v)
                         for g, v in zip(FULL, value, strict=True)]  # fmt: skip
    return _frame(rows)


def moving_formation(
    rng: np.random.Generator, fall: float = 0.74, seeds: int = 8, noise: float = 0.1,
    depths: tuple[int, ...] = DEPTHS_8,
) -> pd.DataFrame:  # fmt: skip
    """Whether a run forms has its best gamma at 3 N^-fall; how well a formed run does has it at 1
    for every depth. An unformed run stays near chance: two laws, of which one is constant."""
    x = np.log(np.array(FULL[1:]))
    rows = []
    for depth in depths:
        peak = np.log(3.0) - fall * np.log(depth)
        forms = np.concatenate(([0.15], 0.95 * np.exp(-0.5 * ((x - peak) / 1.6) ** 2)))
        formed = np.concatenate(([0.4], 0.05 * np.exp(0.35 * np.abs(x) ** 1.5)))
        for seed in range(seeds + 1):
            for rate in (2e-3,) if seed else tuple(np.geomspace(5e-4, 8e-3, 5)):
                off = 0.4 * np.log(rate / 2e-3) ** 2
                did = rng.random(len(forms)) < forms
                value = np.where(did, formed * np.exp(off), 0.92 * TOP)
                value = value * np.exp(rng.normal(0, np.where(did, noise, 0.01)))
                rows += [(depth, g, rate, seed, v) for g, v in zip(FULL, value, strict=True)]
    return _frame(rows)


def crossed_widths(
    rng: np.random.Generator, b: float = 0.74, c: float = 0.4, widths: tuple[int, ...] = (32, 64)
) -> pd.DataFrame:
    """Two widths crossed with the depths: gamma* = 4.17 N^-b (width / 32)^-c. With b = 0 the
    optimum moves with width alone."""
    parts = []
    for width in widths:
        shift = c * np.log(width / 32)
        part = simulate(World("w", lambda n, s=shift: power(4.17, b)(n) - s, noise=0.05), rng)
        parts.append(part.assign(width=width, run_id=part["run_id"] + f"-w{width}"))
    return pd.concat(parts, ignore_index=True)


def both_signs(
    rng: np.random.Generator, best_angle: float = -12.0, gain: float = 0.05, seeds: int = 5,
    noise: float = 0.02, depths: tuple[int, ...] = (1, 2, 3, 4, 6, 8),
) -> pd.DataFrame:  # fmt: skip
    """Gammas of both signs (tap angles from -60 to 40 degrees) with the least loss at `best_angle`
    for every depth: where it is negative, gamma > 0 only hurts and a law of gamma* is not asked."""
    angles = np.array([-60, -45, -30, -20, -12, -6, 0, 6, 12, 20, 30, 40], float)
    t = np.tan(np.radians(angles))
    gammas = t / (1 - t)
    rows = []
    for depth in depths:
        curve = 3.0 * (1 + gain * ((angles - best_angle) / 30.0) ** 2)
        for seed in range(seeds + 1):
            for rate in (2e-3,) if seed else tuple(np.geomspace(5e-4, 8e-3, 5)):
                value = curve * np.exp(0.1 * np.log(rate / 2e-3) ** 2)
                value = value * np.exp(rng.normal(0, noise, len(value)))
                rows += [(depth, g, rate, seed, v) for g, v in zip(gammas, value, strict=True)]
    return _frame(rows)


def _frame(rows: list[tuple]) -> pd.DataFrame:
    frame = pd.DataFrame(rows, columns=["depth", "gamma", "lr", "seed", "val_loss"])
    frame["run_id"] = [f"run-{i}" for i in range(len(frame))]
    return frame.assign(
        arm="raw", task="simulated", width=64, chance=CHANCE, status="completed", steps=1000,
        tokens=1_000_000,
    )  # fmt: skip
