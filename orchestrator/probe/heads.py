"""Induction scores of heads, after Olsson et al. 2022 (arXiv 2209.11895) and Elhage et al. 2021.

- prefix_matching: attention from a scored position to the tokens that followed the earlier
  occurrences of its token, mean over the scored positions that have one. In recall this is the
  attention from a queried key to its value. `uniform`: what even attention would give.
- previous_token: attention to the position before, mean over positions.
- copying: Σ Re λ / Σ |λ| over the eigenvalues λ of the head's OV circuit through embedding and
  unembedding (norms at their weights), among the tokens that can be an answer; 1 where attending
  to a token raises the logit of that very token and no other, 0 for a random matrix.
- copying_top: the share of those tokens whose own logit the head raises most.
"""

from __future__ import annotations

import pandas as pd
import torch
from torch import Tensor

from orchestrator.models.trace import Layer
from orchestrator.models.transformer import Transformer
from orchestrator.probe.trained import Trained


def head_rows(model: Trained, tokens_BT: Tensor, layers: list[Layer]) -> pd.DataFrame:
    """A row a layer and head."""
    length = tokens_BT.shape[1]
    scored = torch.arange(length)[model.run.task.scored]
    follows_BQT = _follows(tokens_BT)[:, scored]
    answers = torch.cat([targets.flatten() for _, targets in model.batches]).unique()
    even_TT = torch.ones(length, length, dtype=torch.float64).tril()
    even_TT = even_TT / even_TT.sum(-1, keepdim=True)
    uniform = _attention_to(even_TT[scored].expand(len(tokens_BT), -1, -1), follows_BQT)
    rows = []
    for number, layer in enumerate(layers):
        for head in range(layer.pattern_BHTT.shape[1]):
            pattern_BTT = layer.pattern_BHTT[:, head]
            copied = copying(ov_circuit(model.module, number, head, answers))
            rows.append({
                "layer": number, "head": head,
                "prefix_matching": _attention_to(pattern_BTT[:, scored], follows_BQT),
                "uniform": uniform,
                "previous_token": pattern_BTT.diagonal(-1, 1, 2).mean().item(),
                "copying": copied[0], "copying_top": copied[1],
            })  # fmt: skip
    return pd.DataFrame(rows)


def _follows(tokens_BT: Tensor) -> Tensor:
    """(B, T, T): whether position s stands behind an earlier occurrence of the token at t."""
    same_BTT = tokens_BT[:, :, None] == tokens_BT[:, None, :]
    earlier_BTT = same_BTT & torch.ones_like(same_BTT[0]).tril(-1)
    return torch.nn.functional.pad(earlier_BTT[:, :, :-1], (1, 0))


def _attention_to(pattern_BQT: Tensor, marked_BQT: Tensor) -> float:
    """Attention to marked positions, mean over rows with a mark; NaN where none has."""
    some_BQ = marked_BQT.any(-1)
    return (pattern_BQT * marked_BQT).sum(-1)[some_BQ].mean().item()


def ov_circuit(module: Transformer, layer: int, head: int, tokens_A: Tensor) -> Tensor:
    """(A, A): what attending to token a alone adds to the logit of token b, up to the last
    norm's scale, for a head that reads the embedding."""
    block = module.blocks[layer]
    attention = block.attention
    part = slice(head * attention.head_dim, (head + 1) * attention.head_dim)
    read_AE = block.norm(module.embedding.weight[tokens_A])
    value_AD = read_AE @ attention.value.weight[part].T
    written_AE = value_AD @ attention.output.weight[:, part].T
    unembedding = module.head.weight if hasattr(module, "head") else module.embedding.weight
    return (written_AE * module.norm.weight) @ unembedding[tokens_A].T


def copying(circuit_AA: Tensor) -> tuple[float, float]:
    """Σ Re λ / Σ |λ|, and the share of rows whose diagonal element is the largest."""
    eigenvalues = torch.linalg.eigvals(circuit_AA)
    score = eigenvalues.real.sum() / eigenvalues.abs().sum()
    top = (circuit_AA.argmax(-1) == torch.arange(len(circuit_AA))).double().mean()
    return score.item(), top.item()
