# SPDX-License-Identifier: Apache-2.0
"""Samples in memory go in, labelled samples or whole labelled files come out."""

from __future__ import annotations

import concurrent.futures
import datetime
import hashlib
import io

import av
import numpy as np
import pytest
from PIL import Image, ImageCms, ImageOps

import labelkit as lk
from labelkit import arrays
from labelkit.errors import HostTooSmall, InvalidArgument, LabelkitError, LimitExceeded, UnsupportedFormat
from labelkit.log import LabelLog, Waiver
from tests.media import LABEL, photo
from tests.sounds import speech

PICTURES = {"jpeg": "JPEG", "png": "PNG", "webp": "WEBP", "avif": "AVIF", "tiff": "TIFF"}
SOUNDS = ("wav", "flac", "ogg", "opus", "mp3", "m4a")
NOW = datetime.datetime(2026, 1, 2, tzinfo=datetime.UTC)


def statuses(report: lk.Report) -> dict[str, str]:
    return {finding.layer.value: finding.status.value for finding in report}


@pytest.mark.parametrize("format", PICTURES)
def test_a_picture_becomes_a_labelled_file(format, signer, anchors):
    rgb = photo()
    made = lk.embed(rgb, label=LABEL, plan=lk.Plan(provenance=signer), format=format)
    with Image.open(io.BytesIO(made)) as image:
        assert image.format == PICTURES[format] and image.size == rgb.shape[1::-1]
    report = lk.verify(made, trust=anchors)
    assert set(statuses(report).values()) == {"valid"} and report.verdict is lk.Verdict.CONFIRMED
    manifest = report[lk.Layer.PROVENANCE].evidence
    assert manifest.manifests == 1, "it begins here, with no parent"
    assert (rgb == photo()).all(), "the samples are left as they are"
    bare = lk.embed(rgb, label=LABEL, plan=lk.Plan(explicit=None, watermark=None), format=format)
    assert statuses(lk.verify(bare))["watermark"] == "absent", "and carries only what the plan says"


def test_the_ending_of_the_target_names_the_format(tmp_path):
    for name, magic in (("a.jpg", b"\xff\xd8"), ("b.JPEG", b"\xff\xd8"), ("c.png", b"\x89PNG"), ("d.webp", b"RIFF")):
        assert lk.embed(photo(), tmp_path / name, LABEL) == tmp_path / name
        assert (tmp_path / name).read_bytes().startswith(magic)
        assert lk.verify(tmp_path / name).verdict is lk.Verdict.CONFIRMED
    file = io.BytesIO()
    assert lk.embed(photo(), file, LABEL, format="jpg") is None
    assert lk.verify(file.getvalue()).verdict is lk.Verdict.CONFIRMED
    lk.embed(photo(), tmp_path / "wrong.png", LABEL, format="jpeg")
    assert (tmp_path / "wrong.png").read_bytes().startswith(b"\xff\xd8"), "what is named goes first"


def test_samples_without_a_format_come_back_as_samples():
    assert isinstance(lk.embed(photo(), label=LABEL), np.ndarray)
    assert isinstance(lk.embed(Image.fromarray(photo()), label=LABEL), Image.Image)


@pytest.mark.parametrize("kind", [np.float16, np.float32, np.float64])
def test_pictures_of_floats(kind):
    floats = (photo() / 255).astype(kind)
    marked = lk.embed(floats, label=LABEL)
    assert marked.dtype == kind and marked.shape == floats.shape and 0 <= marked.min() and marked.max() <= 1
    assert lk.verify(marked)[lk.Layer.WATERMARK].payload == lk.Payload.of(LABEL)
    assert lk.verify(lk.embed(floats, label=LABEL, format="png")).verdict is lk.Verdict.CONFIRMED
    assert lk.verify(floats)[lk.Layer.WATERMARK].status is lk.Status.ABSENT
    for wrong in (floats * 2, floats - 1, np.where(floats > 0.5, np.nan, floats)):
        with pytest.raises(InvalidArgument, match="from 0 to 1"):
            lk.embed(wrong, label=LABEL)


@pytest.mark.parametrize("target,format", [("a.xyz", None), ("a", None), (None, "gif"), (None, "doc"), (None, 7),
                                           (io.BytesIO(), None), (None, "mp4")])
def test_formats_of_which_nothing_new_is_made(target, format, tmp_path):
    with pytest.raises(InvalidArgument):
        lk.embed(photo(), tmp_path / target if isinstance(target, str) else target, LABEL, format=format)
    assert not list(tmp_path.iterdir())


def opened(image: Image.Image, kind: str, **options) -> Image.Image:
    out = io.BytesIO()
    image.save(out, kind, **options)
    return Image.open(io.BytesIO(out.getvalue()))


