# SPDX-License-Identifier: Apache-2.0
"""A live film labelled as it is made, as fragmented MP4 that carries the metadata from its first byte on."""

from __future__ import annotations

from fractions import Fraction
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

from labelkit import metadata
from labelkit.codec.backends import pyav
from labelkit.codec.encoders import GRAINED
from labelkit.codec.frame import FrameFormat
from labelkit.codec.video import planes, translated
from labelkit.errors import InvalidArgument, check_types
from labelkit.key import Key
from labelkit.label import Label
from labelkit.plan import Plan, check_range
from labelkit.streaming import Labeller

if TYPE_CHECKING:
    from av.container import OutputContainer
    from av.video.stream import VideoStream

_CLOCK = 90_000  # Hz, of the times in the file
_NAME = "live film"
_I_FRAME = 1  # libavutil's AV_PICTURE_TYPE_I


class LiveFilm:
    """Labels frames as they come and encodes them in H.264: frame in, finished bytes of fragmented MP4 out.

        film = LiveFilm(label, width=1280, height=720, rate=30)
        send(film.initialisation)
        for frame in renderer:
            send(film(frame))
        send(film.finish())

    label           what is said about the content; the initialisation segment carries it
    width, height   of all frames, in pixels, even
    rate            frames a second, where `seconds` are not given with each
    plan            its explicit label, watermark and metadata are used; its quality is x264's, "veryfast" by default
    key             of the watermark; None is the public key
    fragment_s      seconds of a fragment, each of which begins at a key frame and is played and verified behind
                    `initialisation` alone, 0.2 to 60
    initialisation  bytes that go before all others

    Fragments are what HLS and DASH call segments of CMAF; there is no sound. Nothing is looked ahead at, so that the
    bytes of a fragment are there when the next one begins. Raises InvalidArgument, HostTooSmall, UnsupportedFormat
    without PyAV.
    """

    def __init__(self, label: Label, width: int, height: int, *, rate: float = 25.0, plan: Plan | None = None,
                 key: Key | None = None, fragment_s: float = 2.0) -> None:
        plan = Plan() if plan is None else plan
        check_types(label=(label, Label), plan=(plan, Plan))
        check_range("fragment_s", fragment_s, 0.2, 60)
        if plan.provenance:
            raise InvalidArgument("a film that is not finished cannot be signed",
                                  hint="leave provenance out of the plan, and sign the recording")
        if width % 2 or height % 2:
            raise InvalidArgument("frames of even width and height are wanted, got {width}x{height}", width=width,
                                  height=height)
        self._labeller = Labeller(label, width, height, rate=rate, plan=plan, key=key)
        self._format, self._rate, self._fragment = FrameFormat(width, height, halved=(1, 1)), rate, fragment_s
        self._count, self._begun = 0, -1
        self._start: float | None = None
        self._out = _Bytes()
        self._file: OutputContainer | None = pyav(_NAME, "mp4").open(self._out, "w", format="mp4", container_options={
            "movflags": "empty_moov+default_base_moof+frag_keyframe+skip_trailer"})
        self._stream = self._added(self._file, plan)
        self._file.start_encoding()
        head = self._out.taken()
        self.initialisation = metadata.write(head, label) if plan.metadata else head

    def _added(self, file: OutputContainer, plan: Plan) -> VideoStream:
        quality = plan.quality
        stream = file.add_stream("libx264", rate=Fraction(self._rate).limit_denominator(1001))
        stream.width, stream.height, stream.pix_fmt = self._format.width, self._format.height, "yuv420p"
        stream.time_base = stream.codec_context.time_base = Fraction(1, _CLOCK)
        stream.codec_context.options = {
            "crf": str(18 if quality.crf is None else quality.crf), "preset": quality.preset or "veryfast",
            **(GRAINED["libx264"] if plan.watermark else {}),
            "tune": "zerolatency", "g": str(1 << 30), "keyint_min": str(1 << 20),
            "x264-params": "colorprim=bt709:transfer=bt709:colormatrix=bt709"}
        return stream

    def __call__(self, frame: npt.NDArray[np.uint8], seconds: float | None = None) -> bytes:
        """The bytes that are finished, perhaps none.

        frame    uint8 [height, width, 3] RGB, which is not changed
        seconds  its time on any clock, later than the one before; by default frames are counted
        Raises InvalidArgument for another frame or time, and where the film is finished.
        """
        import av

        height, width = self._format.height, self._format.width
        if self._file is None or not isinstance(frame, np.ndarray) or frame.dtype != np.uint8 \
                or frame.shape != (height, width, 3):
            raise InvalidArgument("an open film and a uint8 array {wanted} are wanted, got {got}",
                                  wanted=str([height, width, 3]), got=str(list(getattr(frame, "shape", []))))
        now = self._count / self._rate if seconds is None else seconds
        self._start = now if self._start is None else self._start
        with translated(_NAME):
            made = av.VideoFrame.from_ndarray(np.ascontiguousarray(frame), "rgb24").reformat(
                format="yuv420p", dst_colorspace="ITU709")
            view = planes(made, self._format, _NAME, index=self._count)
            group = int((now - self._start) / self._fragment + 1e-6)
            view.key, self._begun = group != self._begun, group
            self._labeller(view, now)
            made.pts, made.time_base = round((now - self._start) * _CLOCK), Fraction(1, _CLOCK)
            made.pict_type = _I_FRAME if view.key else 0
            self._count += 1
            self._file.mux(self._stream.encode(made))
        return self._out.taken()

    def finish(self) -> bytes:
        """The rest; the film takes no more frames."""
        file, self._file = self._file, None
        if file is not None:
            with translated(_NAME):
                file.mux(self._stream.encode(None))
                file.close()
        return self._out.taken()


class _Bytes:
    """What a muxer has written since it was asked last."""

    def __init__(self) -> None:
        self._held = bytearray()

    def write(self, data: bytes) -> int:
        self._held += data
        return len(data)

    def taken(self) -> bytes:
        held, self._held = bytes(self._held), bytearray()
        return held
