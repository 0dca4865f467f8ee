"""The transformer: learned filters, initialisation from its seed alone, counts by formula."""

from __future__ import annotations

import pytest
import torch
from torch.utils.flop_counter import FlopCounterMode

from orchestrator.config import Model, Momentum, RunConfig
from orchestrator.cost import forward_flops, parameters
from orchestrator.models.initial import initial_parameters
from orchestrator.models.taps import filter_taps
from orchestrator.models.transformer import Transformer
from orchestrator.tasks.induction import Induction
from orchestrator.tasks.recall import Recall

MODELS = [
    Model(),
    Model(depth=2, width=24, heads=3, mlp_ratio=4, tied_head=True),
    Model(width=10, heads=2, head_dim=6, rope_base=None),
    Model(depth=2, heads=2, momentum=Momentum(learn="gamma")),
    Model(depth=2, heads=2, momentum=Momentum(learn="taps", kernel=4, learn_per="layer")),
]


def net_of(model: Model, task) -> Transformer:
    return Transformer(model, task.vocab, task.length, task.scored)


@pytest.mark.parametrize("model", MODELS)
@pytest.mark.parametrize("task", [Recall(), Induction()])
def test_counts_by_formula_are_those_of_the_module(model, task):
    net, run = net_of(model, task), RunConfig(task=task, model=model)
    assert sum(p.numel() for p in net.parameters()) == parameters(run)
    tokens = torch.zeros(3, task.length, dtype=torch.int64)
    with FlopCounterMode(display=False) as counter:
        net(tokens, filter_taps(model).float())
    assert counter.get_total_flops() == 3 * forward_flops(run)


def test_initial_weights_depend_on_the_seed_alone():
    model = Model(depth=2, width=32, mlp_ratio=2)
    a = initial_parameters(net_of(model, Recall()), model, 5)
    torch.manual_seed(123)
    b = initial_parameters(net_of(model, Recall()), model, 5)
    c = initial_parameters(net_of(model, Recall()), model, 6)
    assert all(torch.equal(a[n], b[n]) for n in a)
    assert not torch.equal(a["embedding.weight"], c["embedding.weight"])
    spread = a["blocks.0.attention.query.weight"].std().item()
    assert spread == pytest.approx(32**-0.5, rel=0.1)
    assert a["blocks.0.attention.output.weight"].std().item() == pytest.approx(spread / 2, rel=0.15)


@pytest.mark.parametrize("per", ["model", "layer", "head"])
@pytest.mark.parametrize("learn", ["gamma", "taps"])
def test_a_learned_filter_starts_where_it_is_told_and_is_trained(learn, per):
    task = Recall()
    start = Momentum(gamma=0.7, learn=learn, learn_per=per, streams="k", layers="last")
    fixed = Momentum(gamma=0.7, streams="k", layers="last")
    model, still = Model(depth=2, heads=2, momentum=start), Model(depth=2, heads=2, momentum=fixed)
    net = net_of(model, task).double()
    values = initial_parameters(net, model, 0)
    net.load_state_dict(values)
    tokens = torch.randint(0, task.vocab, (4, task.length))
    logits = net(tokens, filter_taps(model))
    plain = net_of(still, task).double()
    plain.load_state_dict({n: v for n, v in values.items() if n != "momentum"})
    torch.testing.assert_close(logits, plain(tokens, filter_taps(still)))
    logits.square().sum().backward()
    assert net.momentum.grad.abs().sum() > 0
