# SPDX-License-Identifier: Apache-2.0
"""Whoever sends what: a request is refused with a reason, and the next one is answered."""

from __future__ import annotations

import asyncio
import io
import json
import socket
import sys
import threading
import time
import zipfile
import zlib
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import httpx
import numpy as np
import pytest
import soundfile

import labelkit as lk
from labelkit import isolation, service
from labelkit.service.front import SlowReader
from labelkit.service.limits import Limits
from tests.media import photo, saved
from tests.service.conftest import PATIENT, serving

EVERYTHING = service.Access(None, service.SCOPES)


def made(**limits: object) -> service.Service:
    """A service that is open, with other limits."""
    return service.Service(service.Settings(producer="acme", limits=service.Limits(
        **{"processes": 1, **PATIENT, **limits})), EVERYTHING)


@contextmanager
def connected(url: str, head: str) -> Iterator[socket.socket]:
    """A connection on which the head of a request was sent."""
    host, port = url.removeprefix("http://").split(":")
    with socket.create_connection((host, int(port))) as connection:
        connection.sendall(head.replace("\n", "\r\n").encode())
        yield connection


def everything(connection: socket.socket) -> bytes:
    """What comes until the connection ends."""
    received = b""
    while True:
        try:
            piece = connection.recv(65536)
        except ConnectionResetError:
            return received
        if not piece:
            return received
        received += piece


def settle(app: service.Service) -> None:
    """Wait until the service holds nothing: it lets go of a request just after its answer."""
    while app.gate.admitted or app.gate.held:
        time.sleep(0.01)


def ask(app: service.Service, *requests: Callable[[httpx.AsyncClient], object]) -> list[httpx.Response]:
    """The answers to requests that are made at the same time, in this process."""
    async def main() -> list[httpx.Response]:
        transport = httpx.ASGITransport(app, raise_app_exceptions=False)
        async with httpx.AsyncClient(transport=transport, base_url="http://x", timeout=None) as client:
            return await asyncio.gather(*(request(client) for request in requests))
    return asyncio.run(main())


@pytest.fixture
def idle(monkeypatch) -> Iterator[Callable[..., service.Service]]:
    """Services whose processes end at once: nothing but the way to them is tested."""
    monkeypatch.setattr(isolation, "_WORKER", [sys.executable, "-c", "pass"])
    apps = []

    def new(**limits: object) -> service.Service:
        apps.append(made(**limits))
        return apps[-1]
    yield new
    for app in apps:
        app.verbs.close()


def test_a_body_over_the_limit_is_refused_whatever_its_head_says(served):
    large = bytes((1 << 20) + 1)

    def chunks() -> Iterator[bytes]:
        for start in range(0, len(large), 65536):
            yield large[start:start + 65536]
    for body in (large, chunks()):  # with a length, and chunked without one
        response = served.post("/v1/verify", content=body)
        assert (response.status_code, response.json()["error"]["type"]) == (413, "TooLarge")
    form = served.post("/v1/verify", files={"file": large})
    assert (form.status_code, form.json()["error"]["type"]) == (413, "TooLarge")
    assert served.post("/v1/verify", content=saved(photo(), "PNG")).status_code == 200


def test_a_length_that_lies_is_no_length(served, labelled):
    head = f"POST /v1/verify HTTP/1.1\nHost: x\nConnection: close\nContent-Length: {{}}\n{{}}: {'{}'}\n\n"
    key = served.keys["all"]["Authorization"]
    with connected(served.url, head.format(99_999_999_999, "Authorization", key)) as connection:
        assert b" 413 " in everything(connection).split(b"\r\n")[0]
    with connected(served.url, head.format(4, "Authorization", key)) as connection:
        connection.sendall(labelled)  # four bytes are the file, and the rest is no request
        assert b'"verdict":"undetermined"' in everything(connection)
    with connected(served.url, head.format(len(labelled) + 1, "Authorization", key)) as connection:
        connection.sendall(labelled)
        connection.shutdown(socket.SHUT_WR)  # one byte never comes
        assert everything(connection) == b""
    assert served.post("/v1/verify", content=labelled).json()["verdict"] == "confirmed"
    settle(served.service)


def test_a_slow_body_and_a_slow_head_end(idle):
    app = idle(receive_seconds=0.2, send_seconds=0.3)
    with serving(app, ready=False) as url:
        head = "POST /v1/verify HTTP/1.1\nHost: x\nContent-Length: 100\n\n"
        with connected(url, head) as connection:
            connection.sendall(b"a little")
            answer = everything(connection)
            assert b" 408 " in answer.split(b"\r\n")[0] and b"TooSlow" in answer
        with connected(url, "GET /healthz HTTP/1.1\nHost: ") as connection:
            assert everything(connection) == b""
        with connected(url, "GET /healthz HTTP/1.1\nHost: x\nConnection: close\n\n") as connection:
            assert everything(connection).endswith(b"ok\n")
        settle(app)


