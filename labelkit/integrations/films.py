# SPDX-License-Identifier: Apache-2.0
"""A labelled MP4 of frames in memory, in one encode: what the exporters of generation pipelines need."""

from __future__ import annotations

import dataclasses
import numbers
import os
from collections.abc import Iterable, Iterator
from fractions import Fraction
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from labelkit import pipeline, tensors
from labelkit.codec import decode
from labelkit.codec.backends import pyav
from labelkit.codec.encoders import GRAINED
from labelkit.codec.frame import FrameFormat
from labelkit.codec.samples import VideoSamples
from labelkit.codec.video import planes
from labelkit.container import Transaction, opened
from labelkit.errors import InvalidArgument, OutputFailed, check_types
from labelkit.explicit.video import soundtrack
from labelkit.integrations.batches import frame_labeller
from labelkit.key import Key
from labelkit.label import Label
from labelkit.payload import Payload
from labelkit.plan import Plan, check_range
from labelkit.report import Layer
from labelkit.watermark.audio import AudioMarker
from labelkit.watermark.carriers import detect_soundtrack, payload_of

if TYPE_CHECKING:
    import av
    from av.audio.stream import AudioStream
    from av.container import OutputContainer

    from labelkit.evidence import DrawnSound

_SAMPLE_RATES = (48_000, 44_100, 32_000, 24_000, 22_050, 16_000, 8_000)  # Hz, that AAC and its players hold
_LARGEST_RATE = 65_535  # frames a second and their denominator


def write_film(frames: Iterable[Any], target: str | os.PathLike[str], label: Label, *, fps: float,
               plan: Plan | None = None, key: Key | None = None, crf: float = 18.0, bitrate: int | None = None,
               multiple: int = 2, sound: Any = None, sound_rate: int | None = None) -> Path:
    """Write frames as an MP4 (H.264, AAC) with every layer of the plan; the watermark is found in it before it appears.

    frames     uint8 or float from 0 to 1, [height, width, 3] RGB; Pillow images; or tensors of either
    fps        frames a second, 0.01 to 65,535
    plan       as for `labelkit.embed`; one without signal layers is for frames that have them already
    key        of the watermark; None is the public key
    crf        constant rate factor of x264, 0 to 51
    bitrate    bits a second, instead of `crf`
    multiple   of which width and height must be multiples; the frames are scaled up to the next one. H.264 holds even
               sizes alone
    sound      float (full scale +-1) or int16, [frames], [frames, channels] or [channels, frames]; labelled where the
               plan says so (`soundtrack`), as `label_sound` does it, and passed as it is else
    sound_rate Hz

    Raises LabelkitError: InvalidArgument, HostTooSmall, UnsupportedFormat without PyAV, OutputFailed. The target is
    then as it was.
    """
    plan = Plan() if plan is None else plan
    check_types(plan=(plan, Plan), label=(label, Label))
    name = os.fspath(target)
    if Path(name).suffix.lower() not in (".mp4", ".m4v"):
        raise InvalidArgument("a film is written as .mp4, got {got}", got=repr(name))
    check_range("fps", float(fps) if isinstance(fps, numbers.Real) else fps, 0.01, _LARGEST_RATE)
    check_range("crf", crf, 0, 51)
    pyav(name, "mp4")
    with Transaction(target) as new:
        stage = new.stage("film.mp4")
        rows, drawn = label_sound(_rows(sound, sound_rate), sound_rate or 0, label, plan, key)
        _encode(stage, frames, label, plan, key, Fraction(fps).limit_denominator(_LARGEST_RATE),
                {"crf": str(crf)} if bitrate is None else {"b": str(bitrate)}, max(2, multiple + multiple % 2),
                rows, sound_rate or 0)
        file_layers = dataclasses.replace(plan, explicit=None, watermark=None)
        if plan.metadata or plan.provenance:
            stage = pipeline.embed(stage, new.stage("labelled.mp4"), label, plan=file_layers)
        if plan.watermark and plan.watermark.required:
            confirm_watermark(stage, label, key, name)
        if rows is not None:
            _confirm_sound(stage, label, plan, key, drawn, name)
        new.commit(stage)
    return Path(name)


