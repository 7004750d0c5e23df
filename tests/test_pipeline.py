# SPDX-License-Identifier: Apache-2.0
"""embed and verify end to end: every kind of source, and what is refused."""

import dataclasses
import io
import subprocess
import sys
import threading
import warnings
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

import labelkit as lk
from labelkit import codec, metadata
from labelkit.errors import (
    HostTooSmall,
    InvalidArgument,
    LabelkitError,
    OutputFailed,
    UnsupportedFormat,
    WatermarkLeftOut,
)
from tests.media import LABEL, photo, saved

OTHERS = lk.Label(lk.Kind.GENERATED, "somebody-else", "9")
SIGNAL = lk.Plan(metadata=False)
FILE_SIDE = lk.Plan(explicit=None, watermark=None)


def statuses(report: lk.Report) -> dict[str, str]:
    return {finding.layer.value: finding.status.value for finding in report}


@pytest.mark.parametrize("format,options", [
    ("JPEG", {"quality": 92}), ("JPEG", {"quality": 75}), ("PNG", {}), ("WEBP", {"quality": 92}),
    ("WEBP", {"lossless": True}), ("GIF", {}), ("TIFF", {"compression": "tiff_lzw"}), ("AVIF", {"quality": 85})])
def test_a_labelled_file_is_confirmed_and_a_plain_one_is_not(format, options, tmp_path):
    data = saved(photo(), format, **options)
    labelled = lk.embed(data, label=LABEL)
    report = lk.verify(labelled)
    assert report.verdict is lk.Verdict.CONFIRMED
    report.require(lk.Layer.EXPLICIT, lk.Layer.WATERMARK, lk.Layer.METADATA)
    assert report.label == LABEL
    assert report[lk.Layer.WATERMARK].payload == lk.Payload.of(LABEL)
    assert all(check.agrees for check in report.cross_checks) and report.cross_checks
    plain = lk.verify(data)
    assert plain.verdict is lk.Verdict.NONE and statuses(plain)["watermark"] == "absent"


@pytest.mark.parametrize("format", ["PNG", "WEBP", "GIF", "TIFF"])
def test_every_frame_is_labelled(format):
    first, *others = [Image.fromarray(np.roll(photo(), 40 * index, axis=1)) for index in range(3)]
    labelled = lk.embed(saved(first, format, save_all=True, append_images=others), label=LABEL)
    image = Image.open(io.BytesIO(labelled))
    assert image.n_frames == 3
    for index in range(3):
        image.seek(index)
        report = lk.verify(image.convert("RGB"))
        report.require(lk.Layer.EXPLICIT, lk.Layer.WATERMARK)
        assert report[lk.Layer.WATERMARK].payload == lk.Payload.of(LABEL)


def test_path_bytes_and_file_give_the_same(source, tmp_path):
    data = source.read_bytes()
    by_bytes = lk.embed(data, label=LABEL)
    assert lk.embed(source, label=LABEL) == lk.embed(io.BytesIO(data), label=LABEL) == by_bytes
    target = tmp_path / "out.jpg"
    assert lk.embed(str(source), target, LABEL) == target
    assert target.read_bytes() == by_bytes
    out = io.BytesIO()
    assert lk.embed(source, out, LABEL) is None
    assert out.getvalue() == by_bytes
    assert source.read_bytes() == data, "the source is never changed"
    reports = [lk.verify(which).to_dict() for which in (target, str(target), by_bytes, io.BytesIO(by_bytes))]
    assert len({str(report | {"source": ""}) for report in reports}) == 1


@pytest.mark.parametrize("shape", [(384, 512), (384, 512, 3), (384, 512, 4)])
@pytest.mark.parametrize("dtype", [np.uint8, np.uint16])
def test_arrays_carry_the_signal_layers(shape, dtype):
    array = photo(*shape[:2])[..., :3]
    array = np.dstack((array, np.full(shape[:2], 255, np.uint8)))
    array = array[..., 0] if len(shape) == 2 else array[..., :shape[2]]
    array = (array.astype(dtype) * (257 if dtype == np.uint16 else 1)).astype(dtype)
    before = array.copy()
    marked = lk.embed(array, label=LABEL)
    assert marked.shape == shape and marked.dtype == dtype and np.array_equal(array, before)
    report = lk.verify(marked)
    assert statuses(report) == {"explicit": "valid", "watermark": "valid", "metadata": "unchecked",
                                "provenance": "unchecked"}
    assert lk.verify(array).verdict is lk.Verdict.NONE


