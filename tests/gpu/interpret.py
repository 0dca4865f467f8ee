"""A generated program, run kernel by kernel in Triton's interpreter on the CPU.

The process must have TRITON_INTERPRET=1 set before Triton is imported.
"""

from __future__ import annotations

import builtins
import importlib.util
import re
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import torch
from torch import Tensor


def interpret(
    program: str, args: list[Tensor], folder: Path, stride_fault: bool = False
) -> tuple[list[Tensor], int]:
    """Outputs, and how many Triton kernels were launched. `stride_fault` plants one."""
    launches = [0]
    _round_to_nearest()
    builtins._interpreted = SimpleNamespace(
        libdevice=_mathematics(), heuristics=_heuristics(launches)
    )
    names = {"_kernel": lambda name, source, **words: _load(name, source, folder)}
    text = _on_the_host(program)
    if stride_fault:
        text = plant_stride(text)
    exec(compile(text, "generated", "exec"), names)  # noqa: S102 (what Inductor wrote)
    call = names["call"] if "call" in names else names["runner"].call
    return call([a.clone() for a in args]), launches[0]


def plant_stride(text: str) -> str:
    """The first product reads its operand along the wrong stride."""
    pattern = r"(extern_kernels\.bmm\(reinterpret_tensor\(\w+, \([^)]*\), \()(\d+), (\d+), (\d+)\)"
    found = re.search(pattern, text)
    assert found, "no product to plant a fault in"
    head, a, b, c = found.groups()
    return text[: found.start()] + f"{head}{a}, {c}, {b})" + text[found.end() :]


def _on_the_host(program: str) -> str:
    for pattern, other in (
        (r"from torch\._C import _cuda_getCurrentRawStream as get_raw_stream", ""),
        (r"torch\._C\._dynamo\.guards\._empty_strided_cuda",
         "torch._C._dynamo.guards._empty_strided_cpu"),
        (r"with torch\.cuda\._DeviceGuard\(0\):", "if True:"),
        (r"torch\.cuda\.set_device\(0\)", "pass"),
        (r"raw_stream0 = get_raw_stream\(0\)", "raw_stream0 = None"),
        (r"async_compile\.triton\(", "_kernel("),
        (r"async_compile\.wait\(globals\(\)\)", "pass"),
    ):  # fmt: skip
        program = re.sub(pattern, other, program)
    return program


def _load(name: str, source: str, folder: Path):
    for pattern, other in (
        (r"triton_helpers\.set_driver_to_gpu\(\)", "pass"),
        (r"from torch\._inductor\.runtime import triton_helpers, triton_heuristics",
         "import builtins; from torch._inductor.runtime import triton_helpers; triton_heuristics = builtins._interpreted.heuristics"),
        (r"from torch\._inductor\.runtime\.triton_helpers import libdevice, math as tl_math",
         "libdevice = tl_math = builtins._interpreted.libdevice"),
    ):  # fmt: skip
        source = re.sub(pattern, other, source)
    path = folder / f"{name}_interpreted.py"
    path.write_text(source)
    spec = importlib.util.spec_from_file_location(path.stem, path)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return getattr(module, name)


def _round_to_nearest() -> None:
    """float32 becomes bfloat16 as on a GPU, where the interpreter cuts bits off."""
    from triton.language import bfloat16, float32
    from triton.runtime import interpreter

    convert = interpreter._convert_float
    if convert.__name__ == "rounded":
        return

    def rounded(array, given, wanted, mode):
        if (given, wanted) != (float32, bfloat16):
            return convert(array, given, wanted, mode)
        values = torch.from_numpy(np.ascontiguousarray(array).view(np.float32))
        return values.bfloat16().view(torch.int16).numpy().view(np.uint16)

    interpreter._convert_float = rounded


def _mathematics() -> SimpleNamespace:
    """CUDA's library of functions, by those that the interpreter knows."""
    import triton.language as tl

    def named(name: str):  # looked up at the call: the interpreter puts its own in their place
        return lambda x: getattr(tl, name)(x)

    ours = {n: named(n) for n in ("exp", "sqrt", "log", "cos", "sin", "erf", "abs")}
    return SimpleNamespace(
        **ours, rsqrt=lambda x: 1.0 / tl.sqrt(x), pow=lambda x, y: tl.exp2(y * tl.log2(x))
    )


def _heuristics(launches: list[int]) -> SimpleNamespace:
    def decorate(**words):
        return lambda function: _Launched(function, launches)

    return SimpleNamespace(pointwise=decorate, reduction=decorate, persistent_reduction=decorate)


class _Launched:
    """A kernel with block sizes that cover small tensors; what a tuner would choose elsewhere."""

    def __init__(self, function, launches: list[int]) -> None:
        self.function, self.launches = function, launches

    def run(self, *args, stream=None) -> None:
        self.launches[0] += 1
        names = self.function.arg_names
        sizes = dict(zip(names, args, strict=False))
        x, y, r = sizes.get("xnumel", 1), sizes.get("ynumel"), sizes.get("r0_numel")
        blocks = {"XBLOCK": _power(x, 32 if y else 64 if r else 1024)}
        if y is not None:
            blocks["YBLOCK"] = _power(y, 32)
        if r is not None:
            blocks["R0_BLOCK"] = _power(r, 1024)
        grid = (-(-x // blocks["XBLOCK"]), -(-(y or 1) // blocks.get("YBLOCK", 1)), 1)
        self.function[grid](*args, **{n: b for n, b in blocks.items() if n in names})


def _power(n: int, most: int) -> int:
    return min(most, 1 << max(0, (n - 1).bit_length()))