def _encode(stage: Path, frames: Iterable[Any], label: Label, plan: Plan, key: Key | None, rate: Fraction,
            options: dict[str, str], multiple: int, sound: npt.NDArray[np.float32] | None, sound_rate: int) -> None:
    import av

    arrays = (_pixels(frame) for frame in frames)
    first = next(arrays, None)
    if first is None:
        raise InvalidArgument("a film of at least one frame is wanted")
    height, width = (-(-side // multiple) * multiple for side in first.shape[:2])
    labeller = frame_labeller(label, width, height, float(rate), plan, key) if plan.has_signal_layer else None
    with av.open(str(stage), "w", container_options={"movflags": "faststart"}) as out:
        stream = out.add_stream("libx264", rate=rate, options={
            **options, **(GRAINED["libx264"] if plan.watermark else {}),
            "x264-params": "colorprim=bt709:transfer=bt709:colormatrix=bt709"})
        stream.width, stream.height, stream.pix_fmt = width, height, "yuv420p"
        stream.thread_type = "AUTO"  # else x264 cuts frames into slices, which takes more bytes
        track = _sound_track(out, sound, sound_rate)
        for frame in _frames([first], arrays, width, height):
            if labeller:
                labeller(planes(frame, FrameFormat(width, height), "the film"))
            out.mux(stream.encode(frame))
        out.mux(stream.encode(None))
        if track is not None and sound is not None:
            _mux_sound(out, track, sound, sound_rate)


def _frames(first: list[npt.NDArray[np.uint8]], others: Iterator[npt.NDArray[np.uint8]], width: int,
            height: int) -> Iterator[av.VideoFrame]:
    import av

    size = first[0].shape
    for source in (first, others):
        for pixels in source:
            if pixels.shape != size:
                raise InvalidArgument("frames of one size are wanted, got {size} and {other}", size=list(size),
                                      other=list(pixels.shape))
            made = av.VideoFrame.from_ndarray(pixels, format="rgb24")
            yield made.reformat(width, height, "yuv420p", dst_colorspace="ITU709")


def _pixels(frame: Any) -> npt.NDArray[np.uint8]:
    """uint8 [height, width, 3] RGB of a frame in any form."""
    held = np.asarray(frame.convert("RGB")) if hasattr(frame, "getbands") else tensors.taken(frame, None)[0]
    if not isinstance(held, np.ndarray) or held.ndim != 3 or held.shape[2] != 3:
        raise InvalidArgument("a frame is RGB [height, width, 3], got {got}",
                              got=str(list(getattr(held, "shape", []))) or type(frame).__name__)
    if held.dtype.kind == "f":
        if not (held.min() >= 0 and held.max() <= 1):  # written so that NaN fails too
            raise InvalidArgument("a frame of floats holds values from 0 to 1, got {low} to {high}",
                                  low=held.min(), high=held.max(), hint="of frames from -1 to 1 give (frame + 1) / 2")
        held = np.rint(held.astype(np.float32) * 255)
    elif held.dtype != np.uint8:
        raise InvalidArgument("a frame holds uint8, or floats from 0 to 1, got {got}", got=held.dtype.name)
    return np.ascontiguousarray(held, np.uint8)


def _rows(sound: Any, rate: int | None) -> npt.NDArray[np.float32] | None:
    """float32 [channels, frames], full scale +-1."""
    if sound is None:
        return None
    if rate not in _SAMPLE_RATES:
        raise InvalidArgument("sound in a film has a rate of {rates} Hz, got {got}", got=repr(rate),
                              rates=", ".join(map(str, _SAMPLE_RATES)))
    held = tensors.taken(sound, rate)[0]
    if not isinstance(held, np.ndarray) or held.ndim not in (1, 2) or not held.size or not (
            held.dtype.kind == "f" or held.dtype == np.int16):
        got = f"{held.dtype} {list(held.shape)}" if isinstance(held, np.ndarray) else type(sound).__name__
        raise InvalidArgument("sound is float or int16, [frames] or [frames, channels], got {got}", got=got)
    scaled = held.astype(np.float32) / np.float32(32768 if held.dtype.kind == "i" else 1)
    rows = np.ascontiguousarray(scaled.reshape(len(scaled), -1).T)
    if len(rows) > 2 or not np.isfinite(rows).all():
        raise InvalidArgument("sound of one or two channels of numbers is wanted, got {got}", got=list(rows.shape))
    return np.clip(rows, -1, 1)


def label_sound(rows: npt.NDArray[np.float32] | None, rate: int, label: Label, plan: Plan, key: Key | None
                ) -> tuple[npt.NDArray[np.float32] | None, DrawnSound | None]:
    """The sound of a film with what the plan puts into its sound track, as long as it was, and where the label stands.

    rows  float32 [channels, frames], full scale +-1; None is a silent film
    Raises HostTooSmall for sound that is shorter than the label, and what `explicit` raises.
    """
    if rows is None:
        return None, None
    made, drawn = rows.T, None
    if plan.explicit and plan.explicit.soundtrack:
        made, drawn = soundtrack.draw_whole(made, rate, plan.explicit)
    if plan.watermark and plan.watermark.soundtrack:
        marker = AudioMarker(rate, len(rows), payload_of(label, plan), key, strength=plan.watermark.strength,
                             robustness=plan.watermark.robustness)
        made = np.concatenate([marker.push(np.ascontiguousarray(made)), marker.finish()])
    return np.clip(np.ascontiguousarray(made.T, np.float32), -1, 1), drawn


def _confirm_sound(made: Path, label: Label, plan: Plan, key: Key | None, drawn: DrawnSound | None, name: str) -> None:
    """Raise OutputFailed where what was put into the sound track is not found in the film."""
    with opened(made) as reader:
        samples = decode(reader)
        assert isinstance(samples, VideoSamples)
        if plan.explicit and drawn:
            soundtrack.confirm(samples, plan.explicit, drawn)
        if plan.watermark and plan.watermark.soundtrack and plan.watermark.required:
            found = detect_soundtrack(samples, key)
            if found is None or found.payload != payload_of(label, plan):
                raise OutputFailed("{where}: the watermark does not read back from the sound track, which is too short "
                                   "or too quiet", where=name,
                                   hint="raise the strength, or leave the sound track out of it")


def _sound_track(out: OutputContainer, sound: npt.NDArray[np.float32] | None, rate: int) -> AudioStream | None:
    if sound is None:
        return None
    return out.add_stream("aac", rate=rate, layout="mono" if len(sound) == 1 else "stereo")


def _mux_sound(out: OutputContainer, track: AudioStream, sound: npt.NDArray[np.float32], rate: int) -> None:
    import av

    for start in range(0, sound.shape[1], rate):
        part = np.ascontiguousarray(sound[:, start:start + rate])
        frame = av.AudioFrame.from_ndarray(part, format="fltp", layout="mono" if len(sound) == 1 else "stereo")
        frame.sample_rate, frame.pts, frame.time_base = rate, start, Fraction(1, rate)
        out.mux(track.encode(frame))
    out.mux(track.encode(None))


def confirm_watermark(made: Path | bytes, label: Label, key: Key | None, name: str) -> None:
    """Raise OutputFailed where the watermark does not read back from an encoded file."""
    found = pipeline.verify(made, key=key, layers=[Layer.WATERMARK], effort="fast")[Layer.WATERMARK]
    if found.payload != Payload.of(label):
        raise OutputFailed("{where}: the watermark does not read back from what was encoded", where=name,
                           hint="encode at a higher quality, or raise the strength of the watermark")
