"""A shared library of our C++, whole and unchanged since it was built, or an error that says why not.

Built for the machine's own processor by the machine's own compiler, so its name holds what both are:
a cache on a shared file system serves nodes that differ. A record beside it holds its checksum
and what came of its self-check (training/selfcheck.py). No torch here.
"""

from __future__ import annotations

import ctypes
import hashlib
import json
import os
import platform
import shlex
import shutil
import subprocess
import tempfile
from functools import cache
from pathlib import Path
from typing import Any

from orchestrator.records.provenance import code_version

SOURCE = Path(__file__).with_name("train.cpp")
# GCC's and clang's alike. No -ffast-math: a run that diverges must come out as one. Contraction to
# fused multiply-adds is the compiler's default.
FLAGS = ("-O3", "-fno-math-errno", "-fno-trapping-math", "-std=c++17", "-shared", "-fPIC")
X86 = ("-march=native", "-mprefer-vector-width=512")
OTHER = ("-mcpu=native",)


class Unbuilt(RuntimeError):
    """There is no library here. One line says why."""


def compiler() -> str | None:
    """The C++ compiler, CXX where it is set, with what words it needs; None where there is none."""
    words = os.environ.get("CXX")
    if not words:
        return shutil.which("g++") or shutil.which("clang++")
    return words if shutil.which(shlex.split(words)[0]) else None


def flags() -> list[str]:
    """The compiler's flags, for this machine's processor."""
    x86 = platform.machine().lower() in ("x86_64", "amd64", "i686")
    return [*FLAGS, *(X86 if x86 else OTHER)]


@cache
def library() -> ctypes.CDLL:
    """Our C++, built now where it was not. Raises: Unbuilt."""
    target = _target()
    try:
        if standing() is None:
            _build(target)
        return ctypes.CDLL(str(target))
    except OSError as e:  # a cache that can't be written, or libraries that can't be loaded from it
        raise Unbuilt(f"{e}; XDG_CACHE_HOME names another cache") from e


def standing() -> dict[str, Any] | None:
    """The record of the library that is built already, None where there is none that is whole.

    sha256: of the library; differs: how it failed its self-check, null where it passed; code: the
    code_version that checked it, null before the first. Raises: Unbuilt where there is no compiler.
    """
    target = _target()
    try:
        record = json.loads(_record(target).read_text())
        whole = record["sha256"] == hashlib.sha256(target.read_bytes()).hexdigest()
        whole = whole and record.keys() == {"sha256", "code", "differs"}
    except (OSError, ValueError, TypeError, KeyError):
        return None
    return record if whole else None


def checked(record: dict[str, Any] | None) -> bool:
    """Whether this very code has checked the library of a record."""
    return record is not None and record["code"] == code_version()


def remember(differs: str | None) -> None:
    """Write down what came of the self-check of the library that stands."""
    record, target = standing(), _target()
    if record is not None:
        _write_record(target, record["sha256"], code_version(), differs)


def _build(target: Path) -> None:
    words = [*shlex.split(compiler() or ""), *flags(), str(SOURCE)]
    target.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=target.parent) as folder:
        built = Path(folder) / target.name
        try:
            done = subprocess.run(
                [*words, "-o", str(built)], check=False, capture_output=True, text=True
            )
        except OSError as e:
            raise Unbuilt(f"the C++ compiler {words[0]} can't be run ({e.strerror})") from e
        if done.returncode == 0 and not built.is_file():
            raise Unbuilt(f"{words[0]} built no library")
        if done.returncode:
            raise Unbuilt(f"{words[0]} can't build {SOURCE.name}: {_first_error(done.stderr)}")
        content = built.read_bytes()
    _put(target, content)
    _write_record(target, hashlib.sha256(content).hexdigest())


def _write_record(
    target: Path, sha256: str, code: str | None = None, differs: str | None = None
) -> None:
    record = {"sha256": sha256, "code": code, "differs": differs}
    _put(_record(target), json.dumps(record).encode())


def _first_error(text: str) -> str:
    """The line of a compiler's output that says what is wrong, cut to what fits a screen."""
    lines = [line.strip() for line in text.splitlines() if line.strip()] or ["no word why"]
    return next((line for line in lines if "error" in line.lower()), lines[0])[:200]


def _put(path: Path, content: bytes) -> None:
    """Write a file whole or not at all, also where the machine goes down meanwhile."""
    with tempfile.TemporaryDirectory(dir=path.parent) as folder:
        new = Path(folder) / path.name
        with open(new, "wb") as f:
            f.write(content)
            f.flush()
            os.fsync(f.fileno())
        os.replace(new, path)


def _record(target: Path) -> Path:
    return target.with_suffix(".json")


def _target() -> Path:
    """Where the library stands: named by its source, flags, compiler and processor."""
    words = shlex.split(compiler() or "")
    if not words:
        named = os.environ.get("CXX")
        raise Unbuilt(
            f"CXX={named}: no such program" if named
            else "no C++ compiler is found (g++ or clang++; CXX names another)"
        )  # fmt: skip
    texts = [path.read_text() for path in (SOURCE, *sorted(SOURCE.parent.glob("*.h")))]
    key = [*texts, *flags(), *words, _identity(words[0]), platform.machine(), _processor()]
    digest = hashlib.sha256("\0".join(key).encode()).hexdigest()[:16]
    root = os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache"
    return Path(root) / "orchestrator" / "native" / f"{SOURCE.stem}-{digest}.so"


def _identity(program: str) -> str:
    """What changes when a program is installed anew."""
    found = shutil.which(program)
    if found is None:
        return ""
    real = Path(found).resolve()
    stat = real.stat()
    return f"{real} {stat.st_size} {stat.st_mtime_ns}"


def _processor() -> str:
    """What this machine's processor can do."""
    try:
        lines = Path("/proc/cpuinfo").read_text().splitlines()
    except OSError:
        return platform.processor() + platform.node()
    kinds = ("model name", "flags", "Features", "CPU part")
    return "\n".join(dict.fromkeys(line for line in lines if line.startswith(kinds)))
