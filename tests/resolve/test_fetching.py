# SPDX-License-Identifier: Apache-2.0
"""What is fetched, and what is not: hosts, addresses, redirects, and bodies that lie or drip."""

from __future__ import annotations

import socket
import ssl
import threading
import time
from contextlib import contextmanager, suppress

import pytest

from labelkit.errors import FetchFailed, InvalidArgument
from labelkit.resolve import Fetcher, Guard


@contextmanager
def answering(*answers: bytes, drip: bool = False):
    """A server on the loopback that gives these bytes, one answer a connection; yields (port, what was asked)."""
    listener = socket.create_server(("127.0.0.1", 0))
    asked: list[str] = []

    def serve() -> None:
        for answer in answers:
            try:
                connection, _ = listener.accept()
            except OSError:
                return
            with connection:
                asked.append(connection.recv(1 << 16).decode("latin-1"))
                try:
                    for piece in [answer] if not drip else [answer[i:i + 1] for i in range(len(answer))]:
                        connection.sendall(piece)
                        time.sleep(0.05 if drip else 0)
                except OSError:
                    pass
    thread = threading.Thread(target=serve, daemon=True)
    thread.start()
    try:
        yield listener.getsockname()[1], asked
    finally:
        with suppress(OSError):
            listener.shutdown(socket.SHUT_RDWR)  # wakes the thread where nobody has asked
        listener.close()
        thread.join()


def page(body: bytes, *headers: str, status: str = "200 OK", length: int | None = None) -> bytes:
    lines = [f"HTTP/1.1 {status}", f"Content-Length: {len(body) if length is None else length}", *headers, "", ""]
    return "\r\n".join(lines).encode() + body


HERE = Fetcher(Guard(["labels.test"], is_private=True), resolve=lambda host, port: ["127.0.0.1"])


def test_what_is_allowed_is_fetched():
    with answering(page(b"found")) as (port, asked):
        assert HERE.get(f"http://labels.test:{port}/a?b=c", accept="text/plain") == b"found"
    assert asked[0].startswith("GET /a?b=c HTTP/1.1\r\n") and f"Host: labels.test:{port}\r\n" in asked[0]
    assert "Accept: text/plain" in asked[0]


@pytest.mark.parametrize("url", [
    "http://labels.test/", "ftp://labels.test/", "file:///etc/passwd", "https://other.test/", "https://a.labels.test/",
    "https://user:secret@labels.test/", "https://labels.test@other.test/", "https:///path", "//labels.test/", "",
    "https://labels.test:0/", "https://labels.test:99999999/", "https://[::1/", "https://labels.test/\r\nX: y",
    "https://lаbels.test/", "https://labels.test/" + "a" * 5000, "https://labels.test.other.test/"])
def test_other_urls_are_refused(url):
    fetcher = Fetcher(Guard(["labels.test"]), resolve=lambda host, port: pytest.fail("a name was looked up"))
    with pytest.raises(InvalidArgument):
        fetcher.get(url)


def test_hosts_below_one_are_named_with_a_star():
    guard = Guard(["*.labels.test"])
    assert guard.parts("https://a.b.LABELS.test/").hostname == "a.b.labels.test"
    for host in ("labels.test", "xlabels.test", "labels.test.evil.test"):
        with pytest.raises(InvalidArgument, match="not one that may be asked"):
            guard.parts(f"https://{host}/")


@pytest.mark.parametrize("address", [
    "127.0.0.1", "10.1.2.3", "172.16.0.1", "192.168.1.1", "169.254.169.254", "100.64.0.1", "0.0.0.0", "224.0.0.1",
    "255.255.255.255", "::1", "::", "fe80::1", "fe80::1%eth0", "fc00::1", "fec0::1", "ff02::1", "::ffff:127.0.0.1",
    "::ffff:169.254.169.254", "64:ff9b::7f00:1", "64:ff9b:1::7f00:1", "2002:7f00:1::", "2001:0:0:0:0:0:80ff:fffe"])
def test_addresses_that_are_not_public_are_refused(address):
    for found in ([address], ["93.184.215.14", address]):  # one of several is enough
        fetcher = Fetcher(Guard(None), resolve=lambda host, port, found=found: found)
        with pytest.raises(InvalidArgument, match="not public"):
            fetcher.get("https://labels.test/")


def test_public_addresses_are_not_refused():
    guard = Guard(None)
    for address in ("93.184.215.14", "2606:2800:21f:cb07:6820:80da:af6b:8b2c", "64:ff9b::5db8:d70e"):
        assert guard.judge([address], "https") == address
    with pytest.raises(InvalidArgument, match="https: alone"):
        Guard(None, is_private=True).judge(["93.184.215.14"], "http")


