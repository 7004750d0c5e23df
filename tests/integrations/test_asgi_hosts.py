# SPDX-License-Identifier: Apache-2.0
"""The ASGI middleware inside FastAPI and Starlette, called in the process by httpx."""

from __future__ import annotations

import asyncio
import base64
import collections
import itertools
import re
from pathlib import Path

import httpx
import pytest
from fastapi import FastAPI, HTTPException, Request, Response
from fastapi.responses import FileResponse
from starlette.applications import Starlette
from starlette.background import BackgroundTask
from starlette.middleware import Middleware
from starlette.middleware.gzip import GZipMiddleware
from starlette.responses import JSONResponse, PlainTextResponse, StreamingResponse
from starlette.routing import Route

import labelkit as lk
from labelkit.integrations.asgi import LabelResponses
from tests.media import photo, saved

PICTURE = saved(photo(256, 320), "PNG")
NUMBERS = itertools.count()


def new_label(scope) -> lk.Label:
    return lk.Label(lk.Kind.GENERATED, "acme", f"{next(NUMBERS):06}")


def get(app, path: str, **how) -> httpx.Response:
    async def main() -> httpx.Response:
        async with httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://test") as client:
            return await client.request(how.pop("method", "GET"), path, **how)

    return asyncio.run(main())


def fast_api(folder, **settings) -> FastAPI:
    app = FastAPI()
    if settings:
        app.add_middleware(LabelResponses, label=new_label, **settings)
    (folder / "a.png").write_bytes(PICTURE)

    @app.post("/v1/images/generations")
    async def generate(request: Request) -> dict:
        await request.json()
        return {"created": 7, "data": [{"b64_json": base64.b64encode(PICTURE).decode()}]}

    @app.get("/picture")
    def picture() -> Response:
        return Response(PICTURE, media_type="image/png")

    @app.get("/file")
    def file() -> FileResponse:
        return FileResponse(folder / "a.png")

    @app.get("/missing")
    def missing() -> None:
        raise HTTPException(404, "no such picture")

    return app


def test_fastapi_answers_labelled_pictures_with_all_layers(tmp_path, signer, anchors):
    app, plain = fast_api(tmp_path, signer=signer), fast_api(tmp_path)
    made = get(app, "/v1/images/generations", method="POST", json={"prompt": "a cat"})
    assert made.json()["created"] == 7
    for picture in (base64.b64decode(made.json()["data"][0]["b64_json"]), get(app, "/picture").content):
        report = lk.verify(picture, trust=anchors)
        assert {finding.status for finding in report} == {lk.Status.VALID}
    assert lk.verify(get(plain, "/picture").content).verdict is lk.Verdict.NONE
    for path in ("/missing", "/openapi.json", "/docs"):
        one, other = get(app, path), get(plain, path)
        assert (one.status_code, one.content, one.headers) == (other.status_code, other.content, other.headers)


def test_a_file_and_any_range_of_it_leave_labelled_and_whole(tmp_path):
    app = fast_api(tmp_path, plan=lk.Plan(explicit=None, watermark=None))
    whole = get(app, "/file")
    for ranges in ("bytes=0-99", "bytes=0-9,20-29"):
        assert get(fast_api(tmp_path), "/file", headers={"range": ranges}).status_code == 206
        made = get(app, "/file", headers={"range": ranges})
        assert made.status_code == 200 and lk.verify(made.content).verdict is lk.Verdict.CONFIRMED
    assert whole.headers["etag"] != get(fast_api(tmp_path), "/file").headers["etag"]
    assert int(whole.headers["content-length"]) == len(whole.content)


@pytest.mark.parametrize("order", [(0, 1), (1, 0)])
def test_starlette_streams_are_labelled_whole_inside_and_outside_compression(order):
    ran, counts = [], collections.Counter()

    def stream(request) -> StreamingResponse:
        chunks = (PICTURE[start:start + 5000] for start in range(0, len(PICTURE), 5000))
        return StreamingResponse(chunks, media_type="image/png", background=BackgroundTask(ran.append, 1))

    def text(request) -> PlainTextResponse:
        return PlainTextResponse("plain " * 500)

    def data(request) -> JSONResponse:
        return JSONResponse({"data": [{"b64_json": base64.b64encode(PICTURE).decode()}]})

    both = [Middleware(LabelResponses, label=new_label, plan=lk.Plan(explicit=None, watermark=None), counts=counts),
            Middleware(GZipMiddleware, minimum_size=10)]
    routes = [Route("/stream", stream), Route("/text", text), Route("/data", data)]
    app = Starlette(routes=routes, middleware=[both[index] for index in order])
    assert lk.verify(get(app, "/stream").content).verdict is lk.Verdict.CONFIRMED and ran == [1]
    held = get(app, "/data").json()["data"][0]["b64_json"]
    assert lk.verify(base64.b64decode(held)).verdict is lk.Verdict.CONFIRMED
    made = get(app, "/text")
    assert made.headers["content-encoding"] == "gzip" and made.text == "plain " * 500 and counts == {"labelled": 2}


def test_the_program_in_the_documentation_runs(monkeypatch, tmp_path):
    text = (Path(lk.__file__).parents[1] / "docs" / "how-to" / "server.md").read_text("utf-8")
    code = re.search(r"```python\n(.*?)```", text, re.DOTALL)[1]
    (tmp_path / "samples").mkdir()
    (tmp_path / "samples" / "boat.png").write_bytes(PICTURE)
    monkeypatch.chdir(tmp_path)
    program: dict = {}
    exec(compile(code, "server.md", "exec"), program)
    made = get(program["app"], "/v1/cat").content
    assert lk.verify(made).verdict is lk.Verdict.CONFIRMED and lk.verify(PICTURE).verdict is lk.Verdict.NONE
