# SPDX-License-Identifier: Apache-2.0
"""A real Gradio app, served on loopback and asked by its own client: what it serves is labelled."""

from __future__ import annotations

import runpy
from pathlib import Path

import gradio as gr
import pytest
from gradio_client import Client, handle_file
from starlette.middleware import Middleware

import labelkit as lk
from labelkit.integrations.asgi import LabelResponses
from labelkit.integrations.gradio import labelled
from tests.docs.pages import DOCS, blocks
from tests.media import LABEL, photo
from tests.sounds import speech

EXAMPLES = Path(lk.__file__).parents[1] / "examples"


@pytest.fixture
def asked(monkeypatch, tmp_path):
    """Serves an app and gives its client."""
    served = []
    monkeypatch.setenv("GRADIO_ANALYTICS_ENABLED", "False")

    def ask(app: gr.Blocks, **settings) -> Client:
        _, url, _ = app.launch(prevent_thread_lock=True, server_name="127.0.0.1", quiet=True, **settings)
        served.append(app)
        return Client(url, verbose=False, download_files=str(tmp_path))

    yield ask
    for app in served:
        app.close()


def test_the_example_serves_labelled_pictures_and_verifies_them(asked):
    app = runpy.run_path(str(EXAMPLES / "gradio_app.py"))["app"]
    client = asked(app)
    made = client.predict("a cat", api_name="/paint")
    report = lk.verify(made)
    assert report.verdict is lk.Verdict.CONFIRMED and report[lk.Layer.WATERMARK].status is lk.Status.VALID
    assert report[lk.Layer.EXPLICIT].status is report[lk.Layer.METADATA].status is lk.Status.VALID
    assert "AI-generated" in client.predict(handle_file(made), api_name="/verdict")


def test_a_plain_component_serves_what_is_not_labelled(asked):
    client = asked(gr.Interface(lambda: photo(), None, gr.Image(format="png"), api_name="paint"))
    assert lk.verify(client.predict(api_name="/paint")).verdict is lk.Verdict.NONE


def test_the_middleware_labels_what_gradio_serves(asked):
    layers = [Middleware(LabelResponses, label=lambda scope: LABEL, paths=["/gradio_api/file"])]
    app = gr.Interface(lambda: photo(), None, gr.Image(format="png"), api_name="paint")
    report = lk.verify(asked(app, app_kwargs={"middleware": layers}).predict(api_name="/paint"))
    assert {report[layer].status for layer in (lk.Layer.EXPLICIT, lk.Layer.WATERMARK, lk.Layer.METADATA)} == {
        lk.Status.VALID}


def test_sound_and_texts_are_labelled(asked):
    with gr.Blocks() as app:
        voice, words = labelled(gr.Audio(), lambda: LABEL), labelled(gr.Markdown(), lambda: LABEL)
        gr.Button().click(lambda: ((24_000, speech(5.0, 24_000)), "It rains."), None, [voice, words], api_name="say")
    made, text = asked(app).predict(api_name="/say")
    report = lk.verify(made)
    assert report[lk.Layer.WATERMARK].status is report[lk.Layer.EXPLICIT].status is lk.Status.VALID
    assert report[lk.Layer.METADATA].status is lk.Status.VALID and text.startswith("AI生成")


def test_the_page_labels_a_component(asked):
    shown, = [block.text for block in blocks(DOCS / "how-to" / "label-gradio.md")]
    names = {"gr": gr, "new_label": lambda: LABEL}
    exec(shown, names)
    client = asked(gr.Interface(lambda: photo(), None, names["picture"], api_name="paint"))
    lk.verify(client.predict(api_name="/paint")).require(lk.Layer.EXPLICIT, lk.Layer.WATERMARK, lk.Layer.METADATA)
    assert "AI-generated" in names["verdict"](client.predict(api_name="/paint"))
