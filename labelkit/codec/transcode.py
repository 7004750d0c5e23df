# SPDX-License-Identifier: Apache-2.0
"""Writes a film with its frames changed: pictures are decoded, changed and encoded one at a time, all else is copied.

Kept: container, codec family, size, sample format, time of every frame, colour description, HDR10's static metadata in
H.264, H.265 and AV1, sample aspect, display matrix, interlacing flags; bit-exact: sound, subtitles, attachments,
covers, other moving pictures, telemetry of cameras, the user data and XMP of MP4; chapters, dispositions, languages,
tags, timecodes. What has no place in the new file is left out, and `Progress.left_out` says so.

Quality. The defaults are what is commonly called visually lossless: x264 crf 18, x265 crf 20, VP9 crf 24, VP8 crf 8,
SVT-AV1 crf 24, MPEG-2/4, H.263, MJPEG quantiser 2; FFV1, HuffYUV and UT Video are lossless, ProRes keeps its profile.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Iterator
from contextlib import closing
from dataclasses import dataclass, field
from fractions import Fraction
from pathlib import Path
from typing import TYPE_CHECKING, Protocol

from labelkit import container
from labelkit.codec import hdr
from labelkit.codec.ahead import ahead
from labelkit.codec.packets import decoded_frames
from labelkit.codec.samples import VideoSamples
from labelkit.codec.soundtrack import Sounding, main_sound
from labelkit.codec.video import DEMUXERS, Film, display_matrix, planes, start_of, translated
from labelkit.container import Reader, mp4
from labelkit.errors import InvalidArgument, UnsupportedFormat, cannot_write
from labelkit.messages import Message
from labelkit.plan import Quality

if TYPE_CHECKING:
    import av
    from av.container import InputContainer, OutputContainer
    from av.stream import Stream
    from av.video.stream import VideoStream

_X264 = ("libx264", {"crf": "18", "preset": "medium"})
_ENCODERS: dict[str, tuple[str, dict[str, str]]] = {
    "h264": _X264,
    "hevc": ("libx265", {"crf": "20", "preset": "medium", "x265-params": "log-level=error"}),
    "vp9": ("libvpx-vp9", {"crf": "24", "b": "0", "deadline": "good", "cpu-used": "4", "row-mt": "1"}),
    "vp8": ("libvpx", {"crf": "8", "b": "40M", "deadline": "good", "cpu-used": "4"}),
    "av1": ("libsvtav1", {"crf": "24", "preset": "8"}),
    "mpeg4": ("mpeg4", {"qmin": "2", "qmax": "3"}), "mpeg2video": ("mpeg2video", {"qmin": "2", "qmax": "3"}),
    "flv1": ("flv", {"qmin": "2", "qmax": "3"}), "mjpeg": ("mjpeg", {"qmin": "2", "qmax": "2"}),
    "prores": ("prores_ks", {}), "ffv1": ("ffv1", {"level": "3"}), "huffyuv": ("huffyuv", {}),
    "utvideo": ("utvideo", {}),
}
_PRORES = {"Proxy": "proxy", "LT": "lt", "Standard": "standard", "HQ": "hq", "4444": "4444", "XQ": "4444xq"}
_PARAMS = {"libx264": "x264-params", "libx265": "x265-params", "libsvtav1": "svtav1-params"}
_IMAGE_TYPES = {"mjpeg": "image/jpeg", "png": "image/png"}
_MPEG4_LARGEST = 65_535  # of the denominator of a time base (ISO/IEC 14496-2, 6.3.3)
_TELEMETRY = b"gpmd"  # of action cameras: the one kind of data that muxers take
_FRAME_DURATION = 1 << 7  # AV_CODEC_FLAG_FRAME_DURATION: the last frame keeps its length; not for SVT-AV1
_INTERLACED = 1 << 18 | 1 << 29  # AV_CODEC_FLAG_INTERLACED_DCT and _ME
# Memory for 1080p stays under 400 MB on any number of cores: x264 holds about 5 MB for each frame of its lookahead and
# 12 MB for each thread; its presets look ahead by 0 to 60 frames.
_LOOKAHEAD_PIXELS = 16 * 1920 * 1080
_LOOKAHEADS = {"ultrafast": 0, "superfast": 0, "veryfast": 10, "faster": 20, "fast": 30, "medium": 40, "slow": 50}
_ENCODER_THREADS = 8
_AHEAD = 4  # frames that are decoded and labelled while the encoder works
_WRITTEN_BY_MUXER = {"major_brand", "minor_version", "compatible_brands", "encoder", "duration"}


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


def encode(samples: VideoSamples, target: Path, quality: Quality | None = None,
           report: Callable[[Progress], None] | None = None) -> Progress:
    """Write the film with its changes to `target`, in the container it came in; `report` is called after each frame.

    Memory does not grow with the length. Raises UnsupportedFormat for what cannot be encoded as it was, MalformedFile,
    OutputFailed; `target` then holds nothing of use.
    """
    import av

    film: Film = samples.source
    progress = Progress(total_seconds=samples.seconds)
    if samples.sound_changes and not samples.sound:
        progress.left_out.append(Message("there is no sound track that a label could be put into"))
    try:
        with film.opened() as (source, main), translated(film.name):
            with av.open(str(target), "w", format=_muxer(film), container_options=_muxer_options(film, source)) as out:
                _transcode(_Run(samples, source, main, out, quality or Quality(), progress, report))
        if film.format in ("mp4", "mov"):
            _carry_tags(film.reader, target)
    except OSError as error:
        raise cannot_write(target.name, error) from error
    return progress


def _carry_tags(source: Reader, target: Path) -> None:
    """The user data of an MP4, bit by bit: iTunes tags, cover pictures and keys that muxers write anew or drop."""
    with container.opened(target) as reader:
        segments = mp4.carried(source, reader)
        if segments:
            container.save(reader, segments, target)


def _muxer(film: Film) -> str:
    return DEMUXERS[film.format]


def _muxer_options(film: Film, source: InputContainer) -> dict[str, str]:
    if film.format not in ("mp4", "mov"):
        return {}
    fragmented = film.is_fragmented
    return {"movflags": "frag_keyframe+delay_moov+default_base_moof" if fragmented else "faststart"}


@dataclass(slots=True)
class _Run:
    """What one transcode works with."""

    samples: VideoSamples
    source: InputContainer
    main: VideoStream
    out: OutputContainer
    quality: Quality
    progress: Progress
    report: Callable[[Progress], None] | None

    @property
    def film(self) -> Film:
        """The file that is read."""
        return self.samples.source


def _transcode(run: _Run) -> None:
    tracks = {stream.index: track for stream in run.source.streams if (track := _track(run, stream))}
    _copy_head(run)
    with closing(ahead(_prepared(run, tracks), _AHEAD)) as items:  # whatever happens, its thread ends before `source`
        for track, item in items:
            track.put(item)
    for track in tracks.values():
        track.finish()


def _prepared(run: _Run, tracks: dict[int, _Track]) -> Iterator[tuple[_Track, object]]:
    """Packets to copy and frames to encode, changed already: all that can be done while the encoder works."""
    for packet in run.source.demux([stream for stream in run.source.streams if stream.index in tracks]):
        track = tracks[packet.stream.index]
        for item in track.prepare(packet):
            yield track, item


def _track(run: _Run, stream: Stream) -> _Track | None:
    from av.stream import Disposition

    if stream == run.main:
        if run.film.is_cropped(stream.index):
            run.progress.left_out.append(Message("that players crop the film is left out: what was hidden is shown"))
        return _Encoded(run, stream)
    if run.samples.sound and run.samples.sound_changes and stream == main_sound(run.source):
        track = Sounding(stream, run.out, run.samples.sound_changes, run.film.sound_bitrate, run.film.name)
        _describe(track.stream, stream)
        return track
    if stream.type == "video" and stream.disposition & Disposition.attached_pic:
        return _attached(run, stream)
    if stream.type == "attachment" and run.out.format.name == "matroska":
        run.out.add_attachment(stream.name, stream.mimetype, stream.data)
        return None
    if not _has_place(run, stream):
        if not _is_made_anew(run, stream):
            run.progress.left_out.append(Message(
                "stream {number}, {kind} in {codec}, has no place in the new file and is left out",
                number=stream.index, kind=stream.type, codec=getattr(stream, "name", None) or "?"))
        return None
    if stream.type == "video":
        run.progress.left_out.append(Message("stream {number}, more moving pictures, is copied without a label",
                                             number=stream.index))
    return _Copied(run.out, stream)


def _has_place(run: _Run, stream: Stream) -> bool:
    if stream.type == "data":
        return run.film.kind_of(stream.index) == _TELEMETRY
    if stream.type == "subtitle" and stream.codec_context is not None:
        decoder = stream.codec_context.codec
        return not run.out.supported_codecs.isdisjoint((decoder.name, decoder.canonical_name))  # pgssub, and what it is
    return stream.type in ("audio", "video") and stream.codec_context is not None


def _is_made_anew(run: _Run, stream: Stream) -> bool:
    """Whether the muxer writes a track itself: the timecode of MP4 and MOV, and the text of chapters."""
    kind = run.film.kind_of(stream.index)
    return kind == b"tmcd" and "timecode" in run.main.metadata or kind == b"text" and bool(run.source.chapters())


def _attached(run: _Run, stream: VideoStream) -> None:
    """A cover picture: an attachment in Matroska; in MP4 it comes with the user data."""
    if run.out.format.name == "matroska" and stream.index in run.film.covers:
        kind = stream.metadata.get("mimetype") or _IMAGE_TYPES.get(stream.codec_context.name, "image/jpeg")
        run.out.add_attachment(stream.metadata.get("filename", "cover"), kind, run.film.covers[stream.index])


def _copy_head(run: _Run) -> None:
    for name, value in run.source.metadata.items():
        if name not in _WRITTEN_BY_MUXER:
            run.out.metadata[name] = value
    run.out.set_chapters(run.source.chapters())


def _describe(stream: Stream, source: Stream) -> None:
    """Language, title and dispositions of a stream."""
    stream.metadata.update({name: value for name, value in source.metadata.items()
                            if name not in _WRITTEN_BY_MUXER and not name.startswith("DURATION")})
    stream.disposition = source.disposition


class _Track(Protocol):
    """A stream that is written."""

    def prepare(self, packet: av.Packet) -> Iterable[object]:
        """What a packet of the source brings, as `put` takes it: all that can be done while others are written."""

    def put(self, item: object) -> None:
        """Write it."""

    def finish(self) -> None:
        """Write what is held back."""


class _Copied:
    """A stream whose packets pass as they are."""

    def __init__(self, out: OutputContainer, source: Stream) -> None:
        self.out = out
        self.stream = out.add_stream_from_template(source, opaque=True)
        _describe(self.stream, source)

    def prepare(self, packet: av.Packet) -> list[av.Packet]:
        """The packet, if it holds anything."""
        return [packet] if packet.size and (packet.dts, packet.pts) != (None, None) else []

    def put(self, packet: av.Packet) -> None:
        """Write a packet."""
        packet.stream = self.stream
        self.out.mux(packet)

    def finish(self) -> None:
        """Nothing is held back."""


class _Encoded:
    """A stream of pictures: decoded, changed, encoded."""

    def __init__(self, run: _Run, source: VideoStream) -> None:
        self.run, self.source = run, source
        self.film = run.film
        self.start = start_of(source)
        self.last_pts: int | None = None
        self.count = 0
        self.order = self.film.new_order()
        self.decoder = self.film.transparent(source)
        self.awaited: set[int] = set()  # times of packets whose frames have not come
        self.stream: VideoStream | None = None
        self._prepare()

    def _prepare(self) -> None:
        """The encoder, set up before the file's head is written; what only a frame tells comes from the first."""
        first = self.film.first
        form = first.format.name.replace("yuv", "yuva") if self.decoder else first.format.name
        if self.source.codec_context.name == "prores":
            form = form.replace("p12", "p10")  # what ProRes 4444 is decoded to, and encoded from
        name, options = _encoder(self.source, first, form, self.run)
        stream = self.run.out.add_stream(name, rate=self.source.average_rate or self.source.guessed_rate or 25)
        context = stream.codec_context
        context.width, context.height, context.pix_fmt = first.width, first.height, form
        context.time_base = stream.time_base = self.source.time_base
        if name == "mpeg2video" or name == "mpeg4" and context.time_base.denominator > _MPEG4_LARGEST:
            context.time_base = 1 / Fraction(stream.average_rate or 25)  # they tell times in frames
        context.sample_aspect_ratio = self.source.sample_aspect_ratio or Fraction(0)
        context.color_range, context.colorspace = first.color_range, first.colorspace
        context.color_primaries, context.color_trc = first.color_primaries, first.color_trc
        context.options = options
        context.flags |= _FRAME_DURATION if name != "libsvtav1" else 0
        context.flags |= _INTERLACED if first.interlaced_frame else 0
        if self.run.out.format.name in ("mp4", "mov") and self.source.codec_context.name == "hevc":
            context.codec_tag = "hvc1"
        matrix = display_matrix(first)
        if matrix:
            stream.set_display_matrix(matrix)
        _describe(stream, self.source)
        self.stream = stream

    def prepare(self, packet: av.Packet) -> Iterator[av.VideoFrame]:
        """The frames that a packet brings, with the changes."""
        time = packet.dts if self.order is not None else packet.pts
        if packet.size and time is not None and not packet.is_discard:
            self.awaited.add(time)
        for frame in decoded_frames(packet, self.order, self.decoder):
            if self._is_due(frame):
                yield self._changed(frame)

    def _is_due(self, frame: av.VideoFrame) -> bool:
        """Whether the frame has a time of its own; one without any gets the next. Of two at one time one is shown."""
        if frame.pts is None:
            frame.pts = 0 if self.last_pts is None else self.last_pts + max(1, frame.duration or 1)
        self.awaited.discard(frame.pts)
        self._note([time for time in self.awaited if time < frame.pts])  # frames come in the order of their times
        if self.last_pts is not None and frame.pts <= self.last_pts:
            return False
        self.last_pts = frame.pts
        if frame.is_corrupt:
            self._note([frame.pts])
        return True

    def _note(self, times: Iterable[int]) -> None:
        for time in sorted(times):
            self.awaited.discard(time)
            self.run.progress.damaged.append(round(float(time * self.source.time_base - self.start), 3))

    def put(self, frame: av.VideoFrame) -> None:
        """Encode a frame and write what comes of it."""
        self.run.out.mux(self.stream.encode(frame))
        progress = self.run.progress
        progress.frames += 1
        progress.seconds = float(frame.pts * self.source.time_base - self.start)
        if self.run.report:
            self.run.report(progress)

    def _changed(self, frame: av.VideoFrame) -> av.VideoFrame:
        context = self.stream.codec_context
        if (frame.width, frame.height, frame.format.name) != (context.width, context.height, context.pix_fmt):
            frame = frame.reformat(context.width, context.height, context.pix_fmt)  # as ffmpeg does when a film changes
        if self.run.samples.changes:
            frame.make_writable()
            seconds = float(frame.pts * self.source.time_base - self.start)
            view = planes(frame, self.run.samples.form, self.film.name, seconds, self.count)
            for change in self.run.samples.changes:
                change(view)
        self.count += 1
        frame.pict_type = 0  # the encoder decides anew
        return frame

    def finish(self) -> None:
        """Encode what the encoder holds back."""
        self._note(self.awaited.copy())
        self.run.out.mux(self.stream.encode(None))


