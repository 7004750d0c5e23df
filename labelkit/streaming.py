# SPDX-License-Identifier: Apache-2.0
"""Label a stream while it is produced, in the order of `labelkit.pipeline`: frame by frame, or chunk by chunk of sound.
"""

from __future__ import annotations

import math
import warnings
from collections.abc import Iterable, Iterator
from typing import TypeVar, cast, overload

import numpy as np
import numpy.typing as npt

from labelkit.codec.frame import Frame
from labelkit.errors import InvalidArgument, check_types
from labelkit.explicit.audio import drawing as explicit_audio, loudness
from labelkit.explicit.image import drawing as image
from labelkit.explicit.video import drawing as explicit_video
from labelkit.key import Key
from labelkit.label import Label
from labelkit.payload import Payload
from labelkit.plan import Explicit, Plan, Watermark
from labelkit.watermark.audio import AudioMarker
from labelkit.watermark.audio.inputs import Samples, channels_of, check_channels, check_rate
from labelkit.watermark.carriers import payload_of
from labelkit.watermark.image.pixels import check_array
from labelkit.watermark.video.marker import Marker

FrameT = TypeVar("FrameT", npt.NDArray[np.uint8], Frame)


class Labeller:
    """Labels the frames of one stream as they come: frame in, labelled frame out, nothing buffered.

        labeller = Labeller(label, width=1280, height=720, rate=30)
        for frame in renderer:
            send(labeller(frame))

    label          what is said about the content
    width, height  of the first frames in pixels; a stream may change its size as it goes
    rate           frames a second, where `seconds` are not given with each
    plan           its signal layers are used; metadata and provenance are for what stores the stream
    key            of the watermark; None is the public key
    Sound has `SoundLabeller`. Raises HostTooSmall, InvalidArgument, InvalidLabel.
    """

    def __init__(self, label: Label, width: int, height: int, *, rate: float = 25.0, plan: Plan | None = None,
                 key: Key | None = None) -> None:
        if not isinstance(label, Label) or not isinstance(rate, int | float) or not rate > 0:
            raise InvalidArgument("label must be a Label and rate a positive number, got {label} and {rate}",
                                  label=type(label).__name__, rate=repr(rate))
        plan = Plan() if plan is None else plan
        check_types(plan=(plan, Plan))
        self._rate, self._count, self._explicit = float(rate), 0, plan.explicit
        self._start: float | None = None
        self._drawing = explicit_video.Drawing(plan.explicit) if plan.explicit else None
        self._watermark, self._payload, self._key = plan.watermark, Payload.of(label), Key.of(key)
        self._marker = self._new_marker(plan.watermark, width, height) if plan.watermark else None

    @overload
    def __call__(self, frame: Frame, seconds: float | None = None) -> Frame: ...
    @overload
    def __call__(self, frame: npt.NDArray[np.uint8], seconds: float | None = None) -> npt.NDArray[np.uint8]: ...
    def __call__(self, frame: Frame | npt.NDArray[np.uint8],
                 seconds: float | None = None) -> Frame | npt.NDArray[np.uint8]:
        """The labelled frame.

        frame    uint8 [height, width, 3] RGB, which is not changed, or a Frame of planes, which is changed in place;
                 the planes may be views with any steps, such as those of NV12
        seconds  its time on any clock; by default frames are counted. The label is shown for as long as the plan says
                 after the time of the first frame, however many frames come

        Raises HostTooSmall for a size that cannot carry the watermark, InvalidArgument.
        """
        time = self._elapsed(seconds)
        if isinstance(frame, Frame):
            frame.seconds = time
            return self._in_planes(frame)
        if self._explicit and explicit_video.shown(self._explicit.showing, time, None) > 0:
            drawn, _ = image.draw(frame, self._explicit, treatment=image.OPAQUE_PLATE)
            frame = cast("npt.NDArray[np.uint8]", drawn)  # of the dtype that came
        if not self._watermark:
            return frame
        check_array(frame)
        return self._marker_for(self._watermark, frame.shape[1], frame.shape[0]).marked(frame)

    def frames(self, frames: Iterable[FrameT]) -> Iterator[FrameT]:
        """Every frame labelled, as it comes."""
        return (self(frame) for frame in frames)

    def _in_planes(self, frame: Frame) -> Frame:
        if self._drawing:
            self._drawing.draw(frame)
        if self._watermark:
            _, _, width, height = frame.format.active or (0, 0, frame.format.width, frame.format.height)
            self._marker_for(self._watermark, width, height).mark(frame)
        return frame

    def _elapsed(self, seconds: float | None) -> float:
        """Seconds since the first frame."""
        now = self._count / self._rate if seconds is None else seconds
        if isinstance(now, bool) or not isinstance(now, int | float) or not math.isfinite(now):
            raise InvalidArgument("seconds are a number, got {got}", got=repr(seconds))
        self._count += 1
        self._start = now if self._start is None else self._start
        return now - self._start

    def _marker_for(self, watermark: Watermark, width: int, height: int) -> Marker:
        """The marker for frames of a size, which a stream changes when its bandwidth does."""
        if self._marker is None or self._marker.size != (height, width):
            self._marker = self._new_marker(watermark, width, height)
        return self._marker

    def _new_marker(self, watermark: Watermark, width: int, height: int) -> Marker:
        return Marker(width, height, self._payload, self._key, watermark.strength, watermark.robustness)


