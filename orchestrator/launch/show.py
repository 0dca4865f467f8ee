"""What the verbs print: text for people, the same as plain data for `--json`."""

from __future__ import annotations

import sys
from collections import Counter
from typing import Any

from rich.console import Console
from rich.table import Table

from orchestrator.cost import parameters, train_flops
from orchestrator.durations import duration
from orchestrator.launch.launcher import launcher
from orchestrator.launch.packs import at_once, estimate_s, mode_of
from orchestrator.launch.plan import Plan
from orchestrator.launch.price import steps
from orchestrator.launch.state import DONE, UNDER_WAY
from orchestrator.launch.status import SweepStatus
from orchestrator.records.attempts import attempts, results
from orchestrator.records.check import Problem
from orchestrator.records.store import Store, open_store

STATES = (
    "completed", "diverged", "running", "queued", "waiting", "failed", "stopped", "hung", "dead",
    "new", "changed", "rerun",
)  # fmt: skip


def plan_json(plans: list[Plan]) -> dict[str, Any]:
    """A plan as plain data."""
    (plan,) = plans
    return {
        "sweep": plan.sweep,
        "store": str(open_store().root),
        "runs": len(plan.runs),
        "counts": plan.counts,
        "to_train": [
            {"run_id": p.run.run_id, "why": p.state, "params": parameters(p.run),
             "flops": train_flops(p.run), "pack": plan.pack_of[p.run.run_id]}
            for p in plan.runs if p.state not in (*DONE, *UNDER_WAY)
        ],
        "packs": [
            {"pack": pack.pack_id, "runs": len(pack.run_ids), **vars(pack.frozen)}
            for pack in plan.launch
        ],
        "flops": sum(train_flops(r) for r in plan.to_train),
        "steps": dict(zip(("alone", "to_train"), _steps(plan), strict=True)),
        "unused_trunks": plan.unused_trunks,
        "trained_by_other_code": plan.other_code,
        "packs_half_trained_by_other_code": plan.restarted,
        "changed": plan.changed,
    }  # fmt: skip


def plan_text(plans: list[Plan]) -> None:
    """A plan as tables: shapes, packs, and why runs would train."""
    (plan,) = plans
    console = Console()
    table = Table("depth", "width", "heads", "runs", "to train", "parameters", "FLOPs to train")
    train = {r.run_id for r in plan.to_train}
    groups: dict[tuple[int | None, ...], list] = {}
    for p in plan.runs:
        key = tuple(p.run.size(name) for name in ("depth", "width", "heads"))
        groups.setdefault(key, []).append(p.run)
    for key, runs in sorted(groups.items(), key=lambda item: [n or 0 for n in item[0]]):
        sizes = sorted({parameters(r) for r in runs})
        span = f"{sizes[0]:,}" if len(sizes) == 1 else f"{sizes[0]:,}-{sizes[-1]:,}"
        mine = [r for r in runs if r.run_id in train]
        flops = sum(train_flops(r) for r in mine)
        table.add_row(
            *("" if n is None else str(n) for n in key), str(len(runs)), str(len(mine)), span,
            f"{flops:.3g}",
        )  # fmt: skip
    console.print(table)
    plan_lines(plan, open_store(), console)


def plan_lines(plan: Plan, store: Store, console: Console | None = None) -> None:
    """A few lines: what stands, what would train and why."""
    console = console or Console(stderr=True)
    counts = plan.counts
    states = ", ".join(f"{counts[s]} {s}" for s in STATES if s in counts)
    say = lambda text: console.print(text, soft_wrap=True, highlight=False)
    say(f"sweep {plan.sweep}: {len(plan.runs)} runs ({states}) · store {store.root}")
    for change, runs in plan.changed.items():
        say(f"{runs} of them were trained by an earlier version; changed: {change}")
    if plan.other_code:
        say(f"{plan.other_code} finished runs were trained by other code of the same version;"
            " --rerun trains them again")  # fmt: skip
    if plan.restarted:
        say(f"half-trained by other code of the same version: {plan.restarted} packs; what they have"
            " not finished starts anew, so that no run is of two codes")  # fmt: skip
    if plan.silent:
        say("squeue does not answer: what waits in its queue counts as not queued, and may be queued"
            " twice; it is trained once")  # fmt: skip
    if not plan.launch:
        say("nothing to train")
        return
    widths = Counter((mode_of(p, plan.settings), p.frozen.width) for p in plan.launch)
    packs = ", ".join(f"{n} {mode} of width {w}" for (mode, w), n in sorted(widths.items()))
    flops = sum(train_flops(r) for r in plan.to_train)
    say(f"to train: {len(plan.to_train)} runs in {len(plan.launch)} packs ({packs}),"
        f" {flops:.3g} FLOPs")  # fmt: skip
    alone, together = _steps(plan)
    if together < alone:
        say(f"lengths share their beginnings: {together:,} steps instead of {alone:,}"
            f" ({together / alone:.0%})")  # fmt: skip
    for why, trunks in plan.unused_trunks.items():
        say(f"{trunks} kept trunks are not gone on from: {why}")
    seconds, measured = estimate_s(store, plan.launch, plan.settings)
    there, bench = "here", "`orchestrator bench`"
    if launcher(plan.settings).place is not None:
        there, bench = "on such nodes", f"{bench} with the same `cluster`"
    source = f"measured {there}" if measured else f"nothing measured {there}: run {bench}"
    where = launcher(plan.settings).describe(at_once(plan.launch, plan.settings))
    say(f"about {duration(seconds)} {where} ({source})")


