# SPDX-License-Identifier: Apache-2.0
"""Films, through PyAV (the extra `video`): frames are decoded as they are asked for; `transcode` writes.

PyAV is BSD code, its wheels link x264 and x265, which are GPL. The container is told by our own sniffing and no other
file or address is opened, whatever the file names.
"""

from __future__ import annotations

import errno
import functools
import math
import os
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from fractions import Fraction
from pathlib import Path
from typing import TYPE_CHECKING, cast

import numpy as np

from labelkit.codec import codecs, hdr, soundtrack
from labelkit.codec.backends import ReaderFile, opened, pyav, time_base
from labelkit.codec.bars import active_area
from labelkit.codec.frame import Frame, FrameFormat, Orientation, Plane
from labelkit.codec.packets import audio_frames, video_frames
from labelkit.codec.samples import VideoSamples, Waveform
from labelkit.codec.structure import Structure
from labelkit.container import Reader, bmff, mp4tracks, opened as opened_reader
from labelkit.errors import LabelkitError, LimitExceeded, MalformedFile, UnsupportedFormat

if TYPE_CHECKING:
    import av
    from av.container import InputContainer
    from av.video.codeccontext import VideoCodecContext
    from av.video.stream import VideoStream

DEMUXERS = {"mp4": "mp4", "mov": "mov", "mkv": "matroska", "webm": "webm", "avi": "avi", "flv": "flv",
            "ts": "mpegts", "mpg": "mpeg", "wmv": "asf"}
"""FFmpeg's names; the last three are read only, but for segments of MPEG-TS."""
MAX_FRAME_PIXELS = 1 << 26  # 8192 x 8192; a decoder holds up to 17 frames
_MAX_STREAMS = 64
_NO_ROOM = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG)
_THREADS = 4  # each holds frames of its own
_UNALIGNED = 1  # AV_CODEC_FLAG_UNALIGNED: what H.264 and H.265 crop on the left is cut off to the sample
_TRANSPARENT = {"vp8": "libvpx", "vp9": "libvpx-vp9"}  # decoders that keep alpha
_B_FRAME = 3  # libavutil's AV_PICTURE_TYPE_B


def decode(reader: Reader, format: str, name: str, max_pixels: int, like: VideoSamples | None = None, *,
           is_segment: bool = False) -> VideoSamples:
    """The film in a file; raises UnsupportedFormat, MalformedFile or LimitExceeded.

    like        the film that it was encoded from: what is a black bar in that one is one here
    is_segment  as of `Film`
    """
    if format not in DEMUXERS:
        raise UnsupportedFormat("{where}: {format} films cannot be decoded", where=name, format=format)
    pyav(name, format)
    film = Film(reader, format, name, min(max_pixels, MAX_FRAME_PIXELS), is_segment=is_segment)
    samples = VideoSamples(film.format, film.seconds, film, film.sound)
    size = film.format.width, film.format.height
    if like is not None and (like.format.width, like.format.height) == size:
        film.format = replace(film.format, active=like.format.active)
    else:
        film.format = replace(film.format, active=active_area(samples))
    return replace(samples, format=film.format)


def has_pictures(reader: Reader, format: str) -> bool:
    """Whether a film, or a segment of one, has moving pictures. Raises UnsupportedFormat, MalformedFile."""
    from av.stream import Disposition

    pyav(reader.name, format)
    with translated(reader.name):
        with opened(ReaderFile(reader), format=DEMUXERS[format], io_open=_refuse) as container:
            return any(not stream.disposition & Disposition.attached_pic for stream in container.streams.video)


def codec_string(path: Path, format: str) -> str:
    """What RFC 6381 calls the pictures of a film, such as avc1.640015; "" where that is not known here."""
    with opened_reader(path) as reader, translated(str(path)):
        with opened(ReaderFile(reader), format=DEMUXERS[format], io_open=_refuse) as container:
            context = container.streams.video[0].codec_context
            return codecs.name_of(context.codec.canonical_name, bytes(context.extradata or b""))


