# SPDX-License-Identifier: Apache-2.0
"""Sound, through libsndfile: written back in the container, codec, bitrate class and sample format it was read from.

WAV     and RF64: the source's own subtype (PCM of 8 to 32 bits, float, A-law and mu-law, ADPCM)
FLAC    16 or 24 bits as in the source
Ogg     Vorbis at the nominal bitrate of the source, Opus at its mean bitrate
MP3     at the mean bitrate of the source
M4A     AAC at the mean bitrate of the source, ALAC of 16 or 24 bits, through PyAV (the extra `video`)
AIFF    and CAF: as they were, CAF if it is PCM or ALAC
AAC     as M4A is
AU and Wave64 are read only, and so are AC-3, AMR and WMA, through PyAV.
`audio_encoding` writes, and `audio_tags` copies tags, pictures and cue points. Sound of more than HELD samples is never
held: it is decoded block by block at each pass, and goes from file to file.
"""

from __future__ import annotations

import functools
import io
from collections.abc import Iterator
from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np

from labelkit.codec.audio_encoding import Source, encode, encode_file, encode_new, encode_new_file
from labelkit.codec.backends import SOUND, ReaderFile, libsndfile, opened, pyav, translated
from labelkit.codec.samples import (
    BLOCK,
    HELD,
    LEAST_DECODED_RATE,
    MOST_DECODED_RATE,
    Audio,
    AudioSamples,
    AudioStream,
    Waveform,
    Weights,
)
from labelkit.codec.soundtrack import weights_of
from labelkit.container import Reader, id3
from labelkit.errors import LabelkitError, LimitExceeded, MalformedFile, UnsupportedFormat

if TYPE_CHECKING:
    import av
    from _typeshed import WriteableBuffer
    from av.audio.stream import AudioStream as AvStream
    from av.container import InputContainer

__all__ = ["HELD", "decode", "encode", "encode_file", "encode_new", "encode_new_file", "is_long", "seconds"]

_SAMPLES_PER_PIXEL = 4  # the bound on pixels, used for sound: 93 minutes of stereo at 48 kHz by default
_MAX_CHANNELS = 64
_UNKNOWN = (1 << 63) - 1  # frames of a FLAC that was written to a pipe
_ALAC_BITS = (16, 20, 24, 32)
_DEMUXERS = {"aac": "aac", "ac3": "ac3", "eac3": "eac3", "amr": "amr", "wma": "asf", "caf": "caf"}  # FFmpeg's names
_VORBIS_ORDER: dict[int, Weights] = {  # Vorbis I, 4.3.9, and Opus: L, C, R, back, effects last
    5: (1, 1, 1, 1.41, 1.41), 6: (1, 1, 1, 1.41, 1.41, 0), 7: (1, 1, 1, 1.41, 1.41, 1, 0),
    8: (1, 1, 1, 1.41, 1.41, 1, 1, 0)}


class _File(ReaderFile):
    """A view for libsndfile, which goes before the start where a broken file says so, and minds no failure."""

    def __init__(self, reader: Reader, start: int = 0) -> None:
        super().__init__(reader)
        self._start = start
        super().seek(start)

    def readinto(self, buffer: WriteableBuffer, /) -> int:
        room = memoryview(buffer).cast("B")
        try:
            data = self.read(len(room))
        except LabelkitError:  # the file shrank, or its disk fails: to the library it ends
            return 0
        room[: len(data)] = data
        return len(data)

    def seek(self, offset: int, whence: int = io.SEEK_SET) -> int:
        if whence == io.SEEK_SET:
            offset += self._start
        place = {io.SEEK_SET: 0, io.SEEK_CUR: super().tell(), io.SEEK_END: self._reader.size}[whence] + offset
        return (super().seek(place) if place >= self._start else super().tell()) - self._start

    def tell(self) -> int:
        return super().tell() - self._start


def decode(reader: Reader, format: str, name: str, max_pixels: int) -> Audio:
    """The sound in a file, an AudioStream where it has more than HELD samples.

    Raises UnsupportedFormat, MalformedFile or LimitExceeded (over 4 * max_pixels samples); a stream raises them at each
    pass for what is broken further on.
    """
    stream = _stream(reader, format, name, max_pixels)
    return stream if stream.frames * stream.channels > HELD else _held(stream)


def is_long(reader: Reader, format: str) -> bool:
    """Whether the file states that it has more than HELD samples; False where it cannot be decoded."""
    try:
        stream = _stream(reader, format, reader.name, HELD)
        return stream.frames * stream.channels > HELD
    except LimitExceeded:
        return True
    except LabelkitError:
        return False


