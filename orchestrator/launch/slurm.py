"""A Slurm cluster: the plan's packs as job arrays, handed to sbatch as text, and left alone.

Submitting returns once sbatch has taken the jobs; everything after that happens between Slurm,
the jobs and the records.
"""

from __future__ import annotations

import heapq
import json
import re
import shlex
import subprocess
import sys
import time
import uuid
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from orchestrator.errors import UserError
from orchestrator.launch.policy import out_of_memory
from orchestrator.launch.price import flops
from orchestrator.launch.progress import Progress
from orchestrator.launch.sbatch import max_array_size, options, refused, require
from orchestrator.launch.state import under_way
from orchestrator.launch.stop import cancels
from orchestrator.launch.worker import command
from orchestrator.records.attempts import attempts, results
from orchestrator.records.jobs import Holder, abandoned, holders, new_array, record
from orchestrator.records.packs import Pack
from orchestrator.records.queue import cancel, cancel_task, forget, queued
from orchestrator.records.slurm_environment import environment
from orchestrator.records.store import Store
from orchestrator.settings import Settings

SBATCH_S = 300.0
"""Seconds that sbatch may take; a controller that is restarted makes it wait."""
PLACE = ("partition", "account", "qos", "gpus", "gres", "constraint", "exclude")
"""Keys of `cluster` that choose nodes; with them go sbatch's own, `cluster.sbatch`."""
SILENT_S = 600.0
"""Seconds without an answer of squeue after which `cluster.wait` gives up waiting."""


@dataclass(frozen=True)
class Slurm:
    """`cluster.name=slurm`."""

    settings: Settings

    queues = True

    @property
    def waits(self) -> bool:
        return self.settings.cluster.wait

    @property
    def place(self) -> dict[str, Any]:
        """Those of the cluster's keys that choose nodes."""
        cluster = self.settings.cluster
        chosen = {name: getattr(cluster, name) for name in PLACE} | cluster.sbatch
        return {k: v for k, v in sorted(chosen.items()) if v is not None}

    def require(self) -> None:
        require(self.settings)

    def processes(self) -> int:
        """As configured, else as many as jobs may run at once."""
        cluster = self.settings.cluster
        jobs = min(cluster.max_jobs, cluster.parallelism or cluster.max_jobs)
        return cluster.processes or jobs

    def has_gpu(self) -> bool:
        return bool(self.settings.cluster.gpus or self.settings.cluster.gres)

    def describe(self, processes: int) -> str:
        return f"in {processes} job{'s' * (processes > 1)} on nodes like this machine"

    def measure(self, store: Store, overrides: list[str]) -> str:
        """Queue a job that measures the node that it gets and keeps what it finds in the store."""
        require(self.settings)
        name = f"bench-{uuid.uuid4().hex[:12]}"
        folder = Path(self.settings.cluster.logs or store.logs).absolute() / "bench"
        folder.mkdir(parents=True, exist_ok=True)
        words = [
            sys.executable, "-m", "orchestrator.bench.job", "--store", str(store.root),
            "--place", json.dumps(self.place), *here(overrides), f"execution.device={self._device()}",
        ]  # fmt: skip
        try:
            number = sbatch(self._text(shlex.join(words), folder, name), name)
        except RuntimeError as e:
            raise UserError(refused(str(e), self.settings.cluster)) from e
        return f"queued: job {number} measures its node; what it finds is kept in {store.root}/bench, its log in {folder}"  # fmt: skip

    def _device(self) -> str:
        """That of the jobs: the GPU that is asked for, and paid."""
        device = self.settings.execution.device
        return "cuda" if device == "auto" and self.has_gpu() else device

    def _text(
        self, command: str, folder: Path, name: str, lines: Sequence[str] = (), **more: Any
    ) -> str:
        """A job as text, in submitit's form of it; submitit's executor would leave a pickle for the jobs
        to load, and the text holds all they need."""
        from submitit.slurm.slurm import _make_sbatch_string

        cluster, threads = self.settings.cluster, self.settings.execution.threads
        return _make_sbatch_string(
            command=command, folder=escaped(folder), job_name=name, time=cluster.minutes,
            stderr_to_stdout=True,
            setup=[
                f"export OMP_NUM_THREADS={threads} MKL_NUM_THREADS={threads}",
                "export SRUN_CPUS_PER_TASK=$SLURM_CPUS_PER_TASK", *cluster.setup, *lines,
            ],
            additional_parameters=options(cluster, self.settings.execution), **more,
        )  # fmt: skip

    def launch(self, store: Store, sweep: str, packs: list[Pack]) -> int:
        """Queue packs; returns at once, or with cluster.wait how many packs failed.

        Raises: UserError where Slurm refuses; what was queued before stays so.
        """
        for task in abandoned(store):  # its packs are queued anew; released later, it would be idle
            cancel_task(task)
        asked, size, taken = cancels(store, sweep), max_array_size(), 0
        for settings, some in _by_memory(store, self.settings, packs):
            shares = balanced(some, settings.cluster.max_jobs)
            for group in (shares[i : i + size] for i in range(0, len(shares), size)):
                try:
                    name, number = _submit(store, sweep, settings, group, len(shares))
                except OSError as e:
                    raise UserError(
                        f"{e.filename or store.root}: {e.strerror}; {_so_far(taken)}"
                    ) from e
                except RuntimeError as e:
                    raise UserError(f"{refused(str(e), settings.cluster)}; {_so_far(taken)}") from e
                if cancels(store, sweep) > asked:  # while sbatch was in flight
                    cancel([name])
                    raise UserError(f"sweep {sweep}: cancelled meanwhile; submit again to go on")
                taken += len(group)
                count = sum(map(len, group))
                print(f"queued: {count} packs in {len(group)} jobs of array {number}",
                      file=sys.stderr)  # fmt: skip
        if self.settings.cluster.wait:
            self._wait(store, packs)
        else:
            print(f"`orchestrator status {sweep}` says how far they are", file=sys.stderr)
        return 0

    def _wait(self, store: Store, packs: list[Pack]) -> None:
        """Stay while a pack is queued or at work, by our records and the queue."""
        answered = time.monotonic()
        with Progress(store, packs) as progress:
            while True:
                progress.update()
                held = holders(store, ending=True)
                if held is not None:
                    answered = time.monotonic()
                    if not any(_open(store, pack, held) for pack in packs):
                        break
                elif time.monotonic() - answered > SILENT_S:
                    break
                time.sleep(2)
            progress.update()


