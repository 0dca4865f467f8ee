"""Hydra's optimising sweepers, such as hydra-optuna-sweeper: resumed, and with their results kept.

Their results stand in results/SWEEP/. A run is its config, so a point that was trained before costs
nothing; with a storage of Optuna's a study that was killed goes on where it stood.
"""

from __future__ import annotations

import math
import sys
import warnings
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from hydra.core.plugins import Plugins
from hydra.types import HydraContext
from omegaconf import DictConfig, OmegaConf, open_dict

from orchestrator.config import RunConfig
from orchestrator.cost import parameters, train_flops
from orchestrator.errors import UserError
from orchestrator.launch.experiment import Experiment
from orchestrator.law import METRICS, require_metrics

RESULTS = Path("results")
COSTS = {"params": parameters, "flops": train_flops}
"""Objectives that are known beforehand, in their own units."""
WORST = {"val_loss": math.inf, "mean_loss": math.inf, "steps_to_solve": math.inf, "accuracy": 0.0}
"""What a diverged run, or one that never solved its task, counts as."""


class Unfinished(Exception):
    """A run that has no result: its process failed, or was stopped."""


class Search:
    """One study of an optimising sweeper."""

    def __init__(self, chosen: str, name: str, cfg: DictConfig) -> None:
        self.chosen, self.cfg, self.folder = chosen, cfg, RESULTS / name
        with open_dict(cfg.hydra.sweep):
            cfg.hydra.sweep.dir = str(self.folder)
        if chosen == "optuna":
            _require_directions(cfg)
            _resume(cfg.hydra.sweeper, name)

    def sweep(self, context: HydraContext, verb: Any, words: list[str]) -> None:
        """Train until the sweeper has enough, and say what it found."""
        sweeper = Plugins.instance().instantiate_sweeper(
            config=self.cfg, hydra_context=context, task_function=verb
        )
        do = verb.do

        def batch(experiments: list[Any]) -> list[Any]:
            values = do(experiments)
            self.folder.mkdir(parents=True, exist_ok=True)  # only once something was trained
            return values

        verb.do = batch
        if not self.cfg.hydra.sweeper.get("n_trials", 1):
            self.folder.mkdir(parents=True, exist_ok=True)
        sweeper.sweep(words)
        found = self.folder / "optimization_results.yaml"
        if found.is_file():
            print(f"{found}:\n{found.read_text().rstrip()}")


def require_columns(batch: Sequence[Experiment]) -> None:
    """Raises: UserError where the law's metric or an objective is no column of these runs.

    A measure's column is called like its function.
    """
    sweep = batch[0].settings.sweep
    measures = batch[0].run.leaves().get("measures") or []
    known = (*METRICS, *(path.rpartition(".")[2] for path in measures))
    require_metrics([sweep.law.metric], "sweep.law.metric", known)
    require_metrics(sweep.objectives or [], "sweep.objectives", (*known, *COSTS))


def objectives(run: RunConfig, row: dict[str, Any], names: list[str]) -> Any:
    """What an optimiser gets for a run from its result: a number, or a list for several names.

    An Unfinished (returned, for Hydra to raise) stands for a run without a result.
    """
    values = [COSTS[n](run) if n in COSTS else _value(row, n) for n in names]
    for name, value in zip(names, values, strict=True):
        if value is None:
            state = row.get("status", "not finished")
            return Unfinished(f"run {run.run_id}: {state}, without a {name}")
    return values if len(names) > 1 else values[0]


def _value(row: dict[str, Any], name: str) -> float | None:
    if row.get("status") not in ("completed", "diverged"):
        return None
    value = row.get(name)
    return WORST.get(name) if value is None or not math.isfinite(value) else float(value)


def _require_directions(cfg: DictConfig) -> None:
    direction, asked = cfg.hydra.sweeper.direction, cfg.sweep.get("objectives")
    given = len(direction) if OmegaConf.is_list(direction) else 1
    wanted = len(asked) if asked is not None else 1
    if given != wanted:
        raise UserError(
            f"hydra.sweeper.direction={direction}: {given} for {wanted} sweep.objectives; give one "
            "direction for each objective"
        )


def _resume(sweeper: DictConfig, name: str) -> None:
    """Have a stored study go on: n_trials is its total, and what was cut off is asked for first."""
    if sweeper.storage is None:
        if sweeper.sampler.get("seed", 0) is None:
            print(
                "hydra/sweeper=optuna: neither hydra.sweeper.storage nor "
                "hydra.sweeper.sampler.seed is given: killed, it would begin anew with other points",
                file=sys.stderr,
            )
        return
    import optuna
    from optuna.trial import TrialState

    sweeper.study_name = sweeper.study_name or name
    try:
        study = optuna.load_study(sweeper.study_name, str(sweeper.storage))
    except KeyError:
        return  # its first trial is still to come
    except Exception as e:
        raise UserError(
            f"hydra.sweeper.storage={sweeper.storage}: {type(e).__name__}: {str(e)[:200]}"
            " (optuna 2 needs sqlalchemy<2: pip install 'momentum-lab[optuna]')"
        ) from e
    done = 0
    for trial in study.get_trials(deepcopy=False):
        done += trial.state == TrialState.COMPLETE
        if trial.state == TrialState.RUNNING:
            study.tell(trial.number, state=TrialState.FAIL)
            with warnings.catch_warnings():
                warnings.simplefilter("ignore", optuna.exceptions.ExperimentalWarning)
                study.enqueue_trial(trial.params)
    wanted = int(sweeper.n_trials)
    sweeper.n_trials = max(0, wanted - done)
    print(f"study {sweeper.study_name}: {done} of {wanted} trials are done", file=sys.stderr)
