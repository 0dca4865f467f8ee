"""The operator against loops written from the paper's equations, in float64."""

from __future__ import annotations

import cmath
import math
import random

import pytest
import torch

from orchestrator.config import Model, Momentum
from orchestrator.models.momentum import causal_filter
from orchestrator.models.taps import filter_taps, gain
from orchestrator.models.transformer import Transformer

DOUBLE = torch.float64


def loop_attention(x, w, m: Momentum, gamma: float, heads: int, base: float | None):
    """Momentum attention of one sequence x (T, D) by the paper's equations, step by step.

    q̂_t = q_t + γ p_t, p_t = q_t - q_{t-1}, p_0 = 0; after (or before) RoPE.
    """
    T, head_dim = x.shape[0], w["query.weight"].shape[0] // heads
    out = []
    for h in range(heads):
        rows = slice(h * head_dim, (h + 1) * head_dim)
        streams = {}
        for letter, name in (("q", "query"), ("k", "key"), ("v", "value")):
            z = [w[f"{name}.weight"][rows] @ x[t] for t in range(T)]
            turned = [rotated(v, t, base) for t, v in enumerate(z)] if letter != "v" else z
            if letter in m.streams:
                if m.placement == "pre_rope" and letter != "v":
                    f = sheared(z, m, gamma)
                    turned = [rotated(v, t, base) for t, v in enumerate(f)]
                else:
                    turned = sheared(turned, m, gamma)
            streams[letter] = turned
        head = []
        for t in range(T):
            scores = [streams["q"][t] @ streams["k"][s] / math.sqrt(head_dim) for s in range(t + 1)]
            weights = torch.stack(scores).softmax(0)
            head.append(sum(weights[s] * streams["v"][s] for s in range(t + 1)))
        out.append(torch.stack(head))
    return torch.cat(out, -1) @ w["output.weight"].T


def sheared(z, m: Momentum, gamma: float):
    size = math.sqrt((1 + gamma) ** 2 + gamma**2)
    if m.norm == "gain_only":
        return [v * size for v in z]
    out = []
    for t, v in enumerate(z):
        p = v - z[t - 1] if t > 0 else torch.zeros_like(v)
        out.append((v + gamma * p) / (size if m.norm == "matched" else 1))
    return out


def rotated(v, t: int, base: float | None):
    if base is None:
        return v
    half = v.shape[0] // 2
    out = v.clone()
    for i in range(half):
        angle = t * base ** (-2 * i / v.shape[0])
        a, b = v[i], v[i + half]
        out[i] = a * math.cos(angle) - b * math.sin(angle)
        out[i + half] = a * math.sin(angle) + b * math.cos(angle)
    return out


CASES = [
    (streams, placement, norm, base)
    for streams in ("qk", "k", "q", "qkv")
    for placement in ("post_rope", "pre_rope")
    for norm in ("raw", "matched", "gain_only")
    for base in (10000.0, 100.0, None)
]


@pytest.mark.parametrize("case", CASES, ids=str)
def test_attention_and_its_gradient_equal_the_papers_equations(case):
    streams, placement, norm, base = case
    rng = random.Random(str(case))
    heads, head_dim, T = rng.choice([1, 2, 3]), rng.choice([2, 4, 6]), rng.choice([1, 2, 5, 8])
    gamma = rng.choice([0.0, 0.3, 1.0, 4.17, -0.5, -1.0])
    m = Momentum(gamma=gamma, streams=streams, placement=placement, norm=norm)
    model = Model(width=heads * head_dim + 1, heads=heads, head_dim=head_dim, rope_base=base,
                  momentum=m)  # fmt: skip
    layer = Transformer(model, 5, T, slice(None)).double().blocks[0].attention
    torch.manual_seed(rng.randrange(10**6))
    x = torch.randn(2, T, model.width, dtype=DOUBLE, requires_grad=True)
    ours = layer(x, filter_taps(model)[0])
    weights = dict(layer.named_parameters())
    theirs = torch.stack([loop_attention(s, weights, m, gamma, heads, base) for s in x])
    torch.testing.assert_close(ours, theirs, rtol=1e-9, atol=1e-10)
    probe = torch.randn_like(ours)
    inputs = [x, *weights.values()]
    for a, b in zip(
        torch.autograd.grad((ours * probe).sum(), inputs),
        torch.autograd.grad((theirs * probe).sum(), inputs),
        strict=True,
    ):
        torch.testing.assert_close(a, b, rtol=1e-8, atol=1e-9)


@pytest.mark.parametrize("layers", ["all", "first", "middle", "last", [1]], ids=str)
def test_only_the_chosen_layers_are_filtered(layers):
    taps = filter_taps(Model(depth=3, momentum=Momentum(gamma=2.0, layers=layers)))
    filtered = [i for i in range(3) if taps[i, 0, 0, 1] != 0]
    assert filtered == {"all": [0, 1, 2], "first": [0], "middle": [1], "last": [2]}.get(
        str(layers), layers
    )


