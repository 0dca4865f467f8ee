"""The environment of Slurm's commands: the cluster's address, and nothing that changes a question.

SLURM_*, SBATCH_*, SQUEUE_* and so on of an allocation or of a user's habits would leak into jobs
(salloc's memory and tasks) or narrow an answer (SQUEUE_STATES, SQUEUE_USERS).
"""

from __future__ import annotations

import os
import re

_KEPT = ("SLURM_CONF", "SLURM_CONF_SERVER", "SLURM_JWT", "SLURM_CLUSTERS")
_SLURMS = re.compile(r"(SLURM|SLURMD|SBATCH|SALLOC|SRUN|SQUEUE|SACCT|SCANCEL|SCONTROL|SINFO|PMI)_")


def environment() -> dict[str, str]:
    """This process's environment without what Slurm's commands would take for options."""
    return {k: v for k, v in os.environ.items() if k in _KEPT or not _SLURMS.match(k)}
