"""What broke an earlier version, one test each: by the command line and the files, so that any can be tried.

    pytest -n 0 tests/store/attacks.py

PYTHON=path: another version's interpreter. Not in the suite, where each has a quicker test.
"""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import pandas as pd
import pytest

COMMAND = [os.environ.get("PYTHON", sys.executable), "-m", "orchestrator"]
SWEEP = """
defaults: [config, _self_]
sweep: {law: {name: gamma_star, metric: val_loss}}
model: {width: 16, depth: 1}
task: {pairs: 2, queries: 2, keys: 6, values: 6}
budget: {steps: STEPS, batch: 8, evals: 4, eval_sequences: 64}
optim: {warmup: 4}
execution: {compile: "off", native: "NATIVE", checkpoint_s: 0.05}
cluster: {processes: PROCESSES}
hydra: {sweeper: {params: {model.depth: '1,2', seed: '0,1'}}}
"""
RUNS = 4
BESIDE = """
import os, time
if os.environ.get("DAY_BEHIND"):
    for name, day in (("time", 86400), ("time_ns", 86400 * 10**9)):
        setattr(time, name, lambda now=getattr(time, name), day=day: now() - day)
if os.environ.get("RAISED"):
    import orchestrator.models
    orchestrator.models.VERSION += 1
"""
"""A sitecustomize: a host with another clock, or the next version of the code."""
ELSEWHERE = {"host": "n7", "boot_id": "other", "place": "elsewhere"}
OWN = """
import math
from dataclasses import dataclass
from orchestrator import prng

@dataclass(frozen=True)
class Mine:
    size: int = 6

    name = "mine"
    version = 1
    vocab = 7
    length = 5
    scored = slice(4, 5)
    chance = 1 / 7
    chance_loss = math.log(7)

    def batch(self, seed, step, size):
        tokens = prng.integers((seed, step, 1), (size, 5), 7, seed.device)
        return tokens, tokens[:, :1]
"""


@pytest.fixture(autouse=True)
def folder(monkeypatch):
    """A working folder that anybody may read, with a store in it."""
    path = Path(tempfile.mkdtemp(prefix="attacked-", dir="/tmp"))
    path.chmod(0o755)
    monkeypatch.chdir(path)
    monkeypatch.setenv("ORCHESTRATOR_STORE", str(path / "runs"))
    monkeypatch.setenv("OMP_NUM_THREADS", "1")
    (path / "beside").mkdir()
    (path / "beside/sitecustomize.py").write_text(BESIDE)
    monkeypatch.setenv("PYTHONPATH", str(path / "beside"))
    sweep()
    yield path
    for claim in path.glob("runs/packs/*/*.claim"):  # what a test left at work
        if f"attacked-{path.name[9:]}" in words_of(number(claim)):
            os.kill(number(claim), signal.SIGKILL)
    shutil.rmtree(path, ignore_errors=True)


def sweep(steps: int = 24, processes: int = 1, native: str = "auto") -> None:
    text = SWEEP.replace("STEPS", str(steps)).replace("PROCESSES", str(processes))
    Path("sweeps").mkdir(exist_ok=True)
    Path("sweeps/small.yaml").write_text(text.replace("NATIVE", native))


def call(*words: str, prefix: tuple[str, ...] = (), **more) -> subprocess.CompletedProcess[str]:
    env = {**os.environ, **more.pop("env", {})}
    return subprocess.run([*prefix, *COMMAND, *words], capture_output=True, text=True, timeout=240,
                          check=False, env=env, **more)  # fmt: skip


def completed(*words: str) -> int:
    """How many runs of the sweep are done."""
    done = call("status", "small", "--json", *words)
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)[0]["counts"].get("completed", 0)


def trained(*words: str, **more) -> None:
    """A submission that says it is complete, and is."""
    done = call("submit", "small", *words, **more)
    assert "Traceback" not in done.stderr, done.stderr
    assert done.returncode == 0, done.stderr
    assert completed() == RUNS, f"exit 0, and {completed()} of {RUNS} are done: {done.stderr}"