def test_gamma_may_differ_by_layer_and_head():
    gamma = [[0.5, 1.0], 2.0]
    taps = filter_taps(Model(depth=2, heads=2, momentum=Momentum(gamma=gamma)))
    assert taps[0, 0, :, 0].tolist() == [1.5, 2.0]
    assert taps[1, 1, :, 1].tolist() == [-2.0, -2.0]


def test_the_tap_angle_is_the_same_filter_up_to_scale():
    angle = math.degrees(math.atan(0.8 / 1.8))
    by_angle = filter_taps(Model(momentum=Momentum(angle=angle)))
    by_gamma = filter_taps(Model(momentum=Momentum(gamma=0.8, norm="matched")))
    torch.testing.assert_close(by_angle, by_gamma)
    assert Momentum(angle=angle).scalar_gamma == pytest.approx(0.8)


def test_smoothed_momentum_is_the_moving_average_of_past_momenta():
    beta, gamma, K, T = 0.6, 1.5, 40, 12
    m = Momentum(gamma=gamma, smoothing=beta, kernel=K)
    taps = filter_taps(Model(momentum=m))[0, 0]
    z = torch.randn(T, dtype=DOUBLE)
    average, expected = torch.tensor(0.0, dtype=DOUBLE), []
    for t in range(T):
        p = z[t] - z[t - 1] if t else torch.tensor(0.0, dtype=DOUBLE)
        average = beta * average + (1 - beta) * p
        expected.append(z[t] + gamma * average)
    ours = causal_filter(z.view(1, 1, T, 1), taps)
    torch.testing.assert_close(ours.flatten(), torch.stack(expected))


def test_zero_gamma_is_plain_rope_attention_exactly():
    plain, none = Model(heads=2, momentum=Momentum(gamma=0.0)), Momentum(gamma=3.0, layers=[])
    z = torch.randn(3, 2, 9, 4)
    taps = filter_taps(plain)[0, 0].float()
    assert torch.equal(causal_filter(z, taps), z)
    assert torch.equal(filter_taps(plain), filter_taps(Model(heads=2, momentum=none)))
    for norm in ("matched", "gain_only"):
        assert torch.equal(filter_taps(plain), filter_taps(Model(heads=2, momentum=Momentum(
            gamma=0.0, norm=norm))))  # fmt: skip


def test_nothing_looks_ahead():
    model = Model(depth=2, heads=2, momentum=Momentum(gamma=1.3, streams="qkv"))
    net = Transformer(model, 7, 10, slice(None)).double()
    tokens = torch.randint(0, 7, (4, 10))
    changed = tokens.clone()
    changed[:, 6:] = (changed[:, 6:] + 1) % 7
    taps = filter_taps(model)
    a, b = net(tokens, taps), net(changed, taps)
    assert torch.equal(a[:, :6], b[:, :6])
    assert not torch.allclose(a[:, 6], b[:, 6])


@pytest.mark.parametrize("gamma", [-1.0, 0.0, 0.5, 4.17])
def test_impulse_response_is_one_plus_gamma_times_one_minus_the_delay(gamma):
    T, at = 64, 20  # away from the start, where p_0 = 0 repeats the first value
    taps = filter_taps(Model(momentum=Momentum(gamma=gamma)))[0, 0]
    z = torch.zeros(1, 1, T, 1, dtype=DOUBLE)
    z[0, 0, at] = 1
    response = torch.fft.fft(causal_filter(z, taps).flatten()) / torch.fft.fft(z.flatten())
    for k in range(T):
        omega = 2 * math.pi * k / T
        expected = 1 + gamma * (1 - cmath.exp(-1j * omega))
        assert abs(response[k].item() - expected) < 1e-12
        power = 1 + 4 * gamma * (1 + gamma) * math.sin(omega / 2) ** 2
        assert abs(response[k].item()) ** 2 == pytest.approx(power, abs=1e-12)


def test_the_shear_keeps_phase_space_volume():
    """(q, p) → (q + γp, p) has determinant 1, read off the operator itself."""
    gamma, d = 2.7, 3
    taps = filter_taps(Model(momentum=Momentum(gamma=gamma)))[0, 0]

    def shear(state):
        q, p = state[:d], state[d:]
        two_steps = torch.stack((q - p, q)).view(1, 1, 2, d)  # so that p_1 = q_1 - q_0 is p
        return torch.cat((causal_filter(two_steps, taps)[0, 0, 1], p))

    jacobian = torch.autograd.functional.jacobian(shear, torch.randn(2 * d, dtype=DOUBLE))
    assert torch.linalg.det(jacobian).item() == pytest.approx(1, abs=1e-12)
    assert jacobian[0, d].item() == pytest.approx(gamma)


def test_norm_matching_keeps_the_norm_of_uncorrelated_neighbours():
    taps = filter_taps(Model(momentum=Momentum(gamma=4.17, norm="matched")))[0, 0]
    z = torch.randn(64, 1, 512, 8, dtype=DOUBLE)
    ratio = causal_filter(z, taps)[:, :, 1:].square().mean() / z.square().mean()
    assert ratio.item() == pytest.approx(1, rel=0.02)
    assert gain(taps).item() == pytest.approx(1)