def _encoder(stream: VideoStream, frame: av.VideoFrame, form: str, run: _Run) -> tuple[str, dict[str, str]]:
    """Name and options of the encoder for a stream; raises UnsupportedFormat where there is none for its `form`."""
    import av

    family, where = stream.codec_context.codec.canonical_name, run.film.name
    if family not in _ENCODERS:
        raise UnsupportedFormat("{where}: films in {codec} can be read but not written", where=where, codec=family,
                                hint="convert it to H.264, or label it with --layers metadata,provenance")
    name, options = _ENCODERS[family]
    forms = [form.name for form in av.Codec(name, "w").video_formats or ()]
    if form not in forms:
        raise UnsupportedFormat("{where}: {codec} with samples of the form {form} can be read but not written",
                                where=where, codec=family, form=form,
                                hint="convert it to 8-bit 4:2:0, or label it with --layers metadata,provenance")
    asked = {"crf": run.quality.crf, "preset": run.quality.preset}
    options = {name: str(value if asked.get(name) is None else asked[name]) for name, value in options.items()}
    if options.get("preset", "").isdigit() != (name == "libsvtav1") and "preset" in options:
        raise InvalidArgument("{where}: {codec} has no preset {preset}", where=where, codec=family,
                              preset=options["preset"], hint="AV1 takes a number, H.264 and H.265 take a word such as "
                              "veryfast")
    most = max(5, _LOOKAHEAD_PIXELS // (frame.width * frame.height))
    if name == "libx264":
        options["rc-lookahead"] = str(min(_LOOKAHEADS.get(options["preset"], 60), most))
        if run.out.format.name == "avi":
            options["bf"] = "0"  # AVI tells no times: frames that are stored out of order come one frame late
    elif name == "libx265":
        options["x265-params"] += f":rc-lookahead={min(20, most)}"
    elif name == "libsvtav1":
        os.environ.setdefault("SVT_LOG", "1")  # errors only: the library has no other switch for its own prints
    elif name == "prores_ks":
        options["profile"] = _PRORES.get(stream.profile, "auto")
    elif form.startswith("yuva"):
        options["auto-alt-ref"] = "0"  # with it libvpx encodes no transparency
    more = hdr.settings(run.film.side_data, name, where)
    if more:
        options[_PARAMS[name]] = ":".join(filter(None, (options.get(_PARAMS[name]), *more)))
    elif more is None:
        lost = Message("HDR10's metadata have no place in {codec} and are left out", codec=family)
        run.progress.left_out.append(lost)
    options["threads"] = str(min(os.cpu_count() or 1, _ENCODER_THREADS))
    return name, options
