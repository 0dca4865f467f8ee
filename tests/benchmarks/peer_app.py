"""The peer: one momentum-attention run as a careful user writes it with stock Hydra and Lightning.

    python -m tests.benchmarks.peer_app gamma=0.5
    python -m tests.benchmarks.peer_app --multirun gamma=0,0.5 'seed=range(0,4)'

Same model, data, optimiser and steps as ours, written plainly. Careful: batches are made at once and
without worker processes, nothing is logged, drawn, saved or summarised, AdamW is the fused one, and
attention is written out, which at these lengths is the faster one on a CPU. Every run writes
`result.json` into Hydra's folder for it.
"""

from __future__ import annotations

import json
import math
import time
from pathlib import Path

import hydra
import lightning as L
import torch
import torch.nn.functional as F
from omegaconf import DictConfig
from torch import Tensor, nn
from torch.utils.data import DataLoader, IterableDataset

IMPORTED = time.time()


class Recall(IterableDataset):
    """Batches of associative recall: key-value pairs, then every key again in another order."""

    def __init__(self, cfg: DictConfig, seed: int, batches: int, size: int) -> None:
        self.cfg, self.seed, self.batches, self.size = cfg, seed, batches, size

    def __iter__(self):
        g = torch.Generator().manual_seed(self.seed)
        n, pairs, size = self.cfg.vocab_half, self.cfg.pairs, self.size
        for _ in range(self.batches):
            keys = torch.rand(size, n, generator=g).topk(pairs).indices
            values = torch.randint(n, 2 * n, (size, pairs), generator=g)
            asked = torch.rand(size, pairs, generator=g).argsort()
            answers = values.gather(1, asked)
            shown = torch.stack((keys, values), -1).flatten(1)
            asks = torch.stack((keys.gather(1, asked), answers), -1).flatten(1)
            yield torch.cat((shown, asks[:, :-1]), 1), answers


class Attention(nn.Module):
    def __init__(self, cfg: DictConfig) -> None:
        super().__init__()
        E, T = cfg.width, 4 * cfg.pairs - 1
        self.query, self.key, self.value, self.output = (
            nn.Linear(E, E, bias=False) for _ in range(4)
        )
        angles = torch.arange(T)[:, None] * 1e4 ** (-torch.arange(0, E, 2) / E)
        self.register_buffer("cos", angles.cos().repeat(1, 2))
        self.register_buffer("sin", angles.sin().repeat(1, 2))
        self.register_buffer("future", torch.full((T, T), float("-inf")).triu(1))
        gain = math.hypot(1 + cfg.gamma, cfg.gamma) if cfg.arm == "norm_matched" else 1.0
        self.gamma, self.gain = cfg.gamma, gain

    def position(self, z: Tensor) -> Tensor:
        """Rotary embedding, then z_t + γ (z_t - z_{t-1}) with nothing to subtract from at t = 0."""
        a, b = z.chunk(2, -1)
        z = z * self.cos + torch.cat((-b, a), -1) * self.sin
        momentum = F.pad(z[:, 1:] - z[:, :-1], (0, 0, 1, 0))
        return (z + self.gamma * momentum) / self.gain

    def forward(self, x: Tensor) -> Tensor:
        q, k, v = self.position(self.query(x)), self.position(self.key(x)), self.value(x)
        scores = q @ k.transpose(1, 2) * x.shape[-1] ** -0.5 + self.future
        return self.output(scores.softmax(-1) @ v)


class Block(nn.Module):
    def __init__(self, cfg: DictConfig) -> None:
        super().__init__()
        E, hidden = cfg.width, cfg.mlp_ratio * cfg.width
        self.norm, self.attention = nn.RMSNorm(E, eps=1e-6), Attention(cfg)
        self.mlp = None
        if hidden:
            up, down = nn.Linear(E, hidden, bias=False), nn.Linear(hidden, E, bias=False)
            self.mlp = nn.Sequential(nn.RMSNorm(E, eps=1e-6), up, nn.GELU(), down)

    def forward(self, x: Tensor) -> Tensor:
        x = x + self.attention(self.norm(x))
        return x if self.mlp is None else x + self.mlp(x)


class Model(L.LightningModule):
    def __init__(self, cfg: DictConfig) -> None:
        super().__init__()
        self.cfg = cfg
        E, V = cfg.width, 2 * cfg.vocab_half
        self.embedding = nn.Embedding(V, E)
        self.blocks = nn.ModuleList(Block(cfg) for _ in range(cfg.depth))
        self.norm, self.head = nn.RMSNorm(E, eps=1e-6), nn.Linear(E, V, bias=False)
        for name, p in self.named_parameters():
            if p.ndim == 2:
                writes = name.endswith(("output.weight", "mlp.3.weight"))
                scale = (2 * cfg.depth) ** -0.5 if writes else 1.0
                nn.init.normal_(p, std=scale * p.shape[-1] ** -0.5)

    def forward(self, tokens: Tensor) -> Tensor:
        x = self.embedding(tokens)
        for block in self.blocks:
            x = block(x)
        return self.head(self.norm(x[:, 2 * self.cfg.pairs :: 2]))

    def training_step(self, batch: tuple[Tensor, Tensor], _: int) -> Tensor:
        tokens, targets = batch
        return F.cross_entropy(self(tokens).flatten(0, 1), targets.flatten())

    def configure_optimizers(self):
        c = self.cfg
        optimizer = torch.optim.AdamW(
            self.parameters(), lr=c.lr, weight_decay=c.weight_decay, fused=True
        )

        def factor(done: int) -> float:
            n = done + 1
            if n <= c.warmup:
                return n / c.warmup
            turn = math.pi * (n - c.warmup) / (c.steps - c.warmup)
            return c.final + (1 - c.final) * (1 + math.cos(turn)) / 2

        schedule = torch.optim.lr_scheduler.LambdaLR(optimizer, factor)
        return [optimizer], [{"scheduler": schedule, "interval": "step"}]


@hydra.main(config_path=".", config_name="peer", version_base="1.3")
def main(cfg: DictConfig) -> float:
    begun = time.time()
    if cfg.threads:
        torch.set_num_threads(cfg.threads)
    L.seed_everything(cfg.seed, verbose=False)
    model = Model(cfg)
    trainer = L.Trainer(
        max_steps=cfg.steps, accelerator=cfg.accelerator, gradient_clip_val=cfg.clip, barebones=True
    )
    trainer.fit(model, DataLoader(Recall(cfg, cfg.seed, cfg.steps, cfg.batch), batch_size=None))
    model.eval()
    ((tokens, targets),) = Recall(cfg, 2**31, 1, cfg.eval_sequences)
    with torch.no_grad():
        logits = model(tokens.to(model.device)).cpu()
    loss = F.cross_entropy(logits.flatten(0, 1), targets.flatten()).item()
    accuracy = (logits.argmax(-1) == targets).float().mean().item()
    folder = Path(hydra.core.hydra_config.HydraConfig.get().runtime.output_dir)
    about = {"arm": cfg.arm, "gamma": cfg.gamma, "seed": cfg.seed, "val_loss": loss}
    times = {"imported": IMPORTED, "begun": begun, "ended": time.time()}
    (folder / "result.json").write_text(json.dumps({**about, "accuracy": accuracy, **times}))
    return loss


if __name__ == "__main__":
    main()