def test_a_pillow_image_of_16_bits_keeps_them():
    deep = photo()[..., 0].astype(np.uint16) * 257 + 3
    for image in (Image.fromarray(deep), opened(Image.fromarray(deep), "PNG"), opened(Image.fromarray(deep), "TIFF")):
        marked = lk.embed(image, label=LABEL)
        assert marked.mode.startswith("I;16") and np.array_equal(np.asarray(marked), lk.embed(deep, label=LABEL))
        assert lk.verify(marked)[lk.Layer.WATERMARK].payload == lk.Payload.of(LABEL)


@pytest.mark.parametrize("turn", range(1, 9))
def test_a_pillow_image_is_labelled_upright(turn):
    exif = Image.Exif()
    exif[0x0112] = turn
    image = opened(Image.fromarray(photo()), "JPEG", exif=exif, quality=95)
    marked = lk.embed(image, label=LABEL)
    assert marked.getexif().get(0x0112) == 1 and image.getexif()[0x0112] == turn
    assert marked.size == (image.size if turn < 5 else image.size[::-1])
    upright = lk.embed(ImageOps.exif_transpose(image), label=LABEL)
    assert np.array_equal(np.asarray(marked), np.asarray(upright))
    assert lk.verify(image.copy())[lk.Layer.WATERMARK].status is lk.Status.ABSENT


@pytest.mark.parametrize("mode", ["F", "I"])
def test_pillow_images_of_other_samples_are_refused(mode):
    with pytest.raises(InvalidArgument, match=f"mode {mode}"):
        lk.embed(Image.fromarray(photo()).convert("L").convert(mode), label=LABEL)


def test_a_cmyk_picture_in_memory_is_read_and_not_labelled():
    image = Image.fromarray(photo()).convert("CMYK")
    with pytest.raises(InvalidArgument, match="colours"):
        lk.embed(image, label=LABEL)
    marked = lk.embed(photo(), label=LABEL)
    assert lk.verify(Image.fromarray(marked).convert("CMYK"))[lk.Layer.WATERMARK].status is lk.Status.VALID


@pytest.mark.parametrize("kind", ["GIF", "PNG", "WEBP", "TIFF"])
def test_an_animation_in_memory_is_refused_and_one_of_its_frames_is_not(kind):
    one, other = Image.fromarray(photo()), Image.fromarray(photo(seed=2))
    image = opened(one, kind, save_all=True, append_images=[other])
    for act in (lambda: lk.embed(image, label=LABEL), lambda: lk.verify(image)):
        with pytest.raises(InvalidArgument, match="2 frames"):
            act()
    assert lk.verify(lk.embed(image.copy(), label=LABEL))[lk.Layer.WATERMARK].status is lk.Status.VALID
    assert lk.verify(opened(one, kind))[lk.Layer.WATERMARK].status is lk.Status.ABSENT


def test_what_a_format_cannot_hold():
    clear = np.dstack((photo(), np.full(photo().shape[:2], 200, np.uint8)))
    deep = photo().astype(np.uint16) * 257
    for samples, format in ((clear, "jpeg"), (deep, "jpeg"), (deep, "webp")):
        with pytest.raises(UnsupportedFormat):
            lk.embed(samples, label=LABEL, format=format)
    with Image.open(io.BytesIO(lk.embed(clear, label=LABEL, format="png"))) as image:
        assert image.mode == "RGBA" and np.asarray(image)[0, 0, 3] == 200
    assert lk.verify(lk.embed(deep, label=LABEL, format="png")).verdict is lk.Verdict.CONFIRMED


def test_a_file_keeps_its_format():
    made = lk.embed(photo(), label=LABEL, format="jpeg")
    for more in ({"format": "png"}, {"rate": 48_000}):
        with pytest.raises(InvalidArgument, match="a file keeps its own"):
            lk.embed(made, label=LABEL, **more)


def test_lossy_pictures_have_the_quality_that_is_asked_for():
    small, large = (len(lk.embed(photo(), label=LABEL, format="webp", plan=lk.Plan(quality=lk.plan.Quality(percent=q))))
                    for q in (75, 98))
    assert small < 0.6 * large
    with pytest.raises(InvalidArgument):
        lk.plan.Quality(percent=0)


@pytest.mark.parametrize("format", ["jpeg", "png", "webp", "tiff"])
def test_a_colour_profile_comes_along(format):
    profile = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()
    picture = Image.fromarray(photo())
    picture.info["icc_profile"] = profile
    with Image.open(io.BytesIO(lk.embed(picture, label=LABEL, format=format))) as image:
        assert image.info["icc_profile"] == profile
    with Image.open(io.BytesIO(lk.embed(photo(), label=LABEL, format=format))) as image:
        assert "icc_profile" not in image.info


