"""The command in forks of a process that has torch already: a hundred of them in a minute."""

from __future__ import annotations

import contextlib
import io
import json
import os
import signal
import subprocess
import sys
import time
import traceback
from collections.abc import Callable
from pathlib import Path

KILLED = 137
"""Exit status of a process that was killed."""


class Died(RuntimeError):
    """A forked process returned nothing."""

    def __init__(self, code: int) -> None:
        super().__init__(f"a forked process failed ({code})")
        self.code = code


def warm() -> None:
    """Import, once, what all forks use."""
    import lightning  # noqa: F401
    import torch

    import orchestrator.launch.verbs
    import orchestrator.launch.worker
    import orchestrator.training.pack  # noqa: F401

    torch.set_num_threads(1)


class Nobody:
    """A worker that has ended before it began."""

    returncode, pid = 0, 0

    def __init__(self, *_: object, **__: object) -> None: ...

    def poll(self) -> int:
        return 0

    def wait(self, timeout: float | None = None) -> int:
        return 0


class Worker:
    """A worker as a fork of this process, which has torch already."""

    def __init__(self, words: list[str], stdout, stderr=None, env=None, **_: object) -> None:
        self.returncode: int | None = None
        self.pid = os.fork()
        if self.pid:
            return
        os.dup2(stdout.fileno(), 1)
        os.dup2(stdout.fileno(), 2)
        sys.stdout, sys.stderr = os.fdopen(1, "w"), os.fdopen(2, "w")
        sys.argv = words[words.index("-m") + 1 :]
        code = 1
        try:
            from orchestrator.launch.worker import main as work

            work()
            code = 0
        except SystemExit as e:
            code = e.code or 0
        except BaseException:  # noqa: BLE001 (as an interpreter does)
            traceback.print_exc()
        finally:
            sys.stdout.flush()
            sys.stderr.flush()
            os._exit(code)

    def poll(self) -> int | None:
        if self.returncode is None:
            pid, status = os.waitpid(self.pid, os.WNOHANG)
            if pid:
                self.returncode = os.waitstatus_to_exitcode(status)
        return self.returncode

    def wait(self, timeout: float | None = None) -> int:
        while self.poll() is None:
            time.sleep(0.01)
        return self.returncode

    def terminate(self) -> None:
        os.kill(self.pid, signal.SIGTERM)

    def kill(self) -> None:
        os.kill(self.pid, signal.SIGKILL)


_POPEN = subprocess.Popen


def orchestrator(
    folder: Path, store: Path, *words: str, worker: type = Worker,
    before: Callable[[], object] = lambda: None,
) -> tuple[int, str]:  # fmt: skip
    """Exit status of the command and all it said, in a process of its own; KILLED and nothing where
    it was. `before`: is called there first.
    """

    def popen(words, *args, **kwargs):
        mine = isinstance(words, list) and "orchestrator.launch.worker" in words
        return (worker if mine else _POPEN)(words, *args, **kwargs)

    def call() -> tuple[int, str]:
        os.chdir(folder / "work")
        os.environ["ORCHESTRATOR_STORE"] = str(store)
        subprocess.Popen = popen
        from orchestrator.cli import main as command

        said, code = io.StringIO(), 0
        with contextlib.redirect_stdout(said), contextlib.redirect_stderr(said):
            try:
                before()
                command(list(words))
            except SystemExit as e:
                code = e.code or 0
            except BaseException:  # noqa: BLE001 (as an interpreter does)
                traceback.print_exc(file=said)
                code = 1
        return code, said.getvalue()

    try:
        code, said = in_child(call)
    except Died as e:
        return e.code, ""
    return code, said


def in_child(function: Callable):
    """What a function returns (as JSON can say it), called in a fork of this process."""
    reader, writer = os.pipe()
    pid = os.fork()
    if not pid:
        code = 1
        try:
            os.close(reader)
            out = json.dumps(function()).encode()
            with os.fdopen(writer, "wb") as pipe:
                pipe.write(out)
            code = 0
        except BaseException:  # noqa: BLE001 (a child never comes back into the caller's code)
            traceback.print_exc()
        finally:
            os._exit(code)
    os.close(writer)
    with os.fdopen(reader, "rb") as pipe:
        content = pipe.read()
    _, status = os.waitpid(pid, 0)
    if status:
        raise Died(os.waitstatus_to_exitcode(status))
    return json.loads(content)
