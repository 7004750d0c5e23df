# SPDX-License-Identifier: Apache-2.0
"""Writes sound as the file that it came from was encoded, or anew; in memory, or block by block into a file."""

from __future__ import annotations

import contextlib
import io
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, BinaryIO

import numpy as np
import numpy.typing as npt

from labelkit.codec import audio_tags
from labelkit.codec.backends import SOUND, ReaderFile, opened, pyav, translated
from labelkit.codec.chapters import Shift
from labelkit.codec.samples import BLOCK, Audio, Waveform
from labelkit.container import Reader, join, ogg, stream as write_edited
from labelkit.errors import LabelkitError, UnsupportedFormat

if TYPE_CHECKING:
    from _typeshed import ReadableBuffer
    from av.container.core import Chapter

_NEW = {"wav": ("WAV", "PCM_16"), "flac": ("FLAC", "PCM_16"), "ogg": ("OGG", "VORBIS"), "opus": ("OGG", "OPUS"),
        "mp3": ("MP3", "MPEG_LAYER_III"), "m4a": ("", "")}
_RATES = {"opus": (8_000, 12_000, 16_000, 24_000, 48_000),  # Hz
          "mp3": (8_000, 11_025, 12_000, 16_000, 22_050, 24_000, 32_000, 44_100, 48_000),
          "m4a": (8_000, 11_025, 12_000, 16_000, 22_050, 24_000, 32_000, 44_100, 48_000, 64_000, 88_200, 96_000)}
_AAC = {"m4a": "ipod", "aac": "adts"}  # FFmpeg's names of the containers
_LAYOUTS = {1: "mono", 2: "stereo"}
_M4A_BITS = 2.0  # a second for each sample a second: 96 kbit/s for a channel of 48 kHz
_MAX_VORBIS_RATE = 200_000  # Hz, of libvorbis
_MP3_LEVEL = 0.44  # libsndfile's: 192 kbit/s, at low rates 96


class _Sink(io.FileIO):
    """A new file for libraries that mind no failure; `failed` keeps the first."""

    failed: OSError | None = None

    def write(self, data: ReadableBuffer, /) -> int:
        left = memoryview(data).cast("B")
        size = len(left)
        try:
            while left:  # a full disk takes a part before it says so
                left = left[super().write(left) :]
        except OSError as error:
            self.failed = self.failed or error
        return size - len(left)


@dataclass(frozen=True, slots=True)
class Source:
    """What is remembered of a file: the Reader over it, libsndfile's names, bits a second."""

    format: str  # of the container room: "wav", "flac", "ogg", "opus", "mp3", "m4a", "aac", "aiff", "caf"
    reader: Reader  # over no bytes for a new file
    major: str = ""  # libsndfile's names
    subtype: str = ""  # of ALAC in M4A FFmpeg's name of the form of its samples
    endian: str = "FILE"
    bitrate: float = 0.0


def encode(samples: Audio) -> bytes:
    """The file that `samples` came from, with these samples; raises UnsupportedFormat, MalformedFile."""
    source, out = _source(samples), io.BytesIO()
    _write(samples, source, out)
    encoded = Reader.of(out.getvalue())
    return join(encoded, audio_tags.edits(source.reader, encoded, source.format, samples))


def encode_file(samples: Audio, target: Path) -> None:
    """`encode` into a new file, block by block."""
    source, plain = _source(samples), target.with_name(f"{target.name}.plain")
    _write_file(samples, source, plain)
    with open(plain, "rb") as file:
        encoded = Reader(file, source.format)
        edits = audio_tags.edits(source.reader, encoded, source.format, samples)
        if edits != [(0, encoded.size)]:
            with open(target, "xb", buffering=0) as out:
                write_edited(encoded, edits, out)
    if target.exists():
        plain.unlink()
    else:
        plain.rename(target)


def encode_new_file(samples: Audio, target: Path, format: str) -> None:
    """`encode_new` into a new file, block by block."""
    _write_file(samples, _new(samples, format), target)


