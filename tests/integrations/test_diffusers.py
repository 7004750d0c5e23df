# SPDX-License-Identifier: Apache-2.0
"""Labelled outputs of pipelines of diffusers' shapes; tests/hosts/in_diffusers.py asks the real ones."""

from __future__ import annotations

import collections
import dataclasses
import gc
import itertools
import types
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

import labelkit as lk
from labelkit.errors import HostTooSmall, InvalidArgument, OutputFailed, UnsupportedFormat
from labelkit.integrations.diffusers import LabelOutputs, PipelineWatermark, encode_video, export_to_video
from labelkit.integrations.films import write_film
from tests.films import scene
from tests.media import photo
from tests.sounds import speech

NUMBERS = itertools.count()
SMALL = lk.Plan(watermark=None)


def new_label() -> lk.Label:
    return lk.Label(lk.Kind.GENERATED, "acme", f"{next(NUMBERS):06}")


@dataclasses.dataclass
class Output(collections.OrderedDict):
    """As diffusers' BaseOutput: a dataclass, and a dictionary of the fields that are not None."""

    images: object = None
    nsfw_content_detected: object = None
    frames: object = None
    audios: object = None
    audio: object = None
    meshes: object = None

    def __post_init__(self) -> None:
        self.update({name: value for name, value in vars(self).items() if value is not None})

    def __setitem__(self, name: str, value: object) -> None:
        super().__setitem__(name, value)
        setattr(self, name, value)


class Pipeline:
    """Returns what it is given, in the forms that diffusers' processors make."""

    def __init__(self, **fields: np.ndarray) -> None:
        self.fields = fields

    def __call__(self, prompt: str = "", *, output_type: str = "pil", return_dict: bool = True):
        made = {name: value if value is None else form(value, output_type) for name, value in self.fields.items()}
        return Output(**made) if return_dict else tuple(made.values())


def form(value: np.ndarray, output_type: str):
    """float [n, height, width, 3], or films [n, frames, ...], as an output_type."""
    if output_type == "np" or output_type == "latent":
        return value
    if output_type == "pt":
        return np.moveaxis(value, -1, -3)
    if value.ndim == 5:
        return [form(one, "pil") for one in value]
    return [Image.fromarray(np.rint(255 * one).astype(np.uint8)) for one in value]


def pictures(count: int = 2) -> np.ndarray:
    return np.stack([photo(256, 320, seed) for seed in range(count)]).astype(np.float32) / 255


def film(count: int = 3, size: tuple[int, int] = (320, 240)) -> np.ndarray:
    return np.stack([np.stack([luma] * 3, -1) for luma in scene(*size, count)]).astype(np.float32) / 255


def statuses(samples, rate: int | None = None) -> set[lk.Status]:
    report = lk.verify(samples, rate=rate)
    return {report[layer].status for layer in (lk.Layer.EXPLICIT, lk.Layer.WATERMARK)}


@pytest.mark.parametrize("output_type", ["pil", "np", "pt"])
def test_every_picture_comes_labelled_in_the_form_that_was_asked_for(output_type):
    plain, pipe = Pipeline(images=pictures()), Pipeline(images=pictures())
    outputs = LabelOutputs(pipe, new_label)
    made = pipe("a cat", output_type=output_type)["images"]
    before = plain("a cat", output_type=output_type)["images"]
    assert type(made) is type(before) and len(made) == 2 and len(set(outputs.labels)) == 2
    for picture, other, label in zip(made, before, outputs.labels, strict=True):
        assert lk.verify(picture)[lk.Layer.WATERMARK].payload == lk.Payload.of(label)
        assert statuses(picture) == {lk.Status.VALID} and statuses(other) == {lk.Status.ABSENT}
        assert getattr(picture, "dtype", None) == getattr(other, "dtype", None)


