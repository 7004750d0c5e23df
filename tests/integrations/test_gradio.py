# SPDX-License-Identifier: Apache-2.0
"""Labelled components over a fake of Gradio's shapes; tests/hosts/in_gradio.py runs the real one."""

from __future__ import annotations

import hashlib
import sys
import types
from pathlib import Path

import numpy as np
import pytest

import labelkit as lk
from labelkit.errors import InvalidArgument
from labelkit.integrations.gradio import labelled, verdict
from tests.media import LABEL, photo, saved
from tests.sounds import speech


class Component:
    """As Gradio's: a name, a cache, and postprocess, which takes what a function returns."""

    def __init__(self, name: str, cache: Path, **settings) -> None:
        self.name, self.GRADIO_CACHE = name, str(cache)
        vars(self).update(settings)

    def get_block_name(self) -> str:
        return self.name

    def postprocess(self, value):
        return value


@pytest.fixture(autouse=True)
def gradio(monkeypatch):
    def save_bytes_to_cache(data, name, folder):
        path = Path(folder) / hashlib.sha256(data).hexdigest() / name
        path.parent.mkdir(parents=True)
        path.write_bytes(data)
        return str(path)

    module = types.ModuleType("gradio")
    module.processing_utils = types.SimpleNamespace(save_bytes_to_cache=save_bytes_to_cache)
    monkeypatch.setitem(sys.modules, "gradio", module)


def test_pictures_and_sound_become_labelled_files(tmp_path, signer, anchors):
    plan = lk.Plan(provenance=signer)
    picture = labelled(Component("image", tmp_path, format="webp"), lambda: LABEL, plan=plan)
    (tmp_path / "a.jpg").write_bytes(saved(photo(), "JPEG", quality=95))
    sound = labelled(Component("audio", tmp_path, format=None), lambda: LABEL, plan=plan)
    for made in (picture.postprocess(photo()), picture.postprocess(str(tmp_path / "a.jpg")),
                 sound.postprocess((24_000, (speech(5.0, 24_000) * 20_000).astype(np.int16)))):
        assert {finding.status for finding in lk.verify(made, trust=anchors)} == {lk.Status.VALID}
    assert picture.postprocess(None) is None
    assert lk.verify(Component("image", tmp_path).postprocess(str(tmp_path / "a.jpg"))).verdict is lk.Verdict.NONE


@pytest.mark.parametrize("name, format", [("markdown", "markdown"), ("textbox", "txt")])
def test_texts_get_their_words_once_also_while_they_grow(tmp_path, name, format):
    component = labelled(Component(name, tmp_path), lambda: LABEL)
    for text in ("It", "It rains.", "It rains.\n\nIt snows."):
        made = component.postprocess(text)
        assert made.startswith("AI生成") and made.count("AI生成") == 1
        assert lk.verify(made, format=format)[lk.Layer.EXPLICIT].status is lk.Status.VALID


def test_what_cannot_be_labelled_is_not_shown(tmp_path):
    image = labelled(Component("image", tmp_path, format="png"), lambda: LABEL)
    for value in ("https://example.com/a.png", b"bytes", photo(8, 8)):
        with pytest.raises(lk.LabelkitError):
            image.postprocess(value)
    for component in (Component("plot", tmp_path), Component("audio", tmp_path, streaming=True)):
        with pytest.raises(InvalidArgument):
            labelled(component, lambda: LABEL)


@pytest.mark.parametrize("language, words", [("en", "AI-generated"), ("zh-CN", "生成")])
def test_the_verdict_is_shown_as_html(tmp_path, language, words):
    path = lk.embed(photo(), tmp_path / "a<b>.png", LABEL)
    shown = verdict(str(path), language)
    assert words in shown and shown.count("<tr>") == 4 and "<b>" not in shown
    (tmp_path / "text.xyz").write_bytes(b"nothing known")
    assert verdict(None) == "" and "<table>" not in verdict(str(tmp_path / "text.xyz"), language)
