"""A Hydra sweeper that optimises gets the primary metric of each run back."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

PLUGIN = '''
"""Halves an interval of gamma by what the runs return: a stand-in for an optimising sweeper."""
from hydra.core.config_store import ConfigStore
from hydra.core.plugins import Plugins
from hydra.plugins.sweeper import Sweeper


class Halving(Sweeper):
    def setup(self, *, hydra_context, task_function, config):
        self.launcher = Plugins.instance().instantiate_launcher(
            hydra_context=hydra_context, task_function=task_function, config=config)

    def sweep(self, arguments):
        low, high = 0.0, 1.0
        for i in range(2):
            jobs = [[*arguments, f"model.momentum.gamma={g}"] for g in (low, high)]
            values = [r.return_value for r in self.launcher.launch(jobs, initial_job_idx=2 * i)]
            assert all(isinstance(v, float) for v in values), values
            middle = (low + high) / 2
            low, high = (low, middle) if values[0] < values[1] else (middle, high)
        print("best between", low, "and", high)


ConfigStore.instance().store(group="hydra/sweeper", name="halving", provider="test",
                             node={"_target_": "hydra_plugins.halving.Halving"})
'''


def test_values_come_back_and_batches_extend_one_sweep(store, tiny):
    plugin = Path("hydra_plugins/halving")
    plugin.mkdir(parents=True)
    (plugin / "__init__.py").write_text(PLUGIN)
    Path("mine.yaml").write_text("defaults: [config, override hydra/sweeper: halving, _self_]\n")
    env = {**os.environ, "PYTHONPATH": str(Path.cwd())}

    def run(verb: str) -> subprocess.CompletedProcess[str]:
        words = [verb, "./mine.yaml", *tiny, "cluster.wait=true"]
        return subprocess.run(
            [sys.executable, "-m", "orchestrator", *words], env=env, capture_output=True,
            text=True, check=False,
        )  # fmt: skip

    done = run("submit")
    assert done.returncode == 0, done.stderr
    assert "best between" in done.stdout
    assert len(list((store / "sweeps" / "mine").glob("[0-9]*.json"))) == 2
    assert not Path("multirun").exists()
    refused = run("plan")
    assert refused.returncode == 2 and "chooses its points" in refused.stderr
