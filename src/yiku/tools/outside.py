"""Addresses outside: which may be reached, and how a name is kept from meaning another meanwhile.

For whatever the server asks for on somebody's behalf: pages, callbacks.
"""

from __future__ import annotations

import asyncio
import ipaddress
import socket
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import httpx

from yiku.core.errors import Invalid

TRANSLATED = ipaddress.IPv6Network("64:ff9b::/96")
"""IPv4 as networks of IPv6 alone see it."""
GIVEN_OUT = ipaddress.IPv6Network("2000::/3")
"""Whatever of IPv6 is somebody's is in here; what isn't means something to this network alone."""
OF_CLOUDS = (ipaddress.IPv4Network("192.0.0.0/24"), ipaddress.IPv4Network("168.63.129.16/32"))
"""Where clouds tell their machines' secrets, although the addresses look like anybody's."""
PORTS = {"http": 80, "https": 443}

Address = ipaddress.IPv4Address | ipaddress.IPv6Address


@dataclass(frozen=True, slots=True)
class Noun:
    """What an address is of, for who is told what is wrong with it."""

    en: str
    zh: str


PAGE = Noun("a page", "网页")


def is_public(address: Address) -> bool:
    """Not this machine, its network, or what routers and clouds keep for themselves."""
    if isinstance(address, ipaddress.IPv6Address):
        inner = address.ipv4_mapped or address.sixtofour
        if address in TRANSLATED:
            inner = ipaddress.IPv4Address(int(address) & 0xFFFFFFFF)
        if inner is None:
            return address.is_global and address in GIVEN_OUT
        address = inner
    return address.is_global and not address.is_multicast and not of_clouds(address)


def of_clouds(address: ipaddress.IPv4Address) -> bool:
    return any(address in one for one in OF_CLOUDS)


def anywhere(address: Address) -> bool:
    return True


def checked(url: str, of: Noun = PAGE) -> httpx.URL:
    """Raises: Invalid."""
    try:
        asked = httpx.URL(url)
    except (httpx.InvalidURL, TypeError) as error:
        raise Invalid(
            f"{url!r:.200} is no address of {of.en}.", zh=f"{url!r:.200} 不是{of.zh}地址。"
        ) from error
    if asked.scheme not in PORTS or not asked.host:
        raise Invalid(
            f"{url!r:.200} is no address of {of.en}: it begins with https:// or http://.",
            zh=f"{url!r:.200} 不是{of.zh}地址：应以 https:// 或 http:// 开头。",
        )
    if asked.userinfo:
        raise Invalid(
            f"An address of {of.en} with a user's name or password in it isn't reached.",
            zh=f"不访问带有用户名或密码的{of.zh}地址。",
        )
    return asked


async def resolved(asked: httpx.URL, allowed: Callable[[Address], bool]) -> Address:
    """Where the host is; all its addresses must be allowed. Raises: Invalid."""
    found = await addresses(asked)
    if not all(map(allowed, found)):
        raise refused(asked)
    return found[0]


def refused(asked: httpx.URL) -> Invalid:
    return Invalid(
        f"{asked.host!r} is not reached: it is an address of this machine or its network, and"
        " only public ones are reached.",
        zh=f"不访问 {asked.host!r}：那是本机或内网的地址，只能访问公网地址。",
    )


async def addresses(asked: httpx.URL) -> list[Address]:
    """All of the host's, at least one. Raises: Invalid."""
    try:
        # The name as it goes over the wire: 例子.中国 is xn--…
        name = asked.raw_host.decode("ascii").strip("[]")
        rows = await asyncio.get_running_loop().getaddrinfo(name, None, type=socket.SOCK_STREAM)
    except (OSError, UnicodeError) as error:
        raise Invalid(
            f"There is no host {asked.host!r}, or its name can't be resolved.",
            zh=f"没有主机 {asked.host!r}，或无法解析它的名称。",
        ) from error
    return [ipaddress.ip_address(str(row[4][0]).partition("%")[0]) for row in rows]


@dataclass(frozen=True, slots=True)
class Pinned:
    """A request's address with the host's own address in place of its name."""

    url: httpx.URL
    host: str
    """For the header of that name."""
    extensions: Mapping[str, Any]


def pinned(asked: httpx.URL, address: Address) -> Pinned:
    """So that what was looked at is what is connected to."""
    port = "" if asked.port in (None, PORTS[asked.scheme]) else f":{asked.port}"
    name = asked.raw_host.decode("ascii")
    host = f"[{name}]" if ":" in name else name
    at = asked.copy_with(host=str(address))
    return Pinned(at, f"{host}{port}", {"sni_hostname": asked.host})
