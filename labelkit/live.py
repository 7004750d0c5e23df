# SPDX-License-Identifier: Apache-2.0
"""Frames of a stream that is made while it is shown: labelled one by one, in the order of `labelkit.pipeline`."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

import numpy as np

from labelkit.codec.frame import Frame
from labelkit.errors import InvalidArgument
from labelkit.explicit import image, video as explicit_video
from labelkit.key import Key
from labelkit.label import Label
from labelkit.plan import Plan
from labelkit.watermark import video as watermark_video
from labelkit.watermark.payload import Payload


class Labeler:
    """Labels the frames of one stream as they come: frame in, labelled frame out, nothing held back.

        labeler = Labeler(label, width=1280, height=720, rate=30)
        for frame in renderer:
            send(labeler(frame))

    label          what is said about the content
    width, height  of the frames in pixels
    rate           frames a second, where `seconds` are not given with each
    plan           the signal layers of it are used; metadata and provenance belong to what stores the stream
    Raises HostTooSmall, InvalidArgument, InvalidLabel.
    """

    def __init__(self, label: Label, width: int, height: int, *, rate: float = 25.0, plan: Plan | None = None,
                 key: Key | None = None) -> None:
        if not isinstance(label, Label) or not isinstance(rate, int | float) or not rate > 0:
            raise InvalidArgument("a Label and a positive rate are wanted, got {label} and {rate}",
                                  label=type(label).__name__, rate=repr(rate))
        plan = plan or Plan()
        self._rate, self._count, self._explicit = float(rate), 0, plan.explicit
        self._drawing = explicit_video.Drawing(plan.explicit) if plan.explicit else None
        self._marker = watermark_video.Marker(width, height, Payload.of(label), key,
                                              plan.watermark.strength) if plan.watermark else None

    def __call__(self, frame: np.ndarray | Frame, seconds: float | None = None) -> np.ndarray | Frame:
        """The labelled frame.

        frame    uint8 [height, width, 3] RGB, which is not changed, or a Frame of planes, which is changed in place
        seconds  its time in the stream; by default the frames are counted
        """
        time = self._count / self._rate if seconds is None else float(seconds)
        self._count += 1
        if isinstance(frame, Frame):
            frame.seconds = time
            return self._in_planes(frame)
        if self._drawing and explicit_video.shown(self._explicit.showing, time, None) > 0:
            frame, _ = image.draw(frame, self._explicit, look=image.STEADY)
        return self._marker.marked(frame) if self._marker else frame

    def frames(self, frames: Iterable[np.ndarray | Frame]) -> Iterator[np.ndarray | Frame]:
        """Every frame labelled, as it comes."""
        return map(self, frames)

    def _in_planes(self, frame: Frame) -> Frame:
        if self._drawing:
            self._drawing.draw(frame)
        if self._marker:
            self._marker.mark(frame)
        return frame
