"""The Triton kernels of a generated program, compiled to machine code, and what each one takes."""

from __future__ import annotations

import importlib.util
import re
import subprocess
import tempfile
from dataclasses import dataclass
from pathlib import Path

REGISTERS, SHARED = 255, {80: 163 << 10, 90: 227 << 10, 100: 227 << 10}
"""What a thread, and a block on that architecture, may have."""


@dataclass(frozen=True)
class Used:
    """One kernel in one configuration on one architecture."""

    kernel: str
    target: str
    registers: int
    stack: int
    local: int
    shared: int

    def faults(self, capability: int) -> list[str]:
        """What is out of bounds: spills, registers, shared memory, a wrong architecture."""
        out = []
        if self.stack or self.local:
            out.append(f"{self.kernel} spills: stack {self.stack}, local {self.local} bytes")
        if self.registers > REGISTERS:
            out.append(f"{self.kernel} takes {self.registers} registers")
        if self.shared > SHARED[capability]:
            out.append(f"{self.kernel} takes {self.shared} bytes of shared memory")
        if not self.target.startswith(f"sm_{capability}"):
            out.append(f"{self.kernel} was compiled for {self.target}")
        return out


def kernels_of(program: str) -> list[tuple[str, str, str]]:
    """(variable, function, source) of each Triton kernel in the program."""
    pattern = r"(\w+) = async_compile\.triton\('(\w+)', '''(.*?)'''"
    return re.findall(pattern, program, re.DOTALL)


def compile_kernels(
    program: str, folder: Path, capability: int, registers: int | None = None
) -> list[Used]:
    """Compile each kernel, in the first of its configurations, for that architecture.

    The program says which one it was lowered for; nothing else in it depends on that. `registers`:
    the longest kernel alone, and no more than so many for a thread.
    """
    out = []
    kernels = kernels_of(program)
    if registers is not None:
        kernels = [max(kernels, key=lambda kernel: len(kernel[2]))]
    for variable, function, source in kernels:
        path = folder / f"{variable}_{capability}.py"
        path.write_text(retargeted(source, capability))
        spec = importlib.util.spec_from_file_location(path.stem, path)
        module = importlib.util.module_from_spec(spec)
        spec.loader.exec_module(module)
        tuner = getattr(module, function)
        out.append(used(variable, compiled(tuner, tuner.configs[0], registers)))
    return out


def retargeted(source: str, capability: int) -> str:
    """The source of a kernel with another architecture in its description of the device."""
    text, count = re.subn(
        r"\bcc=\d+, major=\d+", f"cc={capability}, major={capability // 10}", source
    )
    assert count == 1, "the kernel does not say which device it is for"
    return text


def compiled(tuner, configuration, registers: int | None = None):
    """One configuration of an Inductor kernel, as Triton compiled it.

    What Inductor does next is to load it on the device; that alone may fail.
    """
    import triton
    from torch._inductor.runtime import triton_heuristics

    kept = []
    original = triton.compile

    def keep(*args, **words):
        if registers is not None:
            words["options"] = {**words["options"], "maxnreg": registers}
        kept.append(original(*args, **words))
        return kept[-1]

    triton.compile = triton_heuristics.triton.compile = keep
    try:
        tuner._precompile_config(configuration)
    except Exception:
        if not kept:
            raise
    finally:
        triton.compile = triton_heuristics.triton.compile = original
    return kept[-1]


def used(name: str, kernel) -> Used:
    """What cuobjdump says of the machine code."""
    import triton

    tool = Path(triton.__file__).parent / "backends/nvidia/bin/cuobjdump"
    with tempfile.NamedTemporaryFile(suffix=".cubin") as f:
        f.write(kernel.asm["cubin"])
        f.flush()
        words = [str(tool), "-res-usage", f.name]
        text = subprocess.run(words, capture_output=True, text=True, check=True).stdout
    found = re.search(r"REG:(\d+) STACK:(\d+) SHARED:(\d+) LOCAL:(\d+)", text)
    registers, stack, shared, local = map(int, found.groups())
    target = re.search(r"\.target (\w+)", kernel.asm["ptx"]).group(1)
    return Used(name, target, registers, stack, local, max(shared, kernel.metadata.shared))