def test_a_batch_takes_the_memory_of_one_that_nobody_holds_and_of_no_other():
    pipe = Pipeline(images=pictures())
    LabelOutputs(pipe, new_label)
    first = pipe(output_type="np")["images"]
    kept = first[1]
    before, place = kept.copy(), first.ctypes.data
    del first
    second = pipe(output_type="np")["images"]
    assert not np.shares_memory(second, kept) and np.array_equal(kept, before)
    del kept
    gc.collect()
    third = pipe(output_type="np")["images"]
    assert third.ctypes.data == place and not np.shares_memory(third, second)
    assert all(statuses(one) == {lk.Status.VALID} for one in (*second, *third))


def test_without_return_dict_a_tuple_comes_back_labelled():
    pipe = Pipeline(images=pictures(1), nsfw_content_detected=None)
    LabelOutputs(pipe, new_label, plan=SMALL)
    made = pipe("a cat", output_type="np", return_dict=False)
    assert type(made) is tuple and lk.verify(made[0][0])[lk.Layer.EXPLICIT].status is lk.Status.VALID
    assert made[1:] == (None,) * 5


def test_a_saved_picture_has_every_layer(tmp_path, signer, anchors):
    pipe = Pipeline(images=pictures(1))
    outputs = LabelOutputs(pipe, new_label, plan=lk.Plan(provenance=signer))
    path = outputs.save(pipe("a cat")["images"][0], tmp_path / "cat.jpg", outputs.labels[0])
    report = lk.verify(path, trust=anchors)
    assert {finding.status for finding in report} == {lk.Status.VALID}
    assert report[lk.Layer.WATERMARK].payload == lk.Payload.of(outputs.labels[0])


def test_latents_are_refused_or_passed_by_choice():
    pipe, passing = Pipeline(images=pictures(1)), Pipeline(images=pictures(1))
    LabelOutputs(pipe, new_label)
    with pytest.raises(InvalidArgument, match="latents are no picture"):
        pipe("a cat", output_type="latent")
    outputs = LabelOutputs(passing, new_label, latents="pass")
    assert np.array_equal(passing("a cat", output_type="latent")["images"], pictures(1)) and outputs.labels == []


def test_what_no_label_reaches_is_refused():
    pipe = Pipeline(meshes=pictures(1))
    LabelOutputs(pipe, new_label)
    with pytest.raises(InvalidArgument, match="without pictures, films or sound to be"):
        pipe("a cat")
    for wrong in (pipe, None):
        with pytest.raises(InvalidArgument, match="not labelled yet"):
            LabelOutputs(wrong, new_label)
    marked = Pipeline(images=pictures(1))
    marked.watermark = PipelineWatermark(new_label)
    with pytest.raises(InvalidArgument, match="not labelled yet"):
        LabelOutputs(marked, new_label)


def test_one_pipeline_is_labelled_and_no_other():
    pipe, other = Pipeline(images=pictures(1)), Pipeline(images=pictures(1))
    LabelOutputs(pipe, new_label, plan=SMALL)
    assert type(pipe).__name__ == "Pipeline" and isinstance(pipe, Pipeline)
    assert not np.array_equal(pipe(output_type="np")["images"], other(output_type="np")["images"])
    assert np.array_equal(other(output_type="np")["images"], pictures(1))


@pytest.mark.parametrize("output_type", ["pil", "np", "pt"])
def test_every_frame_of_every_film_is_labelled(output_type):
    pipe = Pipeline(frames=np.stack([film()] * 2))
    outputs = LabelOutputs(pipe, new_label)
    made = pipe("a cat", output_type=output_type)["frames"]
    before = form(np.stack([film()] * 2), output_type)
    assert type(made) is type(before) and len(outputs.labels) == 2
    for films, others in zip(made, before, strict=True):
        for frame, other in zip(films, others, strict=True):
            assert lk.verify(frame, layers=[lk.Layer.EXPLICIT])[lk.Layer.EXPLICIT].status is lk.Status.VALID
            assert np.shape(frame) == np.shape(other)
            assert getattr(frame, "dtype", None) == getattr(other, "dtype", None)