def seconds(reader: Reader, format: str) -> float | None:
    """How long the sound is, as its file states it; None where it does not."""
    stream = _stream(reader, format, reader.name, _UNKNOWN)
    return stream.frames / stream.rate if stream.frames else None


def _stream(reader: Reader, format: str, name: str, max_pixels: int) -> AudioStream:
    """The sound as its file states it; `frames` is 0 where it states no length."""
    if format == "m4a" or format in _DEMUXERS and format != "caf":
        return _ffmpeg_stream(reader, format, name, max_pixels)
    if format == "oga":
        raise UnsupportedFormat("{where}: FLAC in Ogg is not decoded", where=name,
                                hint="take the FLAC out of Ogg, which loses nothing, or write the metadata alone")
    soundfile = libsndfile(name, format)
    if format == "caf" and not _is_read_by_libsndfile(reader):  # it may hold AAC
        return _ffmpeg_stream(reader, format, name, max_pixels)
    start = _end_of_tags(reader) if format == "mp3" else 0
    with translated(name, SOUND), soundfile.SoundFile(_File(reader, start)) as file:
        _check_rate(file.samplerate, name)
        frames = file.frames if file.frames < _UNKNOWN else 0
        _check_size(frames, file.channels, name, max_pixels)
        bitrate = 8 * reader.size * file.samplerate / max(frames, 1)
        source = Source(format, reader, file.format, file.subtype, file.endian, bitrate)
        return AudioStream(functools.partial(_read_blocks, reader, start, name, max_pixels), file.samplerate,
                           file.channels, frames, source,
                           _VORBIS_ORDER.get(file.channels) if file.format == "OGG" else None)


def _held(stream: AudioStream) -> Audio:
    """The sound in memory; the stream, with its length counted, where it is longer than its file states."""
    parts, frames = [np.empty((0, stream.channels), np.float32)], 0
    for block in stream.blocks():
        frames += len(block)
        if frames * stream.channels <= HELD:
            parts.append(block)
        else:
            parts.clear()
    source = stream.source
    if isinstance(source, Source) and frames != stream.frames and (source.subtype or not stream.frames):
        source = replace(source, bitrate=8 * source.reader.size * stream.rate / max(frames, 1))
    if not parts:
        return replace(stream, frames=frames, source=source)
    return AudioSamples(np.concatenate(parts), stream.rate, source, stream.weights)


def _end_of_tags(reader: Reader) -> int:
    """Where the tags before the sound of an MP3 end, of which the library would print what it does not like."""
    try:
        return id3.end_of_tags(reader)
    except LabelkitError:
        return 0


def _is_read_by_libsndfile(reader: Reader) -> bool:
    import soundfile
    try:
        soundfile.info(_File(reader))
    except soundfile.LibsndfileError:
        return False
    return True


def _read_blocks(reader: Reader, start: int, name: str, max_pixels: int) -> Iterator[Waveform]:
    """The sound through libsndfile, BLOCK frames at a time."""
    import soundfile
    frames = 0
    with translated(name, SOUND), soundfile.SoundFile(_File(reader, start)) as file:
        file.seekable = lambda: False  # soundfile would seek behind each block, or to an end that nobody knows
        while len(block := file.read(BLOCK, dtype="float32", always_2d=True)):
            frames += len(block)
            _check_size(frames, file.channels, name, max_pixels)
            if not np.isfinite(block).all():
                raise MalformedFile("{where}: the sound holds samples that are not numbers", where=name)
            yield block


def _check_size(frames: int, channels: int, name: str, max_pixels: int) -> None:
    limit = _SAMPLES_PER_PIXEL * max_pixels
    if frames * channels > limit or channels > _MAX_CHANNELS:
        raise LimitExceeded("{where}: {frames} frames of {channels} channels, at most {limit} samples are decoded",
                            where=name, frames=frames, channels=channels, limit=limit)


def _check_rate(rate: int, name: str) -> None:
    if not LEAST_DECODED_RATE <= rate <= MOST_DECODED_RATE:
        raise UnsupportedFormat("{where}: sound of {rate} Hz; that of {low} to {high} Hz is decoded", where=name,
                                rate=rate, low=LEAST_DECODED_RATE, high=MOST_DECODED_RATE)


