"""What only a GPU can show, in pieces: run it again until it says that it is done.

    python -m tests.benchmarks.gpu --folder first_gpu              # pieces of at most --minutes 9
    python -m tests.benchmarks.gpu --device cpu --small            # the same end to end without one

What a piece has found is kept in FOLDER/gpu.json and not asked again; FOLDER/gpu.md is the page.
"""

from __future__ import annotations

import argparse
import json
import sys
import time
import traceback
from pathlib import Path

import torch

from orchestrator.records.store import write_atomic
from tests.benchmarks.gpu.law import Unfinished
from tests.benchmarks.gpu.page import page
from tests.benchmarks.gpu.pieces import PIECES, Asked


def main() -> None:
    parser = argparse.ArgumentParser(
        prog="python -m tests.benchmarks.gpu", description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )  # fmt: skip
    parser.add_argument("--device", choices=("cuda", "cpu"), default="cuda")
    parser.add_argument("--small", action="store_true", help="sizes that a CPU takes")
    parser.add_argument("--minutes", type=float, default=9.0, help="of this piece, at most about")
    parser.add_argument("--folder", type=Path, default=Path("first_gpu"), help="where all is kept")
    parser.add_argument("--only", help="these pieces, with commas: " + ", ".join(PIECES))
    args = parser.parse_args()
    if args.device == "cuda" and not torch.cuda.is_available():
        parser.error("torch sees no GPU; --device cpu --small runs the same without one")
    names = args.only.split(",") if args.only else list(PIECES)
    if unknown := [name for name in names if name not in PIECES]:
        parser.error(f"--only {unknown[0]}: no such piece; there are: {', '.join(PIECES)}")
    folder = args.folder.absolute()
    folder.mkdir(parents=True, exist_ok=True)
    kept = folder / "gpu.json"
    found = json.loads(kept.read_text()) if kept.exists() else {}
    size = [args.device, args.small]
    if found.setdefault("asked", size) != size:
        parser.error(f"{kept}: is of --device {found['asked'][0]}; give another --folder")
    until, failed = time.time() + 60 * args.minutes, []
    for name in names:
        if name in found:
            continue
        if time.time() > until:
            break
        print(f"{name} ...", file=sys.stderr, flush=True)
        begun = time.time()
        try:
            one = PIECES[name](Asked(args.device, args.small, folder, until))
        except Unfinished:
            break
        except Exception:  # noqa: BLE001  the others have something to say all the same
            traceback.print_exc()
            failed.append(name)
            continue
        found[name] = one | {"took_s": time.time() - begun}
        write_atomic(kept, json.dumps(found, indent=1).encode())
    (folder / "gpu.md").write_text(page(found, args.device, args.small))
    left = [name for name in names if name not in found]
    print(f"{folder}/gpu.md; " + (f"left: {', '.join(left)}; run it again" if left else "done"))
    sys.exit(1 if failed else 0)


if __name__ == "__main__":
    main()