class Modular:
    """As a ModularPipeline: returns its state, or what is asked for of it."""

    def __call__(self, state=None, output=None, **inputs):
        values = {"image": form(pictures(1), "pil")[0], "images": form(pictures(1), "pil"), "latents": pictures(1)}
        if isinstance(output, str):
            return values[output]
        if output is not None:
            return {name: values[name] for name in output}
        return types.SimpleNamespace(values=values, set=values.__setitem__)


def test_modular_pipelines_label_what_they_return_and_not_what_they_were_given():
    pipe = Modular()
    LabelOutputs(pipe, new_label, plan=SMALL)

    def is_labelled(picture) -> bool:
        return lk.verify(picture)[lk.Layer.EXPLICIT].status is lk.Status.VALID

    state = pipe(prompt="a cat").values
    assert is_labelled(state["images"][0]) and not is_labelled(state["image"])
    assert is_labelled(pipe(output="images")[0]) and np.array_equal(pipe(output="latents"), pictures(1))
    some = pipe(output=["images", "latents"])
    assert is_labelled(some["images"][0]) and np.array_equal(some["latents"], pictures(1))


def test_sound_wants_its_rate():
    heard = np.stack([speech(5.0, 16_000)] * 2)
    for rate in (16_000, None):
        pipe = Pipeline(audios=heard)
        LabelOutputs(pipe, new_label, rate=rate)
        if rate is None:
            with pytest.raises(InvalidArgument, match="needs its rate"):
                pipe(output_type="np")
        else:
            made = pipe(output_type="np")["audios"]
            assert made.shape[0] == 2 and statuses(made[1], rate) == {lk.Status.VALID}
    assert statuses(heard[0], 16_000) == {lk.Status.ABSENT}


def test_an_exported_film_has_every_layer(tmp_path, signer, anchors):
    label, target = new_label(), tmp_path / "cat.mp4"
    frames = list(film(24, (426, 240)))
    made = export_to_video(frames, str(target), fps=8, label=label, plan=lk.Plan(provenance=signer))
    report = lk.verify(made, trust=anchors)
    assert made == str(target) and {finding.status for finding in report} == {lk.Status.VALID}
    assert report[lk.Layer.WATERMARK].payload == lk.Payload.of(label)
    other = lk.Label(lk.Kind.GENERATED, "acme", "another")
    assert report[lk.Layer.WATERMARK].payload != lk.Payload.of(other) and list(tmp_path.iterdir()) == [target]
    assert b"aq=1:0.80" in target.read_bytes(), "x264 is told of the mark"
    bare = export_to_video(frames, str(tmp_path / "bare.mp4"), fps=8, label=label, plan=lk.Plan(watermark=None))
    assert b"aq=1:1.00" in Path(bare).read_bytes()


def test_a_film_with_sound_keeps_it_and_is_labelled(tmp_path):
    import av

    target, frames = tmp_path / "cat.mp4", np.rint(film(30) * 255).astype(np.uint8)
    encode_video(frames, 10, str(target), np.stack([speech(3.0, 24_000)] * 2), 24_000, label=new_label())
    with av.open(str(target)) as made:
        assert [(stream.type, stream.codec_context.name) for stream in made.streams] == [
            ("video", "h264"), ("audio", "aac")]
        assert abs(float(made.streams[1].duration * made.streams[1].time_base) - 3) < 0.1
    report = lk.verify(target)
    assert report.verdict is lk.Verdict.CONFIRMED
    assert report[lk.Layer.WATERMARK].status is report[lk.Layer.EXPLICIT].status is lk.Status.VALID


SOUND_TOO = lk.Plan(explicit=lk.Explicit(soundtrack=True), watermark=lk.Watermark(soundtrack=True))


