"""Put on a job's PYTHONPATH: slows training down and strikes chosen array tasks, each once.

FAULTS is a folder. FAULTS/<fault>-<task> asks for a fault; it is renamed when it strikes.
"""

import importlib.abc
import importlib.machinery
import os
import signal
import sys
import time
from pathlib import Path

CHUNK_S = float(os.environ.get("CHUNK_S", "0"))


def _strike(step: int) -> None:
    folder, task = Path(os.environ["FAULTS"]), os.environ.get("SLURM_ARRAY_TASK_ID", "0")
    for fault in ("exception", "sigkill", "exit", "memory", "hang"):
        path = folder / f"{fault}-{task}"
        if step < 64 or not path.exists():
            continue
        path.rename(folder / f"struck-{fault}-{task}")
        if fault == "exception":
            raise RuntimeError("a fault of the test's")
        if fault == "sigkill":
            os.kill(os.getpid(), signal.SIGKILL)
        if fault == "hang":
            time.sleep(1e6)  # this thread alone: the heartbeat goes on, and no signal ends it
        if fault == "exit":
            os._exit(7)
        block = bytearray(3 << 30)  # more than the job was granted
        block[::4096] = b"x" * len(block[::4096])
        time.sleep(20)


def _patch(module) -> None:
    chunk = module.PackTrainer._chunk

    def slow(self, state, tensors, slots, until):
        time.sleep(CHUNK_S)
        _strike(state.step)
        return chunk(self, state, tensors, slots, until)

    module.PackTrainer._chunk = slow


class _Finder(importlib.abc.MetaPathFinder):
    def find_spec(self, name, path, target=None):
        if name != "orchestrator.training.pack":
            return None
        spec = importlib.machinery.PathFinder.find_spec(name, path)
        execute = spec.loader.exec_module

        def execute_and_patch(module):
            execute(module)
            _patch(module)

        spec.loader.exec_module = execute_and_patch
        return spec


sys.meta_path.insert(0, _Finder())