@pytest.mark.parametrize("plan", [lk.Plan(), lk.Plan(explicit=None)], ids=["both layers", "the mark alone"])
@pytest.mark.parametrize("shape", ["mono", "stereo"])
def test_sound_in_memory_is_not_changed(plan, shape):
    held = speech(8) if shape == "mono" else np.stack([speech(8), speech(8, seed=2)], axis=1)
    before = held.copy()
    marked = lk.embed(held, label=LABEL, rate=16_000, plan=plan)
    assert np.array_equal(held, before) and held.flags.writeable and not np.shares_memory(held, marked)
    assert marked.flags.writeable and lk.verify(marked, rate=16_000)[lk.Layer.WATERMARK].status is lk.Status.VALID


@pytest.mark.parametrize("format", SOUNDS)
def test_sound_becomes_a_labelled_file(format, tmp_path):
    samples = speech(6.0, 24_000)
    path = lk.embed(samples, tmp_path / f"a.{format}", LABEL, rate=24_000)
    report = lk.verify(path)
    assert {layer: status for layer, status in statuses(report).items() if layer != "provenance"} == {
        "explicit": "valid", "watermark": "valid", "metadata": "valid"}
    with av.open(str(path)) as file:
        seconds, rate = file.duration / av.time_base, file.streams.audio[0].rate
    assert rate == (48_000 if format == "opus" else 24_000) and seconds > 6.5, "the label is before it"


@pytest.mark.parametrize("kind", [np.float32, np.int16])
@pytest.mark.parametrize("channels", [None, 1, 2])
def test_sound_comes_back_as_it_came(kind, channels):
    samples = speech(5.0, 16_000)
    samples = samples if kind == np.float32 else (samples * 32767).astype(np.int16)
    samples = samples if channels is None else np.repeat(samples[:, None], channels, axis=1)
    before = samples.copy()
    marked = lk.embed(samples, label=LABEL, rate=16_000, plan=lk.Plan(explicit=None))
    assert marked.dtype == kind and marked.shape == samples.shape and (samples == before).all()
    found = lk.verify(marked, rate=16_000)
    assert found[lk.Layer.WATERMARK].payload == lk.Payload.of(LABEL)
    assert lk.verify(samples, rate=16_000)[lk.Layer.WATERMARK].status is lk.Status.ABSENT
    longer = lk.embed(samples, label=LABEL, rate=16_000)
    assert len(longer) > len(samples) and longer.dtype == kind and longer.ndim == samples.ndim
    assert lk.verify(longer, rate=16_000)[lk.Layer.EXPLICIT].status is lk.Status.VALID


@pytest.mark.parametrize("rate,format", [(22_050, "opus"), (44_100, "opus"), (96_000, "mp3"), (22_000, "m4a")])
def test_rates_that_a_format_does_not_hold_are_told(rate, format):
    with pytest.raises(UnsupportedFormat, match=f"{format} holds sound of .* Hz, got {rate}"):
        lk.embed(speech(5.0, rate), label=LABEL, rate=rate, format=format)
    assert lk.verify(lk.embed(speech(5.0, rate), label=LABEL, rate=rate, format="ogg")).verdict is lk.Verdict.CONFIRMED


def test_sound_without_its_rate_is_told_what_is_missing():
    line = speech(5.0, 16_000)
    for samples, more in ((line, {}), (line, {"format": "wav"}), (np.stack((line, line), 1), {"format": "mp3"})):
        with pytest.raises(InvalidArgument, match="sound, which needs its rate"):
            lk.embed(samples, label=LABEL, **more)
    assert lk.embed(line, label=LABEL, rate=16_000).ndim == 1
    for nothing in (line[:0], np.zeros((0, 2), np.int16)):
        with pytest.raises(HostTooSmall):
            lk.embed(nothing, label=LABEL, rate=16_000)
        assert lk.verify(nothing, rate=16_000).verdict is lk.Verdict.NONE


def test_sound_that_is_none():
    for samples, rate in ((np.zeros((4, 4, 4), np.float32), 48_000), (np.zeros(48_000, np.int32), 48_000),
                          (speech(2.0, 16_000), 10), (speech(2.0, 16_000), "fast"),
                          (Image.fromarray(photo()), 48_000)):
        with pytest.raises(LabelkitError):
            lk.embed(samples, label=LABEL, rate=rate)
        with pytest.raises(LabelkitError):
            lk.verify(samples, rate=rate)