class Film:
    """A file whose frames can be read as often as wanted; each reading opens it anew.

    is_segment  it is one of a stream, an initialisation segment of MP4 before it: times are those of its media, without
                the edit list
    """

    def __init__(self, reader: Reader, container_format: str, name: str, max_pixels: int, *,
                 is_segment: bool = False) -> None:
        self.is_segment = is_segment
        self.reader, self.container_format, self.name, self.max_pixels = reader, container_format, name, max_pixels
        self.format = FrameFormat(0, 0)
        with self.opened("SLICE") as (container, stream):
            first = next(self._decoded(container, stream), None)
            if first is None:
                raise MalformedFile("{where}: not one frame can be decoded", where=name)
            self.codec = stream.codec_context.codec.canonical_name
            self.first, self.side_data = first, hdr.side_data(first, stream)
            self.format = format_of(first, stream, name)
            self.start, self.time_base, self.seconds = start_of(stream), time_base(stream), _length(container, stream)
            self.sound = soundtrack.sound_of(soundtrack.main_sound(container), self.start)
            self._keys = sorted(float(entry.timestamp * self.time_base - self.start)
                                for entry in stream.index_entries if entry.is_keyframe)

    @contextmanager
    def opened(self, threads: str = "AUTO", reader: Reader | None = None,
               ) -> Iterator[tuple[InputContainer, VideoStream]]:
        """The opened file and its main video stream; errors of the library become MalformedFile.

        reader  another one over the same bytes, on another thread
        """
        av = pyav(self.name, self.container_format)
        options = {"max_pixels": str(self.max_pixels), **({"ignore_editlist": "1"} if self.is_segment else {})}
        with translated(self.name):
            with opened(ReaderFile(reader or self.reader), format=DEMUXERS[self.container_format], io_open=_refuse,
                        options=options) as container:
                stream = main_stream(container, self.name)
                if self.new_order() is not None:  # guessed times take frames out of their order
                    container.flags &= ~av.container.Flags.gen_pts.value
                stream.thread_type = threads
                stream.codec_context.thread_count = min(os.cpu_count() or 1, _THREADS)
                stream.codec_context.flags |= _UNALIGNED
                self._check_size(stream)
                yield container, stream

    def _check_size(self, stream: VideoStream) -> None:
        width, height = stream.codec_context.width, stream.codec_context.height
        if not 0 < width * height <= self.max_pixels:
            raise LimitExceeded("{where}: frames of {width}x{height}, at most {limit} megapixels are decoded",
                                where=self.name, width=width, height=height, limit=self.max_pixels // 1_000_000)

    def seconds_of(self, time: int) -> float:
        """Seconds after the first frame, of a time in units of the stream."""
        return float(time * self.time_base - self.start)

    @functools.cached_property
    def _boxes(self) -> list[bmff.Box]:
        return bmff.boxes(self.reader, 0, self.reader.size) if self.container_format in ("mp4", "mov") else []

    @property
    def layout(self) -> list[bytes]:
        """The types of the boxes at the top of an MP4 or MOV, in order: whether it is in fragments, and has indexes."""
        return [box.kind for box in self._boxes]

    @property
    def fragments(self) -> list[int]:
        """Where the fragments of an MP4 or MOV begin, in bytes."""
        return [box.start for box in self._boxes if box.kind == b"moof"]

    @functools.cached_property
    def structure(self) -> Structure:
        """Where the packets of the pictures lie; reads the file once."""
        with self.opened("SLICE") as (container, stream):
            return Structure.of(container, stream, self.time_base, self.name)

    def frames(self, start: float, stop: float | None) -> Iterator[Frame]:
        """The frames from `start` to before `stop` seconds; what cannot be decoded is passed over."""
        with self.opened() as (container, stream):
            if start > 0:
                self._seek(container, stream, start)
            index = 0 if start <= 0 else -1
            for decoded in self._decoded(container, stream):
                frame = self._frame(decoded, index)
                index += index >= 0
                if stop is not None and frame.seconds >= stop:
                    return
                if frame.seconds >= start - 1e-6:
                    yield frame

    def keys(self, seconds: Iterable[float]) -> Iterator[Frame]:
        """For each time the frame at or before it that can be decoded alone."""
        seen = set()
        with self.opened("SLICE") as (container, stream):
            for time in seconds:
                self._seek(container, stream, time)
                decoded = self._key(container, stream)
                if decoded is not None and decoded.pts not in seen:
                    seen.add(decoded.pts)
                    yield self._frame(decoded, -1)

    def key_seconds(self) -> list[float]:
        """The times of key frames in the file's index, those of decoding; where it has none, one time a second."""
        if not self._keys:
            return [float(second) for second in range(max(1, math.ceil(self.seconds or 1)))]
        return [max(0.0, time) for time in self._keys]

    def heard(self, start: float, stop: float | None) -> Iterator[Waveform]:
        """The sound track from `start` to `stop` seconds; what cannot be decoded is silence."""
        with self.opened("SLICE") as (container, pictures):
            track = soundtrack.main_sound(container)
            if track is None or self.sound is None:
                return
            if start > 0:
                self._seek(container, pictures, start)
            timeline = soundtrack.SampleTimeline(track, round((start + float(self.start)) * self.sound.rate))
            left = None if stop is None else round((stop - start) * self.sound.rate)
            for packet in container.demux(track):
                for samples in (part for frame in audio_frames(packet) for part in timeline.take(frame)):
                    yield samples[:left]
                    if left is not None:
                        left -= len(samples)
                        if left <= 0:
                            return

    def transparent(self, stream: VideoStream) -> VideoCodecContext | None:
        """A decoder that keeps the transparency of a WebM, which that of the stream drops; None where there is none."""
        import av

        told = {name.lower(): value for name, value in stream.metadata.items()}
        decoder = _TRANSPARENT.get(stream.codec_context.name)
        if decoder is None or told.get("alpha_mode") != "1":
            return None
        return cast("VideoCodecContext", av.CodecContext.create(decoder, "r"))

    @functools.cached_property
    def sound_bitrate(self) -> float:
        """Bits a second of the sound track."""
        with self.opened("SLICE") as (container, _):
            track = soundtrack.main_sound(container)
            return soundtrack.bitrate_of(container, track) if track else 0.0

    def kind_of(self, number: int) -> bytes:
        """The four letters by which an MP4 or MOV tells what the stream with this number holds; b"" in others."""
        return self._kinds[number] if number < len(self._kinds) else b""

    def is_cropped(self, number: int) -> bool:
        """Whether an MP4 or MOV hides a part of the frames of the stream with this number."""
        crops = mp4tracks.track_crops(self.reader) if self.container_format in ("mp4", "mov") else []
        return number < len(crops) and crops[number]

    def end_of(self, number: int) -> Fraction | None:
        """When an MP4 or MOV says that the stream with this number ends, in seconds of its clock."""
        ends = mp4tracks.track_ends(self.reader) if self.container_format in ("mp4", "mov") else []
        return ends[number] if number < len(ends) else None

    @functools.cached_property
    def _kinds(self) -> list[bytes]:
        return mp4tracks.track_kinds(self.reader) if self.container_format in ("mp4", "mov") else []

    @functools.cached_property
    def covers(self) -> dict[int, bytes]:
        """The cover pictures in a file by the number of their stream; their packets come before all others."""
        from av.stream import Disposition

        found: dict[int, bytes] = {}
        with self.opened("SLICE") as (container, _):
            covers = [stream for stream in container.streams.video if stream.disposition & Disposition.attached_pic]
            for packet in container.demux(covers) if covers else ():
                found.setdefault(packet.stream.index, bytes(packet))
                if len(found) == len(covers):
                    break
        return found

    def _seek(self, container: InputContainer, stream: VideoStream, seconds: float) -> None:
        container.seek(math.floor((seconds + 1e-4 + float(self.start)) / time_base(stream)), stream=stream)
        stream.codec_context.flush_buffers()

    def _key(self, container: InputContainer, stream: VideoStream) -> av.VideoFrame | None:
        import av

        for packet in container.demux(stream):
            if packet.size and packet.is_keyframe:
                try:
                    decoded = stream.codec_context.decode(packet) or stream.codec_context.decode(None)
                except av.FFmpegError:
                    return None
                return decoded[0] if decoded else None
        return None

    def new_order(self) -> list[int] | None:
        """For `decoded_frames`: a list where the container, AVI, tells no times of display."""
        return [] if self.container_format == "avi" else None

    def _decoded(self, container: InputContainer, stream: VideoStream) -> Iterator[av.VideoFrame]:
        order = self.new_order()
        for packet in container.demux(stream):
            yield from video_frames(packet, order)

    def _frame(self, decoded: av.VideoFrame, index: int) -> Frame:
        seconds = float(decoded.pts * self.time_base - self.start) if decoded.pts is not None else 0.0
        return planes(decoded, self.format, self.name, seconds, index)


def planes(decoded: av.VideoFrame, format: FrameFormat, name: str, seconds: float = 0.0, index: int = -1) -> Frame:
    """The planes of a decoded frame as arrays over its own memory; `format` is the film's."""
    bits, halved = _sampling(decoded.format)
    if (decoded.width, decoded.height, bits, halved) != (format.width, format.height, format.bits, format.halved):
        format = replace(format, width=decoded.width, height=decoded.height, bits=bits, halved=halved, active=None)
    kind: np.dtype[np.uint8 | np.uint16] = np.dtype(np.uint8) if format.bits == 8 else np.dtype("<u2")
    arrays: list[Plane] = []
    for plane in decoded.planes:
        if plane.line_size <= 0:
            raise UnsupportedFormat("{where}: frames stored upside down cannot be changed", where=name)
        rows = np.frombuffer(memoryview(plane), kind).reshape(plane.height, plane.line_size // kind.itemsize)
        arrays.append(rows[:, :plane.width])
    colours = 0 if format.halved is None else 2
    alpha = arrays[1 + colours] if len(arrays) > 1 + colours else None
    chroma = tuple(arrays[1:1 + colours])
    anchor = int(decoded.pict_type) != _B_FRAME
    return Frame(format, arrays[0], chroma, alpha, seconds, index, anchor, decoded.key_frame)


def format_of(frame: av.VideoFrame, stream: VideoStream, name: str) -> FrameFormat:
    """The format of the film whose first frame this is; raises UnsupportedFormat for what is not Y'CbCr in planes."""
    layout = frame.format
    planar = layout.is_planar or len(layout.components) == 1
    if layout.is_rgb or layout.has_palette or not planar or layout.is_big_endian or layout.is_bit_stream \
            or len(frame.planes) != len(layout.components) or not 8 <= layout.components[0].bits <= 16:
        raise UnsupportedFormat("{where}: samples of the form {form} cannot be labelled", where=name, form=layout.name,
                                other="planar YUV",
                                hint="convert it to {other}, or leave the signal layers out of the plan")
    bits, halved = _sampling(layout)
    aspect = stream.sample_aspect_ratio or Fraction(1)
    if not Fraction(1, 16) < aspect < 16:
        aspect = Fraction(1)
    matrix = hdr.display_matrix(frame)
    turn = Orientation.of_matrix(matrix) if matrix else Orientation()
    transfer = hdr.TRANSFERS.get(int(frame.color_trc), "sdr")
    return FrameFormat(frame.width, frame.height, bits, halved, _is_full_range(frame), transfer, turn, Fraction(aspect))


def _sampling(layout: av.VideoFormat) -> tuple[int, tuple[int, int] | None]:
    """Bits of a sample, and by which powers of two chroma is smaller."""
    if len(layout.components) == 1:
        return layout.components[0].bits, None
    whole, chroma = layout.components[0], layout.components[1]
    return whole.bits, (round(math.log2(whole.width / chroma.width)), round(math.log2(whole.height / chroma.height)))


def _is_full_range(frame: av.VideoFrame) -> bool:
    return int(frame.color_range) == 2 or frame.format.name.startswith("yuvj")  # Rec. ITU-T H.273, 8.3


def main_stream(container: InputContainer, name: str) -> VideoStream:
    """The moving pictures that a player shows unasked: the first marked as default, else the first.

    Raises UnsupportedFormat where there are none, or they cannot be decoded.
    """
    from av.stream import Disposition

    if len(container.streams) > _MAX_STREAMS:
        raise LimitExceeded("{where}: {count} streams, at most {limit} are handled", where=name,
                            count=len(container.streams), limit=_MAX_STREAMS)
    streams = [stream for stream in container.streams.video if not stream.disposition & Disposition.attached_pic]
    main = next((stream for stream in streams if stream.disposition & Disposition.default), next(iter(streams), None))
    if main is None or main.codec_context is None:
        raise UnsupportedFormat("{where}: no moving pictures that can be decoded", where=name,
                                hint="leave the signal layers out of the plan; sound alone belongs in M4A")
    return main


def start_of(stream: VideoStream) -> Fraction:
    """The time of the stream's first frame in seconds."""
    return Fraction(stream.start_time or 0) * time_base(stream)


def _length(container: InputContainer, stream: VideoStream) -> float | None:
    if stream.duration:
        return float(stream.duration * time_base(stream))
    return container.duration / 1e6 if container.duration else None


def _refuse(url: str, flags: int, options: dict[str, str]) -> None:
    raise PermissionError(url)  # a film that names other files: references of QuickTime, playlists


@contextmanager
def translated(name: str) -> Iterator[None]:
    """Errors of the library as errors of ours; that there is no room to write stays an OSError."""
    import av

    try:
        yield
    except LabelkitError:
        raise
    except (av.FFmpegError, OverflowError) as error:
        if isinstance(error, av.FFmpegError) and error.errno in _NO_ROOM:
            raise OSError(error.errno, error.strerror) from error
        raise MalformedFile("{where}: the film cannot be read: {reason}", where=name,
                            reason=getattr(error, "strerror", None) or str(error)) from error