class SoundLabeller:
    """Labels one stream of sound as it comes, chunk in, labelled samples out: the audible label first, all marked.

        labeller = SoundLabeller(label, rate=24_000)
        for chunk in voice:
            send(labeller(chunk))
        send(labeller.finish())

    label      what is said about the content
    rate       Hz, 8,000 to 192,000
    channels   of the chunks
    plan       its signal layers are used; the audible label is put before the sound, after it, or both, at the level
               that suits a programme of unknown loudness
    key        of the watermark; None is the public key
    latency_s  by how much the output lags behind the chunks, at most 80 ms; the label at the start needs no chunk

    A stream is marked whether it can carry its payload or not, as `is_readable` tells, and one without sound gets no
    label. Raises InvalidArgument, also for a plan with a label in the middle or repeated, UnsupportedFormat or
    InvalidLabel for a recording.
    """

    def __init__(self, label: Label, rate: int, channels: int = 1, *, plan: Plan | None = None,
                 key: Key | None = None) -> None:
        plan = Plan() if plan is None else plan
        check_types(label=(label, Label), plan=(plan, Plan))
        if plan.explicit and (plan.explicit.place == "middle" or plan.explicit.repeat_s):
            raise InvalidArgument("a stream has no middle that is known while it comes",
                                  hint="put the label at the start, the end or both")
        self._rate, self._channels = check_rate(rate), check_channels(channels)
        self._explicit, key = plan.explicit, Key.of(key)
        self._marker = AudioMarker(rate, channels, payload_of(label, plan), key,
                                   strength=plan.watermark.strength) if plan.watermark else None
        self.latency_s = self._marker.latency_s if self._marker else 0.0
        self._like: Samples | None = None  # an empty chunk as those that come, None before the first
        self._is_over = False

    def __call__(self, chunk: Samples) -> Samples:
        """The samples that are ready, of the dtype and axes of the chunk; the label with the first, be it empty.

        chunk  float32 (full scale +-1) or int16, [frames] or [frames, channels]; all chunks of a stream alike
        """
        if self._is_over or channels_of(chunk) != self._channels:
            raise InvalidArgument("an open stream and a chunk of {wanted} channels are wanted, got {got}",
                                  wanted=self._channels, got=channels_of(chunk))
        if self._like is not None:
            return self._marked(chunk)
        self._like = chunk[:0].copy()
        return np.concatenate([*self._said("start"), self._marked(chunk)])

    def finish(self) -> Samples:
        """The rest, with the label where it belongs there; the labeller cannot be used again."""
        self._is_over = True
        if self._like is None:
            return np.empty((0, self._channels), np.float32)
        rest: Samples = np.concatenate([*self._said("end"), self._marker.finish() if self._marker else self._like])
        return rest

    def is_readable(self) -> bool:
        """Whether the watermark is read back from what was returned last; False without one."""
        return self._marker is not None and self._marker.is_readable()

    def _said(self, place: str) -> list[Samples]:
        """The label at one end of the stream, as far as it is ready."""
        if self._explicit is None or self._explicit.place not in (place, "both") or self._like is None:
            return []
        return [self._marked(_as_samples(_spoken(self._explicit, self._rate, self._channels, place), self._like))]

    def _marked(self, chunk: Samples) -> Samples:
        return self._marker.push(chunk) if self._marker else chunk.copy()


def _spoken(explicit: Explicit, rate: int, channels: int, place: str) -> npt.NDArray[np.float32]:
    """float32 [frames, channels]: the audible label with its margins; silent on a channel of low-frequency effects."""
    label = explicit_audio.render_label(explicit, rate, np.empty((0, channels), np.float32))
    part = explicit_audio.with_margins(label, rate, at_start=place == "start")
    return np.asarray(part[:, None] * (loudness.channel_weights(channels) > 0), np.float32)


def _as_samples(rows: npt.NDArray[np.float32], like: Samples) -> Samples:
    """float32 [frames, channels] with the dtype and axes of `like`."""
    made: npt.NDArray[np.float32] = rows if like.ndim == 2 else rows[:, 0]
    return made if like.dtype != np.int16 else np.clip(np.rint(made * 32768), -32768, 32767).astype(np.int16)


def __getattr__(name: str) -> type[Labeller]:
    if name == "Labeler":
        warnings.warn("labelkit.Labeler is now labelkit.Labeller", DeprecationWarning, stacklevel=2)
        return Labeller
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