def begun(*words: str) -> subprocess.Popen:
    """A submission that goes on."""
    return subprocess.Popen([*COMMAND, "submit", "small", *words], stderr=subprocess.DEVNULL,
                            stdout=subprocess.DEVNULL, start_new_session=True)  # fmt: skip


def number(claim: Path) -> int:
    try:
        return json.loads(claim.read_text())["pid"]
    except (ValueError, KeyError, OSError):
        return 0


def words_of(pid: int) -> str:
    try:
        return Path(f"/proc/{pid}/cmdline").read_text() if pid else ""
    except OSError:
        return ""


def living() -> list[int]:
    """Process numbers of the attempts at work."""
    open_ = [c for c in Path("runs").glob("packs/*/*.claim")
             if not (c.with_suffix("") / "end.json").exists()]  # fmt: skip
    return [p for p in map(number, open_) if "worker" in words_of(p)]


def until(condition, what: str, seconds: float = 120):
    end = time.monotonic() + seconds
    while not (found := condition()):
        assert time.monotonic() < end, f"{what}: not within {seconds} s"
        time.sleep(0.03)
    return found


def half() -> Path:
    """Leave a pack that was killed on its way, with a checkpoint; its attempt's folder."""
    sweep(3000)
    first = begun()
    (found, *_) = until(lambda: list(Path("runs").glob("packs/*/*/checkpoint.pt")), "a checkpoint")
    os.killpg(first.pid, signal.SIGKILL)
    first.wait()
    return found.parent


def claimed_by(attempt: Path, **about) -> None:
    """Have an attempt belong to somebody else."""
    path = attempt.with_suffix(".claim")
    data = {k: v for k, v in json.loads(path.read_text()).items() if k != "crc32"}
    path.write_text(json.dumps({**data, **about}) + "\n")


def commands(**bodies: str) -> dict[str, str]:
    """Shell scripts in the place of Slurm's commands, which write their environment to env."""
    folder = Path("bin").absolute()
    folder.mkdir(exist_ok=True)
    slurm = {"scontrol": "echo 'MaxArraySize = 100'", "squeue": QUEUE, "scancel": "exit 0",
             "sacct": "exit 1", "sinfo": "exit 1", "sbatch": ""}  # fmt: skip
    here = Path().absolute()
    for name, body in {**slurm, **bodies}.items():
        body = SBATCH.replace("BODY", body) if name == "sbatch" else body
        (folder / name).write_text(f"#!/bin/sh\ncd {here}\nenv >> env\n{body}\n")
        (folder / name).chmod(0o755)
    return {"PATH": f"{folder}:{os.environ['PATH']}"}


QUEUE = r"""
name=$(echo "$@" | sed 's/.*--name=\([^ ]*\).*/\1/')
[ -f queued ] && printf '%-128s%-16s%-16s%-16s%-8s%-64s%-20s%-80s\n' "$name" 7 0 PENDING 0 '' '' None
exit 0
"""
SBATCH = """
case "$*" in *--test-only*) exit 0;; esac
BODY
touch queued
case "$*" in *--parsable*) echo 7;; *) echo Submitted batch job 7;; esac
"""
LEAKS = {"SQUEUE_STATES": "RUNNING", "SQUEUE_PARTITION": "none", "SLURM_JOB_ID": "5",
         "SLURM_MEM_PER_NODE": "1", "SLURM_NTASKS": "9"}  # fmt: skip


def test_d2_the_submitter_is_killed_and_the_next_one_begins_at_once():
    sweep(3000, 2)
    first = begun()
    until(lambda: len(living()) == 2, "two workers")
    first.kill()
    first.wait()
    trained()