def test_pillow_images_come_back_as_pillow_images():
    for image in (Image.fromarray(photo()), Image.fromarray(photo()).quantize(64)):
        marked = lk.embed(image, label=LABEL)
        assert isinstance(marked, Image.Image) and marked.size == image.size
        assert lk.verify(marked)[lk.Layer.WATERMARK].payload == lk.Payload.of(LABEL)


def test_a_plan_without_signal_layers_never_decodes(monkeypatch, source, tmp_path):
    monkeypatch.setattr(codec, "decode", lambda *_, **__: pytest.fail("decoded"))
    target = tmp_path / "out.jpg"
    lk.embed(source, target, LABEL, plan=FILE_SIDE)
    assert metadata.read(target).label == LABEL
    assert lk.embed(source, label=LABEL, plan=FILE_SIDE) == target.read_bytes()
    lk.verify(target, layers=[lk.Layer.METADATA])


def test_pixels_survive_the_file_side_untouched(source):
    labelled = lk.embed(source, label=LABEL, plan=FILE_SIDE)
    assert np.array_equal(np.asarray(Image.open(source)), np.asarray(Image.open(io.BytesIO(labelled))))


def test_all_four_layers(signer, anchors, source):
    labelled = lk.embed(source, label=LABEL, plan=lk.Plan(provenance=signer))
    report = lk.verify(labelled, trust=anchors)
    report.require(*lk.Layer)
    assert report.verdict is lk.Verdict.CONFIRMED
    assert {check.subject for check in report.cross_checks} == {"content", "watermark", "label"}
    assert report[lk.Layer.PROVENANCE].evidence.trusted is True
    assert report[lk.Layer.PROVENANCE].evidence.explicit["text"] == "AI生成"


def test_manifest_from_file_to_file_without_decoding(signer, anchors, source, tmp_path):
    target = tmp_path / "out.jpg"
    lk.embed(source, target, LABEL, plan=lk.Plan(explicit=None, watermark=None, provenance=signer))
    report = lk.verify(target, trust=anchors, layers=[lk.Layer.METADATA, lk.Layer.PROVENANCE])
    report.require(lk.Layer.METADATA, lk.Layer.PROVENANCE)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["in", "out.jpg"]


def test_a_tampered_file_is_not_confirmed_by_its_manifest(signer, source):
    labelled = bytearray(lk.embed(source, label=LABEL, plan=lk.Plan(provenance=signer)))
    labelled[-200] ^= 1
    report = lk.verify(bytes(labelled))
    assert report[lk.Layer.PROVENANCE].status is lk.Status.INVALID


def test_a_manifest_is_never_broken_in_silence(signer, source, tmp_path):
    signed = lk.embed(source, label=LABEL, plan=lk.Plan(provenance=signer))
    with pytest.raises(InvalidArgument, match="manifest"):
        lk.embed(signed, label=LABEL)
    again = lk.embed(signed, label=LABEL, plan=lk.Plan(explicit=None, watermark=None, provenance=signer))
    assert lk.verify(again)[lk.Layer.PROVENANCE].evidence.manifests == 2
    lk.embed(signed, label=LABEL, replace=True)


def test_a_label_of_another_producer_is_replaced_only_when_asked(source):
    theirs = lk.embed(source, label=OTHERS, plan=FILE_SIDE)
    with pytest.raises(InvalidArgument, match="labelled already"):
        lk.embed(theirs, label=LABEL)
    assert metadata.read(lk.embed(theirs, label=LABEL, replace=True)).label == LABEL
    ours = lk.embed(source, label=LABEL, plan=FILE_SIDE)
    spread = LABEL.propagated_by("platform", "5")
    assert metadata.read(lk.embed(ours, label=spread, plan=FILE_SIDE)).label == spread


