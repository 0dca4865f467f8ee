"""A function of tensors as the program Inductor writes for a GPU, on a machine without one.

Traced on the CPU (a backward pass can't be traced on fake CUDA tensors), then moved: the whole
graph, so that a tensor which the function itself puts on the host is found by paper.host alone.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

from orchestrator.models import attention

GPU = torch.device("cuda", 0)


@dataclass(frozen=True)
class Kernel:
    """One launch: `bytes` it reads and writes (each buffer once), `flops` of a matrix product."""

    name: str
    product: bool
    bytes: int
    flops: int
    plain: bool = True
    """Whether its products are float32's, and so not the tensor cores'."""


@dataclass(frozen=True)
class Lowered:
    """The generated program, the constants its last inputs are, and its launches in order."""

    program: str
    constants: list[Tensor]
    kernels: list[Kernel]
    largest: int
    """Numbers in the largest tensor that is made on the way."""


@torch.no_grad()
def lower(function: Callable[..., Any], args: tuple[Tensor, ...]) -> Lowered:
    """The program of `function` for the device that paper.device.pretend named.

    `args` lie on the CPU; they may be fake, for their values do not matter.
    """
    from torch._decomp import decomposition_table
    from torch._inductor.decomposition import select_decomp_table
    from torch._subclasses.fake_tensor import FakeTensor, FakeTensorMode
    from torch.fx.experimental.proxy_tensor import make_fx
    from torch.fx.passes.fake_tensor_prop import FakeTensorProp

    table = dict(select_decomp_table())
    for op in ("_unsafe_masked_index_put_accumulate", "_unsafe_masked_index"):
        overload = getattr(torch.ops.aten, op).default
        table[overload] = decomposition_table[overload]
    mode = next((a.fake_mode for a in args if isinstance(a, FakeTensor)), None)
    mode = mode or FakeTensorMode(allow_non_fake_inputs=True)
    with mode, as_on_a_gpu():
        inputs = [mode.from_tensor(a) for a in args]
        graph = make_fx(lambda *given: function(*given), decomposition_table=table)(*inputs)
    _move(graph)
    constants = _lift(graph)
    with mode:
        fakes = [
            torch.empty_strided(a.shape, a.stride(), dtype=a.dtype, device=GPU)
            for a in (*args, *constants)
        ]
    FakeTensorProp(graph, mode).propagate_dont_convert_inputs(*fakes)
    return _generate(graph, fakes, mode, constants)


@contextmanager
def as_on_a_gpu() -> Iterator[None]:
    """The model's choices by device fall as on a GPU, though its tensors lie on the CPU."""
    attention.GPUS.add("cpu")
    try:
        yield
    finally:
        attention.GPUS.discard("cpu")


def _move(graph: torch.fx.GraphModule) -> None:
    """New tensors are made on the device; a device that was asked for is it too."""
    aten = torch.ops.aten
    makers = (
        aten.full.default, aten.arange.default, aten.arange.start_step, aten.zeros.default,
        aten.empty.memory_format, aten.scalar_tensor.default,
    )  # fmt: skip
    for node in graph.graph.nodes:
        if node.kwargs.get("device") is not None or node.target in makers:
            node.kwargs = {**node.kwargs, "device": GPU}
    graph.recompile()


def _lift(graph: torch.fx.GraphModule) -> list[Tensor]:
    """Constants of the trace (buffers) become the last inputs, each once."""
    inputs, constants = {}, []
    for node in list(graph.graph.nodes):
        if node.op != "get_attr":
            continue
        value = getattr(graph, node.target)
        key = id(value)
        if key not in inputs:
            last = [n for n in graph.graph.nodes if n.op == "placeholder"][-1]
            with graph.graph.inserting_after(last):
                inputs[key] = graph.graph.placeholder(f"constant_{len(constants)}")
            constants.append(value.detach().clone())
        node.replace_all_uses_with(inputs[key])
        graph.graph.erase_node(node)
    graph.recompile()
    return constants


class _Generated(Exception):
    """The program is written; Inductor need not load it, which takes a GPU."""


