# SPDX-License-Identifier: Apache-2.0
"""The ASGI middleware in a FastAPI app that a real Ray Serve runs on loopback."""

from __future__ import annotations

import io
import itertools
import os
import socket
from pathlib import Path

import httpx
import pytest
import ray
from fastapi import FastAPI
from fastapi.responses import Response, StreamingResponse
from PIL import Image
from ray import serve

import labelkit as lk
from labelkit.integrations.asgi import LabelResponses
from tests.integrations.test_asgi_streams import WAV
from tests.media import photo

os.environ.update({"RAY_enable_metrics_collection": "0", "RAY_USAGE_STATS_ENABLED": "0",  # no agent that sends
                   "RAY_SERVE_PROXY_READY_CHECK_TIMEOUT_S": "120",  # a busy machine is not a broken one
                   "RAY_SERVE_PROXY_HEALTH_CHECK_TIMEOUT_S": "120"})
ROOT = Path(lk.__file__).parents[1]
NUMBERS = itertools.count()


def new_label(scope) -> lk.Label:
    return lk.Label(lk.Kind.GENERATED, "acme", f"{next(NUMBERS):06}")


def deployment(*, labelled: bool):
    """An app of three routes, as `@serve.ingress` takes it."""
    app = FastAPI()
    if labelled:
        app.add_middleware(LabelResponses, label=new_label)

    @serve.deployment(ray_actor_options={"num_cpus": 0})
    @serve.ingress(app)
    class Studio:
        @app.get("/cat")
        def paint(self) -> Response:
            out = io.BytesIO()
            Image.fromarray(photo(256, 320)).save(out, "PNG")
            return Response(out.getvalue(), media_type="image/png")

        @app.get("/voice")
        def say(self) -> StreamingResponse:
            return StreamingResponse((WAV[at:at + 9_600] for at in range(0, len(WAV), 9_600)), media_type="audio/wav")

        @app.get("/text")
        def text(self) -> dict:
            return {"said": "a cat"}

    return Studio.bind()


@pytest.fixture(scope="module")
def served():
    ray.init(num_cpus=1, include_dashboard=False, log_to_driver=False, object_store_memory=200 << 20,
             runtime_env={"env_vars": {"PYTHONPATH": str(ROOT)}})
    with socket.create_server(("127.0.0.1", 0)) as link:
        port = link.getsockname()[1]
    serve.start(http_options={"host": "127.0.0.1", "port": port})
    serve.run(deployment(labelled=True), name="labelled", route_prefix="/labelled")
    serve.run(deployment(labelled=False), name="plain", route_prefix="/plain")
    yield f"http://127.0.0.1:{port}"
    serve.shutdown()
    ray.shutdown()


@pytest.mark.parametrize("route", ["cat", "voice"])
def test_what_ray_serve_answers_leaves_with_every_layer(served, route):
    made = httpx.get(f"{served}/labelled/{route}", timeout=60)
    plain = httpx.get(f"{served}/plain/{route}", timeout=60)
    assert made.status_code == plain.status_code == 200
    assert made.headers["content-type"] == plain.headers["content-type"]
    report = lk.verify(made.content)
    assert {report[layer].status for layer in (lk.Layer.EXPLICIT, lk.Layer.WATERMARK, lk.Layer.METADATA)} == {
        lk.Status.VALID}
    assert lk.verify(plain.content).verdict is lk.Verdict.NONE


def test_text_passes_as_it_is(served):
    assert httpx.get(f"{served}/labelled/text", timeout=60).json() == {"said": "a cat"}