def test_the_sound_of_a_film_is_labelled_where_the_plan_says_so(tmp_path):
    import av

    target, frames, label = tmp_path / "cat.mp4", np.rint(film(40) * 255).astype(np.uint8), new_label()
    heard = np.stack([speech(5.0, 24_000)] * 2)
    encode_video(frames, 8, str(target), heard, 24_000, label=label, plan=SOUND_TOO)
    with av.open(str(target)) as made:
        sound = np.concatenate([frame.to_ndarray() for frame in made.decode(audio=0)], axis=1)
    report = lk.verify(sound, rate=24_000)
    assert report[lk.Layer.WATERMARK].payload == lk.Payload.of(label) and abs(sound.shape[1] - 120_000) < 4096
    assert report[lk.Layer.EXPLICIT].status is lk.Status.VALID and lk.verify(target).explicit.heard
    for short, wrong in [(heard[:, :24_000], HostTooSmall), (np.zeros((1, 120_000), np.float32), OutputFailed)]:
        with pytest.raises(wrong):
            encode_video(frames, 8, str(tmp_path / "no.mp4"), short, 24_000, label=label, plan=SOUND_TOO)
    assert list(tmp_path.iterdir()) == [target]


def test_sound_beside_a_film_is_labelled_where_the_plan_says_so():
    heard = np.stack([speech(5.0, 16_000)] * 2)[None]
    for plan, rate in [(SOUND_TOO, 16_000), (None, 16_000), (SOUND_TOO, None)]:
        pipe = Pipeline(frames=film(3)[None], audio=heard)
        outputs = LabelOutputs(pipe, new_label, plan=plan, rate=rate)
        if rate is None:
            with pytest.raises(InvalidArgument, match="its rate"):
                pipe(output_type="np")
            continue
        made = pipe(output_type="np")["audio"]
        found = lk.verify(made[0], rate=rate)[lk.Layer.WATERMARK]
        assert made.shape == heard.shape
        assert found.payload == (lk.Payload.of(outputs.labels[0]) if plan else None)
        assert np.array_equal(made, heard) == (plan is None)
    pipe = Pipeline(audio=heard)
    LabelOutputs(pipe, new_label, rate=16_000)
    with pytest.raises(InvalidArgument, match="without pictures, films or sound"):
        pipe(output_type="np")


def test_a_film_that_cannot_be_labelled_leaves_nothing(tmp_path):
    target = tmp_path / "cat.mp4"
    flat = [np.full((240, 320, 3), 0.5, np.float32)]
    for frames, how, wrong in [(film(3), {"quality": 1.0}, OutputFailed), ([], {}, InvalidArgument),
                               ([np.zeros((240, 320), np.float32)], {}, InvalidArgument),
                               ([2 * flat[0] + 1], {}, InvalidArgument),
                               ([flat[0], np.zeros((4, 4, 3), np.uint8)], {"plan": SMALL}, InvalidArgument)]:
        with pytest.raises(wrong):
            export_to_video(frames, str(target), label=new_label(), **how)
    with pytest.raises(InvalidArgument, match="mp4"):
        export_to_video(flat, str(tmp_path / "cat.gif"), label=new_label())
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(("name", "value"), [("fps", 0), ("fps", float("nan")), ("fps", "10"), ("crf", 99),
                                             ("sound", np.zeros(16_000, np.int32)), ("sound", np.zeros(0, np.int16))])
def test_a_wrong_setting_of_a_film_is_named(name, value, tmp_path):
    frames, settings = [np.zeros((240, 320, 3), np.uint8)], {"fps": 10, name: value}
    with pytest.raises(InvalidArgument, match=f"^{name} "):
        write_film(frames, tmp_path / "cat.mp4", new_label(), sound_rate=16_000, **settings)
    with pytest.raises(InvalidArgument, match="^quality "):
        export_to_video(frames, str(tmp_path / "cat.mp4"), quality=20, label=new_label())
    assert list(tmp_path.iterdir()) == []


def test_without_pyav_a_film_says_what_to_install(tmp_path, monkeypatch):
    monkeypatch.setitem(__import__("sys").modules, "av", None)
    with pytest.raises(UnsupportedFormat, match="mp4") as caught:
        export_to_video(film(1), str(Path(tmp_path) / "cat.mp4"), label=new_label())
    assert "video" in str(caught.value.hint)
