# SPDX-License-Identifier: Apache-2.0
"""Formats without a place for a manifest get it beside them, whatever their layers are."""

import io
from pathlib import Path

import numpy as np
import pytest
import soundfile
from PIL import Image

import labelkit as lk
from labelkit import provenance
from labelkit.errors import InvalidArgument
from tests import sounds
from tests.media import LABEL, photo, saved
from tests.metadata.test_ooxml import CUSTOM, document

METADATA = {"explicit": None, "watermark": None}
WAVES = {"ogg": ("OGG", "VORBIS", 44_100), "opus": ("OGG", "OPUS", 48_000), "wav": ("RF64", "PCM_16", 44_100)}


def made(path: Path) -> Path:
    """A file without label, by its ending."""
    kind = path.suffix[1:]
    if kind in WAVES:
        format, subtype, rate = WAVES[kind]
        soundfile.write(path, sounds.music(12, rate), rate, format=format, subtype=subtype)
    elif kind == "tiff":
        Image.fromarray(photo()).save(path, save_all=True, append_images=[Image.fromarray(photo(seed=2))])
    else:
        folder = {"docx": "word", "xlsx": "xl", "pptx": "ppt"}[kind]
        path.write_bytes(document(CUSTOM.format(""), folder=folder))
    return path


@pytest.mark.parametrize("kind,layers", [(kind, {}) for kind in (*WAVES, "tiff")]
                         + [(kind, METADATA) for kind in ("docx", "xlsx", "pptx", "ogg")])
def test_the_manifest_lies_beside_the_file(kind, layers, signer, anchors, tmp_path):
    source, target = made(tmp_path / f"a.{kind}"), tmp_path / f"b.{kind}"
    plan = lk.Plan(provenance=signer, **layers)
    assert lk.embed(source, target, LABEL, plan=plan) == target
    report = lk.verify(target, trust=anchors)
    assert report[lk.Layer.PROVENANCE].status is lk.Status.VALID and report[lk.Layer.PROVENANCE].label == LABEL
    assert report[lk.Layer.METADATA].label == LABEL and report.verdict is lk.Verdict.CONFIRMED
    if not layers:
        assert report[lk.Layer.WATERMARK].payload == lk.Payload.of(LABEL)
    again = tmp_path / f"c.{kind}"
    lk.embed(target, again, LABEL, plan=plan)
    assert lk.verify(again, trust=anchors)[lk.Layer.PROVENANCE].evidence.manifests == 2, "the old one is the parent"
    target.write_bytes(target.read_bytes() + b"x")
    assert lk.verify(target)[lk.Layer.PROVENANCE].status is lk.Status.INVALID
    Path(f"{target}.c2pa").unlink()
    assert lk.verify(target)[lk.Layer.PROVENANCE].status is lk.Status.ABSENT


@pytest.mark.parametrize("kind", ["ogg", "docx"])
@pytest.mark.parametrize("target", [lambda: None, io.BytesIO], ids=["bytes", "file"])
def test_a_manifest_beside_needs_a_path(kind, target, signer, tmp_path):
    plan = lk.Plan(provenance=signer, **(METADATA if kind == "docx" else {}))
    with pytest.raises(InvalidArgument, match="needs a path"):
        lk.embed(made(tmp_path / f"a.{kind}"), target(), LABEL, plan=plan)
    assert lk.embed(made(tmp_path / f"a.{kind}"), target(), LABEL,
                    plan=lk.Plan(**(METADATA if kind == "docx" else {}))) != b""


def test_samples_in_memory_get_one_too(signer, anchors, tmp_path):
    sound, plan = sounds.music(12), lk.Plan(provenance=signer)
    target = lk.embed(sound, tmp_path / "a.ogg", LABEL, rate=44_100, plan=plan)
    assert lk.verify(target, trust=anchors)[lk.Layer.PROVENANCE].label == LABEL
    with pytest.raises(InvalidArgument, match="needs a path"):
        lk.embed(sound, None, LABEL, rate=44_100, format="ogg", plan=plan)
    inside = lk.embed(sound, tmp_path / "a.flac", LABEL, rate=44_100, plan=plan)
    assert lk.verify(inside)[lk.Layer.PROVENANCE].label == LABEL and not Path(f"{inside}.c2pa").exists()
    assert np.array_equal(sound, sounds.music(12))


def test_nothing_is_looked_for_beside_bytes(monkeypatch, tmp_path):
    """Nor is c2pa asked what it would embed: in a browser it cannot."""
    asked = []
    monkeypatch.setattr(provenance, "may_lie_beside", lambda reader: asked.append(reader) or False)
    data = saved(photo(), "PNG")
    assert lk.verify(data, effort="fast").verdict is lk.Verdict.NONE and not asked
    (tmp_path / "a.png").write_bytes(data)
    (tmp_path / "a.png.c2pa").write_bytes(b"")
    assert lk.verify(tmp_path / "a.png", effort="fast").verdict is lk.Verdict.NONE and asked
