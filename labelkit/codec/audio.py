# SPDX-License-Identifier: Apache-2.0
"""Sound, through libsndfile: written back in the container, codec, bitrate class and sample format it was read from.

WAV     and RF64: the source's own subtype (PCM of 8 to 32 bits, float, A-law and mu-law, ADPCM)
FLAC    16 or 24 bits as in the source
Ogg     Vorbis at the nominal bitrate of the source, Opus at its mean bitrate
MP3     at the mean bitrate of the source
M4A     AAC at the mean bitrate of the source, through PyAV where it is installed (the extra `video`)
Tags, pictures and cue points are carried over by `audio_tags`.
"""

from __future__ import annotations

import io
from dataclasses import dataclass

import numpy as np

from labelkit.codec.audio_tags import carried
from labelkit.codec.library import SOUND, opened, pyav, translated
from labelkit.codec.samples import AudioSamples
from labelkit.errors import LimitExceeded, MalformedFile, UnsupportedFormat

_SAMPLES_PER_PIXEL = 4  # the bound on pixels, used for sound: 93 minutes of stereo at 48 kHz by default
_MAX_CHANNELS = 64
_UNKNOWN = (1 << 63) - 1  # frames of a FLAC that was written to a pipe
_NEW = {"wav": ("WAV", "PCM_16"), "flac": ("FLAC", "PCM_16"), "ogg": ("OGG", "VORBIS"), "opus": ("OGG", "OPUS"),
        "mp3": ("MP3", "MPEG_LAYER_III")}
_RATES = {"opus": (8_000, 12_000, 16_000, 24_000, 48_000),  # Hz
          "mp3": (8_000, 11_025, 12_000, 16_000, 22_050, 24_000, 32_000, 44_100, 48_000)}
_MP3_LEVEL = 0.44  # libsndfile's: 192 kbit/s, at low rates 96


@dataclass(frozen=True, slots=True)
class _Source:
    format: str  # of the container room: "wav", "flac", "ogg", "opus", "mp3", "m4a"
    data: bytes
    major: str = ""  # libsndfile's names
    subtype: str = ""
    endian: str = "FILE"
    bitrate: float = 0.0


def decode(data: bytes, format: str, name: str, max_pixels: int) -> AudioSamples:
    """The sound in `data`; raises UnsupportedFormat, MalformedFile or LimitExceeded (over 4 * max_pixels samples)."""
    if format == "m4a":
        return _decode_m4a(data, name, max_pixels)
    if format == "oga":
        raise UnsupportedFormat("{where}: FLAC in Ogg is not decoded", where=name,
                                hint="take the FLAC out of Ogg, which loses nothing, or write the metadata alone")
    import soundfile
    with translated(name, SOUND), soundfile.SoundFile(io.BytesIO(data)) as file:
        samples = _read(file, name, max_pixels)
        if not np.isfinite(samples).all():
            raise MalformedFile("{where}: the sound holds samples that are not numbers", where=name)
        bitrate = 8 * len(data) * file.samplerate / max(len(samples), 1)
        source = _Source(format, data, file.format, file.subtype, file.endian, bitrate)
        return AudioSamples(samples, file.samplerate, source)


def _read(file, name: str, max_pixels: int) -> np.ndarray:
    if file.frames < _UNKNOWN:
        _check_size(file.frames, file.channels, name, max_pixels)
        return file.read(dtype="float32", always_2d=True)
    file.seekable = lambda: False  # soundfile would seek to an end that libsndfile does not know
    parts, frames = [np.empty((0, file.channels), np.float32)], 0
    while len(part := file.read(1 << 16, dtype="float32", always_2d=True)):
        parts.append(part)
        frames += len(part)
        _check_size(frames, file.channels, name, max_pixels)
    return np.concatenate(parts)


def encode(samples: AudioSamples) -> bytes:
    """The file that `samples` came from, with these samples; raises UnsupportedFormat, MalformedFile."""
    source: _Source = samples.source
    if source.format == "m4a":
        return _encode_m4a(samples)
    import soundfile
    with translated(source.format, SOUND):
        encoded = _written(soundfile, samples.samples, samples.rate, source, _level(soundfile, samples, source))
    return carried(source.data, encoded, source.format)


def encode_new(samples: AudioSamples, format: str, percent: int | None) -> bytes:
    """A new file: WAV and FLAC of 16 bits, the others at a bitrate for good listening. Raises UnsupportedFormat."""
    if format not in _NEW:
        raise UnsupportedFormat("sound cannot be encoded to {format}", format=format)
    if samples.rate not in _RATES.get(format, (samples.rate,)):
        raise UnsupportedFormat("{format} holds sound of {rates} Hz, got {got}", format=format, got=samples.rate,
                                rates=", ".join(map(str, _RATES[format])), hint="resample it, or encode it to ogg")
    import soundfile
    with translated(format, SOUND):
        level = _MP3_LEVEL if format == "mp3" else None
        return _written(soundfile, samples.samples, samples.rate, _Source(format, b"", *_NEW[format]), level)


