"""The program that makes a text of a page: Python's own library alone.

It runs in a process of its own, because a page that is made to can keep Python's HTML parser, or a
decoder, busy for days, and nothing in the process that runs them can end them. On its standard
input it gets the page, as an argument its media type. On its standard output it says what it found.
"""

from __future__ import annotations

import json
import re
import sys
from html.parser import HTMLParser

if sys.platform != "win32":
    import resource

CPU_S = 20
"""Where the server is killed, it ends by itself."""
CHARSET = re.compile(rb"""<meta[^>]{0,200}charset=["']?\s*([A-Za-z0-9_-]+)""", re.IGNORECASE)


def text_of(kind: str, body: bytes) -> tuple[str, str]:
    """Title and text."""
    text = decoded(kind, body)
    if "html" not in kind:
        return "", text
    reader = Reader()
    reader.feed(text)
    reader.close()
    return reader.title, reader.text()


def decoded(kind: str, body: bytes) -> str:
    named = re.search(r"charset=[\"']?([\w-]+)", kind)
    inside = CHARSET.search(body[:4096])
    name = named[1] if named else inside[1].decode() if inside else "utf-8"
    # GBK and GB2312 are parts of GB 18030, and pages that name them use the rest of it.
    name = "gb18030" if name.lower() in ("gbk", "gb2312") else name
    try:
        return body.decode(name, "replace")
    except (LookupError, ValueError):  # unknown, or a form of host names, which knows no "replace"
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

    def parse_marked_section(self, i: int, report: int = 1) -> int:
        """`<![…>` is a comment in HTML; the library stumbles over some."""
        return self.parse_bogus_comment(i, bool(report))

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


def main(kind: str) -> None:
    if sys.platform != "win32":
        resource.setrlimit(resource.RLIMIT_CPU, (CPU_S, CPU_S))
    title, text = text_of(kind, sys.stdin.buffer.read())
    sys.stdout.write(json.dumps({"title": title, "text": text}))


if __name__ == "__main__":
    main(sys.argv[1])
