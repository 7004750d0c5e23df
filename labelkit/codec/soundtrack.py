# SPDX-License-Identifier: Apache-2.0
"""The sound track of a film, through PyAV: read in chunks; written back in its own codec family and bitrate class.

AAC, MP3, MP2, Opus, AC-3 and E-AC-3 at the bitrate of the source, but 48 kbit/s for a channel of 48 kHz at least; FLAC,
ALAC and PCM in the sample format of the source. Others, such as Vorbis, are read but not written.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from fractions import Fraction
from typing import TYPE_CHECKING, cast

import numpy as np

from labelkit.codec.backends import time_base
from labelkit.codec.packets import audio_frames
from labelkit.codec.samples import LEAST_DECODED_RATE, MAX_SAMPLE_RATE, Sound, SoundChange, Waveform, Weights
from labelkit.errors import UnsupportedFormat

if TYPE_CHECKING:
    import av
    from av import Packet
    from av.audio.codeccontext import AudioCodecContext
    from av.audio.stream import AudioStream
    from av.container import InputContainer, OutputContainer

_MAX_CHANNELS = 64
_SURROUND = 1.41  # BS.1770-4, table 3
_TOLERANCE_S = 0.04  # by which times in the file may be off before sound is put in or left out
_MAX_FILLED_S = 3600  # of silence that is put into one film
_LOUDEST = 100.0  # of a float sample; what lies beyond is no sound
_CHUNK_FRAMES = 1024
_LOSSY = {"aac": "aac", "mp3": "libmp3lame", "mp2": "mp2", "opus": "libopus", "ac3": "ac3", "eac3": "eac3"}
_BY_NAME = ("flac", "alac", "pcm_")
_LEAST_BITS = 1.0  # a second for each sample a second: 48 kbit/s for a channel at 48 kHz
_MOST_BITS = {"aac": 6.0, "mp3": 8.0}  # beyond which the encoders fail
_MEASURED_S = 10.0


def main_sound(container: InputContainer) -> AudioStream | None:
    """The sound track that a player plays: the first that is marked as default, else the first."""
    from av.stream import Disposition

    streams = [stream for stream in container.streams.audio if sound_of(stream)]
    return next((stream for stream in streams if stream.disposition & Disposition.default), next(iter(streams), None))


def sound_of(stream: AudioStream | None, start: Fraction = Fraction(0)) -> Sound | None:
    """What a stream says of its sound, None where that is none that can be decoded; `start` is that of the film."""
    context: AudioCodecContext | None = stream.codec_context if stream else None  # None for an unknown codec
    if stream is None or context is None:
        return None
    rate, channels = context.rate, context.layout.nb_channels
    if not LEAST_DECODED_RATE <= rate <= MAX_SAMPLE_RATE or not 1 <= channels <= _MAX_CHANNELS:
        return None
    begin = float((stream.start_time or 0) * time_base(stream) - start)
    return Sound(rate, channels, begin, _length(stream), weights_of(context.layout))


def weights_of(layout: av.AudioLayout) -> Weights | None:
    """How much each channel of a layout counts; None where the layout does not name them."""
    names = [channel.name for channel in layout.channels]
    if not all(names):
        return None
    has_sides = "SL" in names or "SR" in names  # what lies behind is then behind, not at the sides
    surround = {"SL", "SR"} if has_sides else {"BL", "BR"}
    return tuple(0.0 if name.startswith("LFE") else _SURROUND if name in surround else 1.0 for name in names)


def _length(stream: AudioStream) -> float | None:
    """Seconds of a stream, as its header or the tag of Matroska tells."""
    if stream.duration:
        return float(stream.duration * time_base(stream))
    told = re.fullmatch(r"(\d{1,4}):(\d\d):(\d\d\.\d+)", stream.metadata.get("DURATION", ""))
    if not told:
        return None
    end = 3600 * int(told[1]) + 60 * int(told[2]) + float(told[3])
    return max(0.0, end - float((stream.start_time or 0) * time_base(stream)))


class SampleTimeline:
    """The decoded frames of one stream as samples of one rate and layout, without gaps and overlaps.

    begin  place of its first sample, in samples from time 0 of the file; by default that of the first that comes
    """

    def __init__(self, stream: AudioStream, begin: int | None = None) -> None:
        sound = sound_of(stream)
        if sound is None:
            raise ValueError("the stream holds no sound that can be decoded")
        self.begin = begin
        self._rate, self._channels, self._layout = sound.rate, sound.channels, stream.codec_context.layout.name
        self._next = begin or 0
        self._is_begun = False  # what comes first is put in its place exactly
        self._may_fill = _MAX_FILLED_S * self._rate
        self._format: tuple[str, str, int] | None = None
        self._resampler: av.AudioResampler | None = None

    def take(self, frame: av.AudioFrame) -> Iterator[Waveform]:
        """Chunks of float32 [frames, channels]."""
        import av

        format = frame.format.name, frame.layout.name, frame.sample_rate
        if self._resampler is None or format != self._format:  # a stream may change its format under way
            self._format, self._resampler = format, av.AudioResampler("flt", self._layout, self._rate)
        wanted = self._next if frame.pts is None else round(frame.pts * time_base(frame) * self._rate)
        if self.begin is None:
            self.begin = self._next = wanted
        for part in self._resampler.resample(frame):
            samples = part.to_ndarray().astype(np.float32, copy=False).reshape(-1, self._channels)
            samples = np.clip(np.nan_to_num(samples), -_LOUDEST, _LOUDEST)
            yield from self._placed(samples, wanted)
            wanted += len(samples)

    def _placed(self, samples: Waveform, wanted: int) -> Iterator[Waveform]:
        late = wanted - self._next
        if not self._is_begun and late < 0 or late < -_TOLERANCE_S * self._rate:
            samples = samples[-late:]
        elif (not self._is_begun or late > _TOLERANCE_S * self._rate) and 0 < late <= self._may_fill:
            self._may_fill -= late
            for at in range(0, late, self._rate):
                yield np.zeros((min(self._rate, late - at), self._channels), np.float32)
            self._next += late
        self._next += len(samples)
        if len(samples):
            self._is_begun = True
            yield samples


class SoundEncoder:
    """The sound track of a film that is written: decoded, changed, encoded."""

    def __init__(self, source: AudioStream, out: OutputContainer,
                 changes: tuple[Callable[[int, int], SoundChange], ...], bitrate: float, name: str) -> None:
        self._out, self._timeline = out, SampleTimeline(source)
        context = source.codec_context
        self._layout, self._rate = context.layout.name, context.rate
        self._changes = [make(self._rate, context.layout.nb_channels) for make in changes]
        self.stream = _added(source, out, bitrate, name)
        # AVI and FLV know no time before 0: there the encoder's delay takes the place of the first 20 ms
        self._skip = _delay(self.stream) if out.format.name in ("avi", "flv") else 0
        self._written = 0

    def prepare(self, packet: Packet[AudioStream]) -> Iterator[Waveform]:
        """The samples that a packet brings, with the changes; what is broken becomes silence."""
        for frame in audio_frames(packet):
            for samples in self._timeline.take(frame):
                yield from self._changed(samples, 0)

    def _changed(self, samples: Waveform, first: int) -> Iterator[Waveform]:
        for change in self._changes[first:]:
            samples = change.push(samples)
        if len(samples):
            yield samples

    def put(self, samples: Waveform) -> None:
        """Encode samples and write what comes of it."""
        import av

        begin = self._timeline.begin or 0
        skipped = min(len(samples), max(0, self._skip - self._written))
        self._written += skipped
        for at in range(skipped, len(samples), _CHUNK_FRAMES):
            part = np.clip(samples[at : at + _CHUNK_FRAMES], -1, 1)
            frame = av.AudioFrame.from_ndarray(np.ascontiguousarray(part).reshape(1, -1), "flt", self._layout)
            frame.sample_rate, frame.time_base = self._rate, Fraction(1, self._rate)
            frame.pts = begin + self._written
            self._written += len(part)
            self._out.mux(self.stream.encode(frame))

    def finish(self) -> None:
        """What changes and encoder hold back."""
        for number, change in enumerate(self._changes, 1):
            for samples in self._changed(change.finish(), number):
                self.put(samples)
        self._out.mux(self.stream.encode(None))


def _added(source: AudioStream, out: OutputContainer, bitrate: float, name: str) -> AudioStream:
    """The stream to write, its encoder set up; raises UnsupportedFormat where there is none for the codec."""
    import av

    family = source.codec_context.codec.canonical_name
    encoder = _LOSSY.get(family, family if family.startswith(_BY_NAME) else "")
    try:
        forms = [form.name for form in av.Codec(encoder, "w").audio_formats or ()]
    except ValueError as error:
        raise UnsupportedFormat("{where}: sound in {codec} can be read but not written", where=name, codec=family,
                                hint="convert the sound track to AAC, or label the picture alone") from error
    context = source.codec_context
    stream = cast("AudioStream", out.add_stream(encoder, rate=context.rate, layout=context.layout.name))
    own = context.format.name
    stream.codec_context.format = own if own in forms else forms[-1]
    if family in _LOSSY:
        stream.codec_context.bit_rate = spent(family, context, bitrate)
    return stream


def spent(family: str, context: AudioCodecContext, bitrate: float) -> int:
    """Bits a second to encode with, of a source with `bitrate` in a lossy codec."""
    least, most = (bits * context.rate * context.layout.nb_channels for bits in
                   (_LEAST_BITS, _MOST_BITS.get(family, 16.0)))
    return round(min(max(bitrate, least), most))


def _delay(stream: AudioStream) -> int:
    """How many samples the encoder of a stream puts before the first, which it tells by its first time."""
    import av

    like = stream.codec_context
    probe = cast("AudioCodecContext", av.CodecContext.create(like.codec.name, "w"))
    probe.format, probe.layout, probe.sample_rate = like.format.name, like.layout.name, like.sample_rate
    probe.bit_rate, probe.time_base = like.bit_rate or 0, Fraction(1, like.sample_rate)
    for number in range(16):
        quiet = np.zeros((1, _CHUNK_FRAMES * like.layout.nb_channels), np.float32)
        frame = av.AudioFrame.from_ndarray(quiet, "flt", like.layout.name)
        frame.sample_rate, frame.pts, frame.time_base = like.sample_rate, number * _CHUNK_FRAMES, probe.time_base
        for packet in probe.encode(frame):
            return max(0, -(packet.pts or 0))
    return 0


def bitrate_of(container: InputContainer, stream: AudioStream) -> float:
    """Bits a second of a stream: what the file says, else measured over the first seconds."""
    told = stream.bit_rate or stream.codec_context.bit_rate
    if told:
        return float(told)
    size, end = 0, 0.0
    begin: int | None = None
    for packet in container.demux(stream):
        if packet.pts is None:
            continue
        begin = packet.pts if begin is None else begin
        size, end = size + packet.size, float((packet.pts + (packet.duration or 0) - begin) * packet.time_base)
        if end >= _MEASURED_S:
            break
    return 8 * size / end if end > 0 else 0.0
