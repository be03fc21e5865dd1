"""Where the files of local models live, and whether they are the right ones.

`home` is Yiku's own folder. A model's files lie in `home/models/<name>/`, what was derived from
them in `home/models/cache/`.
"""

import hashlib
import importlib.util
import json
import logging
import os
import tempfile
from pathlib import Path
from typing import Any, cast

from yiku.core.errors import ModelNotFound
from yiku.providers.presets import LocalPreset

logger = logging.getLogger(__name__)

WEIGHT_FILES = ("model.safetensors", "pytorch_model.bin")
HASH_BLOCK = 1 << 20


def model_folder(home: Path, preset: LocalPreset) -> Path:
    return home / "models" / preset.name


def cache_folder(home: Path) -> Path:
    return home / "models" / "cache"


def find_weights(preset: LocalPreset, home: Path, folder: Path | None = None) -> Path:
    """The weights file; config.json and tokenizer.json lie beside it.

    Looked for in `folder` alone if it is given, else in Yiku's home, else in the installed
    package that carries the model.

    Raises: ModelNotFound, saying where was looked and what to do.
    """
    folders = [folder] if folder else [model_folder(home, preset), *_packaged(preset)]
    for place in folders:
        for name in WEIGHT_FILES:
            if (place / name).is_file() and _has_companions(place):
                return place / name
    looked = ", ".join(str(f) for f in folders)
    todo = (
        "Is it the right folder? It needs config.json, tokenizer.json and model.safetensors."
        if folder
        else f"Run `yiku model pull {preset.name}`."
    )
    raise ModelNotFound(
        f"The files of the model local/{preset.name} are not on this machine"
        f" (looked in {looked}). {todo}",
        model=preset.name,
    )


def verified_hash(preset: LocalPreset, weights: Path, home: Path) -> str:
    """SHA-256 of `weights`, checked against the preset's where that is pinned.

    Reading 90 MB takes a while, so the hash is remembered with the file's size and time of
    change, and taken again only when they differ.

    Raises: ModelNotFound when it is another file than the pinned one.
    """
    status = weights.stat()
    seen = {"path": str(weights), "size": status.st_size, "mtime_ns": status.st_mtime_ns}
    note = cache_folder(home) / f"{preset.name}.weights.json"
    known = _read_note(note)
    digest = known.get("sha256")
    if digest is None or {**seen, "sha256": digest} != known:
        digest = sha256_of(weights)
        remember(note, json.dumps({**seen, "sha256": digest}).encode())
    if preset.sha256 not in (None, digest):
        raise ModelNotFound(
            f"{weights} is damaged or another model: its SHA-256 is {digest}, that of"
            f" local/{preset.name} is {preset.sha256}. Fetch it again:"
            f" `yiku model pull {preset.name}`.",
            model=preset.name,
            path=str(weights),
        )
    return str(digest)


def sha256_of(path: Path) -> str:
    digest = hashlib.sha256()
    with path.open("rb") as file:
        while block := file.read(HASH_BLOCK):
            digest.update(block)
    return digest.hexdigest()


def write_whole(path: Path, content: bytes) -> None:
    """Write a file so that nobody ever sees half of it. Raises: OSError."""
    path.parent.mkdir(parents=True, exist_ok=True)
    handle, name = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.")
    try:
        with os.fdopen(handle, "wb") as file:
            file.write(content)
        os.replace(name, path)
    except BaseException:
        Path(name).unlink(missing_ok=True)
        raise


def remember(path: Path, content: bytes) -> None:
    """Keep something that can be worked out again; on a read-only or full disk it will be."""
    try:
        write_whole(path, content)
    except OSError as error:
        logger.warning(
            "model cache not written",
            extra={"action": "model_cache_not_written", "path": str(path), "error": str(error)},
        )


def _read_note(path: Path) -> dict[str, Any]:
    try:
        note: Any = json.loads(path.read_bytes())
    except (OSError, ValueError):
        return {}
    return cast("dict[str, Any]", note) if isinstance(note, dict) else {}


def _has_companions(folder: Path) -> bool:
    return (folder / "config.json").is_file() and (folder / "tokenizer.json").is_file()


def _packaged(preset: LocalPreset) -> list[Path]:
    """The installed package is only located, never imported: importing it wants torch."""
    spec = importlib.util.find_spec(preset.package) if preset.package else None
    places = spec.submodule_search_locations if spec else None
    return [Path(place) / "model" for place in places or ()]
