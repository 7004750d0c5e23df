# SPDX-License-Identifier: Apache-2.0
"""Writes a film with its frames changed: pictures are decoded, changed and encoded one at a time, all else is copied.

Kept: container, codec family, size, sample format, time of every frame and length of the last, key frames and the
fragments that begin with them, colour description, HDR10's static metadata in H.264, H.265 and AV1, sample aspect,
display matrix, interlacing flags; bit-exact: sound, subtitles, attachments, covers, other moving pictures, telemetry of
cameras, the user data and XMP of MP4; chapters, dispositions, languages, tags, timecodes. What has no place in the new
file is left out, and `Progress.left_out` says so.
"""

from __future__ import annotations

import functools
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import closing
from dataclasses import dataclass, field
from fractions import Fraction
from pathlib import Path
from typing import TYPE_CHECKING, cast

from labelkit import container
from labelkit.codec import encoders
from labelkit.codec.backends import time_base
from labelkit.codec.packets import video_frames
from labelkit.codec.prefetch import prefetch
from labelkit.codec.samples import VideoSamples
from labelkit.codec.soundtrack import SoundEncoder, main_sound
from labelkit.codec.tracks import WRITTEN_BY_MUXER, ChangedSound, CopiedTrack, Track, describe
from labelkit.codec.video import DEMUXERS, Film, display_matrix, planes, start_of, translated
from labelkit.container import Reader, bmff, initialisation, mp4
from labelkit.errors import cannot_write
from labelkit.messages import Message
from labelkit.plan import Quality

if TYPE_CHECKING:
    import av
    from av import Packet
    from av.container import InputContainer, OutputContainer
    from av.stream import AttachmentStream, Stream
    from av.video.stream import VideoStream

