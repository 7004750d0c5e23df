# SPDX-License-Identifier: Apache-2.0
"""Sound in fragments of MP4: decoded, changed, and encoded into as many packets as there were.

AAC overlaps its packets, so a segment that is encoded by itself clicks at both ends. All segments of a rendition are
therefore encoded as one; each packet of the encoder takes the place of the one with the same samples.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from fractions import Fraction
from pathlib import Path
from typing import TYPE_CHECKING, NoReturn, cast

import numpy as np

from labelkit.codec.backends import SOUND, ReaderFile, opened, pyav, translated
from labelkit.codec.packets import audio_frames
from labelkit.codec.samples import SoundChange, Waveform
from labelkit.codec.soundtrack import bitrate_of, spent
from labelkit.container import Reader
from labelkit.errors import LabelkitError, UnsupportedFormat

if TYPE_CHECKING:
    from av.audio.codeccontext import AudioCodecContext
    from av.audio.stream import AudioStream
    from av.container import InputContainer

PACKET = 1024
"""Samples of a packet of AAC-LC, and the encoder's delay."""


@contextmanager
def _sound(reader: Reader) -> Iterator[tuple[InputContainer, AudioStream]]:
    """The one track of a file, without what its edit list leaves out."""
    pyav(reader.name, "mp4")
    with translated(reader.name, SOUND), opened(ReaderFile(reader), format="mp4", io_open=_refuse,
                                                options={"ignore_editlist": "1"}) as container:
        if len(container.streams) != 1 or not container.streams.audio:
            raise _unwritten(reader.name)
        yield container, container.streams.audio[0]


def is_sound(reader: Reader) -> bool:
    """Whether a file has one track, and that is of sound."""
    try:
        with _sound(reader):
            return True
    except LabelkitError:
        return False


def heard(reader: Reader) -> Iterator[tuple[int, Waveform]]:
    """(rate, float32 [1024, channels]) of each packet; silence where one is broken.

    Raises UnsupportedFormat for all but one track of AAC-LC.
    """
    with _sound(reader) as (container, stream):
        context = stream.codec_context
        if context.codec.canonical_name != "aac" or context.profile not in ("LC", None):
            raise _unwritten(reader.name)
        context.flags2 |= 1 << 29  # AV_CODEC_FLAG2_SKIP_MANUAL: no sample is left out
        channels = context.layout.nb_channels
        for packet in container.demux(stream):
            if not packet.size:
                continue
            frames = audio_frames(packet)
            if len(frames) > 1 or any((one.samples, one.layout.nb_channels, one.sample_rate) !=
                                      (PACKET, channels, context.rate) for one in frames):
                raise _unwritten(reader.name)
            samples = frames[0].to_ndarray().T if frames else np.zeros((PACKET, channels))
            yield context.rate, np.ascontiguousarray(np.nan_to_num(np.clip(samples, -1, 1)), np.float32)


def encoded(reader: Reader, make: Callable[[int, int], SoundChange], target: Path) -> list[int]:
    """Write the packets of the changed sound, one after the other, and return their sizes in bytes.

    make    gives the change, for a rate and a number of channels
    target  file to write
    Raises UnsupportedFormat for all but one track of AAC-LC in mono or stereo, or with another decoder's settings.
    """
    with _sound(reader) as (container, stream):
        context, settings = stream.codec_context, bytes(stream.codec_context.extradata or b"")[:2]
        bits = spent("aac", context, bitrate_of(container, stream))
        encoder = _encoder(context, bits)
        channels = context.layout.nb_channels
    if channels > 2 or bytes(encoder.extradata or b"")[:2] != settings:
        raise _unwritten(reader.name)
    change: SoundChange | None = None
    sizes: list[int] = []
    count = 0
    with translated(reader.name, SOUND), open(target, "wb") as out:
        run = _Run(encoder, lambda data: sizes.append(out.write(data)))
        for rate, samples in heard(reader):
            change = change or make(rate, channels)
            run.put(change.push(samples))
            count += 1
        if change:
            run.put(change.finish())
        run.finish()
    if len(sizes) < count:
        raise _unwritten(reader.name)
    return sizes[:count]


class _Run:
    """Feeds an encoder with samples of any number, and gives out its packets but the first, which is its delay."""

    def __init__(self, encoder: AudioCodecContext, write: Callable[[bytes], object]) -> None:
        self._encoder, self._write = encoder, write
        self._held = np.zeros((0, encoder.layout.nb_channels), np.float32)
        self._time, self._is_begun = 0, False

    def put(self, samples: Waveform) -> None:
        """Encode what fills packets."""
        import av

        self._held = np.concatenate([self._held, samples])
        whole = len(self._held) // PACKET * PACKET
        for at in range(0, whole, PACKET):
            part = np.ascontiguousarray(np.clip(self._held[at:at + PACKET], -1, 1).T)
            frame = av.AudioFrame.from_ndarray(part, "fltp", self._encoder.layout.name)
            frame.sample_rate, frame.pts, frame.time_base = self._encoder.sample_rate, self._time, Fraction(
                1, self._encoder.sample_rate)
            self._time += PACKET
            self._pass(frame)
        self._held = self._held[whole:]

    def finish(self) -> None:
        """The rest."""
        self._pass(None)

    def _pass(self, frame: object) -> None:
        for packet in self._encoder.encode(cast("None", frame)):
            if self._is_begun:
                self._write(bytes(packet))
            self._is_begun = True


def _encoder(source: AudioCodecContext, bits: int) -> AudioCodecContext:
    import av

    made = av.CodecContext.create("aac", "w")
    made.format, made.layout, made.sample_rate, made.bit_rate = "fltp", source.layout.name, source.rate, bits
    made.time_base = Fraction(1, source.rate)
    made.flags |= 1 << 22  # AV_CODEC_FLAG_GLOBAL_HEADER: settings apart, as in MP4
    made.open()
    return made


def _unwritten(name: str) -> UnsupportedFormat:
    return UnsupportedFormat("{where}: only sound in AAC-LC, mono or stereo, is marked in segments", where=name,
                             hint="leave the sound track out of the plan")


def _refuse(url: str, flags: int, options: dict[str, str]) -> NoReturn:
    raise PermissionError(url)  # references to other files
