# SPDX-License-Identifier: Apache-2.0
"""Fetch what a URL names, within bounds, and nothing that the operator has not allowed.

A host name is resolved once, its addresses are judged, and the connection is made to the address that was judged: a
name that changes its address in between leads nowhere else. Each redirect is judged like the first URL.
"""

from __future__ import annotations

import contextlib
import http.client
import ipaddress
import socket
import ssl
import threading
import time
import urllib.parse
from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass

from labelkit.distribution import __version__
from labelkit.errors import FetchFailed, InvalidArgument
from labelkit.messages import Message, one_line

_MAX_URL = 4096  # characters
_REDIRECTS = 3
_CHUNK = 64 << 10
_NAT64, _NAT64_LOCAL = ipaddress.ip_network("64:ff9b::/96"), ipaddress.ip_network("64:ff9b:1::/48")  # RFC 6052, 8215

Resolve = Callable[[str, int], list[str]]
"""The addresses of a host; socket.getaddrinfo by default."""


@dataclass(frozen=True)
class Guard:
    """Which URLs may be fetched.

    hosts       names of hosts, in lower case; "*.example.com" is every host below that one. None for every host
    is_private  whether private, loopback and link-local addresses may be asked, and plain http: there
    """

    hosts: Collection[str] | None
    is_private: bool = False

    def parts(self, url: str) -> urllib.parse.SplitResult:
        """The parts of a URL that may be fetched; raises InvalidArgument."""
        try:
            parts = urllib.parse.urlsplit(url)
            host, port = parts.hostname or "", parts.port
        except ValueError:
            parts, host, port = None, "", None
        if parts is None or not host or port == 0 or len(url) > _MAX_URL or not url.isascii() or not url.isprintable():
            raise InvalidArgument("{url} is no URL that can be fetched", url=one_line(url)[:200])
        if parts.scheme != "https" and not (self.is_private and parts.scheme == "http"):
            raise InvalidArgument("{url}: only https: is fetched", url=one_line(url)[:200])
        if parts.username is not None or parts.password is not None:
            raise InvalidArgument("a URL with a user name or a password is not fetched")
        if self.hosts is not None and not any(_is_host(host, allowed) for allowed in self.hosts):
            raise InvalidArgument("the host {host} is not one that may be asked", host=host)
        return parts

    def judge(self, addresses: Collection[str], scheme: str) -> str:
        """One of the addresses of a host; raises InvalidArgument where one is not public and that is not allowed."""
        public = [_is_public(ipaddress.ip_address(address.partition("%")[0])) for address in addresses]
        if not self.is_private and not all(public):
            raise InvalidArgument("the host has an address that is not public, so it is not asked")
        if scheme != "https" and any(public):
            raise InvalidArgument("the host has a public address, so it is asked by https: alone")
        return next(iter(addresses))


def _is_host(host: str, allowed: str) -> bool:
    if allowed.startswith("*."):
        return host.endswith(allowed[1:].lower())
    return host == allowed.lower()


def _is_public(address: ipaddress.IPv4Address | ipaddress.IPv6Address) -> bool:
    """Whether an address is of the internet, whatever it is wrapped in."""
    if isinstance(address, ipaddress.IPv6Address):
        if address in _NAT64:
            return _is_public(ipaddress.IPv4Address(int(address) & 0xFFFFFFFF))
        inner = address.ipv4_mapped or address.sixtofour or (address.teredo[1] if address.teredo else None)
        if inner is not None:
            return _is_public(inner)
        if address.is_site_local or address in _NAT64_LOCAL:
            return False
    return address.is_global and not address.is_multicast