def _generate(
    graph: torch.fx.GraphModule, fakes: list[Tensor], mode: Any, constants: list[Tensor]
) -> Lowered:
    from torch._inductor import compile_fx, config
    from torch._inductor.graph import GraphLowering

    found: dict[str, Any] = {}

    def stop(self: GraphLowering) -> None:
        code, _ = self.codegen()
        found["program"] = getattr(code, "value", code)
        found["kernels"] = [_counted(node) for node in self.scheduler.nodes]
        found["largest"] = max(_numbers(b) for b in self.buffers)
        raise _Generated

    context = torch._guards.tracing(torch._guards.TracingContext(mode))
    patches = config.patch(compile_threads=1, fx_graph_cache=False)
    original, GraphLowering.compile_to_module = GraphLowering.compile_to_module, stop
    try:
        with context, patches:
            compile_fx.compile_fx_inner(graph, fakes)
    except Exception:
        if "kernels" not in found:
            raise
    finally:
        GraphLowering.compile_to_module = original
    kernels = [k for k in found["kernels"] if k is not None]
    return Lowered(found["program"], constants, kernels, found["largest"])


def _generated_bytes(node: Any) -> int:
    """Of each buffer what the loops reach, at most all of it; none of what stays in the kernel.

    Inductor's own count takes the whole buffer where a kernel takes a slice: of all parameters, say.
    """
    graph, inside = node.scheduler.name_to_buf, {n.get_name() for n in node.get_nodes()}
    reached: dict[str, set[Any]] = {}
    for dep in (*node.read_writes.reads, *node.read_writes.writes):
        users = graph[dep.name].users if dep.name in graph else None
        written = dep in node.read_writes.writes
        if written and users is not None and all(u.get_name() in inside for u in users):
            continue
        reached.setdefault(dep.name, set()).add(dep)
    return sum(_reached_bytes(name, deps) for name, deps in reached.items())


def _reached_bytes(name: str, deps: set[Any]) -> int:
    from torch._inductor.virtualized import V

    buffer = V.graph.name_to_buffer.get(name) or V.graph.graph_inputs.get(name)
    if buffer is None:
        return 0
    whole = _numbers(buffer)
    each = [whole if type(d).__name__ != "MemoryDep" else int(d.get_numel()) for d in deps]
    return _bytes(buffer, min(whole, sum(each)))


def _bytes(buffer: Any, numbers: int) -> int:
    return numbers and numbers * buffer.get_dtype().itemsize


def _numbers(buffer: Any) -> int:
    sizes = buffer.get_size() if buffer.maybe_get_size() is not None else [0]
    return math.prod(int(s) for s in sizes)


def _counted(node: Any) -> Kernel | None:
    """What one node of Inductor's schedule launches; None: nothing."""
    if type(node).__name__ == "NopKernelSchedulerNode":
        return None
    if type(node.node).__name__ == "MultiOutput":  # one of those of a kernel that is counted
        return None
    if not node.is_extern():
        return Kernel(node.get_name(), False, _generated_bytes(node), 0)
    buffer = node.node
    made = getattr(buffer, "outputs", None) or [buffer]
    moved = sum(_bytes(b, _numbers(b)) for b in (*buffer.inputs, *made) if hasattr(b, "get_size"))
    name = getattr(buffer, "python_kernel_name", None) or type(buffer).__name__
    first = buffer.inputs[0]
    plain = first.get_dtype() == torch.float32
    if "attention" in name:
        backward = "backward" in name
        query = buffer.inputs[1 if backward else 0].get_size()
        batch, heads, length, head_dim = (int(s) for s in query)
        # Half the scores are masked; the backward pass makes them anew.
        count = (5 if backward else 2) * batch * heads * length * (length + 1) * head_dim
        return Kernel(name, True, moved, count, plain)
    if not name.endswith(("mm", "addmm", "baddbmm")):
        return Kernel(name, True, moved, int(node.estimate_flops() or 0), plain)
    inner = buffer.inputs[-2].get_size()[-1]
    count = 2 * int(inner)
    for size in buffer.get_size():
        count *= int(size)
    return Kernel(name, True, moved, count, plain)
