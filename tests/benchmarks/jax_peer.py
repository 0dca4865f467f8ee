"""One core: run-steps a second of ours against the same model and optimiser in JAX.

    python -m tests.benchmarks.jax_peer [--rounds 3]     # needs `pip install "jax[cpu]"`

JAX as one writes it for many small runs: vmap over the runs, `lax.scan` over 32 steps, jit, state
donated, batches made inside; the best of several numbers of runs at once. Ours: the same 32 steps
with their batches, as a job trains them. Both sides take turns on one core, and first train three
steps from the same parameters on the same tokens, to see that they are the same model.
"""

from __future__ import annotations

import argparse
import os
import time
from statistics import median

STEPS, BATCH = 32, 64
WIDTHS = (1, 4, 16)
"""Runs at once that JAX may choose among; ours does not depend on it."""
SHAPES = {
    "width 32, depth 1, T 15": ({"width": 32, "depth": 1}, 4),
    "width 64, depth 2, T 31": ({"width": 64, "depth": 2}, 8),
    "width 64, depth 4, MLP, T 31": ({"width": 64, "depth": 4, "mlp_ratio": 4.0}, 8),
}
"""Of the model, and pairs of recall."""
SECONDS = 3.0
"""Of each side in each round."""


def functions(run):
    """(one training step on given tokens, one batch of recall) of a run, in JAX."""
    import jax
    import jax.numpy as jnp

    from orchestrator.models.rope import rope_table
    from orchestrator.models.transformer import EPS

    m, task, optim = run.model, run.task, run.optim
    heads, dim = m.heads, m.size_of_head
    cos, sin = (
        jnp.asarray(t.float().numpy()) for t in rope_table(task.length, dim, m.rope_base)
    )  # fmt: skip
    causal = jnp.tril(jnp.ones((task.length, task.length), bool))

    def norm(x, scale):
        return x * jax.lax.rsqrt(jnp.mean(x * x, -1, keepdims=True) + EPS) * scale

    def position(z, gamma):
        """(B, T, H, D): rotary embedding, then the momentum shear."""
        a, b = jnp.split(z, 2, -1)
        c, s = cos[:, None], sin[:, None]
        z = jnp.concatenate((a * c - b * s, b * c + a * s), -1)
        before = jnp.concatenate((z[:, :1], z[:, :-1]), 1)
        return z + gamma * (z - before)

    def logits(p, gamma, tokens):
        x = p["embedding.weight"][tokens]
        for i in range(m.depth):
            w = {k[len(f"blocks.{i}.") :]: v for k, v in p.items() if k.startswith(f"blocks.{i}.")}
            h = norm(x, w["norm.weight"])
            q, k, v = (
                (h @ w[f"attention.{n}.weight"].T).reshape(*h.shape[:2], heads, dim)
                for n in ("query", "key", "value")
            )  # fmt: skip
            q, k = position(q, gamma), position(k, gamma)
            scores = jnp.einsum("bthd,bshd->bhts", q, k) * dim**-0.5
            pattern = jax.nn.softmax(jnp.where(causal, scores, -jnp.inf), -1)
            o = jnp.einsum("bhts,bshd->bthd", pattern, v).reshape(*h.shape[:2], heads * dim)
            x = x + o @ w["attention.output.weight"].T
            if m.hidden:
                h = norm(x, w["mlp_norm.weight"])
                h = jax.nn.gelu(h @ w["up.weight"].T, approximate=False)
                x = x + h @ w["down.weight"].T
        x = norm(x[:, task.scored], p["norm.weight"])
        return x @ p.get("head.weight", p["embedding.weight"]).T

    def loss_of(p, gamma, tokens, targets):
        log_p = jax.nn.log_softmax(logits(p, gamma, tokens))
        return -jnp.take_along_axis(log_p, targets[..., None], -1).mean()

    def train_step(state, gamma, lr, tokens, targets):
        p, mean, square, number = state
        loss, g = jax.value_and_grad(loss_of)(p, gamma, tokens, targets)
        size = jnp.sqrt(sum(jnp.sum(x * x) for x in g.values()))
        share = jnp.minimum(1.0, (optim.clip or jnp.inf) / (size + 1e-6))
        number = number + 1
        b1, b2 = optim.beta1, optim.beta2
        g = {k: x * share for k, x in g.items()}
        mean = {k: b1 * mean[k] + (1 - b1) * g[k] for k in g}
        square = {k: b2 * square[k] + (1 - b2) * g[k] * g[k] for k in g}
        p = {
            k: p[k] * (1 - lr * optim.weight_decay)
            - lr * (mean[k] / (1 - b1**number))
            / (jnp.sqrt(square[k] / (1 - b2**number)) + optim.eps)
            for k in p
        }  # fmt: skip
        return (p, mean, square, number), loss

    def batch(key):
        """Tokens (B, T) and targets (B, Q) of recall."""
        one, two, three = jax.random.split(key, 3)

        def choices(key, n, count):
            return jnp.argsort(jax.random.uniform(key, (BATCH, n)), -1)[:, :count]

        keys = choices(one, task.keys, task.pairs)
        values = task.keys + jax.random.randint(two, (BATCH, task.pairs), 0, task.values)
        asked = choices(three, task.pairs, task.queries)
        asks = jnp.take_along_axis(keys, asked, -1)
        answers = jnp.take_along_axis(values, asked, -1)
        shown = jnp.stack((keys, values), -1).reshape(BATCH, -1)
        return jnp.concatenate((shown, jnp.stack((asks, answers), -1).reshape(BATCH, -1)[:, :-1]), 1), answers  # fmt: skip

    return train_step, batch