def test_forged_metadata_contradicts_the_watermark(source):
    labelled = lk.embed(source, label=LABEL)
    forged = lk.embed(labelled, label=OTHERS, plan=FILE_SIDE, replace=True)
    report = lk.verify(forged)
    assert report.verdict is lk.Verdict.SUSPECTED
    assert not report.cross_checks[0].agrees


def test_the_private_key_alone_finds_its_mark(source):
    key = lk.Key(b"sixteen bytes or more of secret")
    labelled = lk.embed(source, label=LABEL, key=key)
    found = lk.verify(labelled, key=key)[lk.Layer.WATERMARK]
    assert found.payload == lk.Payload.of(LABEL) and found.evidence.key_is_public is False
    assert lk.verify(labelled)[lk.Layer.WATERMARK].status is lk.Status.ABSENT


def test_mark_that_cannot_be_read_is_found_by_what_the_file_names():
    key, plan = lk.Key(b"sixteen bytes or more of secret"), lk.Plan(explicit=None, watermark=None)
    marked = saved(lk.watermark.image.embed(photo(256, 320), lk.Payload.of(LABEL), key), "JPEG", quality=11)
    assert lk.verify(marked, key=key)[lk.Layer.WATERMARK].payload is None
    report = lk.verify(lk.embed(marked, label=LABEL, plan=plan), key=key)
    found = report[lk.Layer.WATERMARK]
    assert found.payload == lk.Payload.of(LABEL) and found.evidence.candidates == 1 << 20
    assert "which the file's own label names" in found.summary.text("en") and report.cross_checks[0].agrees
    assert report.to_dict()["layers"]["watermark"]["evidence"]["candidates"] == 1 << 20
    raised = dataclasses.replace(LABEL, kind=lk.Kind.POSSIBLE)
    assert lk.verify(lk.embed(marked, label=raised, plan=plan), key=key)[lk.Layer.WATERMARK].payload == found.payload
    for other in (lk.embed(marked, label=OTHERS, plan=plan),
                  lk.embed(saved(photo(256, 320), "JPEG", quality=11), label=LABEL, plan=plan)):
        report = lk.verify(other, key=key)
        assert report[lk.Layer.WATERMARK].payload is None and not report.cross_checks


def test_candidates_of_the_caller_go_before_those_of_the_file():
    pixels = lk.watermark.image.embed(photo(256, 320), lk.Payload.of(LABEL))
    marked = saved(pixels, "JPEG", quality=10)
    found = lk.verify(marked, candidates=[lk.Payload.of(LABEL), lk.Payload.of(OTHERS)])[lk.Layer.WATERMARK]
    assert found.payload == lk.Payload.of(LABEL) and found.evidence.candidates == 2
    assert lk.verify(marked, candidates=[lk.Payload.of(OTHERS)])[lk.Layer.WATERMARK].payload is None
    with pytest.raises(lk.LabelkitError):
        lk.verify(marked, candidates=["text"])


def test_layers_that_are_left_out_are_said_to_be(source):
    plan = lk.Plan(explicit=None, watermark=None)
    report = lk.verify(lk.embed(source, label=LABEL, plan=plan))
    assert statuses(report) == {"explicit": "absent", "watermark": "absent", "metadata": "valid",
                                "provenance": "absent"}
    assert statuses(lk.verify(source, layers=[lk.Layer.METADATA]))["watermark"] == "unchecked"


@pytest.mark.parametrize("arguments,match", [
    (dict(label=None), "label must be a Label"), (dict(label="AI"), "label must be a Label"),
    (dict(label=LABEL, key="secret"), "key must be a Key"), (dict(label=LABEL, plan="all"), "plan must be a Plan"),
    (dict(label=LABEL, key=b""), "key must be a Key"), (dict(label=LABEL, plan={}), "plan must be a Plan"),
    (dict(label=LABEL, plan=lk.Plan(provenance="signer.pem")), "provenance must be a Signer"),
    (dict(label=LABEL, plan=lk.Plan(explicit=None, watermark=None, metadata=False)), "no layer")])