def _by_memory(
    store: Store, settings: Settings, packs: list[Pack]
) -> list[tuple[Settings, list[Pack]]]:
    """Packs by the memory that their jobs get: twice as much for each time that it was too little."""
    cluster = settings.cluster
    out: dict[int, list[Pack]] = {}
    for pack in packs:
        short = out_of_memory(store, pack.pack_id) if cluster.memory else 0
        out.setdefault(short, []).append(pack)
    return [
        (replace(settings, cluster=replace(cluster, memory=cluster.memory and cluster.memory * 2**n)), p)
        for n, p in sorted(out.items())
    ]  # fmt: skip


def _open(store: Store, pack: Pack, held: dict[str, Holder]) -> bool:
    """Whether somebody is at work on an unfinished pack, or is going to be."""
    tries = attempts(store, pack.pack_id)
    if set(pack.run_ids) <= set(results(tries)):
        return False
    return under_way(tries, held.get(pack.pack_id))


def balanced(packs: list[Pack], jobs: int) -> list[list[str]]:
    """Pack ids shared out over at most `jobs` jobs: the dearest first, each to the least laden."""
    priced = sorted(((flops(p), p.pack_id) for p in packs), reverse=True)
    shares: list[list[str]] = [[] for _ in range(min(jobs, len(packs)))]
    load = [(0.0, i) for i in range(len(shares))]
    for price, pack_id in priced:
        least, i = heapq.heappop(load)
        shares[i].append(pack_id)
        heapq.heappush(load, (least + price, i))
    return shares


def _submit(
    store: Store, sweep: str, settings: Settings, group: list[list[str]], jobs: int
) -> tuple[str, str]:
    """Hand one array to sbatch; returns its name and number.

    Raises: RuntimeError with sbatch's words where it refuses.
    """
    cluster = settings.cluster
    unique = uuid.uuid4().hex[:12]
    folder = Path(cluster.logs or store.logs).absolute() / sweep / f"slurm-{unique}"
    folder.mkdir(parents=True)
    array = new_array(sweep, unique, group, folder)
    share = max(1, round((cluster.parallelism or jobs) * len(group) / jobs))
    text = script(store, sweep, settings, group, folder, array.name, share)
    (folder / "job.sh").write_text(text)  # for people: Slurm gets the text itself
    record(store, array)
    return array.name, sbatch(text, array.name)


def sbatch(text: str, name: str) -> str:
    """Hand a job to Slurm; its number. Raises: RuntimeError with sbatch's words where it refuses."""
    try:
        done = subprocess.run(
            ["sbatch", "--parsable"], input=text, capture_output=True, text=True, timeout=SBATCH_S, check=False,
            env=environment(),
        )  # fmt: skip
        said, number = done.stderr, done.stdout.strip().partition(";")[0]
    except subprocess.TimeoutExpired:
        said, number = f"no answer for {SBATCH_S:.0f} s", ""
    if number.isdigit():
        return number
    forget()
    taken = queued([name])  # it may fail after it has queued them
    if taken:
        print(f"sbatch: {said.strip()}; the jobs are queued all the same", file=sys.stderr)
        return str(next(iter(taken)).job)
    raise RuntimeError(said)


def script(
    store: Store, sweep: str, settings: Settings, group: list[list[str]], folder: Path,
    name: str, at_once: int,
) -> str:  # fmt: skip
    """The jobs of an array as text: what each task trains, and how."""
    slurm = Slurm(settings)
    settings = replace(settings, execution=replace(settings.execution, device=slurm._device()))
    signal_s = settings.cluster.signal_s
    words = [
        *command(store, settings, sweep, "job"),
        f"--signal-s={signal_s}",
        f"--folder={folder}",
    ]
    lines = [
        "case $SLURM_ARRAY_TASK_ID in",
        *(f'{i}) packs="{" ".join(packs)}" ;;' for i, packs in enumerate(group)), "esac",
    ]  # fmt: skip
    return slurm._text(
        f"{shlex.join(words)} $packs", folder, name, lines, map_count=len(group),
        array_parallelism=at_once, signal_delay_s=signal_s,
    )  # fmt: skip


def here(overrides: list[str]) -> list[str]:
    """The same words for a process on its node: without those of where it is, and of which device."""
    return [w for w in overrides if not re.match(r"[+~]*(cluster\b|execution\.device=)", w)]


def escaped(folder: Path) -> str:
    """A folder as sbatch wants it in a file name's pattern."""
    return str(folder).replace("%", "%%")


def _so_far(taken: int) -> str:
    if not taken:
        return "nothing was queued; submit again"
    return f"{taken} jobs were queued before; submit again to queue the rest"
