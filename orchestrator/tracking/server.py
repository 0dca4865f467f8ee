"""Which W&B server is meant and whether it answers, found out within a time limit."""

from __future__ import annotations

import configparser
import os
import urllib.error
import urllib.request
from pathlib import Path

from orchestrator.errors import UserError

PROBE_S = 5.0
"""Seconds that a server has to answer."""
DEFAULT_URL = "https://api.wandb.ai"


def base_url() -> str:
    """The server's address, as the wandb client resolves it: environment, settings files, cloud."""
    if url := os.environ.get("WANDB_BASE_URL"):
        return url.rstrip("/")
    home = Path(os.environ.get("WANDB_CONFIG_DIR") or Path.home() / ".config" / "wandb")
    for path in (Path("wandb/settings"), home / "settings"):
        parser = configparser.ConfigParser()
        if path.is_file() and parser.read(path) and parser.has_option("default", "base_url"):
            return parser.get("default", "base_url").rstrip("/")
    return DEFAULT_URL


def unreachable(url: str, seconds: float = PROBE_S) -> str | None:
    """Why the server can't be used now, in a few words; None where it answers.

    Any answer below 500 will do: which paths are public differs between servers.
    """
    try:
        with urllib.request.urlopen(f"{url}/healthz", timeout=seconds):
            return None
    except urllib.error.HTTPError as e:
        return None if e.code < 500 else f"it answers with status {e.code}"
    except (OSError, ValueError) as e:
        reason = getattr(e, "reason", e)
        return " ".join(str(reason).split()) or type(e).__name__


def switched_off() -> str | None:
    """The user's own word that nothing is to be sent (WANDB_MODE), or None."""
    mode = os.environ.get("WANDB_MODE", "online")
    if mode in ("offline", "disabled", "dryrun") or os.environ.get("WANDB_DISABLED") == "true":
        return f"WANDB_MODE={mode}"
    return None


def require_reachable(url: str) -> None:
    """Raises: UserError where the server does not answer, or the user has switched W&B off."""
    off = switched_off()
    if off:
        raise UserError(f"{off}: W&B is switched off by this variable")
    reason = unreachable(url)
    if reason:
        raise UserError(f"W&B: {url} can't be reached ({reason})")