def _steps(plan: Plan) -> tuple[int, int]:
    """Optimiser steps of what would train: each run alone, and what they take together."""
    wanted = {run.run_id for run in plan.to_train}
    each = [steps(pack, wanted) for pack in plan.launch]
    return sum(alone for alone, _ in each), sum(together for _, together in each)


def status_json(states: list[SweepStatus]) -> list[dict[str, Any]]:
    return [vars(s) for s in states]


def status_table(states: list[SweepStatus]) -> Table:
    """One row a sweep."""
    table = Table(
        "sweep", "done", "diverged", "running", "waiting", "failed", "hung, dead, stopped"
    )
    for s in states:
        c = Counter(s.counts)
        table.add_row(
            s.sweep, *(str(c[k]) for k in ("completed", "diverged", "running")),
            str(c["queued"] + c["waiting"]), str(c["failed"]),
            str(c["hung"] + c["dead"] + c["stopped"]),
        )  # fmt: skip
    return table


def status_text(states: list[SweepStatus]) -> None:
    """The table, and a line for each pack under way or failed."""
    console = Console()
    console.print(f"store {open_store().root}", soft_wrap=True, highlight=False)
    console.print(status_table(states))
    for s in states:
        for line in status_lines(s):
            console.print(line, soft_wrap=True, highlight=False, markup=False)


def status_lines(s: SweepStatus) -> list[str]:
    """A line for each pack under way, each reason to wait, and each pack that failed or died."""
    out = []
    for r in s.running:
        first, members = r.get("first", 0), r.get("members", 0)
        where = "starting up"
        if members:
            where = f"runs {first}-{first + members - 1}, step {r.get('step', 0)} of {r['steps']}"
            if r.get("left_s") is not None:
                where += f", {duration(r['left_s'])} left"
        job = f", job {r['job']}" if "job" in r else ""
        limit = f" ({r['time_left']} to its time limit)" if r.get("time_left") else ""
        out.append(f"running: pack {r['pack']} on {r['host']}{job}: {where}{limit}")
    out += [f"waiting: {q['runs']} runs in Slurm's queue: {q['reason']}" for q in s.queued]
    for e in s.errors:
        out.append(f"failed: pack {e['pack']}: {e['error']} (log {e['log'] or e['folder']})")
    for d in s.dead:
        log = f" (log {d['log']})" if d["log"] else ""
        out.append(f"{d['state']}: pack {d['pack']}: {d['why']}{log}")
    if s.silent:
        out.append("squeue does not answer: what waits in the queue is not known now")
    return out


def collected_text(collected: dict[str, Any]) -> None:
    """What was written, and what is missing."""
    statuses = ", ".join(f"{n} {s}" for s, n in collected["statuses"].items())
    print(f"{collected['runs']} of {collected['expected']} runs ({statuses}); "
          f"{collected['missing']} missing; store {collected['store']}")  # fmt: skip
    for path in collected["tables"]:
        print(path)


def result_text(store: Store, plan: Plan) -> None:
    """The results of a plan's runs, one line each."""
    for p in plan.runs:
        row = results(attempts(store, plan.pack_of[p.run.run_id])).get(p.run.run_id)
        if row is None:
            print(f"run {p.run.run_id}: not finished", file=sys.stderr)
            continue
        loss = "not finite" if row["val_loss"] is None else f"{row['val_loss']:.4f}"
        solved = row["steps_to_solve"] or "never"
        print(f"run {p.run.run_id}: {row['status']}, loss {loss}, accuracy "
              f"{row['accuracy']:.4f}, solved at step {solved}")  # fmt: skip


def problems_text(problems: list[Problem]) -> None:
    """One line a problem."""
    for p in problems:
        mended = "; mended" if p.repaired else ""
        print(f"{p.path}: {p.what}: {p.means}{mended}")
    if not problems:
        print(f"store {open_store().root}: sound")
