"""Exit 0 means complete: who waits tries again, takes over, and says what is left. Real processes."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from orchestrator.launch import stop
from orchestrator.launch.control import cancel
from orchestrator.records.attempts import attempts, results
from orchestrator.records.liveness import process_start
from orchestrator.records.packs import all_packs
from orchestrator.records.store import open_store
from tests.conftest import orchestrator

COMMAND = [sys.executable, "-m", "orchestrator"]


def long(tiny: list[str], processes: int) -> list[str]:
    """Overrides of runs that train long enough to be struck."""
    own = {"budget.steps": 3000, "execution.checkpoint_s": 0.05, "cluster.processes": processes}
    return [w for w in tiny if w.split("=")[0] not in own] + [f"{k}={v}" for k, v in own.items()]


def submission(*words: str, **kwargs) -> subprocess.Popen[str]:
    return subprocess.Popen([*COMMAND, "submit", "small", *words], stderr=subprocess.PIPE,
                            stdout=subprocess.DEVNULL, text=True, **kwargs)  # fmt: skip


def living() -> list[int]:
    """Process numbers of the attempts at work."""
    store = open_store()
    tries = (a for p in all_packs(store) for a in attempts(store, p.pack_id))
    return [a.claim["pid"] for a in tries if a.living()]


def until(condition, what: str, seconds: float = 90) -> None:
    end = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < end, f"{what}: {living()}"
        time.sleep(0.05)


def all_done() -> bool:
    store = open_store()
    return all(set(p.run_ids) <= set(results(attempts(store, p.pack_id))) for p in all_packs(store))


def attention(text: str) -> dict[str, str]:
    """A module mine.py whose attend() does what `text` says first; the environment that has it."""
    ours = "from orchestrator.models.attention import attend as ours\n"
    Path("mine.py").write_text(f"{ours}import os, pathlib, signal, sys\n\n\ndef attend(q, k, v):\n"
                               f"    if 'worker' in ' '.join(sys.orig_argv):\n        {text}\n"
                               "    return ours(q, k, v)\n")  # fmt: skip
    return {**os.environ, "PYTHONPATH": str(Path.cwd())}


MINE = ["model.attention=mine.attend", "model.depth=1", "seed=0"]
ONCE = "p = pathlib.Path('struck'); n = int(p.read_text()) if p.exists() else 0; p.write_text(str(n + 1))"


@pytest.mark.parametrize(
    ("fault", "cause"),
    [("n < 1 and os.kill(os.getpid(), signal.SIGKILL)", "crash"),
     ("n < 1 and (_ for _ in ()).throw(MemoryError('too much'))", "memory")],
    ids=["killed", "memory"],
)  # fmt: skip
def test_what_fails_once_is_tried_again(sweep_file, tiny, fault, cause):
    env = attention(f"{ONCE}; {fault}")
    done = subprocess.run([*COMMAND, "submit", "small", *tiny, *MINE], env=env, text=True,
                          capture_output=True, check=False)  # fmt: skip
    assert done.returncode == 0, done.stderr
    assert f"{cause}: " in done.stderr and "trying again (1 of 2)" in done.stderr
    assert all_done()
    (pack,) = all_packs(open_store())
    rows = [json.loads(line) for line in
            (open_store().packs / pack.pack_id / "failures.jsonl").read_text().splitlines()]  # fmt: skip
    assert [r["cause"] for r in rows] == [cause]


def test_a_training_thread_that_hangs_is_said_by_status_killed_and_tried_again(sweep_file, tiny):
    """Its heartbeat goes on: a batch that blocks for ever, once."""
    env = attention(f"{ONCE}; n < 1 and __import__('time').sleep(1e6)")
    # a start on a busy machine may take as long, and is tried again, too
    own = ["execution.stall_s=15", "execution.retries_hang=20"]
    first = submission(*tiny, *MINE, *own, env=env)
    seen: set[str] = set()

    def hung() -> bool:
        if first.poll() is None and Path("struck").exists():
            said = orchestrator("status", "small").stdout
            seen.update(line for line in said.splitlines() if line.startswith("hung: "))
        return first.poll() is not None

    until(hung, "the end of the submission", 300)
    said = first.stderr.read()
    assert first.returncode == 0, said
    assert "hang: it did no step for 1" in said and "trying again (1 of 20)" in said
    assert any("it hangs: no step for 1" in line for line in seen), seen
    (pack,) = all_packs(open_store())
    tries = attempts(open_store(), pack.pack_id)
    assert all_done()
    *before, last = (a.end()["status"] for a in tries)
    assert set(before) == {"killed"} and last == "completed"


def test_what_is_given_up_is_said_with_its_cause(sweep_file, tiny):
    env = attention("raise RuntimeError('no luck today')")
    words = [*COMMAND, "submit", "small", *tiny, *MINE, "execution.retries_crash=1"]
    done = subprocess.run(words, env=env, text=True, capture_output=True, check=False)
    assert done.returncode == 1
    assert "2 of 2 runs are not done" in done.stderr
    assert "given up: tried 2 times, crash: RuntimeError: no luck today" in done.stderr
    (pack,) = all_packs(open_store())
    assert len(attempts(open_store(), pack.pack_id)) == 2


def test_the_submitter_killed_and_the_next_one_leaves_nothing_undone(sweep_file, tiny):
    words = long(tiny, 2)
    first = submission(*words)
    until(lambda: len(living()) == 2, "two workers at work")
    first.kill()  # its workers are told by the kernel, and still there when the next one looks
    first.wait()
    again = orchestrator("submit", "small", *words)
    assert again.returncode == 0, again.stderr
    assert all_done()


def test_of_two_submissions_the_survivor_trains_all(sweep_file, tiny):
    words = long(tiny, 1)
    first = submission(*words)
    until(living, "a worker at work")
    second = submission(*words)
    until(lambda: len(living()) == 2, "both at work")
    first.kill()
    first.wait()
    _, said = second.communicate(timeout=240)
    assert second.returncode == 0, said
    assert all_done()


def test_cancel_ends_a_worker_that_does_not_listen_and_is_not_undone_by_who_waits(
    sweep_file, tiny, monkeypatch
):
    words = long(tiny, 1)
    first = submission(*words)
    until(living, "a worker at work")
    (pid,) = living()
    os.kill(pid, signal.SIGSTOP)
    monkeypatch.setattr(stop, "GRACE_S", 1.0)
    assert cancel("small") == 0
    _, said = first.communicate(timeout=60)
    assert process_start(pid) is None
    assert first.returncode == 1 and "cancelled meanwhile" in said
    assert not living()


def test_without_an_init_workers_train(sweep_file, tiny):
    words = ["unshare", "-r", "-p", "-f", "--mount-proc", *COMMAND, "submit", "small", *tiny]
    if subprocess.run([*words[:5], "true"], check=False, capture_output=True).returncode:
        pytest.skip("no process namespaces here")
    done = subprocess.run(words, capture_output=True, text=True, timeout=240, check=False)
    assert done.returncode == 0, done.stderr
    assert all_done()
