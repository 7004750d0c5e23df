# SPDX-License-Identifier: Apache-2.0
"""What generation pipelines hold: tensors, channels first, batches, lists. The fakes follow torch's protocol."""

from __future__ import annotations

import itertools
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

import labelkit as lk
from labelkit import tensors
from labelkit.errors import HostTooSmall, InvalidArgument
from labelkit.unforeseen import UnforeseenError
from tests.media import LABEL, photo
from tests.sounds import speech

PAYLOAD = lk.Payload.of(LABEL)
RGB = photo(256, 320)
PLANES = np.moveaxis(RGB, -1, 0)
MARK = lk.Plan(explicit=None)


class Device:
    """A tensor of another library, by DLPack alone."""

    def __init__(self, array: np.ndarray) -> None:
        self.array = np.array(array)
        self.shape = self.array.shape

    def __dlpack__(self, **how: object) -> object:
        return self.array.__dlpack__(**how)

    def __dlpack_device__(self) -> tuple[int, int]:
        return self.array.__dlpack_device__()


class Bare:
    """A tensor by `__array__` alone."""

    def __init__(self, array: np.ndarray) -> None:
        self.array, self.shape = np.array(array), array.shape

    def __array__(self, dtype: object = None, copy: object = None) -> np.ndarray:
        return self.array


class Tensor:
    """A tensor of torch's, which gives its memory only when it is detached and on the CPU."""

    def __init__(self, array: np.ndarray, *, grad: bool = False, device: str = "cpu", kind: str = "float32") -> None:
        self.array, self.grad, self.device, self.kind = np.array(array), grad, device, kind
        self.shape = self.array.shape

    def detach(self) -> Tensor:
        return Tensor(self.array, device=self.device, kind=self.kind)

    def cpu(self) -> Tensor:
        return Tensor(self.array, grad=self.grad, kind=self.kind)

    def numpy(self) -> np.ndarray:
        if self.grad:
            raise RuntimeError("Can't call numpy() on Tensor that requires grad.")
        if self.device != "cpu":
            raise TypeError("can't convert cuda:0 device type tensor to numpy.")
        if self.kind == "bfloat16":
            raise TypeError("Got unsupported ScalarType BFloat16\nand more")
        return self.array

    def new_tensor(self, data: np.ndarray) -> Tensor:
        assert data.flags.c_contiguous
        return Tensor(data.astype(self.array.dtype), device=self.device, kind=self.kind)


@pytest.mark.parametrize("source", [Tensor(PLANES), Tensor(PLANES, grad=True, device="cuda:0"), Device(PLANES),
                                    Bare(PLANES), Tensor(RGB), PLANES, RGB[None], PLANES[None], Tensor(PLANES[None])])
def test_a_picture_in_any_order_of_axes_becomes_the_same_file(source):
    made = lk.embed(source, label=LABEL, format="png")
    assert made == lk.embed(RGB, label=LABEL, format="png")
    assert lk.verify(made).verdict is lk.Verdict.CONFIRMED


def test_samples_come_back_as_what_they_came_as():
    marked = lk.embed(RGB, label=LABEL, plan=MARK)
    for shape, order in ((PLANES, (1, 2, 0)), (PLANES[None], (0, 2, 3, 1))):
        tensor = lk.embed(Tensor(shape, device="cuda:0"), label=LABEL, plan=MARK)
        assert isinstance(tensor, Tensor) and tensor.shape == shape.shape and tensor.device == "cuda:0"
        assert np.array_equal(tensor.array.transpose(order).reshape(RGB.shape), marked)
        array = lk.embed(shape, label=LABEL, plan=MARK)
        assert array.shape == shape.shape and array.dtype == np.uint8
        assert lk.verify(tensor)[lk.Layer.WATERMARK].payload == PAYLOAD == lk.verify(array)[lk.Layer.WATERMARK].payload
    assert isinstance(lk.embed(Device(PLANES), label=LABEL, plan=MARK), np.ndarray)
    assert lk.verify(Tensor(PLANES))[lk.Layer.WATERMARK].status is lk.Status.ABSENT


@pytest.mark.parametrize("shape", [(1, 256, 320), (256, 320, 1), (1, 1, 256, 320)])
def test_one_channel_is_a_grey_picture(shape):
    grey = np.ascontiguousarray(RGB[..., 0])
    marked = lk.embed(grey.reshape(shape), label=LABEL, plan=MARK)
    assert marked.shape == shape and np.array_equal(marked.reshape(grey.shape), lk.embed(grey, label=LABEL, plan=MARK))


def test_a_label_around_the_picture_changes_its_size():
    made = lk.embed(Tensor(PLANES[None]), label=LABEL, plan=lk.Plan(explicit=lk.Explicit(border=True)))
    assert made.shape[:2] == (1, 3) and made.shape[2:] == lk.embed(
        RGB, label=LABEL, plan=lk.Plan(explicit=lk.Explicit(border=True))).shape[:2] != RGB.shape[:2]


@pytest.mark.parametrize("source", [[Image.fromarray(RGB)], [RGB, RGB], (RGB,), [Tensor(PLANES)],
                                    np.stack([RGB, RGB]), Tensor(np.stack([PLANES, PLANES])), RGB[None][:0]])
@pytest.mark.parametrize("format", [None, "png"])
def test_several_pictures_are_refused_with_the_call_that_is_right(source, format):
    with pytest.raises(InvalidArgument, match="label of its own") as caught:
        lk.embed(source, label=LABEL, format=format)
    assert "embed_many" in str(caught.value.hint)
    with pytest.raises(InvalidArgument):
        lk.verify(source)


