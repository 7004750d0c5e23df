# SPDX-License-Identifier: Apache-2.0
"""A server that speaks and labels what it says as it says it: uvicorn speech_server:app

Put your model in the place of `voice`: anything that yields chunks of PCM, as CosyVoice, F5-TTS and kokoro servers do.
"""

from __future__ import annotations

import uuid
from collections.abc import AsyncIterator

import numpy as np
from fastapi import FastAPI
from fastapi.responses import StreamingResponse

import labelkit as lk
from labelkit.integrations import speech

PRODUCER, RATE = "001191440300708461136T1XGW3", 24_000


async def voice(text: str) -> AsyncIterator[np.ndarray]:
    """float32 [frames] in chunks of 0.2 s; this one hums a little for each letter."""
    random = np.random.default_rng(len(text))
    for _ in text:
        time = np.arange(RATE // 5) / RATE
        pitch = random.uniform(100, 160)
        hum = sum(np.sin(2 * np.pi * pitch * k * time) / k for k in range(1, 30))
        yield (0.1 * hum * np.hanning(len(time)) + random.normal(0, 0.003, len(time))).astype(np.float32)


app = FastAPI()


@app.get("/v1/audio/speech")
def say(text: str) -> StreamingResponse:
    """A WAV without a known length: the audible label, then the voice with the watermark."""
    label = lk.Label(lk.Kind.GENERATED, PRODUCER, produce_id=str(uuid.uuid4()))
    return StreamingResponse(speech.stream(voice(text), label, RATE), media_type="audio/wav")
