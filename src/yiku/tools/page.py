"""A web page as text: fetched from public addresses only, within limits."""

from __future__ import annotations

import asyncio
import re
from collections.abc import Callable
from dataclasses import dataclass
from html.parser import HTMLParser

import httpx

from yiku.core.errors import Invalid
from yiku.tools.outside import Address, checked, is_public, pinned, resolved

MAX_BYTES = 4 << 20
MAX_REDIRECTS = 5
TIMEOUT_S = 20.0
AGENT = "Yiku (self-hosted memory server; fetches what its user's agent asks for)"
TEXTUAL = re.compile(r"text/|application/(json|xml|xhtml|javascript|ld\+json|.*\+(json|xml))")
CHARSET = re.compile(rb"""<meta[^>]{0,200}charset=["']?\s*([A-Za-z0-9_-]+)""", re.IGNORECASE)


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
    return await asyncio.to_thread(page_of, str(asked), kind, body, whole)


async def read(answer: httpx.Response) -> tuple[bytes, bool]:
    """The body, and whether it is all of it."""
    body = bytearray()
    async for chunk in answer.aiter_raw():
        body += chunk
        if len(body) > MAX_BYTES:
            return bytes(body[:MAX_BYTES]), False
    return bytes(body), True


def page_of(url: str, kind: str, body: bytes, whole: bool) -> Page:
    text = decoded(kind, body)
    title = ""
    if "html" in kind:
        reader = Reader()
        reader.feed(text)
        reader.close()
        title, text = reader.title, reader.text()
    if not whole:
        text += f"\n… (cut off after {MAX_BYTES:,} bytes)"
    return Page(url, title, text)


def decoded(kind: str, body: bytes) -> str:
    named = re.search(r"charset=[\"']?([\w-]+)", kind)
    inside = CHARSET.search(body[:4096])
    name = named[1] if named else inside[1].decode() if inside else "utf-8"
    # GBK and GB2312 are parts of GB 18030, and pages that name them use the rest of it.
    name = "gb18030" if name.lower() in ("gbk", "gb2312") else name
    try:
        return body.decode(name, "replace")
    except LookupError:
        return body.decode("utf-8", "replace")


UNSEEN = frozenset({"script", "style", "noscript", "template", "svg", "iframe", "select", "button"})
BLOCKS = frozenset(
    "address article aside blockquote body br dd div dl dt fieldset figcaption figure footer form"
    " h1 h2 h3 h4 h5 h6 header hr li main nav ol p pre section table tbody tfoot thead tr"
    " ul".split()
)
HEADINGS = {f"h{n}": "#" * n + " " for n in range(1, 7)}


class Reader(HTMLParser):
    """What a page says: headings, lists and links in the way of Markdown."""

    def __init__(self) -> None:
        super().__init__()
        self.title = ""
        self._parts: list[str] = []
        self._unseen = 0
        self._in_title = False
        self._as_it_is = 0
        self._links: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        if tag in UNSEEN:
            self._unseen += 1
        self._in_title = tag == "title"
        if self._unseen:
            return
        if tag in BLOCKS:
            self._parts.append("\n")
        if tag == "pre":
            self._as_it_is += 1
        if tag in ("td", "th"):
            self._parts.append(" | ")
        if mark := HEADINGS.get(tag, "- " if tag == "li" else ""):
            self._parts.append(mark)
        if tag == "a":
            self._links.append(dict(attrs).get("href") or "")

    def handle_endtag(self, tag: str) -> None:
        if tag in UNSEEN:
            self._unseen = max(0, self._unseen - 1)
        if tag == "title":
            self._in_title = False
        if self._unseen:
            return
        if tag == "a" and self._links:
            target = self._links.pop()
            if target.startswith(("http://", "https://")):
                self._parts.append(f" ({target})")
        if tag == "pre":
            self._as_it_is = max(0, self._as_it_is - 1)
        if tag in BLOCKS:
            self._parts.append("\n")

    def handle_data(self, data: str) -> None:
        if self._in_title:
            self.title = " ".join(f"{self.title} {data}".split())
        elif self._as_it_is and not self._unseen:
            self._parts.append(data)
        elif not self._unseen:
            begins = not self._parts or self._parts[-1].endswith("\n")
            words = re.sub(r"\s+", " ", data)
            self._parts.append(words.lstrip() if begins else words)

    def text(self) -> str:
        lines = (line.rstrip() for line in "".join(self._parts).split("\n"))
        return re.sub(r"\n{3,}", "\n\n", "\n".join(lines)).strip()