def test_lists_of_other_things_are_no_pictures():
    for source in ([], [1, 2], ["a.png"]):
        with pytest.raises(InvalidArgument) as caught:
            lk.embed(source, label=LABEL)
        assert "label of its own" not in str(caught.value)


def test_tensors_and_samples_that_cannot_be_held_say_what_helps():
    with pytest.raises(InvalidArgument, match="BFloat16$") as caught:
        lk.embed(Tensor(PLANES, kind="bfloat16"), label=LABEL)
    assert ".float()" in str(caught.value.hint)
    with pytest.raises(InvalidArgument, match="from 0 to 1") as caught:
        lk.embed(RGB / np.float32(127.5) - 1, label=LABEL)
    assert "(samples + 1) / 2" in str(caught.value.hint)
    with pytest.raises(InvalidArgument):
        lk.embed(np.zeros((5, 3, 64, 64, 2), np.uint8), label=LABEL)
    with pytest.raises(HostTooSmall):
        lk.embed(np.zeros((3, 8, 8), np.uint8), label=LABEL)


@pytest.mark.parametrize("kind", [np.float16, np.float64])
def test_sound_of_other_floats_keeps_its_type(kind):
    sound = speech(4.0, 24_000).astype(kind)
    marked = lk.embed(sound, label=LABEL, rate=24_000, plan=MARK)
    assert marked.dtype == kind and marked.shape == sound.shape
    assert lk.verify(marked, rate=24_000)[lk.Layer.WATERMARK].payload == PAYLOAD
    assert lk.verify(sound, rate=24_000)[lk.Layer.WATERMARK].status is lk.Status.ABSENT
    for wrong in (np.nan, np.inf, 1e300):
        with np.errstate(over="ignore"):
            bad = np.where(np.arange(len(sound)) == 9, wrong, sound).astype(kind)
        with pytest.raises(InvalidArgument):
            lk.embed(bad, label=LABEL, rate=24_000, plan=MARK)


@pytest.mark.parametrize("wrap", [np.asarray, Tensor])
@pytest.mark.parametrize("shape", [(1, -1), (2, -1), (1, 2, -1)])
def test_sound_with_its_channels_first_comes_back_that_way(wrap, shape):
    sound = np.tile(speech(4.0, 24_000), (2 if 2 in shape else 1, 1)).reshape(shape)
    marked = lk.embed(wrap(sound), label=LABEL, rate=24_000)
    assert type(marked) in (np.ndarray, Tensor) and marked.shape[:-1] == sound.shape[:-1]
    assert marked.shape[-1] > sound.shape[-1], "the rhythm stands before it"
    assert lk.verify(marked, rate=24_000)[lk.Layer.WATERMARK].payload == PAYLOAD
    with pytest.raises(InvalidArgument, match="label of its own"):
        lk.embed(np.stack([sound, sound]).reshape(2, -1, sound.shape[-1]), label=LABEL, rate=24_000)


def labels(count: int) -> list[lk.Label]:
    return [lk.Label(lk.Kind.GENERATED, "acme", f"{number:06}") for number in range(count)]


@pytest.mark.parametrize("batch", [[Image.fromarray(RGB)] * 3, np.stack([RGB] * 3), Tensor(np.stack([PLANES] * 3))])
def test_a_batch_becomes_files_with_a_payload_each(batch):
    each = labels(3)
    files = list(lk.embed_many(batch, each, format="jpeg", jobs=2))
    assert [lk.verify(one)[lk.Layer.WATERMARK].payload for one in files] == [lk.Payload.of(one) for one in each]
    assert all(lk.verify(one).verdict is lk.Verdict.CONFIRMED for one in files)


def test_targets_are_written_and_a_bad_source_ends_nothing(tmp_path):
    numbers = itertools.count()
    targets = [tmp_path / f"{number}.png" for number in range(3)]
    first, wrong, last = lk.embed_many([RGB, b"no picture", RGB], lambda: labels(9)[next(numbers)], targets, plan=MARK)
    assert (first, last) == (targets[0], targets[2]) and isinstance(wrong, lk.LabelkitError)
    assert not isinstance(wrong, UnforeseenError) and sorted(tmp_path.iterdir()) == [targets[0], targets[2]]


def test_a_source_without_label_or_target_is_an_error_and_no_unlabelled_file(tmp_path):
    for each, targets in ((labels(1), None), (labels(2), [tmp_path / "a.png"])):
        with pytest.raises(InvalidArgument, match="source 2"):
            list(lk.embed_many([RGB, RGB], each, targets, plan=MARK, jobs=1))
    assert [path.name for path in tmp_path.iterdir()] == ["a.png"]


@pytest.mark.parametrize("sources,each,settings", [
    ("cat.png", labels(1), {}), ([RGB], LABEL, {}), ([RGB], 7, {}), ([RGB], labels(1), {"jobs": 0}),
    ([RGB], labels(1), {"plan": 7}), ([RGB], labels(1), {"key": "secret"}),
    ([RGB], labels(1), {"targets": "a.png"}), ([RGB], labels(1), {"targets": Path("a.png")})])
def test_wrong_settings_are_refused_before_the_first_source(sources, each, settings):
    with pytest.raises(InvalidArgument):
        lk.embed_many(sources, each, **settings)


def test_unknown_settings_are_refused():
    with pytest.raises(TypeError, match="colour"):
        lk.embed_many([RGB], labels(1), colour=True)


def test_a_paths_own_protocol_is_no_tensor():
    for source in (b"x", "a.png", Path("a.png"), Image.fromarray(RGB), np.ndarray, 7):
        assert not tensors.is_tensor(source) and tensors.taken(source, None)[0] is source
