"""Initial parameters from seed_init alone: neither pack, device nor order of modules matters."""

from __future__ import annotations

import zlib

from torch import Tensor, nn

from orchestrator import prng
from orchestrator.config import Model
from orchestrator.models.parametrisation import scale_of
from orchestrator.models.taps import given_taps


def initial_parameters(module: nn.Module, model: Model, seed: int) -> dict[str, Tensor]:
    """One run's parameters {name: tensor}, float64 on the CPU.

    Matrices are normal with standard deviation `init_scale` / √fan_in, those that write to the
    residual stream divided by √(2 depth) (Radford et al. 2019); the embedding has 1 / √width;
    norms are 1; a learned filter starts at the configured value. Other parametrisations than the
    standard one scale these (models.parametrisation).
    """
    out: dict[str, Tensor] = {}
    for name, p in module.named_parameters():
        if name == "momentum":
            out[name] = _learned_start(model, p)
        elif p.ndim == 1:
            out[name] = p.new_ones(p.shape, device="cpu").double()
        else:
            scale = model.init_scale * p.shape[-1] ** -0.5 * scale_of(name, model).start
            if name.endswith(("output.weight", "down.weight")):
                scale *= (2 * model.depth) ** -0.5
            out[name] = scale * prng.normals((seed, zlib.crc32(name.encode())), tuple(p.shape))
    return out


def _learned_start(model: Model, p: Tensor) -> Tensor:
    """The configured γ (first tap less 1) or taps, cut to as many values as are learned."""
    taps = given_taps(model.momentum, model.depth, model.heads)[: p.shape[0], : p.shape[1]]
    return taps[..., 0] - 1 if model.momentum.learn == "gamma" else taps