def test_a_client_that_takes_no_answer_holds_nothing(idle):
    app = idle(send_seconds=0.1)
    taken = 0

    async def send(event) -> None:
        nonlocal taken
        taken += len(event.get("body", b""))
        if taken > 200_000:
            await asyncio.Event().wait()

    async def receive():
        return {"type": "http.request", "body": b"x", "more_body": False}

    def answer(upload, asked):
        return service.verbs.Answer({"output": "a"}, bytes(1 << 20), "image/png")
    app.verbs.of["label"] = answer
    scope = {"type": "http", "method": "POST", "path": "/v1/label", "headers": [], "query_string": b"", "client": None,
             "raw_path": b"/v1/label", "root_path": "", "scheme": "http", "server": None}
    with pytest.raises(SlowReader):
        asyncio.run(app(scope, receive, send))
    assert app.gate.admitted == app.gate.held == 0 and taken < 300_000


def test_too_many_requests_are_refused_and_told_when_to_come_back(idle):
    app = idle(waiting=1, callers_share=2)
    begun, go_on = threading.Event(), threading.Event()

    def verify(upload, asked):
        begun.set()
        assert go_on.wait(60)
        return service.verbs.Answer({"verdict": "none"})
    app.verbs.of["verify"] = verify

    async def first(client):
        return await client.post("/v1/verify", content=b"x")

    async def refused(client):
        while app.gate.admitted < 2:
            await asyncio.sleep(0.01)
        try:
            ready = await client.get("/readyz")
            return [await first(client), ready]
        finally:
            go_on.set()
    one, two, (three, ready) = ask(app, first, first, refused)
    assert (one.status_code, two.status_code, three.status_code, ready.status_code) == (200, 200, 429, 503)
    assert int(three.headers["retry-after"]) >= 1 and three.json()["error"]["type"] == "TooManyRequests"
    assert ask(app, first)[0].status_code == 200 and app.gate.admitted == 0


def test_the_gate_refuses_what_would_grow():
    async def main() -> None:
        gate = service.gate.Gate(service.Limits(processes=1, waiting=1, callers_share=9, held_bytes=10,
                                                wait_seconds=0.01))
        with gate.enter("a") as one, gate.enter("b") as two:
            with pytest.raises(service.refusal.Refused) as full, gate.enter("c"):
                pass
            assert (full.value.status, full.value.kind) == (503, "Busy") and full.value.retry_after >= 1
            one.hold(6)
            with pytest.raises(service.refusal.Refused):
                two.hold(5)
            two.hold(4)
            one.keep(2)
            with pytest.raises(service.refusal.Refused):
                one.keep(7)
            assert (gate.held, one.held) == (4, 0)
            one.keep(6)
            async with gate.turn(), gate.turn():  # one at work, and the next of its process
                with pytest.raises(service.refusal.Refused):
                    async with gate.turn():
                        pass
            async with gate.turn():
                assert gate.working == 1
        assert (gate.admitted, gate.held, gate.working) == (0, 0, 0)
    asyncio.run(main())


def bomb_png() -> bytes:
    """A PNG of 40,000 x 40,000 pixels in 200 kB."""
    def chunk(kind: bytes, body: bytes) -> bytes:
        return len(body).to_bytes(4, "big") + kind + body + zlib.crc32(kind + body).to_bytes(4, "big")
    size = (40_000).to_bytes(4, "big")
    return (b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", size + size + b"\x01\0\0\0\0")
            + chunk(b"IDAT", zlib.compress(bytes(40_000 * 5001))) + chunk(b"IEND", b""))


