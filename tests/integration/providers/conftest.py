from pathlib import Path

import pytest

from yiku.providers.presets import LocalPreset, local_preset


@pytest.fixture(scope="session")
def minilm() -> LocalPreset:
    return local_preset("all-minilm-l6-v2")


@pytest.fixture(scope="session")
def home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Yiku's folder, shared: the graphs of the real model are built once."""
    return tmp_path_factory.mktemp("home")