def test_d2_of_two_submissions_the_first_is_killed():
    sweep(3000)
    first = begun()
    until(living, "a worker")
    second = begun()
    until(lambda: len(living()) == 2, "two workers")
    first.kill()
    first.wait()
    assert second.wait(240) == 0 and completed() == RUNS, f"{completed()} of {RUNS} are done"


def test_d2_the_machine_was_started_again():
    claimed_by(half(), boot_id="the boot before")
    trained()


def test_d3_a_pack_that_was_frozen_with_a_compiler_can_be_trained_without(folder):
    done = call("submit", "small", "cluster=slurm", env=commands())
    assert done.returncode == 0, done.stderr
    Path("queued").unlink()  # and here is no compiler
    (folder / "broken").write_text("#!/bin/sh\nexit 1\n")
    (folder / "broken").chmod(0o755)
    env = {"CXX": str(folder / "broken"), "XDG_CACHE_HOME": str(folder / "cache")}
    env |= commands()
    call("submit", "small", env=env)
    assert completed() == 0
    for words in (("submit", "small", "execution.native=off"), ("retry", "small"),
                  ("submit", "small", "execution.native=off", "--rerun"),
                  ("retry", "small", "--replan")):  # fmt: skip
        said = call(*words, env=env).stderr
        if completed() == RUNS:
            return
    raise AssertionError(f"nothing that one can say trains it: {said}")


def test_d4_a_checkpoint_is_damaged():
    for path in half().glob("checkpoint*.pt"):
        path.write_bytes(b"")
    trained()


@pytest.mark.parametrize(
    "record", ["0001.claim", "pack.json", "0001/progress.json", "0001/curves.jsonl", ".DS_Store"]
)
def test_d5_one_record_is_damaged(record):
    trained()
    (path, *_) = Path("runs/packs").glob("*")
    path = path.parent if record == ".DS_Store" else path
    (path / record).write_bytes(b'{"half')
    for words in (("status", "small"), ("submit", "small"), ("collect", "small")):
        done = call(*words)
        assert "Traceback" not in done.stderr, (words, done.stderr[-300:])
    assert completed() == RUNS


def test_d5_a_manifest_is_torn():
    trained()
    (path,) = Path("runs/sweeps/small").glob("*.json")
    path.write_bytes(path.read_bytes()[:100])
    trained()


def test_d6_as_process_1():
    prefix = ("unshare", "-r", "-p", "-f", "--mount-proc")
    if subprocess.run([*prefix, "true"], check=False, capture_output=True).returncode:
        pytest.skip("no process namespaces here")
    trained(prefix=prefix)


def test_d7_a_requeued_task_on_a_node_without_squeue():
    task = {"name": "small-1", "job": 7, "task": 3, "restart": 0, "node": "n1"}
    attempt = half()
    claimed_by(attempt, **ELSEWHERE, slurm=task)
    os.utime(attempt / "progress.json")
    env = {"SLURM_JOB_ID": "10", "SLURM_ARRAY_JOB_ID": "7", "SLURM_ARRAY_TASK_ID": "3",
           "SLURM_JOB_NAME": "small-1", "SLURM_RESTART_COUNT": "1", "PATH": str(Path("bin").absolute())}  # fmt: skip
    Path("bin").mkdir()
    for name in ("g++", "as", "ld"):
        Path("bin", name).symlink_to(shutil.which(name))
    trained(env=env)


def test_d8_a_stopped_owner_goes_on_after_its_runs_were_collected():
    sweep(3000)
    first = begun()
    (path, *_) = until(lambda: list(Path("runs").glob("packs/*/*/checkpoint.pt")), "a checkpoint")
    attempt, pid = path.parent, number(path.parent.with_suffix(".claim"))
    os.kill(pid, signal.SIGSTOP)
    os.kill(first.pid, signal.SIGSTOP)
    claimed_by(attempt, **ELSEWHERE)
    os.utime(attempt / "progress.json", (0, 0))
    trained()
    before = table()
    os.kill(pid, signal.SIGCONT)
    until(lambda: (attempt / "end.json").exists(), "its end")
    os.killpg(first.pid, signal.SIGKILL)
    pd.testing.assert_frame_equal(table(), before)


