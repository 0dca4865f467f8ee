"""How a job starts, tells and ends the process that sends its records to W&B.

Nothing here raises into training, and nothing waits: a pipe takes a short line a pack.
"""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys

from orchestrator.records.attempts import Attempt
from orchestrator.records.store import Store
from orchestrator.settings import Tracking


class Beside:
    """The sink of one job."""

    def __init__(self, store: Store, sweep: str, tracking: Tracking) -> None:
        self.limit_s = tracking.finish_s + 10
        words = [
            sys.executable, "-m", "orchestrator.tracking.sink", "--store", str(store.root),
            "--sweep", sweep, "--tracking", json.dumps(vars(tracking)), "--pid", str(os.getpid()),
        ]  # fmt: skip
        # A session of its own: Ctrl-C is for the job, which then closes the pipe.
        self.process = subprocess.Popen(
            words, stdin=subprocess.PIPE, stdout=subprocess.DEVNULL, start_new_session=True
        )

    def begin(self, pack_id: str, attempt: Attempt) -> None:
        """Say that an attempt has begun."""
        try:
            self.process.stdin.write(f"{pack_id} {attempt.number}\n".encode())
            self.process.stdin.flush()
        except BrokenPipeError:
            if self.limit_s:
                print("W&B: the sending process is gone; training goes on, `orchestrator push` "
                      "sends what is missing", file=sys.stderr, flush=True)  # fmt: skip
                self.limit_s = 0

    def close(self) -> None:
        """Let it send the rest, for as long as tracking.finish_s allows."""
        try:
            self.process.stdin.close()
        except BrokenPipeError:
            pass  # it has ended already
        try:
            self.process.wait(self.limit_s)
        except subprocess.TimeoutExpired:
            os.killpg(self.process.pid, signal.SIGKILL)
            self.process.wait()


def beside(store: Store, sweep: str | None, tracking: Tracking) -> Beside | None:
    """The sink of a job whose runs are tracked; None where they are not."""
    return Beside(store, sweep, tracking) if tracking.name == "wandb" and sweep else None
