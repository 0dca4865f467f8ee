"""Scaling-law lab for Momentum Attention: plan, train and collect sweeps of small runs."""

__version__ = "0.1.0"


def load(run_id: str, store: str | None = None):
    """The record of one run, by its id: config, status, metrics and curve.

    Raises: UserError where the store has no such run.
    """
    from orchestrator.records.load import load_run

    return load_run(run_id, store)
