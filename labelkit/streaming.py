# SPDX-License-Identifier: Apache-2.0
"""Label the frames of a stream one by one, while it is produced, in the order of `labelkit.pipeline`."""

from __future__ import annotations

import math
import warnings
from collections.abc import Iterable, Iterator
from typing import TypeVar, cast, overload

import numpy as np
import numpy.typing as npt

from labelkit.codec.frame import Frame
from labelkit.errors import InvalidArgument, check_types
from labelkit.explicit.image import drawing as image
from labelkit.explicit.video import drawing as explicit_video
from labelkit.key import Key
from labelkit.label import Label
from labelkit.payload import Payload
from labelkit.plan import Plan, Watermark
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
    Sound has `labelkit.watermark.audio.AudioMarker`. Raises HostTooSmall, InvalidArgument, InvalidLabel.
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


def __getattr__(name: str) -> type[Labeller]:
    if name == "Labeler":
        warnings.warn("labelkit.Labeler is now labelkit.Labeller", DeprecationWarning, stacklevel=2)
        return Labeller
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
