"""Settings that can't be used are refused by their name."""

import pytest

from yiku.core.errors import SettingInvalid
from yiku.settings import load


@pytest.mark.parametrize("name", ["shutdown_s", "lease_s", "busy_timeout_s", "run_wait_s"])
@pytest.mark.parametrize("value", ["inf", "nan", "soon"])
def test_seconds_are_a_number_that_comes_to_an_end(
    name: str, value: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(f"YIKU_{name.upper()}", value)
    with pytest.raises(SettingInvalid, match=f"YIKU_{name.upper()}: Input should be a .*number"):
        load()
