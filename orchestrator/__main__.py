"""`python -m orchestrator` does what `orchestrator` does."""

from orchestrator.cli import main

main()