def test_numbers_that_stand_for_addresses_are_judged_as_these():
    for host in ("127.1", "2130706433", "0x7f000001", "localhost"):
        with pytest.raises((InvalidArgument, FetchFailed)) as refused:
            Fetcher(Guard(None)).get(f"https://{host}/")
        assert "not public" in str(refused.value) or "cannot be found" in str(refused.value)


def test_each_redirect_is_judged():
    def to(where: str) -> bytes:
        return page(b"", f"Location: {where}", status="302 Found")

    with answering(to("/there"), page(b"moved")) as (port, _):
        assert HERE.get(f"http://labels.test:{port}/") == b"moved"
    for where in ("http://other.test/", "https://169.254.169.254/latest", "file:///etc/passwd", "gopher://labels.test/"):
        with answering(to(where)) as (port, asked), pytest.raises(InvalidArgument):
            HERE.get(f"http://labels.test:{port}/")
        assert len(asked) == 1
    with answering(*[to("/again")] * 4) as (port, asked), pytest.raises(FetchFailed, match="more than 3 times"):
        HERE.get(f"http://labels.test:{port}/")


def test_the_address_that_was_judged_is_asked():
    """A name that changes its address in between leads nowhere else: it is looked up once for a request."""
    looked_up = []

    def resolve(host, port):
        looked_up.append(host)
        return ["127.0.0.1"] if len(looked_up) == 1 else ["192.0.2.1"]

    with answering(page(b"found")) as (port, _):
        assert Fetcher(HERE.guard, resolve=resolve).get(f"http://labels.test:{port}/") == b"found"
    assert looked_up == ["labels.test"]


@pytest.mark.parametrize("answer", [
    page(b"x" * 200), page(b"x" * 50, length=10**9), page(b"x", length=50), b"", b"no http at all\r\n\r\n",
    b"HTTP/1.1 200 OK\r\n\r\n" + b"x" * 200, page(b"", status="404 Not Found"), page(b"", status="500 Broken"),
    b"HTTP/1.1 200 OK\r\nContent-Length: " + b"9" * 5000 + b"\r\n\r\n",
    b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n" + b"64\r\n" + b"x" * 100 + b"\r\n" + b"zz\r\n",
    b"HTTP/1.1 200 OK\r\n" + b"X: y\r\n" * 200 + b"\r\n"])
def test_wrong_answers_are_one_error(answer):
    with answering(answer) as (port, _), pytest.raises(FetchFailed):
        Fetcher(HERE.guard, most=100, resolve=HERE.resolve).get(f"http://labels.test:{port}/")


def test_an_answer_that_drips_is_cut():
    hello = b"\x16\x03\x03\x3f\xff\x02\x00\x3f\xfb" + bytes(4000)  # a handshake that drips, too
    for scheme, answer in (("http", page(b"x" * 4000)), ("https", hello)):
        with answering(answer, drip=True) as (port, _), pytest.raises(FetchFailed):
            Fetcher(HERE.guard, seconds=0.3, resolve=HERE.resolve).get(f"{scheme}://labels.test:{port}/")


def test_tls_is_checked_under_the_name_of_the_host(tmp_path):
    from tests.resolve.tls import certificate

    certificate(tmp_path, "labels.test")
    server = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    server.load_cert_chain(tmp_path / "cert.pem", tmp_path / "key.pem")
    trusted = ssl.create_default_context(cafile=tmp_path / "cert.pem")

    def ask(host: str, context: ssl.SSLContext | None) -> bytes:
        listener = socket.create_server(("127.0.0.1", 0))

        def serve() -> None:
            try:
                connection, _ = listener.accept()
                with server.wrap_socket(connection, server_side=True) as secure:
                    secure.recv(1 << 16)
                    secure.sendall(page(b"found"))
            except OSError:  # the client does not like the certificate
                pass
        thread = threading.Thread(target=serve, daemon=True)
        thread.start()
        try:
            return Fetcher(Guard(None, is_private=True), resolve=lambda *_: ["127.0.0.1"], context=context).get(
                f"https://{host}:{listener.getsockname()[1]}/")
        finally:
            listener.close()
            thread.join()

    assert ask("labels.test", trusted) == b"found"
    for host, context in (("other.test", trusted), ("labels.test", None)):
        with pytest.raises(FetchFailed):
            ask(host, context)
