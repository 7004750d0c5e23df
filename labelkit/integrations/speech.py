# SPDX-License-Identifier: Apache-2.0
"""Label speech where it is synthesised: in the model, where it is written, or while it streams.

    model.watermarker = Watermarker(new_label)             # Chatterbox, and others with a watermarker of perth's shape
    write("hello.wav", samples, 24_000, label=label)       # for soundfile.write
    save("hello.wav", tensor, 24_000, label=label)         # for torchaudio.save
    async for data in stream(voice, label, 24_000): ...    # of chunks of PCM: the label first, then the marked voice
    async for data in stream(voice, label, 24_000, format="mp3"): ...
"""

from __future__ import annotations

import dataclasses
import functools
import io
import os
import zlib
from collections.abc import AsyncIterable, AsyncIterator, Callable
from typing import Any, BinaryIO

import numpy as np
import numpy.typing as npt

from labelkit import aio, pipeline, tensors
from labelkit.codec import live
from labelkit.errors import InvalidArgument, check_types
from labelkit.integrations.films import confirm_watermark
from labelkit.integrations.sound_streams import CODED, BytesLabeller, Coded, Coding, Pcm, SoundFormat
from labelkit.key import Key
from labelkit.label import Label
from labelkit.plan import Plan, Watermark
from labelkit.report import Layer, Status

Target = str | os.PathLike[str] | BinaryIO


class Watermarker:
    """Takes the place of Chatterbox's `watermarker`: `model.watermarker = Watermarker(new_label)`.

    new_label  called for each utterance
    plan       its signal layers are put on: by default the audible label before the utterance, and the watermark where
               it is long enough for one; a plan without `explicit` is for voices that are announced otherwise
    key        of the watermark; None is the public key
    label      of the last utterance
    """

    def __init__(self, new_label: Callable[[], Label], *, plan: Plan | None = None, key: Key | None = None) -> None:
        plan = Plan(watermark=Watermark(required=False)) if plan is None else plan
        check_types(plan=(plan, Plan))
        if not callable(new_label):
            raise InvalidArgument("new_label must be a function that makes a label, got {got}",
                                  got=type(new_label).__name__)
        self.new_label, self.plan, self.key = new_label, plan, Key.of(key)
        self.label: Label | None = None

    def apply_watermark(self, wav: Any, watermark: Any = None, sample_rate: int = 44_100,
                        **others: Any) -> npt.NDArray[np.float32]:
        """The labelled utterance, which is longer by the audible label.

        wav          float (full scale +-1), [frames] or [channels, frames], an array or a tensor
        watermark    not used: the payload is that of the label
        sample_rate  Hz
        Raises what `labelkit.embed` raises, such as HostTooSmall where the plan requires a watermark.
        """
        self.label = self.new_label()
        made = pipeline.embed(wav, label=self.label, plan=self.plan, key=self.key, rate=sample_rate)
        return np.asarray(tensors.as_array(made), np.float32)

    def get_watermark(self, watermarked_wav: Any, sample_rate: int = 44_100, watermark_length: int | None = None,
                      **others: Any) -> npt.NDArray[np.float32]:
        """[1.0] where the watermark of the key is found, else [0.0], as perth's; `labelkit.verify` tells more."""
        report = pipeline.verify(watermarked_wav, key=self.key, rate=sample_rate, layers=[Layer.WATERMARK])
        return np.array([report[Layer.WATERMARK].status is Status.VALID], np.float32)


