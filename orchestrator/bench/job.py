"""What a job of `orchestrator bench cluster=slurm` runs: the measurement, on the node that it got."""

from __future__ import annotations

import argparse
import json
import os
import sys

from orchestrator.bench.verb import bench_text, composed, measured_here
from orchestrator.errors import UserError
from orchestrator.records.store import open_store


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m orchestrator.bench.job")
    parser.add_argument("--store", required=True)
    parser.add_argument("--place", type=json.loads, required=True)
    parser.add_argument("overrides", nargs="*")
    args = parser.parse_args()
    os.environ["ORCHESTRATOR_STORE"] = args.store
    try:
        bench_text(measured_here(open_store(), composed(args.overrides), args.place))
    except (UserError, RuntimeError) as e:  # a device that is not there
        sys.exit(str(e))


if __name__ == "__main__":
    main()