def table() -> pd.DataFrame:
    done = call("collect", "small")
    assert done.returncode == 0, done.stderr
    frame = pd.read_parquet("results/small/table.parquet")
    return frame.sort_values("run_id", ignore_index=True)


def test_d9_a_worker_that_does_not_listen_is_ended_by_cancel():
    sweep(3000)
    begun()
    (pid, *_) = until(living, "a worker")
    os.kill(pid, signal.SIGSTOP)
    done = call("cancel", "small")
    assert done.returncode == 0, done.stderr
    assert not words_of(pid), f"{done.stdout}{done.stderr}and it is there still"


def test_d9_a_worker_that_hangs_is_said_and_ended():
    Path("hung.py").write_text(HANGS)
    words = ("model.attention=hung.attend", "execution.stall_s=15", "execution.retries_hang=20")
    trained(*words, env={"PYTHONPATH": f"{Path.cwd()}:{os.environ['PYTHONPATH']}"})


HANGS = """
import pathlib, sys, time
from orchestrator.models.attention import attend as ours


def attend(q, k, v):
    once = pathlib.Path("struck")
    if "worker" in " ".join(sys.orig_argv) and not once.exists():
        once.touch()
        time.sleep(1e6)
    return ours(q, k, v)
"""


def test_d10_d13_nothing_of_an_allocation_or_a_users_squeue_leaks():
    done = call("submit", "small", "cluster=slurm", env={**commands(), **LEAKS})
    assert done.returncode == 0, done.stderr
    seen = Path("env").read_text()
    assert not [name for name in LEAKS if f"\n{name}=" in seen]


def test_d11_sbatch_fails_after_queueing():
    lies = "touch queued; echo 'sbatch: error: Socket timed out' >&2; exit 1"
    done = call("submit", "small", "cluster=slurm", env=commands(sbatch=lies))
    assert done.returncode == 0 and "nothing was queued" not in done.stderr, done.stderr


def test_d12_a_colleague_reads():
    attempt = half()
    claimed_by(attempt, **ELSEWHERE)
    os.utime(attempt / "progress.json")
    for path in (Path("runs"), *Path("runs").rglob("*")):
        path.chmod(0o755 if path.is_dir() else 0o644)
    for verb in ("status", "plan"):
        done = subprocess.run([COMMAND[0], "-c", COLLEAGUE, verb, "small"], capture_output=True,
                              text=True, check=False)  # fmt: skip
        assert done.returncode == 0, done.stderr[-400:]


COLLEAGUE = """
import os, sys
import orchestrator.cli


def call():
    try:
        orchestrator.cli.main(sys.argv[1:])
    except SystemExit as e:
        return e.code


call()  # imports all that an interpreter in somebody's home would not let another user read
os.seteuid(65534)
sys.exit(call())
"""


def test_d14_no_pickle_is_handed_over():
    call("submit", "small", "cluster=slurm", env=commands())
    assert not list(Path("runs").rglob("*.pkl"))


def test_d14_records_are_read_without_importing():
    Path("own.py").write_text(OWN)
    Path("conf/task").mkdir(parents=True)
    Path("conf/task/mine.yaml").write_text("_target_: own.Mine\n")
    Path("sweeps/small.yaml").write_text(
        "defaults: [config, _self_]\nmodel: {width: 16, depth: 1}\nbudget: {steps: 4}\n"
        "execution: {compile: 'off', native: 'off'}\n"
        "hydra: {sweeper: {params: {seed: '0,1,2,3'}}}\n"
    )
    trained("task=mine", "optim.warmup=1", "budget.evals=1", "budget.eval_sequences=64")
    Path("own.py").write_text(OWN + "\nopen('opened', 'w')\n")
    call("collect")
    assert not Path("opened").exists()


