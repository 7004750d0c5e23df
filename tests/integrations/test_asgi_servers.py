# SPDX-License-Identifier: Apache-2.0
"""The ASGI middleware under uvicorn on loopback, in a server of vLLM's shape, which takes the name of a class."""

from __future__ import annotations

import base64
import functools
import importlib
import inspect
import itertools
import json
import sys
import tempfile
import threading
import types
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest
import uvicorn
from fastapi import FastAPI, Response
from fastapi.responses import StreamingResponse

import labelkit as lk
from labelkit.integrations.asgi import LabelResponses
from tests import films
from tests.integrations.test_asgi_streams import WAV
from tests.integrations.test_lossy_streams import mp3, opus
from tests.media import photo, saved

PICTURE = saved(photo(256, 320), "PNG")
NUMBERS = itertools.count()
SPEECH = {"wav": ("audio/wav", lambda: WAV), "mp3": ("audio/mpeg", mp3), "opus": ("audio/ogg", opus)}
EVENTS = "".join(f"data: {json.dumps({'choices': [{'delta': {'content': word}}]})}\n\n" for word in "It rains".split())


class Labelled(LabelResponses):
    """As a deployment derives it: the server gives it the app alone."""

    def __init__(self, app) -> None:
        super().__init__(app, label=lambda scope: lk.Label(lk.Kind.GENERATED, "acme", f"{next(NUMBERS):06}"),
                         paths=["/v1/"])


def vllm(middleware: list[str], more: threading.Event) -> FastAPI:
    """The routes of vLLM-Omni's OpenAI-shaped server, and its way of adding `--middleware`."""
    app = FastAPI()

    @app.post("/v1/images/generations")
    def images() -> dict:
        return {"created": 7, "data": [{"b64_json": base64.b64encode(PICTURE).decode(), "url": None}]}

    @app.post("/v1/audio/speech")
    def speech(request: dict) -> StreamingResponse:
        kind, make = SPEECH[request["response_format"]]

        def chunks() -> Iterator[bytes]:
            data = make()
            yield data[:len(data) // 4]
            assert more.wait(60)  # the model goes on when the client has heard the label
            yield from (data[at:at + 4096] for at in range(len(data) // 4, len(data), 4096))
        return StreamingResponse(chunks(), media_type=kind)

    @app.get("/v1/videos/{name}/content")
    def video(name: str) -> Response:
        return Response(film(), media_type="video/mp4")

    @app.post("/v1/chat/completions")
    def chat() -> StreamingResponse:
        return StreamingResponse(iter([EVENTS]), media_type="text/event-stream")

    @app.get("/logo")
    def logo() -> Response:
        return Response(PICTURE, media_type="image/png")

    for name in middleware:
        module, _, attribute = name.rpartition(".")
        imported = getattr(importlib.import_module(module), attribute)
        if inspect.isclass(imported):
            app.add_middleware(imported)
        else:
            app.middleware("http")(imported)
    return app


@functools.cache
def film() -> bytes:
    with tempfile.TemporaryDirectory() as folder:
        return films.film(Path(folder) / "a.mp4", size=(426, 240)).read_bytes()


@pytest.fixture
def ask(monkeypatch) -> Iterator:
    """Clients of servers on loopback."""
    monkeypatch.setitem(sys.modules, "deployment", types.SimpleNamespace(Labelled=Labelled))
    running = []

    def serve(*middleware: str) -> tuple[httpx.Client, threading.Event]:
        more = threading.Event()
        server = uvicorn.Server(uvicorn.Config(vllm(list(middleware), more), port=0, log_level="warning"))
        started = threading.Event()
        server.startup = _told(server.startup, started)
        thread = threading.Thread(target=server.run)
        thread.start()
        assert started.wait(60)
        port = server.servers[0].sockets[0].getsockname()[1]
        running.append((server, thread, more))
        return httpx.Client(base_url=f"http://127.0.0.1:{port}", timeout=60, trust_env=False), more

    yield serve
    for server, thread, more in running:
        more.set()
        server.should_exit = True
        thread.join(60)


def _told(startup, started: threading.Event):
    async def wrapped(*arguments, **settings) -> None:
        await startup(*arguments, **settings)
        started.set()
    return wrapped


def statuses(media: bytes) -> set[lk.Status]:
    report = lk.verify(media)
    return {report[layer].status for layer in (lk.Layer.EXPLICIT, lk.Layer.WATERMARK, lk.Layer.METADATA)}


def test_what_a_server_of_vllms_shape_answers_is_labelled(ask):
    client, _ = ask("deployment.Labelled")
    made = client.post("/v1/images/generations").json()
    assert made["created"] == 7 and made["data"][0]["url"] is None
    assert statuses(base64.b64decode(made["data"][0]["b64_json"])) == {lk.Status.VALID}
    assert statuses(client.get("/v1/videos/a/content").content) == {lk.Status.VALID}
    assert client.post("/v1/chat/completions").text == EVENTS and client.get("/logo").content == PICTURE


@pytest.mark.parametrize("format", SPEECH)
def test_speech_is_heard_before_the_model_has_ended(ask, format):
    client, more = ask("deployment.Labelled")
    with client.stream("POST", "/v1/audio/speech", json={"response_format": format}) as answer:
        assert answer.status_code == 200 and "content-length" not in answer.headers
        pieces = answer.iter_raw()
        first = next(pieces)
        assert not more.is_set() and b"AIGC" in first[:600]
        more.set()
        made = b"".join([first, *pieces])
    assert statuses(made) == {lk.Status.VALID}


def test_without_the_middleware_nothing_is(ask):
    client, more = ask()
    more.set()
    made = client.post("/v1/images/generations").json()["data"][0]["b64_json"]
    heard = client.post("/v1/audio/speech", json={"response_format": "mp3"}).content
    for media in (base64.b64decode(made), heard, client.get("/v1/videos/a/content").content):
        assert lk.verify(media).verdict is lk.Verdict.NONE