def _write_file(samples: Audio, source: Source, target: Path) -> None:
    """Raises OSError too, where there is no room."""
    with _Sink(target, "x+") as out:
        try:
            _write(samples, source, out)
        except LabelkitError:
            if out.failed is None:
                raise
        if out.failed:
            raise out.failed


def _source(samples: Audio) -> Source:
    if not isinstance(samples.source, Source):
        raise TypeError("samples that came from a sound file are wanted")
    return samples.source


def _write(samples: Audio, source: Source, out: BinaryIO) -> None:
    if source.format in _AAC:
        _write_m4a(samples, source, out)
        return
    if not source.major and source.subtype:
        raise UnsupportedFormat("{format} with ALAC of more than two channels can be read but not written",
                                format=source.format, other="WAV",
                                hint="convert it to {other}, or leave the signal layers out of the plan")
    if not source.major:
        raise UnsupportedFormat("{format} in another codec than PCM and ALAC can be read but not written",
                                format=source.format, other="M4A",
                                hint="convert it to {other}, or leave the signal layers out of the plan")
    with translated(source.format, SOUND):
        _write_sound(samples.blocks(), samples.rate, samples.channels, source, _level(samples, source), out)
    if source.major == "OGG":
        ogg.number_by_content(out)


def encode_new(samples: Audio, format: str, percent: int | None) -> bytes:
    """A new file: WAV and FLAC of 16 bits, the others at a bitrate for good listening. Raises UnsupportedFormat."""
    out = io.BytesIO()
    _write(samples, _new(samples, format), out)
    return out.getvalue()


def _new(samples: Audio, format: str) -> Source:
    """What a new file of a format is like; raises UnsupportedFormat for sound that it cannot hold."""
    if format not in _NEW:
        raise UnsupportedFormat("sound cannot be encoded to {format}", format=format)
    if samples.rate not in _RATES.get(format, (samples.rate,)):
        raise UnsupportedFormat("{format} holds sound of {rates} Hz, got {got}", format=format, got=samples.rate,
                                rates=", ".join(map(str, _RATES[format])), hint="resample it, or encode it to ogg")
    if format == "m4a" and samples.channels not in _LAYOUTS:
        raise UnsupportedFormat("{format} of {count} channels is not made from samples", format=format,
                                count=samples.channels, hint="mix it to stereo, or encode it to flac")
    major, subtype = _NEW[format]
    return Source(format, Reader.of(b""), major, subtype, bitrate=_M4A_BITS * samples.rate * samples.channels)


def _write_sound(blocks: Iterable[Waveform], rate: int, channels: int, source: Source, level: float | None,
                 out: BinaryIO) -> None:
    import soundfile
    if source.subtype == "VORBIS":
        refuse_vorbis_rate(rate)
    more: dict[str, float | str] = {} if level is None else {"compression_level": level}
    if source.subtype == "MPEG_LAYER_III":
        more["bitrate_mode"] = "CONSTANT"
    with soundfile.SoundFile(out, "w", rate, channels, source.subtype, source.endian, source.major, **more) as file:
        for block in blocks:
            for at in range(0, len(block), BLOCK):  # libsndfile 1.2 overflows its stack on long writes of Vorbis
                file.write(block[at : at + BLOCK])


def _level(samples: Audio, source: Source) -> float | None:
    """libsndfile's compression level, 0 to 1, that stands for the source's bitrate."""
    if not source.reader.size:
        return _MP3_LEVEL if source.format == "mp3" else None
    if source.subtype == "MPEG_LAYER_III":  # constant bitrate, linear over the ladder of the MPEG version
        least, most = (32_000, 320_000) if samples.rate >= 32_000 else (8_000, 160_000)
        return float(np.clip((most - source.bitrate) / (most - least), 0, 1))
    if source.subtype == "OPUS":
        return float(np.clip(1 - (source.bitrate / samples.channels - 6_000) / 250_000, 0, 1))
    if source.subtype != "VORBIS":
        return None
    return vorbis_level(nominal_bitrate(source.reader.head(512)) or source.bitrate, samples.rate, samples.channels)


