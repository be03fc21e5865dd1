"""Secrets as they are kept: encrypted, with a key that isn't in the database.

AES-256-GCM. A sealed value names the key that sealed it, so that another key is told from a damaged
value; and it opens only in the organization it was sealed for, so that a row moved to another one
tells nothing. Source: NIST SP 800-38D, random nonces of 96 bits.
"""

from __future__ import annotations

import hashlib
import hmac
import os
from base64 import b64decode, b64encode
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path
from secrets import token_bytes, token_hex

from yiku.core.errors import SecretUnreadable, SettingInvalid
from yiku.core.ids import OrganizationId

FORM = b"\x01"
"""What a sealed value begins with."""
NAME_BYTES = 8
NONCE_BYTES = 12
TEXT = "sealed:1:"
"""What a sealed text begins with, where it stands among texts that aren't."""
SHORTEST_KEY = 32
"""Characters of YIKU_SECRET_KEY."""


class Vault:
    """Seals with YIKU_SECRET_KEY where that is given, else with a key of its own in a file, which
    is made when something is sealed for the first time."""

    def __init__(self, given: str | None, file: Path) -> None:
        """Raises: SettingInvalid where `given` is too short to be a key."""
        if given is not None and len(given) < SHORTEST_KEY:
            raise SettingInvalid(
                f"YIKU_SECRET_KEY has {len(given)} characters; {SHORTEST_KEY} are the least."
                " `openssl rand -hex 32` makes one."
            )
        self._file = file
        self._given = given is not None
        self._key = None if given is None else key_of(given)

    def seal(self, value: bytes, whose: OrganizationId) -> bytes:
        """Raises: SettingInvalid where the key's file can't be written or read."""
        from cryptography.hazmat.primitives.ciphers.aead import AESGCM  # 20 ms few need

        key = self._known() or self._made()
        nonce = token_bytes(NONCE_BYTES)
        head = FORM + name_of(key)
        return head + nonce + AESGCM(key).encrypt(nonce, value, head + whose.encode())

    def open(self, sealed: bytes, whose: OrganizationId) -> bytes:
        """Raises: SecretUnreadable, SettingInvalid where the key's file can't be read."""
        from cryptography.exceptions import InvalidTag
        from cryptography.hazmat.primitives.ciphers.aead import AESGCM

        key, head = self._known(), sealed[: 1 + NAME_BYTES]
        if key is None or head != FORM + name_of(key):
            raise SecretUnreadable(
                "A secret in the database was encrypted with another key than this server's"
                f" ({self._origin()}). Start the server with the key it was encrypted with, or set"
                " the secret again."
            )
        nonce, rest = sealed[len(head) :][:NONCE_BYTES], sealed[len(head) + NONCE_BYTES :]
        try:
            return AESGCM(key).decrypt(nonce, rest, head + whose.encode())
        except (InvalidTag, ValueError) as error:
            raise SecretUnreadable(
                "A secret in the database is damaged, or another organization's. Set it again."
            ) from error

    def seal_text(self, text: str, whose: OrganizationId) -> str:
        """Raises: as `seal`."""
        return TEXT + b64encode(self.seal(text.encode(), whose)).decode()

    def open_text(self, text: str, whose: OrganizationId) -> str:
        """What was sealed; a text that wasn't (older ones weren't), as it is. Raises: as `open`."""
        if not text.startswith(TEXT):
            return text
        return self.open(b64decode(text.removeprefix(TEXT)), whose).decode()

    def seal_texts(self, texts: Mapping[str, str], whose: OrganizationId) -> dict[str, str]:
        """Raises: as `seal`."""
        return {name: self.seal_text(text, whose) for name, text in texts.items()}

    def open_texts(self, texts: Mapping[str, str], whose: OrganizationId) -> dict[str, str]:
        """Raises: as `open`."""
        return {name: self.open_text(text, whose) for name, text in texts.items()}

    def _origin(self) -> str:
        if self._given:
            return "YIKU_SECRET_KEY"
        if self._key is not None:
            return f"the one in {self._file}"
        return f"it has none: YIKU_SECRET_KEY isn't set, and {self._file} isn't there"

    def _known(self) -> bytes | None:
        if self._key is None and self._file.exists():
            self._key = key_in(self._file)
        return self._key

    def _made(self) -> bytes:
        """Of two processes that make one at once, both take the first's."""
        draft = self._file.with_name(f"{self._file.name}.{token_hex(4)}.part")
        try:
            self._file.parent.mkdir(parents=True, exist_ok=True)
            with open(os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w") as out:
                out.write(f"{token_hex(32)}\n")
                out.flush()
                os.fsync(out.fileno())
            with suppress(FileExistsError):
                os.link(draft, self._file)
            draft.unlink()
        except OSError as error:
            raise SettingInvalid(
                f"{self._file} can't be written: {error.strerror}. Set YIKU_SECRET_KEY instead."
            ) from error
        self._key = key_in(self._file)
        return self._key


def key_of(text: str) -> bytes:
    """32 bytes of a text that is a good key already, or a long one."""
    return hmac.digest(b"yiku vault 1", text.encode(), hashlib.sha256)


def key_in(file: Path) -> bytes:
    """Raises: SettingInvalid."""
    try:
        text = file.read_text(encoding="ascii").strip()
    except (OSError, ValueError) as error:
        raise SettingInvalid(f"{file}, the key of secrets, can't be read: {error}") from error
    if len(text) < SHORTEST_KEY:
        raise SettingInvalid(f"{file}, the key of secrets, is cut off: restore it from a backup.")
    return key_of(text)


def name_of(key: bytes) -> bytes:
    """Tells keys apart, and nothing of them."""
    return hmac.digest(key, b"name", hashlib.sha256)[:NAME_BYTES]
