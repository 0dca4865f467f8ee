"""A process that takes a GPU for present while it lowers code.

`pretend` patches torch for the rest of the process: a process that trains never calls it.
"""

from __future__ import annotations

import ctypes
import subprocess
import tempfile
from pathlib import Path
from types import SimpleNamespace

import torch

from orchestrator.data_sheets import Device
from orchestrator.errors import UserError
from orchestrator.models.native.build import compiler

GUARD = Path(__file__).with_name("guard.cpp")


def pretend(device: Device) -> None:
    """Let torch and Triton take `device` for the one GPU of this machine.

    Raises: UserError where Triton or a C++ compiler is missing.
    """
    try:
        import triton
    except ImportError:
        raise UserError("Triton is missing: pip install triton") from None
    _register_guard()
    triton.runtime.driver.set_active(_driver(device))
    _patch_torch(device)


def _register_guard() -> None:
    if torch.version.cuda:  # a build with CUDA has one, which must not look for a driver
        torch._C._ensureCUDADeviceGuardSet()
        return
    found = compiler()
    if found is None:
        raise UserError("no C++ compiler (g++ or clang++), which torch without CUDA needs here")
    home = Path(torch.__file__).parent
    with tempfile.TemporaryDirectory() as folder:
        out = Path(folder) / "guard.so"
        words = [*found.split(), "-shared", "-fPIC", "-std=c++20", f"-I{home / 'include'}"]
        words += [str(GUARD), f"-L{home / 'lib'}", "-lc10", "-o", str(out)]
        built = subprocess.run(words, check=False, capture_output=True, text=True)
        if built.returncode:
            raise UserError(f"{found} can't build {GUARD.name}: {built.stderr.strip()[-300:]}")
        ctypes.CDLL(str(out))


def _driver(device: Device) -> object:
    from triton.backends.compiler import GPUTarget

    class Driver:
        launcher_cls = None

        @staticmethod
        def is_active() -> bool:
            return True

        def get_current_target(self) -> GPUTarget:
            return GPUTarget("cuda", device.capability, 32)

        def get_current_device(self) -> int:
            return 0

        def get_current_stream(self, index: int = 0) -> int:
            return 0

        def get_active_torch_device(self) -> torch.device:
            return torch.device("cuda", 0)

        def get_device_interface(self) -> object:
            return torch.cuda

    return Driver()


def _patch_torch(device: Device) -> None:
    from torch._dynamo import device_interface
    from torch._inductor.runtime import triton_helpers

    major, minor = divmod(device.capability, 10)
    properties = SimpleNamespace(
        name=f"NVIDIA {device.name}", major=major, minor=minor, warp_size=32,
        multi_processor_count=device.processors, regs_per_multiprocessor=65536,
        max_threads_per_multi_processor=2048, max_threads_per_block=1024,
        total_memory=device.memory_bytes, shared_memory_per_block=48 << 10,
        shared_memory_per_block_optin=device.shared_bytes, L2_cache_size=50 << 20,
        gcnArchName="",
    )  # fmt: skip
    answers = {
        "is_available": True, "current_device": 0, "device_count": 1, "synchronize": None,
        "get_device_properties": properties, "is_bf16_supported": True,
    }  # fmt: skip
    always = {name: lambda *a, _v=value, **k: _v for name, value in answers.items()}
    torch_only = {
        "get_device_capability": lambda *a, **k: (major, minor),
        "get_rng_state": lambda *a, **k: torch.zeros(16, dtype=torch.uint8),
        "set_rng_state": lambda *a, **k: None,
        "_exchange_device": lambda index: 0,
        "_maybe_exchange_device": lambda index: 0,
    }
    for name, function in {**always, **torch_only}.items():
        setattr(torch.cuda, name, function)
    torch.version.cuda = torch.version.cuda or "13.0"
    interface = {
        **always,
        "get_compute_capability": lambda *a, **k: device.capability,
        "is_triton_capable": lambda *a, **k: True,
        "raise_if_triton_unavailable": lambda *a, **k: None,
    }
    static = {name: staticmethod(function) for name, function in interface.items()}
    described = type("Described", (device_interface.CudaInterface,), static)
    device_interface._device_initialized = True
    for name in ("cuda", "cuda:0"):
        device_interface.register_interface_for_device(name, described)
    triton_helpers.set_driver_to_gpu = lambda: None