def test_requests_without_sense_are_refused(source, arguments, match):
    with pytest.raises(InvalidArgument, match=match):
        lk.embed(source, **arguments)


@pytest.mark.parametrize("wrong", [dict(explicit="AI生成"), dict(watermark=True), dict(quality=90),
                                   dict(generator="Painter 2.0")])
def test_plans_without_sense_are_refused(wrong):
    with pytest.raises(InvalidArgument, match="must be a"):
        lk.Plan(**wrong)
    with pytest.raises(InvalidArgument, match="must be a"):
        lk.Explicit(text=None)
    assert lk.Plan(explicit=None, watermark=False) and lk.Plan(explicit=False, watermark=lk.Watermark())


def test_wrong_arguments_of_verify_are_errors_not_findings(source):
    for wrong in (dict(effort="quick"), dict(key=b"secret"), dict(key=b""), dict(trust="anchors.pem"),
                  dict(layers=["visible"]), dict(layers=[])):
        for which in (source, photo()):
            with pytest.raises(InvalidArgument):
                lk.verify(which, **wrong)


def test_an_empty_check_is_no_answer():
    with pytest.raises(InvalidArgument, match="neither is asked for"):
        lk.verify(photo(), layers=[lk.Layer.METADATA, lk.Layer.PROVENANCE])
    assert lk.verify(photo(), layers=[lk.Layer.METADATA, lk.Layer.WATERMARK]).verdict is lk.Verdict.NONE


def test_what_are_no_samples():
    with pytest.raises(InvalidArgument, match="neither"):
        lk.embed(photo(), label=LABEL, plan=FILE_SIDE)
    for wrong in (photo().astype(np.float64), photo().astype(np.int32), np.zeros((0, 4, 3), np.uint8),
                  np.zeros((4, 4, 2), np.uint8), None, 7):
        with pytest.raises(LabelkitError):
            lk.embed(wrong, label=LABEL)


def test_pictures_that_cannot_carry_a_watermark_are_refused():
    with pytest.raises(HostTooSmall):
        lk.embed(saved(photo(16, 16), "PNG"), label=LABEL, plan=lk.Plan(explicit=None))
    with pytest.raises(HostTooSmall):
        lk.embed(saved(np.full((256, 256, 3), 255, np.uint8), "PNG"), label=LABEL, plan=lk.Plan(explicit=None))


def test_what_cannot_carry_a_watermark_is_labelled_without_it_if_the_plan_says_so():
    white = saved(np.full((256, 256, 3), 255, np.uint8), "PNG")
    with pytest.raises(HostTooSmall, match="flat") as refused:
        lk.embed(white, label=LABEL, plan=lk.Plan(explicit=None))
    assert "required=False" in str(refused.value.hint)
    plan = lk.Plan(explicit=None, watermark=lk.Watermark(required=False))
    with pytest.warns(WatermarkLeftOut, match="labelled without a watermark: the picture is flat"):
        labelled = lk.embed(white, label=LABEL, plan=plan)
    report = lk.verify(labelled)
    assert report[lk.Layer.METADATA].status is lk.Status.VALID
    assert report[lk.Layer.WATERMARK].status is lk.Status.ABSENT
    said: list[object] = []
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert lk.embed(white, label=LABEL, plan=plan, on_left_out=said.append) == labelled
        lk.embed(saved(photo(320, 320), "PNG"), label=LABEL, plan=plan, on_left_out=said.append)
    assert len(said) == 1 and "flat" in said[0].text("en")
    with pytest.raises(HostTooSmall):
        lk.embed(white, label=LABEL, plan=dataclasses.replace(plan, metadata=False))


def test_what_is_written_is_read_back(source, monkeypatch):
    from labelkit import watermark
    monkeypatch.setattr(watermark, "embed", lambda samples, *_: samples)  # marks nothing
    with pytest.raises(OutputFailed, match="does not read back"):
        lk.embed(source, label=LABEL)
    lk.embed(source, label=LABEL, check=False)