def _written(soundfile, samples: np.ndarray, rate: int, source: _Source, level: float | None) -> bytes:
    out = io.BytesIO()
    more = {} if level is None else {"compression_level": level}
    if source.subtype == "MPEG_LAYER_III":
        more["bitrate_mode"] = "CONSTANT"
    with soundfile.SoundFile(out, "w", rate, samples.shape[1], source.subtype, source.endian, source.major,
                             **more) as file:
        for at in range(0, len(samples), 1 << 16):  # libsndfile 1.2 overflows its stack on long writes of Vorbis
            file.write(samples[at : at + (1 << 16)])
    return out.getvalue()


def _level(soundfile, samples: AudioSamples, source: _Source) -> float | None:
    """libsndfile's compression level, 0 to 1, that stands for the source's bitrate."""
    channels = samples.samples.shape[1]
    if source.subtype == "MPEG_LAYER_III":  # constant bitrate, linear over the ladder of the MPEG version
        low, high = (32_000, 320_000) if samples.rate >= 32_000 else (8_000, 160_000)
        return float(np.clip((high - source.bitrate) / (high - low), 0, 1))
    if source.subtype == "OPUS":
        return float(np.clip(1 - (source.bitrate / channels - 6_000) / 250_000, 0, 1))
    if source.subtype != "VORBIS":
        return None
    wanted = _nominal(source.data) or source.bitrate
    low, high = 0.0, 1.0
    for _ in range(6):  # the nominal bitrate falls as the level rises
        middle = (low + high) / 2
        short = _written(soundfile, samples.samples[:1024], samples.rate, source, middle)
        low, high = (middle, high) if _nominal(short) > wanted else (low, middle)
    return (low + high) / 2


def _nominal(data: bytes) -> int:
    """The nominal bitrate in a Vorbis identification header (Vorbis I, 4.2.2), 0 where none is told."""
    at = data[:512].find(b"\x01vorbis")
    return max(0, int.from_bytes(data[at + 20 : at + 24], "little", signed=True)) if at >= 0 else 0


def _check_size(frames: int, channels: int, name: str, max_pixels: int) -> None:
    limit = _SAMPLES_PER_PIXEL * max_pixels
    if frames * channels > limit or channels > _MAX_CHANNELS:
        raise LimitExceeded("{where}: {frames} frames of {channels} channels, at most {limit} samples are decoded",
                            where=name, frames=frames, channels=channels, limit=limit)


def _decode_m4a(data: bytes, name: str, max_pixels: int) -> AudioSamples:
    av = pyav(name, "m4a")
    with translated(name, SOUND), opened(io.BytesIO(data)) as file:
        stream = file.streams.audio[0]
        if stream.codec_context.name != "aac":
            raise UnsupportedFormat("{where}: M4A holding {codec} is not decoded", where=name,
                                    codec=stream.codec_context.name,
                                    hint="convert it to AAC, or label it with --layers metadata,provenance")
        rows, resampler, frames = [], None, 0
        for frame in file.decode(stream):
            resampler = resampler or av.AudioResampler("fltp", frame.layout.name, frame.sample_rate)
            frames += frame.samples
            _check_size(frames, frame.layout.nb_channels, name, max_pixels)
            rows += [part.to_ndarray() for part in resampler.resample(frame)]
        if not rows:
            raise MalformedFile("{where}: there is no sound in it", where=name)
        rate = stream.codec_context.sample_rate
        samples = np.ascontiguousarray(np.concatenate(rows, axis=1).T)
        if file.duration:  # in microseconds; the last frame is padded, and the edit list says by how much
            samples = samples[: max(1, round(file.duration * rate / 1_000_000))]
        bitrate = stream.bit_rate or 8 * len(data) * rate / len(samples)
        return AudioSamples(samples, rate, _Source("m4a", data, bitrate=float(bitrate)))


def _encode_m4a(samples: AudioSamples) -> bytes:
    av = pyav("m4a", "m4a")
    out = io.BytesIO()
    with translated("m4a", SOUND), opened(io.BytesIO(samples.source.data)) as source:
        layout = source.streams.audio[0].layout.name
        with av.open(out, "w", format="ipod") as file:
            file.metadata.update(source.metadata)
            stream = file.add_stream("aac", rate=samples.rate, layout=layout)
            stream.bit_rate = int(samples.source.bitrate)
            for at in range(0, len(samples.samples), 1024):
                part = np.ascontiguousarray(np.clip(samples.samples[at : at + 1024], -1, 1).T)
                frame = av.AudioFrame.from_ndarray(part, format="fltp", layout=layout)
                frame.sample_rate, frame.pts = samples.rate, at
                file.mux(stream.encode(frame))
            file.mux(stream.encode(None))
    return carried(samples.source.data, out.getvalue(), "m4a")