def write(file: Target, data: Any, samplerate: int, subtype: str | None = None, endian: str | None = None,
          format: str | None = None, closefd: bool = True, compression_level: float | None = None,
          bitrate_mode: str | None = None, *, label: Label, plan: Plan | None = None, key: Key | None = None) -> None:
    """`soundfile.write` with every layer of the plan.

    label  what is said about the sound; `plan` and `key` as for `labelkit.embed`
    The others mean what they mean there, and files are written whole or not at all. Raises what `labelkit.embed`
    raises, and InvalidArgument for what soundfile refuses.
    """
    plan = Plan() if plan is None else plan
    check_types(plan=(plan, Plan))
    marked = data
    if plan.has_signal_layer:
        marked = pipeline.embed(data, label=label, plan=plan, key=key, rate=samplerate)
    written = io.BytesIO()
    _written(written, marked, samplerate, format or _ending(file), subtype, endian, compression_level, bitrate_mode)
    _confirm(written.getvalue(), label, plan, key)
    pipeline.embed(written.getvalue(), file, label, plan=dataclasses.replace(plan, explicit=None, watermark=None))


def save(uri: Target, src: Any, sample_rate: int, channels_first: bool = True, format: str | None = None,
         encoding: str | None = None, bits_per_sample: int | None = None, buffer_size: int = 4096,
         backend: str | None = None, compression: Any = None, *, label: Label, plan: Plan | None = None,
         key: Key | None = None) -> None:
    """`torchaudio.save` with every layer of the plan: WAV, FLAC, Ogg and MP3, encoded by soundfile.

    src       a tensor or array [channels, frames], or [frames, channels] where not `channels_first`
    encoding  "PCM_S" with `bits_per_sample` 16, 24 or 32, or "PCM_F" with 32 or 64; None is the format's own
    label     what is said about the sound; `plan` and `key` as for `labelkit.embed`
    `buffer_size`, `backend` and `compression` change nothing. Raises what `write` raises.
    """
    rows = tensors.as_array(src)
    if rows.ndim == 2 and channels_first:
        rows = rows.T
    subtypes = {("PCM_S", 16): "PCM_16", ("PCM_S", 24): "PCM_24", ("PCM_S", 32): "PCM_32", ("PCM_F", 32): "FLOAT",
                ("PCM_F", 64): "DOUBLE"}
    wanted = (encoding or "PCM_S", bits_per_sample or (32 if encoding == "PCM_F" else 16))
    if wanted not in subtypes:
        raise InvalidArgument("an encoding is PCM_S with 16, 24 or 32 bits or PCM_F with 32 or 64, got {got}",
                              got=repr((encoding, bits_per_sample)))
    subtype = subtypes[wanted] if encoding or bits_per_sample else None
    write(uri, np.ascontiguousarray(rows), sample_rate, subtype, format=format, label=label, plan=plan, key=key)


async def stream(chunks: AsyncIterable[Any], label: Label, rate: int, channels: int = 1, *, format: str = "wav",
                 bitrate: int | None = None, plan: Plan | None = None, key: Key | None = None) -> AsyncIterator[bytes]:
    """Chunks of a voice as bytes, labelled as they come.

    chunks   bytes of 16 bits, or arrays or tensors of float (full scale +-1) or int16 [frames] or [frames, channels]
    rate     Hz
    format   "wav", 16 bits behind a head of unknown length; "pcm", bare little-endian 16 bits; "mp3", "aac" in ADTS,
             "flac", "opus" or "ogg" (Vorbis), of one or two channels, through PyAV (the extra `video`)
    bitrate  8,000 to 256,000 bits a second, of all but FLAC; by default 64,000 a channel, of Opus 48,000
    plan     its signal layers, and `metadata` for the head; provenance cannot sign what has no end
    key      of the watermark; None is the public key

    The head and the audible label come before the first chunk is asked for, so that a model can compute while they
    play. What follows lags behind the chunks by at most 80 ms; FLAC and Opus hold back up to 40 ms more, AAC 90, MP3
    130 (at 8 kHz three times as long), Vorbis 800, of the label too.
    Raises InvalidArgument, UnsupportedFormat, and what `chunks` raises.
    """
    if plan and plan.provenance:
        raise InvalidArgument("a stream has no end that a manifest could sign",
                              hint="leave the signer out of the plan, or label the whole sound with labelkit.embed")
    pcm = SoundFormat(rate, channels)
    coding = _coding(format, pcm, bitrate, label)
    labeller = BytesLabeller(label, coding, plan=plan, key=key)
    yield await aio.in_thread(labeller.start)
    async for chunk in chunks:
        if data := await aio.in_thread(functools.partial(_pushed, labeller, chunk, channels)):
            yield data
    if rest := await aio.in_thread(labeller.finish):
        yield rest


