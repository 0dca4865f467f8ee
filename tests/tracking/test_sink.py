"""Must-show 1 and 2: whatever happens to server and job, W&B ends with our rows, each once."""

from __future__ import annotations

import fcntl
import os
import signal
import time

import pytest

from orchestrator.records.attempts import attempts
from orchestrator.tracking.marker import sending
from tests.tracking.compare import holds_all, recorded, same_rows
from tests.tracking.conftest import wait_until


def finish(*jobs, seconds: float = 240) -> list[str]:
    """Wait for jobs to end well; what they wrote on standard error."""
    errors = []
    for job in jobs:
        out, error = job.communicate(timeout=seconds)
        assert job.returncode == 0 and "trained" in out, error
        errors.append(error)
    return errors


def begun(bench) -> bool:
    """Whether the server has an open run: its client holds rows, which it sends every 15 s."""
    return any(r["exitcode"] is None for r in bench.server.all_runs())


def in_the_middle(bench) -> bool:
    """Whether the server has some of an open run's rows."""
    return any(r["exitcode"] is None and len(r["history"]) > 3 for r in bench.server.all_runs())


def test_two_jobs_at_once(bench):
    """12 runs in packs, two jobs: each run once, each step once; a diverged run is an outcome."""
    first, second = bench.planned(packs=2, runs=6)
    finish(bench.job([first]), bench.job([second]))
    holds_all(bench.server, bench.store)
    by_name = {r["displayName"]: r for r in bench.server.all_runs()}
    assert "recall-L2-d4-γ0.5-s0" in by_name
    diverged = by_name["recall-L1-d4-γ1.5-s0"]
    assert diverged["summary"]["diverged"] == 1 and diverged["summary"]["status"] == "diverged"
    rates = [h["tokens_per_second"] for h in diverged["history"]]
    assert rates == [pytest.approx(3 * 14 / 0.1)] * 40, "three runs of a slice, 14 tokens a step"
    assert not list(bench.folder.rglob("*.wandb")), "nothing of ours writes offline files"
    assert not list((bench.folder / "tmp").iterdir()), "the client's own files are gone"


def test_killed_and_resumed(bench):
    """SIGKILL in the middle of a slice, then again from the start: each step once."""
    (pack,) = bench.planned(packs=1, runs=4, slices=1)
    bench.hold.touch()
    job = bench.job([pack])
    wait_until(lambda: in_the_middle(bench))
    os.kill(job.pid, signal.SIGKILL)
    job.wait()
    bench.hold.unlink()
    wait_until(lambda: all(r["exitcode"] is not None for r in bench.server.all_runs()))
    assert 137 in {r["exitcode"] for r in bench.server.all_runs()}
    finish(bench.job([pack]))
    holds_all(bench.server, bench.store)


def test_killed_and_resumed_at_once(bench):
    """The next attempt begins while the killed one's sender is still at it: one after the other."""
    (pack,) = bench.planned(packs=1)
    bench.hold.touch()
    job = bench.job([pack])
    wait_until(lambda: begun(bench))
    os.kill(job.pid, signal.SIGKILL)
    bench.hold.unlink()
    job.wait()
    finish(bench.job([pack]))
    holds_all(bench.server, bench.store)


def test_server_lost_and_back(bench):
    """The server dies in the middle and comes back while the job still trains."""
    (pack,) = bench.planned(packs=1, runs=4, slices=1)
    bench.hold.touch()
    job = bench.job([pack])
    wait_until(lambda: in_the_middle(bench))
    bench.server.kill()
    bench.hold.unlink()
    time.sleep(3)
    bench.server.start()
    finish(job)
    pushed = bench.orchestrator("push", "s")  # what a client gave up on, if anything
    assert pushed.returncode == 0, pushed.stderr
    holds_all(bench.server, bench.store)


def test_unreachable_then_pushed(bench):
    """Unreachable throughout: one warning, training ends, push sends exactly our rows, once."""
    packs = bench.planned(packs=2)
    bench.server.kill()
    begun = time.monotonic()
    (error,) = finish(bench.job(packs, pace_s=0.005))
    assert time.monotonic() - begun < 15
    assert error.count("can't be reached") == 1 and "orchestrator push" in error
    failed = bench.orchestrator("push", "s")
    assert failed.returncode == 2 and len(failed.stderr.splitlines()) == 1
    bench.server.start()
    pushed = bench.orchestrator("push", "s")
    assert pushed.returncode == 0, pushed.stderr
    holds_all(bench.server, bench.store)
    received = {r["id"]: r["rows_received"] for r in bench.server.all_runs()}
    again = bench.orchestrator("push", "s")
    assert "sent 0 rows to 0 W&B runs; 12 lacked nothing" in again.stdout
    assert {r["id"]: r["rows_received"] for r in bench.server.all_runs()} == received


