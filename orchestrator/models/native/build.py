"""A shared library from a C++ file here: built once per processor and source, whole or not at all.

Built for the machine's own processor, so its name holds what that processor can do: a cache on a
shared file system serves nodes that differ.
"""

from __future__ import annotations

import ctypes
import hashlib
import os
import platform
import shutil
import subprocess
import tempfile
from functools import cache
from pathlib import Path

# No -ffast-math: a run that diverges must come out as one. Contraction to fused multiply-adds is
# the compiler's default.
FLAGS = (
    "-O3", "-march=native", "-mprefer-vector-width=512", "-fno-math-errno", "-fno-trapping-math",
    "-std=c++17", "-shared", "-fPIC",
)  # fmt: skip


def compiler() -> str | None:
    """The C++ compiler that kernels are built with; None where there is none."""
    return os.environ.get("CXX") or shutil.which("g++") or shutil.which("clang++")


def chosen(native: str) -> bool:
    """What `execution.native` (auto, on, off) means here: auto is on where there is a compiler."""
    return compiler() is not None if native == "auto" else native == "on"


@cache
def library(name: str) -> ctypes.CDLL:
    """The library of NAME.cpp, with every header here. Raises: RuntimeError where it can't be built or loaded."""
    words = compiler()
    if words is None:
        raise RuntimeError(
            f"kernel {name}: this pack was frozen with C++ kernels and there is no C++ compiler "
            "here; install one (g++), or submit with execution.native=off"
        )
    source = Path(__file__).with_name(f"{name}.cpp")
    texts = [path.read_text() for path in (source, *sorted(source.parent.glob("*.h")))]
    key = [*texts, *FLAGS, words, platform.machine(), _processor()]
    digest = hashlib.sha256("\0".join(key).encode()).hexdigest()[:16]
    target = _folder() / f"{name}-{digest}.so"
    try:
        if not target.exists():
            _build(words, source, target)
        return ctypes.CDLL(str(target))
    except OSError as e:  # a cache that can't be written, or libraries that can't be loaded from it
        raise RuntimeError(f"kernel {name}: {e}; XDG_CACHE_HOME names another cache") from e


def _build(compiler: str, source: Path, target: Path) -> None:
    target.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=target.parent) as folder:
        built = Path(folder) / target.name
        flags = [f for f in FLAGS if "g++" in compiler or "vector-width" not in f]
        words = [compiler, *flags, str(source), "-o", str(built)]
        done = subprocess.run(words, check=False, capture_output=True, text=True)
        if done.returncode:
            raise RuntimeError(f"{compiler} can't build {source.name}: {done.stderr.strip()[:300]}")
        os.replace(built, target)


def _folder() -> Path:
    root = os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache"
    return Path(root) / "orchestrator" / "native"


def _processor() -> str:
    """What this machine's processor can do."""
    try:
        lines = Path("/proc/cpuinfo").read_text().splitlines()
    except OSError:
        return platform.processor() + platform.node()
    kinds = ("model name", "flags", "Features", "CPU part")
    return "\n".join(dict.fromkeys(line for line in lines if line.startswith(kinds)))
