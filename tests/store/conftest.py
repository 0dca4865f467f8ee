"""The half-trained store that all tests here begin with, made once."""

from __future__ import annotations

from pathlib import Path

import pandas as pd
import pytest

from tests.store.forked import warm
from tests.store.half_trained import made

World = tuple[Path, tuple[pd.DataFrame, pd.DataFrame]]


@pytest.fixture(scope="session")
def half(tmp_path_factory: pytest.TempPathFactory) -> World:
    """A folder with the store `template` in it, and the tables that it comes to."""
    warm()
    folder = tmp_path_factory.mktemp("half")
    return folder, made(folder, folder / "template")
