"""What `bench` measured is read by the one reader of JSON lines: a torn line costs itself alone."""

from __future__ import annotations

import platform

import pytest

from orchestrator.cli import main
from orchestrator.records.sealed import dumps
from tests.conftest import TINY

MEASURED = {
    "host": platform.node(),
    "rows": [{"mode": m, "flops_per_s": 1e15} for m in ("native", "eager", "compiled")],
}


@pytest.mark.parametrize("torn", [0.0, 0.25, 0.5, 0.75, 1.0])
def test_a_torn_measurement_does_not_break_plan(store, capsys, torn):
    whole = dumps(MEASURED)
    path = store / "bench" / f"{platform.node()}.jsonl"
    path.parent.mkdir(parents=True)
    path.write_bytes(whole + whole[: int(torn * (len(whole) - 1))])
    with pytest.raises(SystemExit) as stop:
        main(["plan", "demo", *TINY])
    said = capsys.readouterr()
    assert stop.value.code == 0, said.err
    assert "(measured here)" in said.out
