"""No tensor of the step or the evaluation lies on the host, in any family of shapes."""

import pytest
import torch

from orchestrator.bench.paper.host import HostTensor, require_on_device
from tests.gpu.families import FAMILIES, small_functions


@pytest.mark.parametrize("family", FAMILIES)
def test_all_tensors_lie_on_the_device(family: str):
    for function, args in small_functions(family, "meta").values():
        require_on_device(function, args)


@pytest.mark.parametrize(
    "plant",
    [
        lambda x: x + torch.ones(1),
        lambda x: x + torch.tensor([1.0]).to(x.device),
        lambda x: x * x.shape[0] if x.sum() > 0 else x,
        lambda x: x / x.norm().item(),
        lambda x: x[torch.arange(2)],
    ],
)
def test_a_planted_host_tensor_or_wait_is_found(plant):
    step, args = small_functions("raw", "meta")["step"]

    def faulty(params, *rest):
        return step(plant(params), *rest)

    with pytest.raises(HostTensor):
        require_on_device(faulty, args)
