# SPDX-License-Identifier: Apache-2.0
"""What a browser decoded, as samples: sound by `decodeAudioData`, films by <video>, pictures that Pillow cannot read.

`media` is JSON, and its samples are buffers in order:

    {"kind": "picture", "width", "height"}                       RGBA
    {"kind": "sound", "rate", "channels"}                        one float32 buffer a channel
    {"kind": "film", "width", "height", "seconds", "times", "rate", "channels"}
                                                                 a luma plane for each time, then the sound's channels
    {"kind": "none"}                                             the browser could not decode it
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Sequence
from typing import Any, Protocol

import numpy as np

from labelkit.codec.bars import active_area
from labelkit.codec.frame import Frame, FrameFormat
from labelkit.codec.samples import AudioSamples, ImageSamples, Samples, Sound, VideoSamples, Waveform
from labelkit.container import Reader
from labelkit.errors import LabelkitError, UnsupportedFormat

DEFAULT_RATE = 48_000
"""Hz that a browser resamples sound to whose own rate is not told here."""
_MPEG_RATES = ((11_025, 12_000, 8_000), (0, 0, 0), (22_050, 24_000, 16_000), (44_100, 48_000, 32_000))
_HEAD = 1 << 16


class Bytes(Protocol):
    """A buffer of JavaScript."""

    def to_bytes(self) -> bytes:
        """A copy of it."""


def samples_of(media: str, buffers: Sequence[Bytes], reader: Reader) -> Samples:
    """The samples of `media`; raises UnsupportedFormat for what the browser could not decode."""
    told = json.loads(media)
    if told["kind"] == "picture":
        pixels = np.frombuffer(buffers[0].to_bytes(), np.uint8).reshape(told["height"], told["width"], 4)
        return ImageSamples((pixels if pixels[..., 3].min() < 255 else pixels[..., :3],))
    if told["kind"] == "sound":
        return AudioSamples(_waveform(buffers), told["rate"])
    if told["kind"] == "film":
        return _film(told, buffers)
    raise UnsupportedFormat("{where}: this browser cannot decode it", where=reader.name)


def _waveform(buffers: Sequence[Bytes]) -> Waveform:
    return np.stack([np.frombuffer(one.to_bytes(), np.float32) for one in buffers], 1)


def _film(told: dict[str, Any], buffers: Sequence[Bytes]) -> VideoSamples:
    form = FrameFormat(told["width"], told["height"], halved=None, full_range=True)
    count = len(told["times"])
    planes = [np.frombuffer(one.to_bytes(), np.uint8).reshape(form.height, form.width) for one in buffers[:count]]
    frames = [Frame(form, plane, seconds=time, key=True) for time, plane in zip(told["times"], planes, strict=True)]
    waves = _waveform(buffers[count:]) if told["channels"] else np.empty((0, 0), np.float32)
    source = DecodedFilm(frames, waves, told["rate"])
    sound = Sound(told["rate"], told["channels"], 0.0, len(waves) / told["rate"]) if told["channels"] else None
    film = VideoSamples(form, told["seconds"], source, sound)
    form = source.within(active_area(film))
    return VideoSamples(form, told["seconds"], source, sound)


class DecodedFilm:
    """Frames of a film at a few times, in order, and its whole sound: a `FrameSource`."""

    def __init__(self, frames: list[Frame], waves: Waveform, rate: int) -> None:
        self._frames, self._waves, self._rate = frames, waves, rate

    def within(self, active: tuple[int, int, int, int] | None) -> FrameFormat:
        """The format of all frames with black bars as given."""
        form = self._frames[0].format
        form = FrameFormat(form.width, form.height, halved=None, full_range=True, active=active)
        for frame in self._frames:
            frame.format = form
        return form

    def frames(self, start: float, stop: float | None) -> Iterator[Frame]:
        """Those of the frames from `start` to before `stop` seconds."""
        return (one for one in self._frames if one.seconds >= start - 1e-6 and (stop is None or one.seconds < stop))

    def keys(self, seconds: Iterable[float]) -> Iterator[Frame]:
        """For each time the frame at or before it; one that comes again is left out."""
        seen = set()
        for time in seconds:
            held = [one for one in self._frames if one.seconds <= time + 1e-6] or self._frames[:1]
            if held[-1].seconds not in seen:
                seen.add(held[-1].seconds)
                yield held[-1]

    def key_seconds(self) -> list[float]:
        """The times of all frames."""
        return [one.seconds for one in self._frames]

    def heard(self, start: float, stop: float | None) -> Iterator[Waveform]:
        """The sound from `start` to `stop` seconds."""
        end = None if stop is None else round(stop * self._rate)
        yield self._waves[round(start * self._rate):end]


def sound_rate(reader: Reader, format: str) -> int:
    """The rate in Hz that a file states of its sound, so that the browser does not resample it."""
    try:
        found = _RATES[format](reader.head(_HEAD)) if format in _RATES else 0
    except (LabelkitError, IndexError):
        found = 0
    return found if 8_000 <= found <= 96_000 else DEFAULT_RATE  # what an OfflineAudioContext takes everywhere


def _wav(head: bytes) -> int:
    at = head.find(b"fmt ", 12)
    return int.from_bytes(head[at + 12:at + 16], "little") if at >= 0 else 0


def _flac(head: bytes) -> int:
    at = head.find(b"fLaC")
    return int.from_bytes(head[at + 18:at + 21], "big") >> 4 if at >= 0 else 0


def _vorbis(head: bytes) -> int:
    at = head.find(b"\x01vorbis")
    return int.from_bytes(head[at + 12:at + 16], "little") if at >= 0 else 0


def _mp3(head: bytes) -> int:
    start = 0
    if head[:3] == b"ID3":
        start = 10 + sum((byte & 127) << shift for byte, shift in zip(head[6:10], (21, 14, 7, 0), strict=True))
    for at in range(start, len(head) - 3):
        if head[at] == 0xFF and head[at + 1] >> 5 == 7 and head[at + 1] >> 1 & 3 == 1:
            sampling = head[at + 2] >> 2 & 3
            if sampling < 3 and head[at + 1] >> 3 & 3 != 1:
                return _MPEG_RATES[head[at + 1] >> 3 & 3][sampling]
    return 0


_RATES = {"wav": _wav, "flac": _flac, "ogg": _vorbis, "mp3": _mp3}
