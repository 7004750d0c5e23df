# SPDX-License-Identifier: Apache-2.0
"""A Gradio app whose picture is labelled, and a tab that verifies files: python gradio_app.py"""

from __future__ import annotations

import uuid

import gradio as gr
import numpy as np

import labelkit as lk
from labelkit.integrations.gradio import labelled, verdict

PRODUCER = "001191440300708461136T1XGW3"


def new_label() -> lk.Label:
    return lk.Label(lk.Kind.GENERATED, PRODUCER, produce_id=str(uuid.uuid4()))


def paint(prompt: str) -> np.ndarray:
    """Your model's picture, uint8 [height, width, 3]; this one is painted with sines."""
    random = np.random.default_rng(len(prompt))
    y, x = np.mgrid[0:384, 0:512] / 64
    waves = [np.sin(random.uniform(0.5, 3) * x + random.uniform(0.5, 3) * y) for _ in range(9)]
    picture = 128 + 40 * np.stack([sum(waves[index::3]) for index in range(3)], -1)
    return np.clip(picture + random.normal(0, 4, picture.shape), 0, 255).astype(np.uint8)


with gr.Blocks() as app:
    with gr.Tab("Paint"):
        prompt = gr.Textbox(label="Prompt")
        picture = labelled(gr.Image(format="png"), new_label)
        prompt.submit(paint, prompt, picture)
    with gr.Tab("Verify"):
        file = gr.File(type="filepath")
        file.upload(verdict, file, gr.HTML())

if __name__ == "__main__":
    app.launch()