def test_a_mark_that_its_own_file_takes_away_is_made_stronger():
    poor = saved(photo(256, 320), "JPEG", quality=40)
    with pytest.raises(OutputFailed, match="does not read back"):
        lk.embed(poor, label=LABEL, plan=lk.Plan(watermark=lk.Watermark(max_strength=1.0)))
    report = lk.verify(lk.embed(poor, label=LABEL))
    assert report[lk.Layer.WATERMARK].payload == lk.Payload.of(LABEL) and report.verdict is lk.Verdict.CONFIRMED
    assert lk.Watermark(0.5, max_strength=0.6).strengths() == [0.5, 0.6] and lk.Watermark(4).strengths() == [4]
    for wrong in (0.9, 4.1, "much"):
        with pytest.raises(InvalidArgument):
            lk.Watermark(max_strength=wrong)


def test_the_former_name_of_max_strength_still_works_and_warns():
    with pytest.warns(DeprecationWarning, match="max_strength") as warned:
        former = lk.Watermark(0.5, most=0.6)
    assert warned[0].filename == __file__
    assert former == lk.Watermark(0.5, max_strength=0.6) and former.most == former.max_strength == 0.6
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert dataclasses.replace(former, strength=0.4).strengths()[-1] == 0.6
        assert lk.Watermark(0.5, max_strength=0.6).max_strength == 0.6
    with pytest.warns(DeprecationWarning), pytest.raises(InvalidArgument):
        lk.Watermark(0.5, most=0.4)


@pytest.mark.parametrize("data", [b"", b"\0", b"\xff\xd8", b"\x89PNG\r\n\x1a\n", b"RIFF\4\0\0\0WEBP", b"GIF89a",
                                  b"text"])
def test_files_of_nothing(data, tmp_path):
    path = tmp_path / "x.png"
    path.write_bytes(data)
    for call in (lambda: lk.verify(path), lambda: lk.embed(path, tmp_path / "o.png", LABEL)):
        try:
            report = call()
        except LabelkitError:
            continue
        assert isinstance(report, lk.Report) and report.verdict is lk.Verdict.UNDETERMINED and report.unseen
    assert not (tmp_path / "o.png").exists()


def test_a_missing_file_and_a_folder(tmp_path):
    for path in (tmp_path / "none.png", tmp_path):
        for call in (lambda path=path: lk.verify(path), lambda path=path: lk.embed(path, tmp_path / "o", LABEL)):
            with pytest.raises(InvalidArgument, match="cannot be opened"):
                call()


def test_a_broken_layer_is_a_finding_and_the_rest_is_answered(source):
    labelled = lk.embed(source, label=LABEL)
    report = lk.verify(labelled[:len(labelled) // 2])
    assert statuses(report)["metadata"] == "valid"
    assert statuses(report)["watermark"] == statuses(report)["explicit"] == "unchecked"
    assert report[lk.Layer.WATERMARK].evidence.error == "TruncatedFile"
    with pytest.raises(LabelkitError):
        lk.verify(labelled[:len(labelled) // 2], layers=[lk.Layer.WATERMARK])


def test_unknown_formats_are_refused():
    for call in (lambda: lk.verify(b"no picture at all"), lambda: lk.embed(b"no picture at all", label=LABEL)):
        with pytest.raises(UnsupportedFormat, match="format is not known"):
            call()


def test_threads_do_not_disturb_each_other(source):
    expected, results = lk.embed(source, label=LABEL), []
    threads = [threading.Thread(target=lambda: results.append(lk.embed(source, label=LABEL))) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert results == [expected] * 4


def test_the_import_is_light():
    code = ("import sys; before = len(sys.modules); import labelkit\n"
            "heavy = {'cv2', 'c2pa', 'av', 'soundfile', 'PIL', 'numpy'} & set(sys.modules)\n"
            "print(sorted(heavy)); assert len(sys.modules) - before < 60")
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=600,
                          cwd=Path(lk.__file__).parents[1])
    assert done.stdout == "[]\n", done.stderr


def test_every_public_name_is_there():
    for name in lk.__all__:
        assert getattr(lk, name) is not None
    assert set(lk.__all__) <= set(dir(lk))
    with pytest.raises(AttributeError):
        _ = lk.nothing
