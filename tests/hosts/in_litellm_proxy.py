# SPDX-License-Identifier: Apache-2.0
"""A real LiteLLM proxy on loopback, with the example as its callback and the ASGI middleware around its routes.

The model behind it is a server of OpenAI's shape on loopback too.
"""

from __future__ import annotations

import base64
import io
import json
import os
import socket
import struct
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import httpx
import numpy as np
import pytest
import uvicorn
import yaml
from fastapi import FastAPI, Request, Response
from fastapi.responses import StreamingResponse
from PIL import Image

import labelkit as lk
from labelkit.integrations.asgi import LabelResponses
from tests.media import photo
from tests.sounds import speech

os.environ["LITELLM_LOCAL_MODEL_COST_MAP"] = "True"  # else it asks the network for prices
ANSWER, RATE = "It rains. It will snow in the evening.", 24_000
MODELS = ("gpt-4o", "dall-e-2", "tts-1")
SECRET = {"Authorization": "Bearer sk-test"}
EXAMPLE = Path(lk.__file__).parents[1] / "examples" / "litellm_labels.py"
model = FastAPI()


@model.post("/v1/chat/completions")
async def complete(request: Request) -> Response:
    asked = await request.json()
    if not asked.get("stream"):
        return Response(json.dumps({
            "id": "1", "object": "chat.completion", "created": 1, "model": "m", "choices": [
                {"index": 0, "finish_reason": "stop", "message": {"role": "assistant", "content": ANSWER}}],
            "usage": {"prompt_tokens": 1, "completion_tokens": 9, "total_tokens": 10}}), media_type="application/json")

    def events() -> Iterator[str]:
        for word in [*ANSWER.split(" "), None]:
            delta = {} if word is None else {"content": f"{word} "}
            yield "data: " + json.dumps({"id": "1", "object": "chat.completion.chunk", "created": 1, "model": "m",
                                         "choices": [{"index": 0, "delta": delta,
                                                      "finish_reason": "stop" if word is None else None}]}) + "\n\n"
        yield "data: [DONE]\n\n"

    return StreamingResponse(events(), media_type="text/event-stream")


@model.post("/v1/images/generations")
def paint() -> dict:
    out = io.BytesIO()
    Image.fromarray(photo(256, 320)).save(out, "PNG")
    return {"created": 1, "data": [{"b64_json": base64.b64encode(out.getvalue()).decode()}]}


@model.post("/v1/audio/speech")
def say() -> Response:
    sound = (20_000 * speech(5.0, RATE)).astype("<i2").tobytes()
    head = struct.pack("<4sI4s4sIHHIIHH4sI", b"RIFF", 0xFFFFFFFF, b"WAVE", b"fmt ", 16, 1, 1, RATE, 2 * RATE, 2, 16,
                       b"data", 0xFFFFFFFF)
    return Response(head + sound, media_type="audio/wav")


def served(app) -> tuple[uvicorn.Server, str]:
    """A server of its own on loopback, and its address."""
    link = socket.create_server(("127.0.0.1", 0))
    server = uvicorn.Server(uvicorn.Config(app, log_level="error"))
    threading.Thread(target=server.run, args=([link],), daemon=True).start()
    while not server.started:
        time.sleep(0.05)
    return server, f"http://127.0.0.1:{link.getsockname()[1]}"


@pytest.fixture(scope="module")
def proxy(tmp_path_factory) -> Iterator[str]:
    """The address of the proxy, with the example beside its configuration, as its how-to page says."""
    folder = tmp_path_factory.mktemp("proxy")
    upstream, address = served(model)
    (folder / "config.yaml").write_text(yaml.safe_dump({
        "model_list": [{"model_name": name, "litellm_params": {
            "model": f"openai/{name}", "api_key": "none", "api_base": f"{address}/v1"}} for name in MODELS],
        "litellm_settings": {"callbacks": "litellm_labels.label_text"},
        "general_settings": {"master_key": "sk-test"}}))
    (folder / "litellm_labels.py").write_bytes(EXAMPLE.read_bytes())
    os.environ["CONFIG_FILE_PATH"] = str(folder / "config.yaml")  # as `litellm --config` hands it to its workers
    from litellm.proxy.proxy_server import app

    app.add_middleware(LabelResponses, label=lambda scope: lk.Label(lk.Kind.GENERATED, "acme", "000001"))
    server, place = served(app)
    yield place
    server.should_exit = upstream.should_exit = True


def is_labelled(text: str) -> bool:
    return lk.verify(text, format="markdown", layers=[lk.Layer.EXPLICIT])[lk.Layer.EXPLICIT].status is lk.Status.VALID


def layers(media: bytes) -> set[lk.Status]:
    report = lk.verify(media)
    return {report[layer].status for layer in (lk.Layer.EXPLICIT, lk.Layer.WATERMARK, lk.Layer.METADATA)}


def test_chat_leaves_the_proxy_labelled_whole_and_streamed(proxy):
    ask = {"model": "gpt-4o", "messages": [{"role": "user", "content": "Weather?"}]}
    whole = httpx.post(f"{proxy}/v1/chat/completions", json=ask, headers=SECRET, timeout=60).json()
    said = whole["choices"][0]["message"]["content"]
    with httpx.stream("POST", f"{proxy}/v1/chat/completions", json={**ask, "stream": True}, headers=SECRET,
                      timeout=60) as answer:
        events = [json.loads(line[6:]) for line in answer.iter_lines() if line.startswith("data: {")]
    streamed = "".join(choice["delta"].get("content") or "" for event in events for choice in event["choices"])
    assert is_labelled(said) and is_labelled(streamed) and ANSWER in said and ANSWER in streamed
    assert not is_labelled(ANSWER)


def test_answers_in_json_stay_as_they_are(proxy):
    ask = {"model": "gpt-4o", "messages": [{"role": "user", "content": "Weather?"}],
           "response_format": {"type": "json_object"}}
    whole = httpx.post(f"{proxy}/v1/chat/completions", json=ask, headers=SECRET, timeout=60).json()
    assert whole["choices"][0]["message"]["content"] == ANSWER


def test_pictures_and_speech_leave_the_proxy_with_every_layer(proxy):
    made = httpx.post(f"{proxy}/v1/images/generations", json={"model": "dall-e-2", "prompt": "a cat"}, headers=SECRET,
                      timeout=120).json()
    assert layers(base64.b64decode(made["data"][0]["b64_json"])) == {lk.Status.VALID}
    heard = httpx.post(f"{proxy}/v1/audio/speech", headers=SECRET, timeout=120, json={
        "model": "tts-1", "input": "Hello", "voice": "alloy", "response_format": "wav"})
    assert heard.status_code == 200 and layers(heard.content) == {lk.Status.VALID}
    plain = np.asarray(photo(256, 320))
    assert lk.verify(plain).verdict is lk.Verdict.NONE


def test_errors_of_the_proxy_pass_as_they_are(proxy):
    wrong = {"Authorization": "Bearer sk-wrong"}
    answer = httpx.post(f"{proxy}/v1/chat/completions", json={}, headers=wrong, timeout=60)
    assert answer.status_code in (400, 401) and "error" in answer.json()
