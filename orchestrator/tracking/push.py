"""Send what W&B lacks of a sweep, many runs at once; pushing twice adds nothing.

The only way to send later: it reads finished records and asks the server what it has, so it does
not matter what an earlier try achieved.
"""

from __future__ import annotations

import fcntl
import sys
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor, as_completed
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from orchestrator.errors import UserError
from orchestrator.records.manifests import Sweep, read_sweep
from orchestrator.records.store import Store
from orchestrator.settings import Tracking
from orchestrator.tracking.content import LAST_STEP
from orchestrator.tracking.limits import require_few
from orchestrator.tracking.parcels import Parcel, parcels
from orchestrator.tracking.sender import Sender, client_folder, quiet_client
from orchestrator.tracking.server import base_url, require_reachable

AT_A_TIME = 100
"""Runs asked about in one question to the server."""
LINE_S = 15.0
"""Seconds between lines of progress where there is no terminal."""


@dataclass(frozen=True)
class Pushed:
    """What a push did."""

    url: str
    project: str
    """entity/project."""
    sent: int
    """W&B runs that lacked something."""
    rows: int
    """Rows sent."""
    complete: int
    """W&B runs that lacked nothing."""
    training: int
    untrained: int
    failed: dict[str, str]
    """W&B id → why it was not wholly sent; a later push goes on from there."""


def push(store: Store, sweep_name: str, tracking: Tracking, at_once: int = 8) -> Pushed:
    """Send everything of a sweep that W&B lacks.

    Raises: UserError where the sweep is unknown, the server can't be used, or another push of the
    sweep is at work.
    """
    sweep = read_sweep(store, sweep_name)
    require_few(tracking.granularity, len(sweep.members))
    with _alone(store, sweep_name):
        return _push(store, sweep, tracking, at_once)


@contextmanager
def _alone(store: Store, sweep_name: str) -> Iterator[None]:
    """One push of a sweep at a time: two would both send what the server lacked when they asked."""
    with ExitStack() as held:
        try:
            lock = held.enter_context(open(store.sweeps / sweep_name / "push.lock", "w"))
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as e:
            raise UserError(f"sweep {sweep_name}: another push of it is at work") from e
        except OSError:  # a store that may only be read, or that knows no locks
            pass
        yield


def _push(store: Store, sweep: Sweep, tracking: Tracking, at_once: int) -> Pushed:
    url = base_url()
    require_reachable(url)
    quiet_client()
    found = parcels(store, sweep, tracking.granularity)
    failed: dict[str, str] = {}
    sent = rows = 0
    with client_folder() as folder, ThreadPoolExecutor(at_once) as pool:
        entity = _entity(tracking)
        known = _known(entity, tracking.project, [p.identity.id for p in found.ready])
        lacking = [p for p in found.ready if not _complete(p, known.get(p.identity.id))]
        with _progress(len(lacking)) as advance:
            jobs = {
                pool.submit(_send, p, known.get(p.identity.id), tracking, folder): p
                for p in lacking
            }
            for job in as_completed(jobs):
                try:
                    rows += job.result()
                    sent += 1
                except Exception as e:  # noqa: BLE001  one run's failure stops no other
                    first = (str(e).strip().splitlines() or [""])[0]
                    failed[jobs[job].identity.id] = f"{type(e).__name__}: {first}"
                advance()
    return Pushed(
        url, f"{entity}/{tracking.project}", sent, rows, len(found.ready) - len(lacking),
        found.training, found.untrained, failed,
    )  # fmt: skip


def _entity(tracking: Tracking) -> str:
    """Whose project it is. Raises: UserError where the client has no key, or a wrong one."""
    import wandb

    try:
        return tracking.entity or wandb.Api(timeout=20).default_entity
    except (wandb.errors.Error, ValueError) as e:
        raise UserError(f"W&B: {str(e).strip().splitlines()[0]}") from e


def _known(entity: str, project: str, ids: list[str]) -> dict[str, dict[str, Any]]:
    """What the server has of these runs: state, summary, tags, group."""
    import wandb

    api = wandb.Api(timeout=20)
    out = {}
    for i in range(0, len(ids), AT_A_TIME):
        wanted = {"name": {"$in": ids[i : i + AT_A_TIME]}}
        page = api.runs(f"{entity}/{project}", wanted, per_page=AT_A_TIME, lazy=False)
        try:
            for run in page:
                out[run.id] = {
                    "state": run.state, "summary": dict(run.summary), "tags": run.tags,
                    "group": run.group,
                }  # fmt: skip
        except (ValueError, wandb.errors.CommError) as e:
            if "not find" in str(e) or "not found" in str(e).lower():
                return {}  # no such project yet: the first run makes it
            raise UserError(f"W&B: {str(e).strip().splitlines()[0]}") from e
    return out


def _complete(parcel: Parcel, known: dict[str, Any] | None) -> bool:
    """Whether the server has all of it: closed, with our last step, our status and our tags."""
    if known is None or known["state"] == "running":
        return False
    ours, theirs = parcel.ending.summary, known["summary"]
    return (
        all(theirs.get(k) == ours.get(k) for k in (LAST_STEP, "status"))
        and set(parcel.identity.tags) <= set(known["tags"])
    )  # fmt: skip


def _send(parcel: Parcel, known: dict[str, Any] | None, tracking: Tracking, folder: Path) -> int:
    """Send one run; how many rows it lacked."""
    identity = parcel.identity
    if known is not None and known["group"]:  # a run that another sweep brought stays its own
        identity = replace(identity, group=known["group"])
    sender = Sender(identity, tracking, folder)
    sender.send(parcel.rows)
    sender.finish(parcel.ending)
    return sender.sent


@contextmanager
def _progress(total: int) -> Iterator[Callable[[], None]]:
    """A bar on a terminal, else a line now and then."""
    from rich.console import Console
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn
    from rich.progress import TimeRemainingColumn as Left

    console = Console(stderr=True)
    bar = Progress(
        TextColumn("pushing"), BarColumn(), MofNCompleteColumn(), TextColumn("W&B runs"), Left(),
        console=console, disable=not console.is_terminal,
    )  # fmt: skip
    done, said = 0, time.monotonic()
    task = bar.add_task("", total=total)

    def advance() -> None:
        nonlocal done, said
        done += 1
        bar.advance(task)
        if not console.is_terminal and time.monotonic() - said > LINE_S:
            said = time.monotonic()
            print(f"pushed {done}/{total} W&B runs", file=sys.stderr, flush=True)

    with bar:
        yield advance
