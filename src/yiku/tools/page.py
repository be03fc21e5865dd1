"""A web page as text: fetched from public addresses only, within limits."""

from __future__ import annotations

import asyncio
import json
import re
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import httpx

from yiku.core.errors import Invalid
from yiku.tools import page_text
from yiku.tools.outside import Address, checked, is_public, pinned, resolved

MAX_BYTES = 4 << 20
MAX_REDIRECTS = 5
TIMEOUT_S = 20.0
AGENT = "Yiku (self-hosted memory server; fetches what its user's agent asks for)"
TEXTUAL = re.compile(r"text/|application/(json|xml|xhtml|javascript|ld\+json|.*\+(json|xml))")
PROGRAM = Path(page_text.__file__)


@dataclass(frozen=True, slots=True)
class Page:
    url: str
    """Where it was found in the end."""
    title: str
    text: str


async def fetch(
    url: str, *, allowed: Callable[[Address], bool] = is_public, timeout_s: float = TIMEOUT_S
) -> Page:
    """`allowed` decides on every address, also of each redirect; the one that was looked at is the
    one that is connected to, so that a name can't come to mean another meanwhile.

    Raises: Invalid, telling why not.
    """
    try:
        async with (
            asyncio.timeout(timeout_s),
            httpx.AsyncClient(trust_env=False, timeout=timeout_s) as client,
        ):
            for _ in range(MAX_REDIRECTS + 1):
                found = await once(client, url, allowed)
                if isinstance(found, Page):
                    return found
                url = found
    except TimeoutError as error:
        raise Invalid(
            f"{url} took longer than {timeout_s:g} s.", zh=f"{url} 超过了 {timeout_s:g} 秒。"
        ) from error
    except httpx.HTTPError as error:
        why = str(error) or type(error).__name__
        raise Invalid(
            f"{url} could not be fetched: {why}.", zh=f"无法读取 {url}：{why}。"
        ) from error
    raise Invalid(
        f"{url} leads on and on: more than {MAX_REDIRECTS} redirects.",
        zh=f"{url} 一再跳转：超过 {MAX_REDIRECTS} 次。",
    )


async def once(
    client: httpx.AsyncClient, url: str, allowed: Callable[[Address], bool]
) -> Page | str:
    """The page, or the address it sends to. Raises: Invalid."""
    asked = checked(url)
    at = pinned(asked, await resolved(asked, allowed))
    headers = {
        "Host": at.host,
        "User-Agent": AGENT,
        "Accept": "text/html,text/*;q=0.9,application/json;q=0.8,*/*;q=0.1",
        # What comes packed can be a thousand times larger than it looks.
        "Accept-Encoding": "identity",
    }
    request = client.build_request("GET", at.url, headers=headers, extensions=at.extensions)
    answer = await client.send(request, stream=True)
    try:
        if answer.is_redirect:
            return str(asked.join(answer.headers["location"]))
        if answer.status_code >= 400:
            status = f"{answer.status_code} {answer.reason_phrase}"
            raise Invalid(f"{url} answered {status}.", zh=f"{url} 返回了 {status}。")
        kind = answer.headers.get("content-type", "text/plain").lower()
        if not TEXTUAL.match(kind):
            named = kind.partition(";")[0]
            raise Invalid(
                f"{url} is {named}, which has no text to read.",
                zh=f"{url} 是 {named}，没有可读的文字。",
            )
        if answer.headers.get("content-encoding", "identity") != "identity":
            raise Invalid(
                f"{url} came packed, though it was asked for plainly.",
                zh=f"{url} 返回的是压缩内容，尽管要求的是原文。",
            )
        body, whole = await read(answer)
    finally:
        await answer.aclose()
    return await page_of(str(asked), kind, body, whole)


async def read(answer: httpx.Response) -> tuple[bytes, bool]:
    """The body, and whether it is all of it."""
    body = bytearray()
    async for chunk in answer.aiter_raw():
        body += chunk
        if len(body) > MAX_BYTES:
            return bytes(body[:MAX_BYTES]), False
    return bytes(body), True


async def page_of(url: str, kind: str, body: bytes, whole: bool) -> Page:
    """Raises: Invalid."""
    child = await asyncio.create_subprocess_exec(
        *(sys.executable, "-I", "-S", "-X", "utf8", str(PROGRAM), kind),
        stdin=asyncio.subprocess.PIPE,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.DEVNULL,
        env={},
    )
    try:
        said, _ = await child.communicate(body)
    finally:
        if child.returncode is None:
            child.kill()
            await child.wait()
    if not said:
        raise Invalid(f"{url} can't be read: its text ends nowhere.", zh=f"无法读取 {url} 的内容。")
    found = json.loads(said)
    more = "" if whole else f"\n… (cut off after {MAX_BYTES:,} bytes)"
    return Page(url, found["title"], found["text"] + more)
