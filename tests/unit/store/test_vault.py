"""What is sealed opens with its key, in its organization, and nowhere else."""

from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from yiku.core.errors import SecretUnreadable, SettingInvalid
from yiku.core.ids import OrganizationId
from yiku.store.vault import Vault

OURS, THEIRS = OrganizationId("org-1"), OrganizationId("org-2")
KEY = "k" * 32


def test_what_was_sealed_opens_again(tmp_path: Path) -> None:
    file = tmp_path / "home" / "secret.key"
    sealed = Vault(None, file).seal_text("pa55 密码", OURS)
    assert "pa55" not in sealed
    assert Vault(None, file).open_text(sealed, OURS) == "pa55 密码"
    assert Vault(None, file).seal_text("pa55 密码", OURS) != sealed
    assert file.stat().st_mode & 0o777 == 0o600
    assert [one.name for one in file.parent.iterdir()] == ["secret.key"]


def test_a_given_key_needs_no_file(tmp_path: Path) -> None:
    sealed = Vault(KEY, tmp_path / "secret.key").seal(b"x", OURS)
    assert Vault(KEY, Path("/nowhere/secret.key")).open(sealed, OURS) == b"x"
    assert list(tmp_path.iterdir()) == []


def test_a_text_that_was_never_sealed_is_itself(tmp_path: Path) -> None:
    vault = Vault(None, tmp_path / "secret.key")
    assert vault.open_texts({"A": "plain", "B": ""}, OURS) == {"A": "plain", "B": ""}
    twice = vault.seal_text(vault.seal_text("x", OURS), OURS)
    assert vault.open_text(twice, OURS).startswith("sealed:")


def test_another_key_is_told_from_a_damaged_value(tmp_path: Path) -> None:
    sealed = Vault(KEY, tmp_path / "a").seal(b"x", OURS)
    with pytest.raises(SecretUnreadable, match=r"another key than this server's \(YIKU_SECRET_KEY"):
        Vault("another" * 5, tmp_path / "a").open(sealed, OURS)
    with pytest.raises(SecretUnreadable, match="isn't there"):
        Vault(None, tmp_path / "a").open(sealed, OURS)
    assert not (tmp_path / "a").exists()
    for wrong in (sealed[:-1], sealed[:-1] + bytes([sealed[-1] ^ 1]), sealed[:12]):
        with pytest.raises(SecretUnreadable, match="damaged"):
            Vault(KEY, tmp_path / "a").open(wrong, OURS)
    with pytest.raises(SecretUnreadable, match="another organization's"):
        Vault(KEY, tmp_path / "a").open(sealed, THEIRS)


def test_a_text_that_only_looks_sealed_is_told_of(tmp_path: Path) -> None:
    with pytest.raises(SecretUnreadable):
        Vault(KEY, tmp_path / "a").open_text("sealed:1:!!", OURS)


def test_keys_that_are_none_are_refused(tmp_path: Path) -> None:
    with pytest.raises(SettingInvalid, match="YIKU_SECRET_KEY has 5 characters; 32"):
        Vault("short", tmp_path / "a")
    (tmp_path / "a").write_text("cut")
    with pytest.raises(SettingInvalid, match="cut off"):
        Vault(None, tmp_path / "a").seal(b"x", OURS)


def test_processes_that_make_the_key_at_once_have_the_same(tmp_path: Path) -> None:
    vaults = [Vault(None, tmp_path / "secret.key") for _ in range(8)]
    with ThreadPoolExecutor(8) as threads:
        sealed = list(threads.map(lambda one: one.seal(b"x", OURS), vaults))
    assert all(vaults[0].open(one, OURS) == b"x" for one in sealed)
