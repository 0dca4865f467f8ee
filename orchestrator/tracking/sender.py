"""One W&B run: every step reaches the server once, however often sending is begun again.

The only module that feeds the wandb client. W&B says at init from which step on it lacks rows;
those before are left out. The client writes no offline file, and its own logs go to a folder that
is removed.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from orchestrator.settings import Tracking
from orchestrator.tracking.content import Ending, Identity

Row = tuple[int, dict[str, Any]]


@contextmanager
def client_folder() -> Iterator[Path]:
    """A folder for the client's own files, gone afterwards."""
    with TemporaryDirectory(prefix="orchestrator-wandb-", ignore_cleanup_errors=True) as folder:
        yield Path(folder)


class Sender:
    """Sends one W&B run.

    Raises, from the constructor: what wandb.init raises; TimeoutError from `finish`, where the
    server did not take everything within `tracking.finish_s`.
    """

    def __init__(
        self, identity: Identity, tracking: Tracking, folder: Path, stats_pid: int | None = None
    ) -> None:
        """`stats_pid`: the process whose system metrics this run carries, or None."""
        import wandb

        self.run = wandb.init(
            id=identity.id, name=identity.name, group=identity.group, job_type=identity.job_type,
            config=identity.config, project=tracking.project, entity=tracking.entity,
            dir=str(folder), resume="allow", reinit="create_new",
            settings=client_settings(tracking, stats_pid),
        )  # fmt: skip
        self.run.define_metric("tokens", hidden=True)
        self.run.define_metric("*", step_metric="tokens")
        tags = tuple(self.run.tags or ())  # with those that users gave a run that goes on
        if not set(identity.tags) <= set(tags):
            self.run.tags = tags + tuple(t for t in identity.tags if t not in tags)
        self.next_step = self.run.starting_step
        self.sent = 0

    @property
    def entity(self) -> str:
        """Whose run it is, as the server says."""
        return self.run.entity

    def send(self, rows: list[Row]) -> None:
        """Send rows in the order of their steps; those W&B has are left out."""
        for step, values in rows:
            if step >= self.next_step:
                self.run.log(values, step=step, commit=True)  # at once, not with the next
                self.next_step = step + 1
                self.sent += 1

    def finish(self, ending: Ending) -> None:
        """Send the final values and wait until the server has everything."""
        self.run.summary.update(ending.summary)
        if ending.preempted:
            self.run.mark_preempting()
        self.run.finish(exit_code=ending.exit_code)


def client_settings(tracking: Tracking, stats_pid: int | None = None) -> Any:
    """The client's settings: online alone, with time limits, nothing about this machine."""
    import wandb

    extra = {} if stats_pid is None else {"x_stats_pid": stats_pid}
    return wandb.Settings(
        mode="online", console="off", silent=True, init_timeout=tracking.init_s,
        finish_timeout=tracking.finish_s, finish_timeout_raises=True, save_code=False,
        disable_git=True, disable_job_creation=True, x_disable_meta=True,
        x_disable_machine_info=True, x_save_requirements=False, x_skip_transaction_log=True,
        x_disable_stats=stats_pid is None, **extra,
    )  # fmt: skip


def warn(text: str) -> None:
    """A line for the job's log; training is never stopped by what is said here."""
    print(f"W&B: {text}", file=sys.stderr, flush=True)


def quiet_client() -> None:
    """Keep the client's own chatter and error reports out of logs and off the network."""
    os.environ.setdefault("WANDB_SILENT", "true")
    os.environ.setdefault("WANDB_ERROR_REPORTING", "false")
