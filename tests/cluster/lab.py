"""The lab's cluster from Python: up, down, and its daemons killed and restarted one by one."""

from __future__ import annotations

import fcntl
import getpass
import os
import shutil
import signal
import subprocess
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from orchestrator.records.liveness import process_start

HERE = Path(__file__).resolve().parent
PROGRAMS = ("sbatch", "slurmctld", "slurmd", "slurmdbd", "munged", "mariadbd")


def missing() -> str | None:
    """Why no cluster can be brought up here, or None."""
    absent = [p for p in PROGRAMS if shutil.which(p) is None]
    if absent:
        return (
            f"no Slurm on this machine ({', '.join(absent)} not found): apt-get install slurm-wlm "
            "munge slurmdbd slurm-wlm-mysql-plugin mariadb-server"
        )
    if os.geteuid() != 0:
        return "starting the test cluster's daemons takes root"
    return None


@contextmanager
def cluster(folder: Path) -> Iterator[dict[str, str]]:
    """Bring the cluster up under `folder`; yields the environment in which clients reach it.

    Its ports are fixed: of several that want it, one has it at a time, and the others wait.
    """
    with open(Path(tempfile.gettempdir()) / "orchestrator-slurm-lab.lock", "w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        with _up(folder) as environment:
            yield environment


@contextmanager
def _up(folder: Path) -> Iterator[dict[str, str]]:
    environment = {**os.environ, "LAB": str(folder), "SLURM_CONF": str(folder / "etc/slurm.conf")}
    with open(folder / "start.log", "wb") as log:  # a pipe would stay open in the daemons
        started = subprocess.run(
            ["bash", HERE / "start.sh"], check=False, env=environment, timeout=120, stdin=subprocess.DEVNULL,
            stdout=log, stderr=log,
        )  # fmt: skip
    try:
        if started.returncode:
            raise RuntimeError((folder / "start.log").read_text())
        yield environment
    finally:
        subprocess.run(["bash", HERE / "stop.sh"], env=environment, timeout=60, check=False)


def ask(environment: dict[str, str], *words: str) -> str:
    """Standard output of one of Slurm's commands. Raises: CalledProcessError, TimeoutExpired."""
    out = subprocess.run(
        words, env=environment, capture_output=True, text=True, timeout=60, check=True
    )
    return out.stdout.strip()


def tell(environment: dict[str, str], *words: str) -> None:
    """One of Slurm's commands that may come too late, or find its work done already."""
    subprocess.run(words, env=environment, capture_output=True, timeout=60, check=False)


def until(condition: Callable[[], object], seconds: float, what: str) -> None:
    """Wait for a condition. Raises: TimeoutError that says `what` did not come."""
    end = time.monotonic() + seconds
    while not condition():
        if time.monotonic() > end:
            raise TimeoutError(f"not within {seconds} s: {what}")
        time.sleep(0.2)


def queue(environment: dict[str, str]) -> list[list[str]]:
    """[job id with array task, state, node] of every job in the queue."""
    out = ask(environment, "squeue", "-h", "-r", "-o", "%i|%T|%N")
    return [line.split("|") for line in out.splitlines()]


def clear(environment: dict[str, str]) -> None:
    """Take everything out of the queue, as an administrator, and put every node back."""

    def empty() -> bool:
        tell(environment, "scancel", f"--user={getpass.getuser()}")
        resume(environment)
        with suppress(subprocess.CalledProcessError):  # a controller that just came back
            return not ask(environment, "squeue", "-h")
        return False

    until(empty, 120, "an empty queue")


def _pid_file(environment: dict[str, str], name: str) -> Path:
    """Where slurmctld, slurmdbd or a node's slurmd (slurmd.n1) says its number."""
    return Path(environment["LAB"]) / "run" / f"{name}.pid"


def kill_daemon(environment: dict[str, str], name: str) -> None:
    """kill -9 of slurmctld, slurmdbd or a node's slurmd (slurmd.n1)."""
    pid_file = _pid_file(environment, name)
    until(lambda: pid_file.exists() and pid_file.read_text().strip(), 10, f"{pid_file}")
    with suppress(ProcessLookupError):  # it died by itself a moment ago
        os.kill(int(pid_file.read_text()), signal.SIGKILL)
    pid_file.unlink()


def kill_node(environment: dict[str, str], node: str) -> None:
    """kill -9 of a node's slurmd and of all that runs there."""
    for pid in processes_on(node):
        with suppress(ProcessLookupError):
            os.kill(pid, signal.SIGKILL)
    kill_daemon(environment, f"slurmd.{node}")


def serves(environment: dict[str, str], name: str) -> bool:
    """Whether slurmctld or slurmdbd runs, by its pid file."""
    pid_file = _pid_file(environment, name)
    pid = pid_file.read_text().strip() if pid_file.exists() else ""
    return bool(pid) and process_start(int(pid)) is not None


def died(environment: dict[str, str], name: str) -> bool:
    """Whether slurmctld or slurmdbd ended by itself: its pid file is there, the process is not."""
    return _pid_file(environment, name).exists() and not serves(environment, name)


def revive(environment: dict[str, str], name: str) -> None:
    """Start slurmctld or slurmdbd as a service manager does: again where it does not stay.

    Raises: TimeoutError.
    """
    _pid_file(environment, name).unlink(missing_ok=True)
    for attempt in range(3):
        start_daemon(environment, name)
        try:
            until(lambda: serves(environment, name), 10, f"a living {name}")
        except TimeoutError:
            if attempt == 2:
                raise
        else:
            return


def start_daemon(environment: dict[str, str], *words: str) -> None:
    """Start slurmctld, slurmdbd or `slurmd -N n1` again."""
    subprocess.run(
        words, env=environment, timeout=30, check=True, stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
    )  # fmt: skip


def resume(environment: dict[str, str]) -> None:
    """What an administrator does for nodes that Slurm has taken out of service: put them back.

    It drains them where a killed controller started a job twice ("Duplicate jobid on nodes") and
    where processes were slow to die ("Kill task failed").
    """
    drained = subprocess.run(
        ["sinfo", "-h", "-N", "-p", "main", "-t", "drain,drng", "-o", "%N"],
        env=environment,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    ).stdout  # nothing while the controller does not answer
    for node in drained.split():
        tell(environment, "scontrol", "update", f"nodename={node}", "state=resume")


def all_idle(environment: dict[str, str]) -> None:
    """Wait until every node is free, putting back those that were taken out of service."""

    def four() -> bool:
        resume(environment)
        return ask(environment, "sinfo", "-h", "-p", "main", "-t", "idle", "-o", "%D") == "4"

    until(four, 120, "four idle nodes")


def processes_on(node: str) -> list[int]:
    """Processes of jobs on one pretended node: job steps and their daemons."""
    mark = f"SLURMD_NODENAME={node}".encode()
    out = []
    for path in Path("/proc").glob("[0-9]*/environ"):
        try:
            if mark in path.read_bytes().split(b"\0"):
                out.append(int(path.parent.name))
        except OSError:
            continue  # gone meanwhile
    return out
