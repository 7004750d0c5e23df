# SPDX-License-Identifier: Apache-2.0
"""The main pictures of a film that is written: decoded, changed and encoded, one frame at a time."""

from __future__ import annotations

import functools
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from fractions import Fraction
from typing import TYPE_CHECKING, cast

from labelkit.codec import encoders, hdr
from labelkit.codec.backends import time_base
from labelkit.codec.frame import Orientation
from labelkit.codec.packets import video_frames
from labelkit.codec.samples import VideoSamples
from labelkit.codec.tracks import Track, describe
from labelkit.codec.video import Film, planes, start_of
from labelkit.errors import UnsupportedFormat
from labelkit.messages import Message
from labelkit.plan import Quality

if TYPE_CHECKING:
    import av
    from av import Packet
    from av.container import InputContainer, OutputContainer
    from av.stream import Stream
    from av.video.stream import VideoStream

_UNTURNED = ("avi", "flv")  # FFmpeg's names of formats without a place for a display matrix
_MPEG4_LARGEST = 65_535  # of the denominator of a time base (ISO/IEC 14496-2, 6.3.3)
_FRAME_DURATION = 1 << 7  # AV_CODEC_FLAG_FRAME_DURATION: the last frame keeps its length; not for SVT-AV1
_LONGEST_S = 24 * 3600  # of the last frame; more is a broken file
_I_FRAME = 1  # libavutil's AV_PICTURE_TYPE_I
_INTERLACED = 1 << 18 | 1 << 29  # AV_CODEC_FLAG_INTERLACED_DCT and _ME


@dataclass(slots=True)
class Progress:
    """How far a film is: frames written, seconds of it, its length if known, the times of frames that were broken, and
    what of the file was left out or copied without a label.

    A broken frame is left out or shown as the decoder repaired it, as ffmpeg does; the film goes on.
    """

    frames: int = 0
    seconds: float = 0.0
    total_seconds: float | None = None
    damaged: list[float] = field(default_factory=list)
    left_out: list[Message] = field(default_factory=list)


@dataclass(slots=True)
class Run:
    """What one transcode works with."""

    samples: VideoSamples
    film: Film  # what the samples came from
    source: InputContainer
    main: VideoStream
    out: OutputContainer
    quality: Quality
    progress: Progress
    report: Callable[[Progress], None] | None
    threads: int | None = None  # of the encoder; by default as many as there are cores

    def chosen_threads(self, options: dict[str, str]) -> dict[str, str]:
        """The options of an encoder, with these threads where it takes any."""
        return {**options, "threads": str(self.threads)} if self.threads and "threads" in options else options


