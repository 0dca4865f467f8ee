"""What the verbs push and dashboard print."""

from __future__ import annotations

import sys
from typing import Any

from orchestrator.tracking.dashboard import Dashboard
from orchestrator.tracking.push import Pushed


def pushed_json(pushed: Pushed) -> dict[str, Any]:
    return vars(pushed)


def pushed_text(pushed: Pushed) -> None:
    """Two lines, and one for each reason why something was not sent."""
    print(f"sent {pushed.rows} rows to {pushed.sent} W&B runs; {pushed.complete} lacked nothing")
    print(f"{pushed.url} {pushed.project}")
    if pushed.training:
        print(f"{pushed.training} runs are being trained or sent by a job; push again afterwards")
    if pushed.untrained:
        print(f"{pushed.untrained} runs have no evaluation yet")
    reasons: dict[str, list[str]] = {}
    for run, why in pushed.failed.items():
        reasons.setdefault(why, []).append(run)
    for why, runs in reasons.items():
        print(f"{len(runs)} not wholly sent ({why}), the first {runs[0]}; push again",
              file=sys.stderr)  # fmt: skip


def dashboard_text(made: Dashboard) -> None:
    """The addresses, and what went up."""
    verb = "created" if made.created else "updated"
    print(f"{verb}: {made.workspace}")
    print(f"report: {made.report}")
    print(f"artifacts: {', '.join(made.uploaded) or 'nothing new'}")
