"""Pages are read as text, from addresses that are allowed only, within limits."""

import asyncio
import ipaddress
import os
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from yiku.core.errors import Invalid
from yiku.tools.outside import Address, is_public
from yiku.tools.page import MAX_BYTES, fetch, page_of

HTML = """<html><head><title> Tea &amp;
 茶 </title><style>p {}</style><script>alert(1)</script></head><body>
<nav><a href="/x">Home</a></nav><h1>On  tea</h1><p>Green<br>and <b>black</b>,
see <a href="https://tea.example/">here</a>.</p><ul><li>one<li>two</ul>
<pre>a
  b</pre><table><tr><td>1</td><td>2</td></tr></table></body></html>"""

ANSWERS: dict[str, bytes] = {
    "/": b"HTTP/1.1 200 OK\r\nContent-Type: text/html; charset=utf-8\r\n\r\n" + HTML.encode(),
    "/gbk": b"HTTP/1.1 200 OK\r\nContent-Type: text/html\r\n\r\n<meta charset=gb2312><p>"
    + "茶叶".encode("gbk"),
    "/away": b"HTTP/1.1 302 Found\r\nLocation: /\r\n\r\n",
    "/round": b"HTTP/1.1 302 Found\r\nLocation: /round\r\n\r\n",
    "/inside": b"HTTP/1.1 302 Found\r\nLocation: http://169.254.169.254/meta-data\r\n\r\n",
    "/picture": b"HTTP/1.1 200 OK\r\nContent-Type: image/png\r\n\r\nx",
    "/packed": b"HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\nContent-Encoding: gzip\r\n\r\nx",
    "/gone": b"HTTP/1.1 404 Not Found\r\nContent-Length: 0\r\n\r\n",
    "/long": b"HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\n\r\n" + b"a" * (MAX_BYTES + 1),
    "/endless": b"HTTP/1.1 200 OK\r\nContent-Type: text/html\r\n\r\n" + b"<a " * 200_000,
    "/slow": b"HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\nContent-Length: 10\r\n\r\n",
}


async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    head = (await reader.readuntil(b"\r\n\r\n")).decode()
    path = head.split(" ")[1]
    writer.write(ANSWERS[path])
    if path == "/slow":
        await reader.read()
    writer.close()


@pytest.fixture
async def site() -> AsyncIterator[str]:
    async with await asyncio.start_server(answer, "127.0.0.1", 0) as server:
        yield f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}"


def here(address: Address) -> bool:
    return address.is_loopback


async def test_a_page_is_read_as_text(site: str) -> None:
    page = await fetch(f"{site}/away", allowed=here)
    assert page.url == f"{site}/"
    assert page.title == "Tea & 茶"
    assert page.text == (
        "Home\n\n# On tea\n\nGreen\nand black, see here (https://tea.example/).\n\n- one\n- two\n\n"
        "a\n  b\n\n | 1 | 2"
    )
    assert (await fetch(f"{site}/gbk", allowed=here)).text == "茶叶"


@pytest.mark.parametrize(
    ("path", "told"),
    [
        ("/inside", "'169.254.169.254' is not reached"),
        ("/round", "more than 5 redirects"),
        ("/picture", "is image/png, which has no text"),
        ("/packed", "came packed"),
        ("/gone", "answered 404 Not Found"),
        ("/slow", "took longer than 0.5 s"),
    ],
)
async def test_what_is_not_read_is_told(site: str, path: str, told: str) -> None:
    with pytest.raises(Invalid, match=told):
        await fetch(site + path, allowed=here, timeout_s=0.5 if path == "/slow" else 30)


async def test_a_long_page_is_cut_off(site: str) -> None:
    text = (await fetch(f"{site}/long", allowed=here)).text
    assert text == "a" * MAX_BYTES + f"\n… (cut off after {MAX_BYTES:,} bytes)"


@pytest.mark.parametrize(
    "url",
    [
        "http://127.0.0.1:{port}/",
        "http://localhost:{port}/",
        "http://2130706433:{port}/",
        "http://127.1:{port}/",
        "http://[::1]:{port}/",
        "http://[::ffff:127.0.0.1]:{port}/",
        "http://0.0.0.0:{port}/",
    ],
)
async def test_this_machine_is_not_fetched_however_it_is_written(site: str, url: str) -> None:
    with pytest.raises(Invalid, match="only public ones"):
        await fetch(url.format(port=site.rpartition(":")[2]))


@pytest.mark.parametrize(
    "url", ["file:///etc/passwd", "ftp://a/", "x", "http://u:p@a.example/", ""]
)
async def test_other_addresses_are_refused(url: str) -> None:
    with pytest.raises(Invalid, match="address"):
        await fetch(url)


async def test_the_address_that_was_looked_at_is_the_one_that_is_reached(site: str) -> None:
    """A name that means another address the second time it is asked for reaches nothing new."""
    asked: list[Address] = []

    def once(address: Address) -> bool:
        asked.append(address)
        return len(asked) == 1

    port = site.rpartition(":")[2]
    page = await fetch(f"http://127.0.0.1:{port}/gbk", allowed=once)
    assert (page.text, asked) == ("茶叶", [ipaddress.ip_address("127.0.0.1")])


PUBLIC = {
    "8.8.8.8": True,
    "2606:4700::1111": True,
    "10.1.2.3": False,
    "172.16.0.1": False,
    "192.168.1.1": False,
    "100.64.0.1": False,
    "169.254.169.254": False,
    "224.0.0.1": False,
    "255.255.255.255": False,
    "fe80::1": False,
    "fd00::1": False,
    "::ffff:10.0.0.1": False,
    "64:ff9b::a00:1": False,
    "2002:7f00:1::": False,
    "::7f00:1": False,
    "::ffff:0:7f00:1": False,
    "64:ff9b:1::a00:1": False,
    "fec0::1": False,
    "192.0.0.192": False,
    "168.63.129.16": False,
}


@pytest.mark.parametrize(("address", "public"), PUBLIC.items())
def test_which_addresses_are_public(address: str, public: bool) -> None:
    assert is_public(ipaddress.ip_address(address)) == public


async def test_a_page_that_is_all_tags_is_read_too() -> None:
    page = await page_of("http://a", "text/html", b"<div>" * 100_000 + b"x" + b"</a>" * 1000, True)
    assert page.text == "x"


async def test_a_page_that_would_take_for_ever_is_given_up(site: str) -> None:
    with pytest.raises(Invalid, match="took longer than 1 s"):
        await fetch(f"{site}/endless", allowed=here, timeout_s=1)
    for child in Path(f"/proc/self/task/{os.getpid()}/children").read_text().split():
        assert b"page_text" not in Path(f"/proc/{child}/cmdline").read_bytes()


@pytest.mark.parametrize(
    ("kind", "body", "text"),
    [
        ("text/html", b"a <![<b>c", "a c"),
        ("text/html", b"<meta charset=idna>a", "a"),
        ("text/plain; charset=nothing", b"a", "a"),
        ("text/html; charset=zlib", b"a", "a"),
    ],
)
async def test_what_a_page_says_wrongly_does_no_harm(kind: str, body: bytes, text: str) -> None:
    assert (await page_of("http://a", kind, body, True)).text == text