def bomb_zip() -> bytes:
    """A DOCX whose text unpacks to 140 MB."""
    held = io.BytesIO()
    with zipfile.ZipFile(held, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("[Content_Types].xml", "<Types/>")
        archive.writestr("word/document.xml", b" " * (140 << 20))
    return held.getvalue()


def long_sound() -> bytes:
    """Two minutes of silence."""
    held = io.BytesIO()
    soundfile.write(held, np.zeros(120 * 8000, np.float32), 8000, format="FLAC")
    return held.getvalue()


@pytest.mark.parametrize(("bomb", "told"), [(bomb_png, "40000x40000"), (bomb_zip, ""), (long_sound, "at most 60 s")])
def test_bombs_cost_one_request(served, plain, bomb, told):
    data = bomb()
    assert len(data) < 1 << 20
    for path in ("verify", "label"):
        response = served.post(f"/v1/{path}", content=data)
        if response.status_code == 200 and path == "verify":  # some layers could be looked at: the others are said
            said = response.json()
            assert said["verdict"] == "undetermined" and told in json.dumps(said["unseen"])
        else:
            assert response.status_code in (413, 415, 422) and told in response.text, response.text[:500]
    assert served.post("/v1/verify", content=plain).status_code == 200


def test_a_process_that_hangs_dies_and_is_replaced(plain, monkeypatch):
    app = made(work_seconds=0.5, work_seconds_per_megabyte=0.001)
    with monkeypatch.context() as patch:
        patch.setattr(isolation, "_WORKER", [sys.executable, "-c", "import time; time.sleep(600)"])
        hung, = ask(app, lambda client: client.post("/v1/verify", content=plain))
    assert (hung.status_code, hung.json()["error"]["type"]) == (413, "LimitExceeded")
    with monkeypatch.context() as patch:
        patch.setattr(isolation, "_WORKER", [sys.executable, "-c", "import os; os.abort()"])
        crashed, = ask(app, lambda client: client.post("/v1/label", content=plain))
        patch.setattr(isolation, "_WORKER", ["/no/such/program"])
        missing, = ask(app, lambda client: client.post("/v1/verify", content=plain))
    assert (crashed.status_code, missing.status_code) == (413, 503)
    app.verbs._verifying._limits = isolation.Limits()
    again, = ask(app, lambda client: client.post("/v1/verify?layers=metadata", content=plain))
    assert again.status_code == 200
    app.verbs.close()


def test_a_defect_is_one_answer_and_one_line_of_the_log(idle, caplog):
    app = idle()

    def fails(upload, asked):
        raise RuntimeError("secret")
    app.verbs.of["verify"] = fails
    with caplog.at_level("INFO", "labelkit.service"):
        answer, = ask(app, lambda client: client.post("/v1/verify", content=b"picture", params={"name": "cat.jpg"}))
    assert answer.status_code == 500
    lines = [json.loads(record.getMessage()) for record in caplog.records if record.name == "labelkit.service"]
    assert lines[-1]["status"] == 500 and lines[-1]["bytes_in"] == 7 and lines[-1]["route"] == "verify"
    assert "cat.jpg" not in caplog.text and "picture" not in caplog.text


def test_the_key_decides_what_is_answered(served, plain):
    for key, header, path, status in (
            ("none", None, "verify", 401), ("reader", None, "verify", 200), ("reader", None, "check", 200),
            ("reader", None, "label", 403), ("reader", None, "propagate", 403), ("all", None, "label", 200),
            ("none", "Bearer labelkit_wrong", "verify", 401), ("none", "Basic Zm9vOmJhcg==", "verify", 401),
            ("none", "Bearer", "verify", 401)):
        headers = {"Authorization": header} if header else {}
        response = served.post(f"/v1/{path}", key, content=plain, headers=headers)
        assert response.status_code == status, (key, header, path)
        assert ("www-authenticate" in response.headers) == (status == 401)


@pytest.mark.parametrize(("head", "body", "status", "kind"), [
    ({"Content-Type": "multipart/form-data"}, b"x", 400, "BadForm"),
    ({"Content-Type": "multipart/form-data; boundary=b; charset=klingon"}, b"--b\r\n\r\n", 400, "BadForm"),
    ({"Content-Type": "multipart/form-data; boundary=b"}, b"--b\r\nContent-Disposition: form-data; name=\"lang\""
     b"\r\n\r\nen\r\n--b--\r\n", 400, "NoFile"),
    ({"Content-Encoding": "gzip"}, b"x", 415, "UnsupportedEncoding")])
def test_broken_forms_are_said(served, head, body, status, kind):
    response = served.post("/v1/verify", content=body, headers=head)
    assert (response.status_code, response.json()["error"]["type"]) == (status, kind)


def test_two_files_in_a_form_are_one_too_many(served, plain):
    response = served.post("/v1/verify", files=[("file", plain), ("file", plain)])
    assert response.status_code == 400


@pytest.mark.parametrize("limit", [{"body_bytes": 0}, {"work_seconds": float("inf")}, {"processes": 1.5},
                                   {"waiting": True}, {"wait_seconds": "1"}])
def test_limits_are_numbers_above_0(limit):
    with pytest.raises(lk.errors.InvalidArgument, match=f"{next(iter(limit))} must be a number above 0"):
        service.Limits(**limit)


def test_the_bound_on_pixels_is_that_of_the_codec():
    assert Limits().pixels == lk.codec.MAX_PIXELS
