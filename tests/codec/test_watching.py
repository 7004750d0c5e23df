# SPDX-License-Identifier: Apache-2.0
"""How far a search is, told by what it reads, which stays as it was."""

from __future__ import annotations

import io

import numpy as np
import pytest
import soundfile

import labelkit as lk
from labelkit import codec
from labelkit.codec.samples import AudioStream, VideoSamples
from labelkit.codec.watching import watched
from labelkit.container import Reader
from tests.films import film
from tests.media import photo, saved


@pytest.mark.parametrize("sound", [(), ("aac",)])
@pytest.mark.parametrize("effort", ["normal", "deep"])
def test_a_film_is_searched_as_before_and_says_how_far(tmp_path, sound, effort):
    path, shares = film(tmp_path / "f.mp4", count=60, sound=sound), []
    seen = lk.verify(path, effort=effort, decode=lambda reader: watched(codec.decode(reader, luma=True), shares.append))
    assert seen == lk.verify(path, effort=effort)
    assert shares == sorted(set(shares)) and 0 <= shares[0] < 0.3 and 0.7 < shares[-1] < 1
    assert len(shares) > 5


def test_a_film_is_read_as_it_was(tmp_path):
    with open(film(tmp_path / "f.mp4", count=20, sound=("aac",)), "rb") as file:
        plain = codec.decode(Reader.of(file.read(), "f.mp4"))
    assert isinstance(plain, VideoSamples)
    seen = watched(plain, lambda share: None)
    assert [frame.seconds for frame in seen.frames(0.2, 0.5)] == [frame.seconds for frame in plain.frames(0.2, 0.5)]
    assert [frame.seconds for frame in seen.keys([0.0, 0.7])] == [frame.seconds for frame in plain.keys([0.0, 0.7])]
    assert seen.key_seconds() == plain.key_seconds()
    assert np.array_equal(np.concatenate([*seen.heard(0.1, 0.6)]), np.concatenate([*plain.heard(0.1, 0.6)]))


def test_a_long_sound_says_how_far_at_each_pass():
    held, shares = np.linspace(-0.5, 0.5, 4000, dtype=np.float32).reshape(2000, 2), []
    stream = AudioStream(lambda: iter(np.split(held, 4)), 8000, 2, 2000)
    seen = watched(stream, shares.append)
    for _ in range(3):
        assert np.array_equal(np.concatenate([*seen.blocks()]), held)
    assert shares == pytest.approx([0.15, 0.3, 0.45, 0.6, 0.6975, 0.795, 0.8925, 0.99])


def test_what_it_raises_ends_the_search(tmp_path):
    def ends(share: float) -> None:
        raise KeyboardInterrupt
    seen = watched(codec.decode(Reader.of(film(tmp_path / "f.mp4").read_bytes(), "f.mp4")), ends)
    with pytest.raises(KeyboardInterrupt):
        lk.watermark.video.detect(seen)


def test_pictures_and_short_sound_are_left_as_they_are():
    short = io.BytesIO()
    soundfile.write(short, np.zeros((8000, 1), np.float32), 8000, "PCM_16", format="WAV")
    for data in (saved(photo(32, 32), "PNG"), short.getvalue()):
        samples = codec.decode(Reader.of(data, "a"))
        assert watched(samples, lambda share: None) is samples