def test_one_push_of_a_sweep_at_a_time(bench):
    """Two would both send what the server lacked when they asked."""
    bench.planned(packs=1)
    with open(bench.store.sweeps / "s/push.lock", "w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        refused = bench.orchestrator("push", "s")
    assert refused.returncode == 2
    assert refused.stderr == "orchestrator: sweep s: another push of it is at work\n"
    assert bench.orchestrator("push", "s").returncode == 0


def test_hanging_server(bench):
    """A server that takes requests and answers none delays the end by seconds, not training."""
    (pack,) = bench.planned(packs=1)
    bench.server.hang()
    begun = time.monotonic()
    (error,) = finish(bench.job([pack], finish_s=3, pace_s=0.005))
    assert time.monotonic() - begun < 25
    assert error.count("W&B: http") == 1


def test_server_begins_to_hang(bench):
    """It hangs in the middle: the job ends within its time, and push sends the rest."""
    (pack,) = bench.planned(packs=1, runs=4, slices=1)
    bench.hold.touch()
    job = bench.job([pack], finish_s=3)
    wait_until(lambda: begun(bench))
    bench.server.hang()
    bench.hold.unlink()
    assert job.stdout.readline() == "trained\n"
    trained = time.monotonic()
    job.wait(40)
    assert time.monotonic() - trained < 20
    bench.server.heal()
    pushed = bench.orchestrator("push", "s")
    assert pushed.returncode == 0, pushed.stderr
    holds_all(bench.server, bench.store)


def test_pack_as_one_wandb_run(bench):
    """tracking.granularity=pack: one W&B run a pack, its slices one after the other."""
    (pack,) = bench.planned(packs=1)
    finish(bench.job([pack], granularity="pack"))
    (run,) = bench.server.all_runs()
    assert run["id"] == f"pack-{pack.pack_id}" and run["exitcode"] == 0
    assert [h["_step"] for h in run["history"]] == list(range(1, 81))
    tokens = [h["tokens"] for h in run["history"]]
    assert tokens == sorted(tokens) and len(set(tokens)) == 80
    assert run["summary"]["diverged"] == 1 and run["summary"]["completed"] == 5
    pushed = bench.orchestrator("push", "s", "--granularity", "pack")
    assert "1 lacked nothing" in pushed.stdout


def test_rows_of_an_unfinished_run_are_pushed(bench):
    """A run that was killed is sent as far as it came, and says so by its exit code."""
    (pack,) = bench.planned(packs=1)
    bench.server.kill()
    bench.hold.touch()
    job = bench.job([pack])
    wait_until(lambda: bool(recorded(bench.store)))
    time.sleep(0.5)
    os.kill(job.pid, signal.SIGKILL)
    job.wait()
    (attempt,) = attempts(bench.store, pack.pack_id)
    wait_until(lambda: (attempt.folder / "tracking.json").exists() and not sending(attempt))
    bench.server.start()
    assert "to 3 W&B runs" in bench.orchestrator("push", "s").stdout
    ours = recorded(bench.store)
    for run in bench.server.all_runs():
        assert run["exitcode"] == 137 and same_rows(run, ours[run["id"]])


def test_sweep_as_one_wandb_run(bench):
    """tracking.granularity=sweep: two jobs, one W&B run; the job that ends last has the last word."""
    first, second = bench.planned(packs=2)
    finish(
        bench.job([first], granularity="sweep", pace_s=0.02),
        bench.job([second], granularity="sweep", pace_s=0.1),
    )
    pushed = bench.orchestrator("push", "s", "--granularity", "sweep")
    assert "0 rows to 0 W&B runs; 1 lacked nothing" in pushed.stdout, pushed.stdout
    (run,) = bench.server.all_runs()
    assert (run["displayName"], run["exitcode"]) == ("sweep-s", 0)
    last = run["history"][-1]
    assert (last["_step"], last["finished"], last["diverged"]) == (12, 12, 2)
    assert run["summary"]["status"] == "completed"
    steps = [h["_step"] for h in run["history"]]
    assert steps == sorted(set(steps))
