# SPDX-License-Identifier: Apache-2.0
"""Formats without a place for a manifest get it beside them, whatever their layers are."""

import dataclasses
import io
import warnings
from pathlib import Path

import numpy as np
import pytest
import soundfile
from PIL import Image

import labelkit as lk
from labelkit import provenance
from labelkit.cli.main import main
from labelkit.errors import InvalidArgument, ManifestLeft
from tests import sounds
from tests.files import OTHER
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
    found = lk.verify(target, trust=anchors)[lk.Layer.PROVENANCE]
    assert found.status is lk.Status.ABSENT and "of this one before it was changed" in str(found.summary)
    Path(f"{target}.c2pa").unlink()
    assert str(lk.verify(target)[lk.Layer.PROVENANCE].summary).startswith("no manifest")


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
    asked = []
    monkeypatch.setattr(provenance, "beside", lambda *given, **_: asked.append(given[1]) or given[2])
    data = saved(photo(), "PNG")
    assert lk.verify(data, effort="fast").verdict is lk.Verdict.NONE and not asked
    (tmp_path / "a.png").write_bytes(data)
    (tmp_path / "a.png.c2pa").write_bytes(b"x")
    assert lk.verify(tmp_path / "a.png", effort="fast").verdict is lk.Verdict.NONE and asked == [b"x"]


def of_another(signer) -> bytes:
    return provenance.sign_sidecar(saved(photo(seed=3), "PNG"), provenance.Claim(OTHER), signer)


@pytest.mark.parametrize("made", [of_another, lambda signer: b"", lambda signer: b"x" * 999,
                                  lambda signer: of_another(signer)[:-9]], ids=["another's", "empty", "no", "cut"])
@pytest.mark.parametrize("label", [LABEL, None], ids=["labelled", "unlabelled"])
def test_what_is_not_of_the_file_changes_no_verdict_and_is_named(label, made, signer, anchors, tmp_path):
    path = tmp_path / "a.png"
    data = saved(photo(), "PNG")
    path.write_bytes(lk.embed(data, None, label, plan=lk.Plan(**METADATA)) if label else data)
    alone = lk.verify(path, trust=anchors, effort="fast")
    Path(f"{path}.c2pa").write_bytes(made(signer))
    beside = lk.verify(path, trust=anchors, effort="fast")
    assert (beside.verdict, beside.reasons, beside.doubts) == (alone.verdict, alone.reasons, alone.doubts)
    found = beside[lk.Layer.PROVENANCE]
    assert found.status is lk.Status.ABSENT and found.evidence.state == "Beside"
    assert "counts for nothing" in str(found.summary) and "nothing" not in str(alone[lk.Layer.PROVENANCE].summary)
    assert beside.shortcomings(lk.Layer.PROVENANCE) == ["provenance absent"]


def test_one_that_holds_counts_by_the_word_of_a_trusted_signer_alone(signer, anchors, tmp_path):
    """Anybody can sign a manifest with the hash of a file of others, and lay it beside that."""
    path, data = tmp_path / "a.png", saved(photo(), "PNG")
    labelled = lk.embed(data, None, LABEL, plan=lk.Plan(**METADATA))
    for content, verdict, own, differing in ((data, lk.Verdict.NONE, None, lk.Verdict.CONFIRMED),
                                             (labelled, lk.Verdict.CONFIRMED, LABEL, lk.Verdict.SUSPECTED)):
        path.write_bytes(content)
        Path(f"{path}.c2pa").write_bytes(provenance.sign_sidecar(content, provenance.Claim(OTHER), signer))
        for trust in (None, lk.TrustList.none()):
            report = lk.verify(path, trust=trust, effort="fast")
            assert report.verdict is verdict and report.label == own and not report.doubts and not report.cross_checks
            found = report[lk.Layer.PROVENANCE]
            assert found.status is lk.Status.VALID and found.label == OTHER and found.evidence.beside
            assert "nobody vouches" in str(found.summary) and report.shortcomings(lk.Layer.PROVENANCE)
        trusted = lk.verify(path, trust=anchors, effort="fast")
        assert trusted.verdict is differing and "lies beside the file" in str(trusted[lk.Layer.PROVENANCE].summary)


@pytest.mark.parametrize("made,parents", [(of_another, 1), (lambda signer: b"x" * 999, 1), (None, 2)],
                         ids=["another's", "no", "its own"])
def test_only_its_own_is_the_parent_of_the_next(made, parents, signer, anchors, tmp_path):
    source, plan = tmp_path / "a.ogg", lk.Plan(provenance=signer, **METADATA)
    lk.embed(io.BytesIO(saved_ogg()), source, LABEL, plan=plan)
    if made:
        Path(f"{source}.c2pa").write_bytes(made(signer))
    target = lk.embed(source, tmp_path / "b.ogg", LABEL, plan=plan)
    found = lk.verify(target, trust=anchors, effort="fast")[lk.Layer.PROVENANCE]
    assert found.status is lk.Status.VALID and found.evidence.manifests == parents


def saved_ogg() -> bytes:
    out = io.BytesIO()
    soundfile.write(out, sounds.music(1), 44_100, format="OGG", subtype="VORBIS")
    return out.getvalue()


def test_an_old_manifest_beside_the_target_is_named(signer, tmp_path, capsys):
    target = tmp_path / "b.png"
    plan = lk.Plan(**METADATA)
    with warnings.catch_warnings():
        warnings.simplefilter("error", ManifestLeft)
        lk.embed(saved(photo(), "PNG"), target, LABEL, plan=plan)
        lk.embed(io.BytesIO(saved_ogg()), tmp_path / "c.ogg", LABEL, plan=dataclasses.replace(plan, provenance=signer))
        lk.embed(tmp_path / "c.ogg", tmp_path / "d.ogg", LABEL, plan=dataclasses.replace(plan, provenance=signer))
        lk.embed(tmp_path / "c.ogg", tmp_path / "d.ogg", LABEL, plan=dataclasses.replace(plan, provenance=signer))
    old = Path(f"{target}.c2pa")
    old.write_bytes(b"x")
    with pytest.warns(ManifestLeft, match="b.png.c2pa is of the file that was there before"):
        lk.embed(saved(photo(), "PNG"), target, LABEL, plan=plan)
    assert old.read_bytes() == b"x"
    source = tmp_path / "a.png"
    source.write_bytes(saved(photo(), "PNG"))
    words = ["embed", str(source), "-o", str(target), "--producer", "a", "--layers", "metadata", "--explicit-present"]
    assert main([*words, "--lang", "zh-CN"]) == 0
    assert f"{old} 属于" in capsys.readouterr().err
    old.unlink()
    assert main(words) == 0 and "not of the new one" not in capsys.readouterr().err
