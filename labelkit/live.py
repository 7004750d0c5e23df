# SPDX-License-Identifier: Apache-2.0
"""Frames of a stream that is made while it is shown: labelled one by one, in the order of `labelkit.pipeline`."""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator

import numpy as np

from labelkit.codec.frame import Frame
from labelkit.errors import InvalidArgument, check_types
from labelkit.explicit import image, video as explicit_video
from labelkit.key import Key
from labelkit.label import Label
from labelkit.plan import Plan
from labelkit.watermark import video as watermark_video
from labelkit.watermark.image import check_array
from labelkit.watermark.payload import Payload


class Labeler:
    """Labels the frames of one stream as they come: frame in, labelled frame out, nothing held back.

        labeler = Labeler(label, width=1280, height=720, rate=30)
        for frame in renderer:
            send(labeler(frame))

    label          what is said about the content
    width, height  of the first frames in pixels; a stream may change its size as it goes
    rate           frames a second, where `seconds` are not given with each
    plan           the signal layers of it are used; metadata and provenance belong to what stores the stream
    Sound has `labelkit.watermark.audio.AudioMarker`. Raises HostTooSmall, InvalidArgument, InvalidLabel.
    """

    def __init__(self, label: Label, width: int, height: int, *, rate: float = 25.0, plan: Plan | None = None,
                 key: Key | None = None) -> None:
        if not isinstance(label, Label) or not isinstance(rate, int | float) or not rate > 0:
            raise InvalidArgument("a Label and a positive rate are wanted, got {label} and {rate}",
                                  label=type(label).__name__, rate=repr(rate))
        plan = Plan() if plan is None else plan
        check_types(plan=(plan, Plan))
        self._rate, self._count, self._explicit = float(rate), 0, plan.explicit
        self._begin: float | None = None
        self._drawing = explicit_video.Drawing(plan.explicit) if plan.explicit else None
        self._watermark, self._payload, self._key = plan.watermark, Payload.of(label), Key.of(key)
        self._marker = self._marker_of(width, height) if plan.watermark else None

    def __call__(self, frame: np.ndarray | Frame, seconds: float | None = None) -> np.ndarray | Frame:
        """The labelled frame.

        frame    uint8 [height, width, 3] RGB, which is not changed, or a Frame of planes, which is changed in place;
                 the planes may be views with any steps, such as those of NV12
        seconds  its time, from whatever moment the stream counts; by default the frames are counted. The label is shown
                 for as long as the plan says after the time of the first frame, however many frames come

        Raises HostTooSmall for a size that cannot carry the watermark, InvalidArgument.
        """
        time = self._time(seconds)
        if isinstance(frame, Frame):
            frame.seconds = time
            return self._in_planes(frame)
        if self._drawing and explicit_video.shown(self._explicit.showing, time, None) > 0:
            frame, _ = image.draw(frame, self._explicit, look=image.STEADY)
        if not self._watermark:
            return frame
        check_array(frame)
        return self._fitting(*frame.shape[1::-1]).marked(frame)

    def frames(self, frames: Iterable[np.ndarray | Frame]) -> Iterator[np.ndarray | Frame]:
        """Every frame labelled, as it comes."""
        return map(self, frames)

    def _in_planes(self, frame: Frame) -> Frame:
        if self._drawing:
            self._drawing.draw(frame)
        if self._watermark:
            self._fitting(*(frame.form.active or (0, 0, frame.form.width, frame.form.height))[2:]).mark(frame)
        return frame

    def _time(self, seconds: float | None) -> float:
        """Seconds since the first frame."""
        now = self._count / self._rate if seconds is None else seconds
        if isinstance(now, bool) or not isinstance(now, int | float) or not math.isfinite(now):
            raise InvalidArgument("seconds are a number, got {got}", got=repr(seconds))
        self._count += 1
        self._begin = now if self._begin is None else self._begin
        return now - self._begin

    def _fitting(self, width: int, height: int) -> watermark_video.Marker:
        """The marker for frames of a size: a stream changes it when its line gets better or worse."""
        if self._marker.size != (height, width):
            self._marker = self._marker_of(width, height)
        return self._marker

    def _marker_of(self, width: int, height: int) -> watermark_video.Marker:
        return watermark_video.Marker(width, height, self._payload, self._key, self._watermark.strength)
