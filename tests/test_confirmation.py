# SPDX-License-Identifier: Apache-2.0
"""What was labelled is read back: always, never, or one in so many."""

from __future__ import annotations

import pickle
import threading

import numpy as np
import pytest

import labelkit as lk
from labelkit import codec, confirmation, container
from labelkit.errors import InvalidArgument, OutputFailed
from labelkit.key import Key
from labelkit.watermark import image
from tests.media import LABEL, photo, saved

PAYLOAD = lk.Payload.of(LABEL)


def confirm(data: bytes, payload: lk.Payload | None = PAYLOAD, plan: lk.Plan | None = None) -> None:
    with container.opened(data) as reader:
        confirmation.confirm(reader, plan or lk.Plan(), payload, Key.public(), None, codec.MAX_PIXELS)


@pytest.mark.parametrize("format", ["JPEG", "PNG", "WEBP"])
def test_a_mark_that_is_there_is_confirmed_and_a_missing_one_is_not(format):
    confirm(saved(image.embed(photo(), PAYLOAD), format))
    with pytest.raises(OutputFailed, match="does not read back"):
        confirm(saved(photo(), format))
    with pytest.raises(OutputFailed, match="does not read back"):
        confirm(saved(image.embed(photo(), PAYLOAD), format), lk.Payload(1, 2, 3))
    confirm(saved(photo(), format), plan=lk.Plan(watermark=None))


def test_a_mark_that_is_not_clear_is_left_to_the_detector(monkeypatch):
    weak = saved(image.embed(photo(256, 256), PAYLOAD), "JPEG", quality=75)
    asked = []
    detect = confirmation.watermark.detect
    monkeypatch.setattr(confirmation.watermark, "detect", lambda *a, **k: asked.append(1) or detect(*a, **k))
    monkeypatch.setattr("labelkit.watermark.image.known.CLEAR_WORD", 1000.0)
    confirm(weak)
    assert asked
    monkeypatch.undo()
    asked.clear()
    confirm(saved(image.embed(photo(512, 512), PAYLOAD), "JPEG", quality=90))
    assert not asked


def test_the_luma_of_our_own_jpeg_is_that_of_pillow(monkeypatch):
    for source in (photo(), photo()[..., 0]):
        data = saved(source, "JPEG", quality=90)
        with container.opened(data) as reader:
            fast = codec.luma_of_own(reader)
            monkeypatch.setattr("labelkit.codec.jpeg.decode", lambda *a: None)
            slow = codec.luma_of_own(reader)
            monkeypatch.undo()
        assert np.array_equal(fast.frames[0], slow.frames[0]) and fast.frames[0].shape == source.shape[:2]
    with container.opened(saved(photo(), "PNG")) as reader:
        assert codec.luma_of_own(reader) is None


def test_one_in_so_many_is_checked(monkeypatch):
    checked = []
    monkeypatch.setattr(confirmation, "confirm", lambda *_: checked.append(1))
    sampled = lk.SampledCheck(every=3)
    for number in range(1, 8):
        lk.embed(photo(), label=LABEL, format="jpeg", check=sampled)
        assert len(checked) == sampled.checked == -(-number // 3) and sampled.calls == number
    lk.embed(photo(), label=LABEL, format="jpeg", check=False)
    assert len(checked) == sampled.checked
    lk.embed(photo(), label=LABEL, format="jpeg")
    assert len(checked) == sampled.checked + 1


def test_the_word_sample_checks_one_in_twenty(monkeypatch):
    checked = []
    monkeypatch.setattr(confirmation, "_SAMPLE", lk.SampledCheck())
    monkeypatch.setattr(confirmation, "confirm", lambda *_: checked.append(1))
    for _ in range(21):
        lk.embed(photo(128, 128), label=LABEL, format="jpeg", plan=lk.Plan(explicit=None, metadata=False),
                 check="sample")
    assert len(checked) == 2


def test_threads_count_together():
    sampled = lk.SampledCheck(every=7)
    due: list[bool] = []
    threads = [threading.Thread(target=lambda: due.extend(sampled.is_due() for _ in range(700))) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sampled.calls == 2800 and sum(due) == sampled.checked == 400


def test_another_process_goes_on_with_its_own_count():
    sampled = lk.SampledCheck(every=2)
    assert sampled.is_due() and not sampled.is_due()
    copy = pickle.loads(pickle.dumps(sampled))
    assert (copy.every, copy.calls) == (2, 2) and copy.is_due() and sampled.calls == 2


@pytest.mark.parametrize("every", [0, -1, 1.5, True, "2", None])
def test_every_is_a_whole_number(every):
    with pytest.raises(InvalidArgument, match="every"):
        lk.SampledCheck(every)


@pytest.mark.parametrize("check", ["sampled", 2, None, lk.SampledCheck])
def test_other_checks_are_refused(check):
    with pytest.raises(InvalidArgument, match="SampledCheck"):
        lk.embed(photo(), label=LABEL, format="jpeg", check=check)
