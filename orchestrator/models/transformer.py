"""A decoder-only transformer with momentum attention: a plain module for one run.

Momentum that is not learned comes in as a tensor of taps, so that one module serves all arms and
γ of a shape; learned γ or taps are parameters. What changes here changes in native/transformer.h.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from orchestrator.config import Model
from orchestrator.models.attention import attend, on_gpu
from orchestrator.models.momentum import causal_filter
from orchestrator.models.rope import rope_table, rotate
from orchestrator.models.taps import filtered_layers, shear_taps
from orchestrator.models.trace import Layer
from orchestrator.parts.own import locate

EPS = 1e-6
"""Of every norm."""


class _Stream(NamedTuple):
    """Queries, keys or values (B, H, T, D): into the filter, out of it, and into attention."""

    before: Tensor
    after: Tensor
    out: Tensor


class Attention(nn.Module):
    """Multi-head attention whose queries, keys (and values) pass a causal filter."""

    def __init__(self, model: Model, length: int) -> None:
        super().__init__()
        m = model.momentum
        inner = model.heads * model.size_of_head
        self.heads, self.head_dim = model.heads, model.size_of_head
        self.query = nn.Linear(model.width, inner, bias=False)
        self.key = nn.Linear(model.width, inner, bias=False)
        self.value = nn.Linear(model.width, inner, bias=False)
        self.output = nn.Linear(inner, model.width, bias=False)
        self.filter_first = m.placement == "pre_rope"
        self.filters_values = m.filters_values
        self.filter = locate(m.operator, "model.momentum.operator") if m.operator else causal_filter
        self.attend = locate(model.attention, "model.attention") if model.attention else attend
        self.rope = model.rope_base is not None
        if model.rope_base is not None:
            cos, sin = rope_table(length, self.head_dim, model.rope_base)
            self.register_buffer("cos", cos, persistent=False)
            self.register_buffer("sin", sin, persistent=False)

    def _heads(self, x_BTE: Tensor) -> Tensor:
        B, T, _ = x_BTE.shape
        return x_BTE.view(B, T, self.heads, self.head_dim).transpose(1, 2)

    def _projections(self, x_BTE: Tensor) -> Iterator[Tensor]:
        """Queries, keys and values (B, H, T, D); a GPU reads x once for all of them."""
        layers = (self.query, self.key, self.value)
        if on_gpu(x_BTE):
            weight = torch.cat([layer.weight for layer in layers])
            yield from map(self._heads, F.linear(x_BTE, weight).chunk(3, -1))
        else:
            yield from (self._heads(layer(x_BTE)) for layer in layers)

    def _rotate(self, z_BHTD: Tensor) -> Tensor:
        if not self.rope:
            return z_BHTD
        T = z_BHTD.shape[2]
        return rotate(z_BHTD, self.cos[:T].to(z_BHTD.dtype), self.sin[:T].to(z_BHTD.dtype))

    def _position(self, z_BHTD: Tensor, taps_HK: Tensor) -> _Stream:
        """Rotary embedding and filter, in the order the config says."""
        if self.filter_first:
            after = self.filter(z_BHTD, taps_HK)
            return _Stream(z_BHTD, after, self._rotate(after))
        before = self._rotate(z_BHTD)
        after = self.filter(before, taps_HK)
        return _Stream(before, after, after)

    def forward(self, x_BTE: Tensor, taps_SHK: Tensor, trace: list[Layer] | None = None) -> Tensor:
        taps_SHK = taps_SHK.to(x_BTE.dtype)
        projections = self._projections(x_BTE)
        q = self._position(next(projections), taps_SHK[0])
        k = self._position(next(projections), taps_SHK[1])
        v_BHTD = next(projections)
        streams = [q, k]
        if self.filters_values:
            after = self.filter(v_BHTD, taps_SHK[2])
            streams.append(_Stream(v_BHTD, after, after))
            v_BHTD = after
        if trace is not None:
            trace.append(self._seen(streams))
        o_BHTD = self.attend(q.out, k.out, v_BHTD)
        return self.output(o_BHTD.transpose(1, 2).flatten(2))

    def _seen(self, streams: list[_Stream]) -> Layer:
        q_BHTD, k_BHTD = streams[0].out, streams[1].out
        # Attention of any kind to values that are unit vectors is its pattern.
        unit_TT = torch.eye(q_BHTD.shape[2], dtype=q_BHTD.dtype, device=q_BHTD.device)
        unit_BHTT = unit_TT.expand(*q_BHTD.shape[:2], -1, -1)
        pattern_BHTT = self.attend(q_BHTD, k_BHTD, unit_BHTT)
        return Layer([s.before for s in streams], [s.after for s in streams], pattern_BHTT)


class Block(nn.Module):
    """Pre-norm residual block: attention and, where `mlp_ratio` > 0, an MLP."""

    def __init__(self, model: Model, length: int) -> None:
        super().__init__()
        self.norm = nn.RMSNorm(model.width, eps=EPS)
        self.attention = Attention(model, length)
        if model.hidden:
            self.mlp_norm = nn.RMSNorm(model.width, eps=EPS)
            self.up = nn.Linear(model.width, model.hidden, bias=False)
            self.down = nn.Linear(model.hidden, model.width, bias=False)

    def forward(self, x_BTE: Tensor, taps_SHK: Tensor, trace: list[Layer] | None = None) -> Tensor:
        x_BTE = x_BTE + self.attention(self.norm(x_BTE), taps_SHK, trace)
        if hasattr(self, "up"):
            x_BTE = x_BTE + self.down(F.gelu(self.up(self.mlp_norm(x_BTE))))
        return x_BTE


class Transformer(nn.Module):
    """Tokens (B, T) and taps (L, S, H, K) to logits (B, scored, V).

    Each layer adds what its attention saw to the list `trace`, where one is given.
    """

    def __init__(self, model: Model, vocab: int, length: int, scored: slice) -> None:
        super().__init__()
        m = model.momentum
        self.scored = scored
        self.embedding = nn.Embedding(vocab, model.width)
        self.blocks = nn.ModuleList(Block(model, length) for _ in range(model.depth))
        self.norm = nn.RMSNorm(model.width, eps=EPS)
        if not model.tied_head:
            self.head = nn.Linear(model.width, vocab, bias=False)
        self.learn = m.learn
        if m.learn != "none":
            layers = 1 if m.learn_per == "model" else model.depth
            heads = model.heads if m.learn_per == "head" else 1
            shape = (layers, heads) if m.learn == "gamma" else (layers, heads, m.kernel_size)
            self.momentum = nn.Parameter(torch.zeros(shape))
            mask = torch.zeros(model.depth, 3 if m.filters_values else 2, 1, 1)
            for layer in filtered_layers(m, model.depth):
                for stream, letter in enumerate("qkv"[: mask.shape[1]]):
                    mask[layer, stream] = float(letter in m.streams)
            self.register_buffer("filtered", mask, persistent=False)

    def taps(self, taps_LSHK: Tensor) -> Tensor:
        """The taps in force: those given, or those learned where the filter is trained."""
        if self.learn == "none":
            return taps_LSHK
        learned = self.momentum
        if self.learn == "gamma":
            learned = shear_taps(learned, taps_LSHK.shape[-1])
        identity = torch.zeros_like(taps_LSHK)
        identity[..., 0] = 1
        return torch.where(self.filtered > 0, learned[:, None], identity)

    def forward(
        self, tokens_BT: Tensor, taps_LSHK: Tensor, trace: list[Layer] | None = None
    ) -> Tensor:
        taps_LSHK = self.taps(taps_LSHK)
        x_BTE = self.embedding(tokens_BT)
        for layer, block in enumerate(self.blocks):
            x_BTE = block(x_BTE, taps_LSHK[layer], trace)
        x_BQE = self.norm(x_BTE[:, self.scored])
        weight = self.head.weight if hasattr(self, "head") else self.embedding.weight
        return F.linear(x_BQE, weight)