def _coding(format: str, pcm: SoundFormat, bitrate: int | None, label: Label) -> Coding:
    """How a stream is encoded; raises InvalidArgument."""
    if format in ("wav", "pcm"):
        return Pcm(pcm, wav=format == "wav")
    if format not in CODED:
        raise InvalidArgument("format is one of {formats}, got {got}", formats=", ".join(["wav", "pcm", *CODED]),
                              got=repr(format))
    room = CODED[format]
    if pcm.rate not in room.RATES or pcm.channels not in (1, 2):
        raise InvalidArgument("{format} holds one or two channels of {rates} Hz, got {channels} of {rate}",
                              format=format, rates=", ".join(map(str, sorted(room.RATES))), channels=pcm.channels,
                              rate=pcm.rate)
    bits = pcm.channels * room.BITRATE if bitrate is None else bitrate
    if bitrate is not None and (isinstance(bits, bool) or not isinstance(bits, int) or not 8_000 <= bits <= 256_000):
        raise InvalidArgument("bitrate is 8,000 to 256,000 bits a second, got {got}", got=repr(bitrate))
    return Coded(format, live.Head(pcm.rate, pcm.channels, bits, serial=zlib.crc32(label.to_json().encode())), pcm)


def _pushed(labeller: BytesLabeller, chunk: Any, channels: int) -> bytes:
    return labeller.push(_pcm(chunk, channels))


def _pcm(chunk: Any, channels: int) -> bytes:
    if isinstance(chunk, bytes | bytearray | memoryview):
        return bytes(chunk)
    samples = tensors.as_array(chunk) if tensors.is_tensor(chunk) else np.asarray(chunk)
    if samples.ndim == 2 and samples.shape[1] != channels and samples.shape[0] == channels:
        samples = samples.T
    if samples.size % channels or samples.dtype.kind != "f" and samples.dtype != np.int16:
        raise InvalidArgument("a chunk is bytes of 16 bits, or float or int16 of {channels} channels, got {got}",
                              channels=channels, got=f"{samples.dtype} {list(samples.shape)}")
    if samples.dtype.kind == "f":
        if not np.isfinite(samples).all():
            raise InvalidArgument("a chunk holds values that are not numbers")
        samples = np.clip(np.rint(samples.astype(np.float32) * 32768), -32768, 32767)
    return samples.astype("<i2").tobytes()


def _ending(file: Target) -> str:
    name = file if isinstance(file, str | os.PathLike) else getattr(file, "name", "")
    ending = os.path.splitext(os.fspath(name) if isinstance(name, str | os.PathLike) else "")[1].lstrip(".").upper()
    if not ending:
        raise InvalidArgument("a format is wanted where the file has no ending", hint="give format, such as \"WAV\"")
    return ending


def _written(out: BinaryIO, samples: Any, rate: int, format: str, subtype: str | None, endian: str | None,
             compression_level: float | None, bitrate_mode: str | None) -> None:
    import soundfile

    rows = tensors.as_array(samples) if tensors.is_tensor(samples) else samples
    format, subtype = ("OGG", "OPUS") if format.upper() == "OPUS" else (format, subtype)
    try:
        soundfile.write(out, rows, rate, subtype, endian, format, True, compression_level, bitrate_mode)
    except (TypeError, ValueError, RuntimeError) as error:
        raise InvalidArgument("soundfile does not write this: {reason}", reason=str(error)) from error


def _confirm(made: bytes, label: Label, plan: Plan, key: Key | None) -> None:
    """Raise OutputFailed where the encoding took away the watermark."""
    if plan.watermark and plan.watermark.required and not plan.watermark.presence_only:
        confirm_watermark(made, label, key, "the sound")