def start(run, count):
    """Starting values of `count` runs in JAX: parameters {name: (W, ...)}, moments, step number."""
    import dataclasses

    import jax.numpy as jnp
    import torch

    from orchestrator.training.step import Core

    core = Core(run, torch.device("cpu"))
    runs = [dataclasses.replace(run, seed=i, seed_init=i) for i in range(count)]
    each = [core.unflatten(core.init(r).params) for r in runs]
    params = {n: jnp.stack([jnp.asarray(e[n].numpy()) for e in each]) for n in each[0]}
    zeros = {n: jnp.zeros_like(p) for n, p in params.items()}
    return params, zeros, {n: z + 0 for n, z in zeros.items()}, jnp.zeros(count)


def greatest_difference(run) -> float:
    """Of the losses of three steps of a run, ours (float32, torch) and JAX's."""
    import jax
    import jax.numpy as jnp
    import torch

    from orchestrator.training.data import training_batches
    from orchestrator.training.step import Core

    core = Core(run, torch.device("cpu"))
    mine, state = core.init(run), tuple(start(run, 1))
    params, moments = mine.params, core.optim.init(mine.params, core.sizes)
    tokens, targets = training_batches(run, torch.arange(1), torch.arange(1, 4))
    step = jax.jit(jax.vmap(functions(run)[0], in_axes=(0, 0, None, None, None)))
    gamma, worst = jnp.full(1, run.model.momentum.gamma), 0.0
    for i in range(3):
        loss, _, params, moments = core.step(
            params, mine.taps, mine.clip, mine.hyper, moments, tokens[i, 0], targets[i, 0],
            torch.tensor(i + 1.0), torch.tensor(1.0),
        )  # fmt: skip
        state, theirs = step(
            state, gamma, run.optim.lr, jnp.asarray(tokens[i, 0].numpy()),
            jnp.asarray(targets[i, 0].numpy()),
        )  # fmt: skip
        worst = max(worst, abs(float(loss) - float(theirs[0])))
    return worst


def jax_chunk(run, count):
    """A call that trains `count` runs for STEPS steps, and the seconds of its compilation."""
    from functools import partial

    import jax
    import jax.numpy as jnp

    step, batch = functions(run)
    each = jax.vmap(step, in_axes=(0, 0, None, None, None))
    gamma = jnp.full(count, run.model.momentum.gamma)

    @partial(jax.jit, donate_argnums=0)
    def chunk(state, key):
        def one(carry, key):
            return each(carry, gamma, run.optim.lr, *batch(key))

        return jax.lax.scan(one, state, jax.random.split(key, STEPS))

    held = {"state": start(run, count), "key": jax.random.key(0)}

    def call():
        held["key"], key = jax.random.split(held["key"])
        held["state"], losses = chunk(held["state"], key)
        jax.block_until_ready(losses)

    begun = time.monotonic()
    call()
    return call, time.monotonic() - begun


def our_chunk(run, count=16):
    """The same of ours."""
    import dataclasses

    import torch

    from orchestrator.models.native.serves import serves
    from orchestrator.training.data import training_batches
    from orchestrator.training.native import Native
    from orchestrator.training.slices import slots_of, start
    from orchestrator.training.step import Core

    assert serves(run)
    core = Core(run, torch.device("cpu"))
    runs = [dataclasses.replace(run, seed=i, seed_init=i) for i in range(count)]
    state, tensors = start(core, runs, slots_of(count, count)[0])
    advance, seen = Native(run).advance, torch.zeros(count, dtype=torch.int64)
    factor, at = torch.ones(STEPS), [0]

    def call():
        steps = torch.arange(at[0] + 1, at[0] + STEPS + 1)
        at[0] += STEPS
        batches = training_batches(run, torch.zeros(1, dtype=torch.int64), steps)
        advance(state, tensors, *batches, seen, steps.to(core.dtype), factor)

    call()
    return call


def run_steps_a_second(call, count: int) -> float:
    """Over about SECONDS of CPU time, which neighbours do not stretch."""
    begun, calls = time.process_time(), 0
    while (spent := time.process_time() - begun) < SECONDS:
        call()
        calls += 1
    return calls * count * STEPS / spent


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--rounds", type=int, default=3)
    rounds = parser.parse_args().rounds
    os.sched_setaffinity(0, {min(os.sched_getaffinity(0))})
    os.environ["XLA_FLAGS"] = "--xla_cpu_multi_thread_eigen=false intra_op_parallelism_threads=1"
    os.environ["JAX_PLATFORMS"] = "cpu"
    import jax
    import torch

    from orchestrator.config import Budget, Model, Momentum, RunConfig
    from orchestrator.tasks.recall import Recall

    torch.set_num_threads(1)
    torch.set_flush_denormal(True)
    print(f"jax {jax.__version__}, torch {torch.__version__}; run-steps/s on one core")
    for name, (shape, pairs) in SHAPES.items():
        run = RunConfig(
            model=Model(**shape, momentum=Momentum(gamma=0.5)), budget=Budget(batch=BATCH),
            task=Recall(pairs=pairs, queries=pairs),
        )  # fmt: skip
        print(f"{name}: losses of 3 steps differ by at most {greatest_difference(run):.1e}")
        theirs = {count: jax_chunk(run, count) for count in WIDTHS}
        mine = our_chunk(run)
        ratios = []
        for _ in range(rounds):
            best = max((run_steps_a_second(theirs[n][0], n), n) for n in WIDTHS)
            ours = run_steps_a_second(mine, 16)
            ratios.append(ours / best[0])
            print(f"  JAX {best[0]:.0f} ({best[1]} at once, compiled in {theirs[best[1]][1]:.1f} s), "
                  f"ours {ours:.0f}: {ratios[-1]:.2f} times", flush=True)  # fmt: skip
        print(f"  median {median(ratios):.2f}")


if __name__ == "__main__":
    main()