def _ffmpeg_stream(reader: Reader, format: str, name: str, max_pixels: int) -> AudioStream:
    pyav(name, format)
    with translated(name, SOUND), opened(ReaderFile(reader), _DEMUXERS.get(format)) as file:
        stream = _sound_of(file, format, name)
        rate, layout = stream.codec_context.sample_rate, stream.codec_context.layout
        _check_rate(rate, name)
        frames = 0
        # in microseconds; the edit list or the table of packets says how far the last frame is padded
        if file.duration and (format == "m4a" or stream.codec_context.name == "alac"):
            frames = max(1, round(file.duration * rate / 1_000_000))
        _check_size(frames, layout.nb_channels, name, max_pixels)
        bitrate = stream.bit_rate or 8 * reader.size * rate / max(frames, 1)
        major, subtype = _alac_of_caf(stream) if format == "caf" else ("", _lossless(stream))
        return AudioStream(functools.partial(_ffmpeg_blocks, reader, format, name, max_pixels, frames), rate,
                           layout.nb_channels, frames, Source(format, reader, major, subtype, bitrate=float(bitrate)),
                           weights_of(layout))


def _lossless(stream: AvStream) -> str:
    """The form of the samples that ALAC is encoded from, "" for other codecs."""
    context = stream.codec_context
    return context.format.name if context.name == "alac" else ""


def _alac_of_caf(stream: AvStream) -> tuple[str, str]:
    """libsndfile's names for ALAC in CAF as FFmpeg writes it, whose head libsndfile does not read; "" for others.

    The first is "" too where the order of channels would differ between the two libraries.
    """
    context = stream.codec_context
    if context.name != "alac":
        return "", ""
    head = context.extradata or b""  # a box `alac`: size, name, version, frames a packet, 0, bits a sample
    is_written = context.layout.nb_channels <= 2 and len(head) > 17 and head[17] in _ALAC_BITS
    return ("CAF", f"ALAC_{head[17]}") if is_written else ("", "ALAC")


def _sound_of(file: InputContainer, format: str, name: str) -> AvStream:
    stream = next(iter(file.streams.audio), None)
    if stream is None or stream.codec_context is None:
        raise MalformedFile("{where}: there is no sound in it", where=name)
    if format == "m4a" and stream.codec_context.name not in ("aac", "alac"):
        raise UnsupportedFormat("{where}: M4A holding {codec} is not decoded", where=name,
                                codec=stream.codec_context.name, other="AAC",
                                hint="convert it to {other}, or leave the signal layers out of the plan")
    return stream


def _ffmpeg_blocks(reader: Reader, format: str, name: str, max_pixels: int, length: int) -> Iterator[Waveform]:
    """The sound through FFmpeg, about BLOCK frames at a time; `length` frames, where that is not 0."""
    left = length or max_pixels * _SAMPLES_PER_PIXEL + 1
    with translated(name, SOUND), opened(ReaderFile(reader), _DEMUXERS.get(format)) as file:
        block, held, frames = np.empty((0, 1), np.float32), 0, 0
        for part in _ffmpeg_parts(file, _sound_of(file, format, name)):
            size, channels = part.samples, len(part.planes)
            if frames and channels != block.shape[1]:
                raise MalformedFile("{where}: the sound goes on with {channels} channels instead of {expected}",
                                    where=name, channels=channels, expected=block.shape[1])
            frames += size
            _check_size(min(frames, left), channels, name, max_pixels)
            if held + size > len(block):
                if held:
                    yield block[:held]
                block, held = np.empty((max(BLOCK, size), channels), np.float32), 0
            for channel, plane in enumerate(part.planes):
                block[held : held + size, channel] = np.frombuffer(memoryview(plane), np.float32, size)
            held += size
            if length and frames >= length:
                break
        if not frames:
            raise MalformedFile("{where}: there is no sound in it", where=name)
        yield block[: held - max(0, frames - left)]


def _ffmpeg_parts(file: InputContainer, stream: AvStream) -> Iterator[av.AudioFrame]:
    """The sound of each packet, float32, a plane for each channel."""
    import av
    from av.codec.context import Flags2

    if file.format.name == "caf" and stream.codec_context.name == "alac":
        # FFmpeg takes the padding of the last packet off twice: in the decoder, and as the table of packets says
        stream.codec_context.flags2 |= Flags2.skip_manual
    resampler: av.AudioResampler | None = None
    for frame in file.decode(stream):
        resampler = resampler or av.AudioResampler("fltp", frame.layout.name, frame.sample_rate)
        yield from resampler.resample(frame)
