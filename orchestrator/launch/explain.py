"""Hydra's complaints as one line that names the key, the value and what is allowed."""

from __future__ import annotations

import re

from hydra._internal.hydra import Hydra
from hydra.core.object_type import ObjectType
from hydra.errors import HydraException
from hydra.types import RunMode
from omegaconf import OmegaConf
from omegaconf.errors import OmegaConfBaseException

from orchestrator.coerce import unknown_key
from orchestrator.errors import UserError, near
from orchestrator.launch.compose import leaves
from orchestrator.launch.overrides import is_a_group, no_such_option


def explained(e: Exception, hydra: Hydra, config: str) -> str:
    """What a composition of the primary config `config` failed of."""
    if isinstance(e.__cause__, UserError):
        return str(e.__cause__)
    text = str(e)
    if match := re.search(r"Could not find '(?:([^']*)/)?([^'/]+)'", text):
        found = _unknown_option(match.group(1), match.group(2), hydra)
    elif match := re.search(r"Could not override '([^']+)'\.\s*No match in the defaults", text):
        found = _unknown_group(match.group(1), hydra)
    elif match := re.match(r"Could not override '([^']+)'", text) or re.search(
        r"full_key: (\S+)", text
    ):
        found = _unknown_key(match.group(1), hydra, config)
    else:
        found = None
    return found or first_line(e)


def first_line(e: BaseException) -> str:
    """A library's message without its lists of paths and links, on one line."""
    text = str(e).partition("Config search path:")[0].partition("See https://")[0]
    return " ".join(text.split())[:300] or type(e).__name__


def _unknown_option(group: str | None, option: str, hydra: Hydra) -> str | None:
    loader = hydra.config_loader
    options = loader.get_group_options(group, ObjectType.CONFIG) if group else []
    return no_such_option(group, option, options) if options else None


def _unknown_group(group: str, hydra: Hydra) -> str:
    groups = [g for g in hydra.list_all_config_groups() if g != "settings"]
    known = ", ".join(g for g in groups if not g.startswith("hydra"))
    return f"{group}: no such group{near(group, groups)}; groups: {known}"


def _unknown_key(key: str, hydra: Hydra, config: str) -> str | None:
    try:
        cfg = hydra.config_loader.load_configuration(config, [], run_mode=RunMode.MULTIRUN)
    except (HydraException, OmegaConfBaseException):  # the file itself is what is wrong
        return None
    if "/" in key:
        return _unknown_group(key, hydra)
    if key.startswith("hydra."):
        return None
    own = {k: v for k, v in OmegaConf.to_container(cfg).items() if k != "hydra"}
    group = key.replace(".", "/")
    if "." in key and hydra.config_loader.get_group_options(group, ObjectType.CONFIG):
        return is_a_group(key)
    return None if key in leaves(own) else unknown_key(key, leaves(own))