@dataclass(frozen=True)
class Fetcher:
    """Fetches within bounds.

    guard    which URLs
    seconds  for one URL, its redirects included
    most     bytes of a body
    resolve  addresses of a host
    context  of TLS; by default the roots of this machine
    """

    guard: Guard
    seconds: float = 20.0
    most: int = 16 << 20
    resolve: Resolve | None = None
    context: ssl.SSLContext | None = None

    def get(self, url: str, *, accept: str = "*/*", headers: Mapping[str, str] | None = None) -> bytes:
        """The body at a URL.

        Raises InvalidArgument for a URL that may not be fetched, FetchFailed for everything that goes wrong on the way,
        a status other than 200 included.
        """
        ends = time.monotonic() + self.seconds
        for _ in range(_REDIRECTS + 1):
            status, where, body = self._once(url, {"Accept": accept, **(headers or {})}, ends)
            if where is None:
                if status != 200:
                    raise FetchFailed("{host} answered with status {status}", host=_host(url), status=status)
                return body
            url = urllib.parse.urljoin(url, where)
        raise FetchFailed("{host} led to others more than {limit} times", host=_host(url), limit=_REDIRECTS)

    def _once(self, url: str, headers: Mapping[str, str], ends: float) -> tuple[int, str | None, bytes]:
        """(status, where a redirect leads, body) of one request."""
        parts = self.guard.parts(url)
        host, port = parts.hostname or "", parts.port or (443 if parts.scheme == "https" else 80)
        address = self.guard.judge(self._addresses(host, port), parts.scheme)
        connection = _Connection(host, port, address, max(0.1, ends - time.monotonic()),
                                 (self.context or ssl.create_default_context()) if parts.scheme == "https" else None)
        timer = threading.Timer(max(0.1, ends - time.monotonic()), connection.cut)  # whatever drips, ends
        timer.daemon = True
        timer.start()
        try:
            path = urllib.parse.urlunsplit(("", "", parts.path or "/", parts.query, ""))
            connection.request("GET", path, headers={"User-Agent": f"labelkit/{__version__}", "Accept-Encoding":
                                                     "identity", "Connection": "close", **headers})
            answer = connection.getresponse()
            if answer.status in (301, 302, 303, 307, 308) and (where := answer.getheader("Location")):
                return answer.status, where, b""
            return answer.status, None, self._body(answer, host) if answer.status == 200 else b""
        except FetchFailed:
            raise
        except (OSError, http.client.HTTPException, ValueError) as error:
            raise FetchFailed("{host} gave no answer: {reason}", host=host,
                              reason=one_line(str(error) or type(error).__name__)[:200]) from error
        finally:
            timer.cancel()
            connection.close()

    def _body(self, answer: http.client.HTTPResponse, host: str) -> bytes:
        stated = answer.getheader("Content-Length", "")
        parts, count = list[bytes](), int(stated) if stated.isdecimal() else 0
        while count <= self.most and (chunk := answer.read1(_CHUNK)):
            parts.append(chunk)
            count = sum(map(len, parts))
        if count > self.most:
            raise FetchFailed("{host} sends more than {limit} bytes", host=host, limit=f"{self.most:,}")
        if stated.isdecimal() and count != int(stated):
            raise FetchFailed("{host} broke off after {count} bytes", host=host, count=f"{count:,}")
        return b"".join(parts)

    def _addresses(self, host: str, port: int) -> list[str]:
        try:
            found = (self.resolve or _resolved)(host, port)
        except (OSError, UnicodeError) as error:
            raise FetchFailed("{host} cannot be found", host=host) from error
        if not found:
            raise FetchFailed("{host} cannot be found", host=host)
        return found


def _resolved(host: str, port: int) -> list[str]:
    return [str(found[4][0]) for found in socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)]


def _host(url: str) -> str:
    return urllib.parse.urlsplit(url).hostname or Message("the host").text()


class _Connection(http.client.HTTPConnection):
    """A connection to an address that was judged, under the name of its host."""

    def __init__(self, host: str, port: int, address: str, seconds: float, tls: ssl.SSLContext | None) -> None:
        super().__init__(host, port, timeout=seconds)
        self._address, self._tls = address, tls
        self._other_end: socket.socket | None = None
        if tls is not None:
            self.default_port = http.client.HTTPS_PORT  # it is left out of the header Host

    def connect(self) -> None:
        """Connect to the address; TLS asks for the name."""
        plain = socket.create_connection((self._address, self.port), self.timeout)
        self._other_end = plain.dup()
        self.sock = plain if self._tls is None else self._tls.wrap_socket(plain, server_hostname=self.host)

    def cut(self) -> None:
        """End what is being waited for, from another thread, in the middle of a handshake too."""
        with contextlib.suppress(OSError):
            if self._other_end is not None:
                self._other_end.shutdown(socket.SHUT_RDWR)

    def close(self) -> None:
        """Close it."""
        super().close()
        if self._other_end is not None:
            self._other_end.close()