_IMAGE_TYPES = {"mjpeg": "image/jpeg", "png": "image/png"}
_MPEG4_LARGEST = 65_535  # of the denominator of a time base (ISO/IEC 14496-2, 6.3.3)
_TELEMETRY = b"gpmd"  # of action cameras: the one kind of data that muxers take
_FRAME_DURATION = 1 << 7  # AV_CODEC_FLAG_FRAME_DURATION: the last frame keeps its length; not for SVT-AV1
_LONGEST_S = 24 * 3600  # of the last frame; more is a broken file
_I_FRAME = 1  # libavutil's AV_PICTURE_TYPE_I
_INTERLACED = 1 << 18 | 1 << 29  # AV_CODEC_FLAG_INTERLACED_DCT and _ME
_PREFETCHED = 4  # frames that are decoded and labelled while the encoder works


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

    A segment of a stream (`Film.is_segment`) keeps its times and the numbers of its tracks: what is written is its own
    initialisation segment and its fragments, or MPEG-TS.
    Memory does not grow with the length. Raises UnsupportedFormat for what cannot be encoded as it was, MalformedFile,
    OutputFailed; `target` then holds nothing of use.
    """
    import av

    film = samples.source
    if not isinstance(film, Film):
        raise TypeError("samples that came from a film are wanted")
    progress = Progress(total_seconds=samples.seconds)
    if samples.sound_changes and not samples.sound:
        progress.left_out.append(Message("there is no sound track that a label could be put into"))
    try:
        with film.opened() as (source, main), translated(film.name):
            with av.open(str(target), "w", format=DEMUXERS[film.container_format],
                         container_options=_muxer_options(film)) as out:
                _transcode(_Run(samples, film, source, main, out, quality or Quality(), progress, report))
        if film.container_format in ("mp4", "mov") and not film.is_segment:
            if _complete(film.reader, target) < film.layout.count(b"moof"):
                progress.left_out.append(Message("fragments that begin at no key frame are joined to those before"))
    except OSError as error:
        raise cannot_write(target, error) from error
    return progress


def _complete(source: Reader, target: Path) -> int:
    """The user data of an MP4, bit by bit: iTunes tags, cover pictures and keys that muxers write anew or drop; and the
    length of its last frame. Returns the number of its fragments."""
    with container.Transaction(target) as new:
        with container.opened(target) as reader:
            segments = mp4.completed(source, reader)
            made = new.write("completed", reader, segments) if segments else None
            fragments = sum(box.kind == b"moof" for box in bmff.boxes(reader, 0, reader.size))
        if made:
            new.commit(made)
    return fragments


def _muxer_options(film: Film) -> dict[str, str]:
    if film.is_segment:
        return _segment_options(film)
    if film.container_format not in ("mp4", "mov"):
        return {}
    if b"moof" not in film.layout:
        return {"movflags": "faststart"}
    options = film.structure.fragment_options(film.fragments)
    flags = options["movflags"] + "+delay_moov+default_base_moof"
    if b"sidx" in film.layout:  # an index of segments: of each, or of all before the first
        flags += "+dash" if b"sidx" in film.layout[film.layout.index(b"moof"):] else "+dash+global_sidx"
    return {**options, "movflags": flags}


def _segment_options(film: Film) -> dict[str, str]:
    """Times and numbers as they came: those of an edit list are in the initialisation segment, which is kept."""
    if film.container_format == "ts":
        # counters of packets begin anew in each segment, which the flag says
        return {"mpegts_copyts": "1", "avoid_negative_ts": "disabled", "mpegts_flags": "initial_discontinuity"}
    options = film.structure.fragment_options(film.fragments)
    flags = "+empty_moov+default_base_moof+frag_discont+skip_trailer"
    if b"sidx" in film.layout:
        flags += "+dash"
    return {**options, "movflags": options["movflags"] + flags, "use_editlist": "0", "avoid_negative_ts": "disabled",
            "use_stream_ids_as_track_ids": "1", "video_track_timescale": str(film.time_base.denominator),
            "fragment_index": str(initialisation.sequence_number(film.reader))}


@dataclass(slots=True)
class _Run:
    """What one transcode works with."""

    samples: VideoSamples
    film: Film  # what the samples came from
    source: InputContainer
    main: VideoStream
    out: OutputContainer
    quality: Quality
    progress: Progress
    report: Callable[[Progress], None] | None


def _transcode(run: _Run) -> None:
    tracks = {stream.index: track for stream in run.source.streams if (track := _track(run, stream))}
    if run.film.is_segment:
        for number, track in tracks.items():
            track.stream.id = run.source.streams[number].id
    _copy_head(run)
    # whatever happens, the thread ends before `source` is closed
    with closing(prefetch(_prepared(run, tracks), _PREFETCHED)) as writes:
        for write in writes:
            write()
    for track in tracks.values():
        track.finish()


def _prepared(run: _Run, tracks: Mapping[int, Track]) -> Iterator[Callable[[], None]]:
    """What writes packets to copy and frames to encode, changed already: all that can be done before it is called."""
    for packet in run.source.demux([stream for stream in run.source.streams if stream.index in tracks]):
        yield from tracks[packet.stream.index].writes(packet)


def _track(run: _Run, stream: Stream) -> Track | None:
    from av.stream import Disposition

    if stream == run.main:
        if run.film.is_cropped(stream.index):
            run.progress.left_out.append(Message("that players crop the film is left out: what was hidden is shown"))
        return _EncodedTrack(run, run.main)
    sound = main_sound(run.source) if run.samples.sound and run.samples.sound_changes else None
    if sound is not None and stream == sound:
        encoder = SoundEncoder(sound, run.out, run.samples.sound_changes, run.film.sound_bitrate, run.film.name)
        describe(encoder.stream, sound)
        return ChangedSound(encoder)
    if stream.type == "video" and stream.disposition & Disposition.attached_pic:
        _attach_cover(run, stream)
        return None
    if stream.type == "attachment" and run.out.format.name == "matroska":
        attachment = cast("AttachmentStream", stream)
        run.out.add_attachment(attachment.name or "", attachment.mimetype or "", attachment.data)
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
    return CopiedTrack(run.out, stream)


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


def _attach_cover(run: _Run, stream: Stream) -> None:
    """A cover picture: an attachment in Matroska; in MP4 it comes with the user data."""
    if run.out.format.name == "matroska" and stream.index in run.film.covers:
        kind = stream.metadata.get("mimetype") or _IMAGE_TYPES.get(stream.codec_context.name, "image/jpeg")
        run.out.add_attachment(stream.metadata.get("filename", "cover"), kind, run.film.covers[stream.index])


def _copy_head(run: _Run) -> None:
    for name, value in run.source.metadata.items():
        if name not in WRITTEN_BY_MUXER:
            run.out.metadata[name] = value
    run.out.set_chapters(run.source.chapters())


class _EncodedTrack(Track):
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
                                  out=self.run.out, where=self.film.name,
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
        context.options = encoder.options
        context.flags |= _FRAME_DURATION if name != "libsvtav1" else 0
        context.flags |= _INTERLACED if first.interlaced_frame else 0
        if self.run.out.format.name in ("mp4", "mov") and encoder.family == "hevc":
            context.codec_tag = "hvc1"
        matrix = display_matrix(first)
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
            end = self.film.end_of(self.source.index)
            left = None if end is None else round(end / self.time_base) - time
            self._write(frame, time, left if left is not None and 0 < left <= _LONGEST_S / self.time_base else duration)
        self._mux(self.stream.encode(None))
