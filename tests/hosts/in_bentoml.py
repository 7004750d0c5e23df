# SPDX-License-Identifier: Apache-2.0
"""The ASGI middleware in a real BentoML service, served in the process."""

from __future__ import annotations

import asyncio
import itertools

import bentoml
import httpx
from PIL import Image

import labelkit as lk
from labelkit.integrations.asgi import LabelResponses
from tests.media import photo

NUMBERS = itertools.count()


def painter():
    """A service of two routes; a new class each time, since a service keeps its middleware."""
    @bentoml.service(metrics={"enabled": False})
    class Painter:
        @bentoml.api
        def paint(self, prompt: str) -> Image.Image:
            return Image.fromarray(photo(256, 320))

        @bentoml.api
        def say(self, prompt: str) -> str:
            return prompt

    return Painter


def asked(service, route: str) -> httpx.Response:
    async def main() -> httpx.Response:
        app = service.to_asgi()
        transport = httpx.ASGITransport(app)
        async with app.router.lifespan_context(app), httpx.AsyncClient(transport=transport,
                                                                       base_url="http://test") as client:
            return await client.post(route, json={"prompt": "a cat"})

    return asyncio.run(main())


def test_bentoml_answers_labelled_pictures():
    service = painter()
    service.add_asgi_middleware(LabelResponses, label=lambda scope: lk.Label(
        lk.Kind.GENERATED, "acme", f"{next(NUMBERS):06}"))
    made, plain = asked(service, "/paint"), asked(painter(), "/paint")
    assert made.status_code == plain.status_code == 200
    assert made.headers["content-type"] == plain.headers["content-type"] and "image/" in plain.headers["content-type"]
    report = lk.verify(made.content)
    assert {report[layer].status for layer in (lk.Layer.EXPLICIT, lk.Layer.WATERMARK, lk.Layer.METADATA)} == {
        lk.Status.VALID}
    assert lk.verify(plain.content).verdict is lk.Verdict.NONE
    assert asked(service, "/say").text == "a cat"
