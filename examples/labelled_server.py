# SPDX-License-Identifier: Apache-2.0
"""An OpenAI-shaped server whose answers leave labelled, without a change to its routes: uvicorn labelled_server:app

GET /metrics tells how many answers were labelled, refused, or too poor in sound for a watermark.
"""

from __future__ import annotations

import base64
import collections
import io
import struct
import uuid
from collections.abc import Iterator

import numpy as np
from fastapi import FastAPI
from fastapi.responses import StreamingResponse
from PIL import Image

import labelkit as lk
from labelkit.integrations.asgi import LabelResponses

PRODUCER, RATE = "001191440300708461136T1XGW3", 24_000


def new_label(scope: dict) -> lk.Label:
    """A label for each picture, sound or film, on another thread; `scope` is that of the request."""
    return lk.Label(lk.Kind.GENERATED, PRODUCER, produce_id=str(uuid.uuid4()))


def voice(seconds: int) -> Iterator[bytes]:
    """A WAV of unknown length, as models stream it: the head, then chunks of 0.2 s; put yours here."""
    random = np.random.default_rng(1)
    yield struct.pack("<4sI4s4sIHHIIHH4sI", b"RIFF", 0xFFFFFFFF, b"WAVE", b"fmt ", 16, 1, 1, RATE, 2 * RATE, 2, 16,
                      b"data", 0xFFFFFFFF)
    for _ in range(5 * seconds):
        time = np.arange(RATE // 5) / RATE
        pitch = random.uniform(100, 160)
        hum = sum(np.sin(2 * np.pi * pitch * k * time) / k for k in range(1, 30))
        yield (3000 * hum * np.hanning(len(time)) + random.normal(0, 90, len(time))).astype("<i2").tobytes()


def picture() -> bytes:
    """A JPEG; put your model here."""
    random = np.random.default_rng(2)
    y, x = np.mgrid[0:384, 0:512] / 64
    pixels = 128 + 60 * np.sin(x * 1.3) * np.cos(y * 0.9) + random.normal(0, 8, y.shape)
    out = io.BytesIO()
    Image.fromarray(np.clip(pixels, 0, 255).astype(np.uint8)).convert("RGB").save(out, "JPEG", quality=92)
    return out.getvalue()


counts: collections.Counter[str] = collections.Counter()
app = FastAPI()
app.add_middleware(LabelResponses, label=new_label, paths=["/v1/"], counts=counts)


@app.post("/v1/images/generations")
def generate() -> dict:
    return {"data": [{"b64_json": base64.b64encode(picture()).decode()}]}


@app.get("/v1/audio/speech")
def say(seconds: int = 5) -> StreamingResponse:
    return StreamingResponse(voice(seconds), media_type="audio/wav")


@app.get("/metrics")
def metrics() -> dict[str, int]:
    return counts