def test_d15_submitted_again_by_a_host_a_day_behind():
    trained()
    before = set(Path("runs/packs").iterdir())
    done = call("submit", "small", "--rerun", env={"DAY_BEHIND": "1"})
    assert done.returncode == 0, done.stderr
    new = {p.name for p in set(Path("runs/packs").iterdir()) - before}
    assert new and set(table()["pack"]) == new


def test_d15_a_heartbeat_dated_tomorrow():
    attempt = half()
    claimed_by(attempt, **ELSEWHERE)
    beat, tomorrow = attempt / "progress.json", time.time() + 86400
    os.utime(beat, (tomorrow, tomorrow))
    call("status", "small")
    old = beat.stat().st_mtime - 400  # as if it was silent for so long
    os.utime(beat, (old, old))
    (state,) = json.loads(call("status", "small", "--json").stdout)
    assert "running" not in state["counts"], state["counts"]


def test_d16_retry_after_the_code_changed_leaves_what_failed_of_the_old_one():
    attempt = half()
    (attempt / "end.json").write_text('{"status":"failed","error":"RuntimeError: no luck"}\n')
    call("submit", "small", env={"RAISED": "1"})
    before = len(list(Path("runs").glob("packs/*/*.claim")))
    call("retry", "small", env={"RAISED": "1"})
    assert len(list(Path("runs").glob("packs/*/*.claim"))) == before


def test_d17_a_torn_line_of_curves_is_said_or_known_from_elsewhere():
    trained()
    table()
    before = len(pd.read_parquet("results/small/curves.parquet"))
    (path, *_) = Path("runs").glob("packs/*/*/curves.jsonl")
    path.write_bytes(path.read_bytes()[:-20])
    said = call("collect", "small").stderr
    assert "lost" in said or len(pd.read_parquet("results/small/curves.parquet")) == before


def test_d17_a_torn_kernel_is_built_again(folder):
    sweep(native="on")
    env = {"XDG_CACHE_HOME": str(folder / "cache")}
    trained(env=env)
    for path in Path("cache").rglob("*.so"):
        path.write_bytes(path.read_bytes()[:5000])
    shutil.rmtree("runs")
    trained(env=env)


def test_d17_a_store_on_a_path_with_a_pattern():
    env = {**commands(sbatch='cat > script; for f; do [ -f "$f" ] && cat "$f" >> script; done'),
           "ORCHESTRATOR_STORE": str(Path("of%a").absolute())}  # fmt: skip
    assert call("submit", "small", "cluster=slurm", env=env).returncode == 0
    (line,) = [x for x in Path("script").read_text().splitlines() if "--output=" in x]
    assert "of%%a" in line, line


def test_d17_cancel_reaches_an_sbatch_in_flight():
    env = commands(sbatch="touch asked; sleep 6", scancel='echo "$@" >> cancelled')  # fmt: skip
    first = subprocess.Popen([*COMMAND, "submit", "small", "cluster=slurm"],
                             env={**os.environ, **env}, stderr=subprocess.DEVNULL)  # fmt: skip
    until(Path("asked").exists, "sbatch")
    call("cancel", "small", env=env)
    first.wait(60)
    assert Path("cancelled").exists()


def test_d17_cancel_inside_an_allocation_ends_workers_here():
    sweep(3000)
    os.environ.update({"SLURM_JOB_ID": "5", "SLURM_JOB_NAME": "interactive"})
    try:
        begun()
        (pid, *_) = until(living, "a worker")
        call("cancel", "small", env=commands())
        time.sleep(1)
        assert not words_of(pid), "it is there still"
    finally:
        del os.environ["SLURM_JOB_ID"], os.environ["SLURM_JOB_NAME"]


def test_d17_a_squeue_that_is_silent_is_said():
    call("submit", "small", "cluster=slurm", env=commands())
    done = call("plan", "small", "cluster=slurm", env=commands(squeue="exit 1"))
    assert "squeue" in done.stdout + done.stderr