class EncodedTrack(Track):
    """A stream of pictures: decoded, changed, encoded."""

    def __init__(self, run: Run, source: VideoStream) -> None:
        self.run, self.source = run, source
        self.film = run.film
        self.start = start_of(source)
        self.last_pts: int | None = None
        self.count = 0
        self.order = self.film.new_order()
        self.decoder = self.film.transparent(source)
        self.awaited: set[int] = set()  # times of packets whose frames have not come
        self.held: tuple[av.VideoFrame, int, int] | None = None  # the frame before, its time and its stated duration
        self.durations: dict[int, int] = {}  # of frames that are being encoded, by their times
        self.time_base = time_base(source)
        self.stream: VideoStream = self._added()

    def _added(self) -> VideoStream:
        """The encoder, set up before the file's head is written; what only a frame tells comes from the first."""
        first = self.film.first
        form = first.format.name.replace("yuv", "yuva") if self.decoder else first.format.name
        if self.source.codec_context.name == "prores":
            form = form.replace("p12", "p10")  # what ProRes 4444 is decoded to, and encoded from
        encoder = encoders.chosen(self.source, first, form, self.run.quality, side_data=self.film.side_data,
                                  out=self.run.out, where=self.film.name, grained=self.run.samples.grained,
                                  delay=self.film.structure.delay() if self.film.is_segment else None)
        name = encoder.name
        self.run.progress.left_out += encoder.left_out
        rate = self.source.average_rate or self.source.guessed_rate or 25
        stream = cast("VideoStream", self.run.out.add_stream(name, rate=rate))
        context = stream.codec_context
        context.width, context.height, context.pix_fmt = first.width, first.height, form
        context.time_base = stream.time_base = self.time_base
        if name == "mpeg2video" or name == "mpeg4" and context.time_base.denominator > _MPEG4_LARGEST:
            context.time_base = 1 / Fraction(stream.average_rate or 25)  # they tell times in frames
        context.sample_aspect_ratio = self.source.sample_aspect_ratio or Fraction(0)
        context.color_range, context.colorspace = first.color_range, first.colorspace
        context.color_primaries, context.color_trc = first.color_primaries, first.color_trc
        context.options = self.run.chosen_threads(encoder.options)
        context.thread_type = "AUTO"  # frames beside one another; by default PyAV has each cut into slices, more bytes
        context.flags |= _FRAME_DURATION if name != "libsvtav1" else 0
        context.flags |= _INTERLACED if first.interlaced_frame else 0
        if self.run.out.format.name in ("mp4", "mov") and encoder.family == "hevc":
            context.codec_tag = "hvc1"
        matrix = hdr.display_matrix(first)
        if matrix and self.run.out.format.name in _UNTURNED and Orientation.of_matrix(matrix) != Orientation():
            raise UnsupportedFormat("{where}: its frames say how they are turned, which this format cannot say anew",
                                    where=self.film.name, other="MP4",
                                    hint="convert it to {other}, or leave the signal layers out of the plan")
        if matrix:
            stream.set_display_matrix(matrix)
        describe(stream, self.source)
        return stream

    def writes(self, packet: Packet[Stream]) -> Iterator[Callable[[], None]]:
        """The frames, with the changes."""
        time = packet.dts if self.order is not None else packet.pts
        if packet.size and time is not None and not packet.is_discard:
            self.awaited.add(time)
        for frame in video_frames(cast("Packet[VideoStream]", packet), self.order, self.decoder):
            time = self._time_of(frame)
            if time is None:
                continue
            last, duration = self.held, int(frame.duration or 0)
            self.held = self._changed(frame, time), time, duration
            if last is not None:  # only now is it known how long it is shown: containers tell that of stored order
                yield functools.partial(self._write, last[0], last[1], time - last[1])

    def _time_of(self, frame: av.VideoFrame) -> int | None:
        """The time that a frame is shown at, the next for one that tells none; None for the second of two at one."""
        if frame.pts is None:
            frame.pts = 0 if self.last_pts is None else self.last_pts + max(1, frame.duration or 1)
        time = frame.pts
        self.awaited.discard(time)
        self._note([other for other in self.awaited if other < time])  # frames come in the order of their times
        if self.last_pts is not None and time <= self.last_pts:
            return None
        self.last_pts = time
        if frame.is_corrupt:
            self._note([time])
        return time

    def _note(self, times: Iterable[int]) -> None:
        for time in sorted(times):
            self.awaited.discard(time)
            self.run.progress.damaged.append(round(self._seconds(time), 3))

    def _seconds(self, time: int) -> float:
        """Seconds since the first frame."""
        return float(time * self.time_base - self.start)

    def _write(self, frame: av.VideoFrame, time: int, duration: int) -> None:
        self.durations[time] = duration
        self._mux(self.stream.encode(frame))
        progress = self.run.progress
        progress.frames += 1
        progress.seconds = self._seconds(time)
        if self.run.report:
            self.run.report(progress)

    def _mux(self, packets: Iterable[Packet[VideoStream]]) -> None:
        for packet in packets:
            duration = self.durations.pop(packet.pts, 0) if packet.pts is not None else 0
            if duration and self.stream.codec_context.time_base == self.time_base:
                packet.duration = duration
            self.run.out.mux(packet)

    def _changed(self, frame: av.VideoFrame, time: int) -> av.VideoFrame:
        context, is_key = self.stream.codec_context, frame.key_frame
        if (frame.width, frame.height, frame.format.name) != (context.width, context.height, context.pix_fmt):
            frame = frame.reformat(context.width, context.height, context.pix_fmt)  # as ffmpeg does when a film changes
        if self.run.samples.changes:
            frame.make_writable()
            view = planes(frame, self.run.samples.format, self.film.name, self._seconds(time), self.count)
            for change in self.run.samples.changes:
                change(view)
        self.count += 1
        frame.pict_type = _I_FRAME if is_key else 0  # seeking and segments need the keys; the encoder decides the rest
        return frame

    def finish(self) -> None:
        """Encode what the encoder holds back."""
        self._note(self.awaited.copy())
        if self.held is not None:
            frame, time, duration = self.held
            self._write(frame, time, self.left_at_end(time) or duration)
        self._mux(self.stream.encode(None))

    def left_at_end(self, time: int) -> int:
        """How long a frame at the end is shown, as the file says; 0 where it does not, or nothing of use."""
        end = self.film.end_of(self.source.index)
        left = 0 if end is None else round(end / self.time_base) - time
        return left if 0 < left <= _LONGEST_S / self.time_base else 0
