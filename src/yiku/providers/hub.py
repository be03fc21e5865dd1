"""Files of a model from a model hub, or a mirror of one: resumed where a transfer broke off."""

import asyncio
import re
from collections.abc import Callable
from pathlib import Path

import httpx

from yiku.core.errors import ModelNotFound, ProviderRefused, ProviderUnavailable
from yiku.providers.presets import LocalPreset
from yiku.providers.weights import sha256_of

ATTEMPTS = 5
TIMEOUT_S = 30.0
FIRST_WAIT_S = 0.5
SHA256 = re.compile(r"[0-9a-f]{64}")


async def fetch_from_hub(
    preset: LocalPreset, hub: str, folder: Path, progress: Callable[[int, int | None], None]
) -> None:
    """The model's three files into `folder`; those already there are not fetched again.

    Their addresses are `{hub}/{repo}/resolve/{revision}/{file}`.

    Raises: ProviderUnavailable, ProviderRefused, ModelNotFound, OSError.
    """
    folder.mkdir(parents=True, exist_ok=True)
    async with httpx.AsyncClient(follow_redirects=True, timeout=TIMEOUT_S) as client:
        for name in ("config.json", "tokenizer.json", preset.weights):
            if not (folder / name).exists():
                base = f"{hub.rstrip('/')}/{preset.repo}/resolve/{preset.revision}"
                await _fetch(client, f"{base}/{name}", folder / name, progress)


async def _fetch(
    client: httpx.AsyncClient, url: str, target: Path, progress: Callable[[int, int | None], None]
) -> None:
    part = target.with_name(f"{target.name}.part")
    expected: str | None = None
    for attempt in range(ATTEMPTS):
        try:
            expected = await _transfer(client, url, part, progress)
            break
        except (httpx.TransportError, ProviderUnavailable) as error:
            if attempt == ATTEMPTS - 1:
                raise ProviderUnavailable(
                    f"{url} could not be fetched: {error or type(error).__name__}. Run the same"
                    " command again to go on from here.",
                    url=url,
                ) from error
            await asyncio.sleep(FIRST_WAIT_S * 2**attempt)
    if expected and await asyncio.to_thread(sha256_of, part) != expected:
        part.unlink()
        raise ModelNotFound(f"{url} arrived damaged; nothing of it was kept.", url=url)
    part.replace(target)


async def _transfer(
    client: httpx.AsyncClient, url: str, part: Path, progress: Callable[[int, int | None], None]
) -> str | None:
    """Fetch what `part` lacks; the SHA-256 the hub says the whole file has, if it does."""
    done = part.stat().st_size if part.exists() else 0
    # Compressed answers can't be resumed: the range would count compressed bytes.
    headers = {"Accept-Encoding": "identity"} | ({"Range": f"bytes={done}-"} if done else {})
    async with client.stream("GET", url, headers=headers) as answer:
        if answer.status_code == 416:
            part.unlink()
            raise ProviderUnavailable("the file there is shorter than what is here of it")
        if answer.status_code >= 500 or answer.status_code == 429:
            raise ProviderUnavailable(f"the hub answered {answer.status_code}")
        if answer.is_error:
            raise ProviderRefused(
                f"{url} was refused with {answer.status_code}. Check the hub's address and whether"
                " it has the model.",
                url=url,
            )
        if answer.status_code != 206:
            done = 0
        length = answer.headers.get("content-length")
        total = done + int(length) if length else None
        with part.open("ab" if done else "wb") as file:
            async for block in answer.aiter_raw():
                file.write(block)
                done += len(block)
                progress(done, total)
        if total is not None and done != total:
            raise ProviderUnavailable(f"{done} of {total} bytes arrived")
        return _linked_hash(answer)


def _linked_hash(answer: httpx.Response) -> str | None:
    """The hub names a large file's SHA-256 in the answer that redirects to its store."""
    for response in (*answer.history, answer):
        found = SHA256.fullmatch(response.headers.get("x-linked-etag", "").strip('"'))
        if found:
            return found[0]
    return None
