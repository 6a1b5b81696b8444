"""Addresses outside that somebody else names, and networks that nobody may reach through us.

A name may lead elsewhere a moment after it was checked. So whoever connects resolves it once (`resolve`), and connects
to what was checked.
"""

import queue
import re
import socket
import threading
from contextvars import Context
from dataclasses import dataclass
from ipaddress import IPv4Address, IPv6Address, ip_address, ip_network
from typing import Any
from urllib.parse import quote, urlsplit

import idna

from core.errors import TutorqError

LONGEST_URL = 2_000
PORTS = {"http": 80, "https": 443}
HOST = re.compile(r"(?!-)[a-z0-9_-]{1,63}(?:\.[a-z0-9_-]{1,63})*\.?")
# Where clouds hand out credentials. Refused even where private networks are allowed.
METADATA = tuple(
    ip_network(each)
    for each in ("169.254.0.0/16", "fe80::/10", "fd00:ec2::254/128", "100.100.100.200/32", "168.63.129.16/32")
)
# IPv6 that stands for IPv4: by a NAT64 gateway, by a translator (RFC 7915), and as it was written long ago.
STANDS_FOR_IPV4 = tuple(ip_network(each) for each in ("64:ff9b::/96", "::ffff:0:0:0/96", "::/96"))
# All that the Internet has of IPv6. What lies outside is of this site, or of nobody.
GLOBAL_IPV6 = ip_network("2000::/3")
LOOK_UP_SECONDS = 5.0
NO_HTTPS = "must begin with https://"


class AddressRefusedError(TutorqError):
    """The address is none, or leads where nobody may go."""


@dataclass(frozen=True, slots=True)
class Address:
    """An http(s) URL in its parts. `host` is in ASCII and lower case; `target` is path and query."""

    scheme: str
    host: str
    port: int
    target: str

    @classmethod
    def of(cls, url: str, *, allow_http: bool = False) -> "Address":
        """
        Raises:
            AddressRefusedError: it is no such URL, or is not encrypted.
        """
        if len(url) > LONGEST_URL:
            raise AddressRefusedError(f"is longer than {LONGEST_URL:,} characters")
        if re.search(r"[\x00-\x20\x7f\\]", url):
            raise AddressRefusedError("has a blank, a backslash or a control character in it")
        try:
            parts = urlsplit(url)
            port = parts.port
        except ValueError:
            raise AddressRefusedError("is no URL such as https://example.org/hook") from None
        if parts.scheme not in PORTS or not parts.hostname:
            raise AddressRefusedError("is no URL such as https://example.org/hook")
        if parts.scheme == "http" and not allow_http:
            raise AddressRefusedError(NO_HTTPS)
        if "@" in parts.netloc:
            raise AddressRefusedError("must not hold a user or a password; signatures prove who sends")
        if parts.fragment:
            raise AddressRefusedError("must not have a part behind #")
        target = quote(f"{parts.path or '/'}{'?' if parts.query else ''}{parts.query}", safe="/?:@!$&'()*+,;=%-._~")
        return cls(parts.scheme, _ascii(parts.hostname), port or PORTS[parts.scheme], target)

    @property
    def authority(self) -> str:
        """As in a Host header."""
        host = f"[{self.host}]" if ":" in self.host else self.host
        return host if self.port == PORTS[self.scheme] else f"{host}:{self.port}"

    def __str__(self) -> str:
        return f"{self.scheme}://{self.authority}{self.target}"


def resolve(host: str, port: int, *, allow_private: bool, seconds: float = LOOK_UP_SECONDS) -> list[str]:
    """The IP addresses of a host, all of which may be reached.

    Raises:
        AddressRefusedError: one of them may not.
        OSError: the name cannot be resolved, or not within `seconds`.
    """
    found = look_up(host, port, seconds)
    addresses = list(dict.fromkeys(str(entry[4][0]) for entry in found))
    for address in addresses:
        check_ip(address, allow_private=allow_private)
    return addresses


def look_up(host: str, port: int | str | None, seconds: float = LOOK_UP_SECONDS) -> list[tuple[Any, ...]]:
    """What `socket.getaddrinfo` says, which has no time limit of its own and cannot be interrupted: the thread that
    still waits for it is left behind.

    Raises:
        OSError: the name cannot be resolved, or not within `seconds`.
    """
    answer: queue.SimpleQueue[list[tuple[Any, ...]] | Exception] = queue.SimpleQueue()

    def look() -> None:
        try:
            answer.put(list(socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)))
        except Exception as error:
            answer.put(error)

    threading.Thread(target=Context().run, args=(look,), name="look-up", daemon=True).start()
    try:
        found = answer.get(timeout=max(seconds, 0.0))
    except queue.Empty:
        raise TimeoutError("the name was not resolved in time") from None
    if isinstance(found, Exception):
        raise found
    return found


def check_ip(address: str, *, allow_private: bool) -> None:
    """
    Raises:
        AddressRefusedError: it is in a network that may not be reached.
    """
    ip = _inner(ip_address(address.partition("%")[0]))
    if any(ip in network for network in METADATA if network.version == ip.version):
        raise AddressRefusedError("leads to a network of cloud metadata, which is never allowed")
    if ip.is_multicast or ip.is_unspecified:
        raise AddressRefusedError("leads to an address that is nobody's")
    is_global = ip.is_global and (ip.version == 4 or ip in GLOBAL_IPV6)
    if not is_global and not allow_private:
        raise AddressRefusedError("leads to a private network; TUTORQ_WEBHOOKS_ALLOW_PRIVATE=true allows that")


def _inner(ip: IPv4Address | IPv6Address) -> IPv4Address | IPv6Address:
    """The IPv4 address that an IPv6 address stands for, if it does."""
    if isinstance(ip, IPv6Address):
        if ip.ipv4_mapped:
            return ip.ipv4_mapped
        if ip.sixtofour:
            return ip.sixtofour
        if any(ip in network for network in STANDS_FOR_IPV4):
            return IPv4Address(int(ip) & 0xFFFFFFFF)
    return ip


def _ascii(host: str) -> str:
    if ":" in host:
        try:
            return str(IPv6Address(host))
        except ValueError:
            raise AddressRefusedError("has no host name in it") from None
    try:
        name = host.lower() if host.isascii() else idna.encode(host, uts46=True).decode()
    except idna.IDNAError:
        raise AddressRefusedError("has no host name in it") from None
    if not HOST.fullmatch(name):
        raise AddressRefusedError("has no host name in it")
    return name