def refuse_vorbis_rate(rate: int) -> None:
    """Raise UnsupportedFormat for Hz that libvorbis does not take: libsndfile 1.2 then ends the process."""
    if not 1 <= rate <= _MAX_VORBIS_RATE:
        raise UnsupportedFormat("{format} holds sound of {rates} Hz, got {got}", format="ogg", got=rate,
                                rates=f"1-{_MAX_VORBIS_RATE}")


def vorbis_level(bitrate: float, rate: int, channels: int) -> float:
    """libsndfile's compression level of Vorbis, 0 to 1, that stands for a nominal bitrate."""
    source, low, high = Source("ogg", Reader.of(b""), *_NEW["ogg"]), 0.0, 1.0
    for _ in range(6):  # the nominal bitrate falls as the level rises
        middle, short = (low + high) / 2, io.BytesIO()
        _write_sound([np.zeros((1024, channels), np.float32)], rate, channels, source, middle, short)
        low, high = (middle, high) if nominal_bitrate(short.getvalue()) > bitrate else (low, middle)
    return (low + high) / 2


def nominal_bitrate(data: bytes) -> int:
    """The nominal bitrate in a Vorbis identification header (Vorbis I, 4.2.2), 0 where none is told."""
    at = data[:512].find(b"\x01vorbis")
    return max(0, int.from_bytes(data[at + 20 : at + 24], "little", signed=True)) if at >= 0 else 0


def _moved_chapters(chapters: list[Chapter], shift: Shift) -> list[Chapter]:
    """Chapters of a track of text, which players of audio books go by."""
    return [{**chapter, "start": shift.units(chapter["start"], rate), "end": shift.units(chapter["end"], rate)}
            for chapter in chapters for rate in (float(1 / (chapter["time_base"] or 1)),)]


def _write_m4a(samples: Audio, origin: Source, out: BinaryIO) -> None:
    av = pyav(origin.format, origin.format)
    with translated(origin.format, SOUND), contextlib.ExitStack() as stack:
        source = stack.enter_context(opened(ReaderFile(origin.reader))) if origin.reader.size else None
        layout = source.streams.audio[0].layout.name if source else _LAYOUTS[samples.channels]
        with av.open(out, "w", format=_AAC[origin.format]) as file:
            if source and origin.format == "m4a":
                file.metadata.update(source.metadata)
                file.set_chapters(_moved_chapters(source.chapters(), Shift(samples.inserted)))
            stream = file.add_stream("alac" if origin.subtype else "aac", rate=samples.rate, layout=layout)
            if origin.subtype:
                stream.format = origin.subtype
            else:
                stream.bit_rate = int(origin.bitrate)
            at = 0
            for part in _cut(samples.blocks(), 4096 if origin.subtype else 1024):
                frame = av.AudioFrame.from_ndarray(_planes(part, origin.subtype), format=origin.subtype or "fltp",
                                                   layout=layout)
                frame.sample_rate, frame.pts = samples.rate, at
                file.mux(stream.encode(frame))
                at += len(part)
            file.mux(stream.encode(None))


def _planes(part: Waveform, form: str) -> npt.NDArray[np.float32 | np.int16 | np.int32]:
    """[channels, frames] of the form "s16p" or "s32p", of which the upper 24 bits count, or else floats."""
    if form == "s16p":
        return np.ascontiguousarray(np.clip(np.rint(part * 32768.0), -32768, 32767).astype(np.int16).T)
    if form == "s32p":
        whole = np.clip(np.rint(part * float(1 << 23)), -1 << 23, (1 << 23) - 1).astype(np.int32)
        return np.ascontiguousarray(whole.T << 8)
    return np.ascontiguousarray(np.clip(part, -1, 1).T)


def _cut(blocks: Iterable[Waveform], size: int) -> Iterator[Waveform]:
    """The same sound in pieces of `size` frames, the last of which may be shorter."""
    left: Waveform | None = None
    for block in blocks:
        block = block if left is None else np.concatenate([left, block])
        whole = len(block) // size * size
        yield from (block[at : at + size] for at in range(0, whole, size))
        left = block[whole:]
    if left is not None and len(left):
        yield left