def test_the_log_records_the_file_that_is_made(tmp_path):
    with LabelLog(tmp_path / "log.db") as log:
        made = lk.embed(photo(), label=LABEL, format="png", audit=lk.Audit(log, NOW))
        record, = log.find(payload=lk.Payload.of(LABEL))
        assert record.facts["sha256_before"] is None and record.facts["fingerprint"]
        assert record.facts["sha256_after"] == hashlib.sha256(made).hexdigest()
        path = lk.embed(photo(), tmp_path / "a.jpg", LABEL, audit=lk.Audit(log, NOW))
        assert lk.verify(path).verdict is lk.Verdict.CONFIRMED
        waived = lk.embed(photo(), label=LABEL, plan=lk.Plan(explicit=None), format="png",
                          audit=lk.Audit(log, NOW, Waiver("user-7", "2026-03")))
        assert statuses(lk.verify(waived)) | {"provenance": ""} == {
            "explicit": "absent", "watermark": "valid", "metadata": "valid", "provenance": ""}
        with pytest.raises(InvalidArgument, match="Article 9"):
            lk.embed(photo(), label=LABEL, plan=lk.Plan(explicit=None),
                     audit=lk.Audit(log, NOW, Waiver("user-7", "2026-03")))


def test_lent_samples_are_new_at_each_call_and_leave_the_source_alone():
    for picture in (photo(), photo()[..., 0], photo().astype(np.uint16) * 257, photo()[::2, ::-1]):
        with arrays.lent(picture, None) as samples:
            first = samples().frames[0]
            assert first.flags.writeable and first.dtype == picture.dtype and np.array_equal(first, picture)
            first[...] = 0
            assert np.array_equal(samples().frames[0], picture), "a second strength starts from the source"


@pytest.mark.parametrize("held,rate", [(photo() / 255, None), (Image.fromarray(photo()), None), (speech(2.0), 16_000)])
def test_what_cannot_lie_in_lent_memory_is_taken_as_before(held, rate):
    with arrays.lent(held, rate) as samples:
        assert type(samples()) is type(arrays.samples_of(held, rate))


def test_one_thread_after_the_other_labels_its_own_picture():
    """Memory is kept between calls: nothing of one picture shows in the next."""
    pictures = [photo(384, 512, seed) for seed in range(3)] + [photo(128, 200, 9)]
    plan = lk.Plan(explicit=None)
    alone = [lk.embed(picture, label=LABEL, plan=plan, format="png") for picture in pictures]
    with concurrent.futures.ThreadPoolExecutor(2) as pool:
        again = list(pool.map(lambda picture: lk.embed(picture, label=LABEL, plan=plan, format="png"), pictures * 3))
    assert again == alone * 3


@pytest.mark.filterwarnings("ignore::PendingDeprecationWarning")
def test_a_matrix_is_a_picture():
    grey = np.ascontiguousarray(photo()[..., 0])
    marked = lk.embed(np.matrix(grey), label=LABEL)
    assert type(marked) is np.ndarray and (marked == lk.embed(grey, label=LABEL)).all()
    assert lk.verify(np.matrix(marked))[lk.Layer.WATERMARK].status is lk.Status.VALID


def test_a_masked_array_is_refused():
    masked = np.ma.masked_greater(photo(), 200)
    for call in (lambda: lk.embed(masked, label=LABEL), lambda: lk.verify(masked)):
        with pytest.raises(InvalidArgument, match="masked array"):
            call()


@pytest.mark.parametrize(("value", "shape", "rate"), [
    (np.uint8(3), (1 << 20, 1 << 20), None), (np.float32(0.3), (1 << 20, 1 << 20, 3), None),
    (np.uint16(3), (1 << 40, 1), None), (np.float32(0.1), (1 << 40,), 48_000), (np.int16(1), (1 << 40, 2), 48_000)])
def test_an_array_that_claims_more_samples_than_any_memory_holds(value, shape, rate):
    huge = np.broadcast_to(value, shape)
    for call in (lambda: lk.embed(huge, label=LABEL, rate=rate), lambda: lk.verify(huge, rate=rate)):
        with pytest.raises(LimitExceeded, match="at most"):
            call()


def test_the_bound_is_that_of_files():
    rgb = photo()
    with pytest.raises(LimitExceeded):
        lk.embed(rgb, label=LABEL, max_pixels=rgb.shape[0] * rgb.shape[1] - 1)
    with pytest.raises(LimitExceeded):
        lk.verify(Image.fromarray(rgb), max_pixels=100)
    assert lk.embed(rgb, label=LABEL, max_pixels=rgb.shape[0] * rgb.shape[1]).shape == rgb.shape
