# SPDX-License-Identifier: Apache-2.0
"""Writes a film with its frames changed: pictures are decoded, changed and encoded one at a time, all else is copied.

Kept: container, codec family, size, sample format, time of every frame and length of the last, key frames and the
fragments that begin with them, colour description, HDR10's static metadata in H.264, H.265 and AV1, sample aspect,
display matrix, interlacing flags; bit-exact: sound, subtitles, attachments, covers, other moving pictures, telemetry of
cameras, the user data and XMP of MP4; chapters, dispositions, languages, tags, timecodes. What has no place in the new
file is left out, and `Progress.left_out` says so.
"""

from __future__ import annotations

import shutil
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import closing
from pathlib import Path
from typing import TYPE_CHECKING, cast

from labelkit import container, threads
from labelkit.codec.chunks import Chunk, ChunkedTrack, encoded
from labelkit.codec.pictures import EncodedTrack, Progress as Progress, Run
from labelkit.codec.prefetch import prefetch
from labelkit.codec.samples import VideoSamples
from labelkit.codec.soundtrack import SoundEncoder, main_sound
from labelkit.codec.tracks import WRITTEN_BY_MUXER, ChangedSound, CopiedTrack, Track, describe
from labelkit.codec.video import DEMUXERS, Film, translated
from labelkit.container import Reader, bmff, initialisation, mp4
from labelkit.errors import cannot_write
from labelkit.messages import Message
from labelkit.plan import Quality

if TYPE_CHECKING:
    from av.stream import AttachmentStream, Stream

_IMAGE_TYPES = {"mjpeg": "image/jpeg", "png": "image/png"}
_TELEMETRY = b"gpmd"  # of action cameras: the one kind of data that muxers take
_PREFETCHED = 4  # frames that are decoded and labelled while the encoder works


def encode(samples: VideoSamples, target: Path, quality: Quality | None = None,
           report: Callable[[Progress], None] | None = None) -> Progress:
    """Write the film with its changes to `target`, in the container it came in; `report` is called after each frame.

    A segment of a stream (`Film.is_segment`) keeps its times and the numbers of its tracks: what is written is its own
    initialisation segment and its fragments, or MPEG-TS.
    With `quality.jobs` the pictures are encoded in chunks beside one another first, and `report` is called from their
    threads, one at a time. Memory grows with the jobs, not with the length. Raises UnsupportedFormat for what cannot be
    encoded as it was, MalformedFile, OutputFailed; `target` then holds nothing of use.
    """
    import av

    film = samples.source
    if not isinstance(film, Film):
        raise TypeError("samples that came from a film are wanted")
    quality, progress = quality or Quality(), Progress(total_seconds=samples.seconds)
    if samples.sound_changes and not samples.sound:
        progress.left_out.append(Message("there is no sound track that a label could be put into"))
    folder = target.with_name(f"{target.name}-chunks")
    try:
        chunks = encoded(samples, film, quality, folder, progress, report)
        with film.opened() as (source, main), translated(film.name):
            with av.open(str(target), "w", format=DEMUXERS[film.container_format],
                         container_options=_muxer_options(film)) as out:
                _transcode(Run(samples, film, source, main, out, quality, progress, report,
                               threads=max(1, threads.cores() // quality.jobs) if chunks else None), chunks)
        if film.container_format in ("mp4", "mov") and not film.is_segment:
            if _complete(film.reader, target) < film.layout.count(b"moof"):
                progress.left_out.append(Message("fragments that begin at no key frame are joined to those before"))
    except OSError as error:
        raise cannot_write(target, error) from error
    finally:
        shutil.rmtree(folder, ignore_errors=True)
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
    if film.container_format in ("mkv", "webm"):
        return {"fflags": "+bitexact"}  # else segment and tracks get random numbers, and no run gives the same bytes
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


def _transcode(run: Run, chunks: Sequence[Chunk] | None) -> None:
    tracks = {stream.index: track for stream in run.source.streams if (track := _track(run, stream, chunks))}
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


def _prepared(run: Run, tracks: Mapping[int, Track]) -> Iterator[Callable[[], None]]:
    """What writes packets to copy and frames to encode, changed already: all that can be done before it is called."""
    for packet in run.source.demux([stream for stream in run.source.streams if stream.index in tracks]):
        yield from tracks[packet.stream.index].writes(packet)


def _track(run: Run, stream: Stream, chunks: Sequence[Chunk] | None) -> Track | None:
    from av.stream import Disposition

    if stream == run.main:
        if run.film.is_cropped(stream.index):
            run.progress.left_out.append(Message("that players crop the film is left out: what was hidden is shown"))
        return ChunkedTrack(run, run.main, chunks) if chunks else EncodedTrack(run, run.main)
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


def _has_place(run: Run, stream: Stream) -> bool:
    if stream.type == "data":
        return run.film.kind_of(stream.index) == _TELEMETRY
    if stream.type == "subtitle" and stream.codec_context is not None:
        decoder = stream.codec_context.codec
        return not run.out.supported_codecs.isdisjoint((decoder.name, decoder.canonical_name))  # pgssub, and what it is
    return stream.type in ("audio", "video") and stream.codec_context is not None


def _is_made_anew(run: Run, stream: Stream) -> bool:
    """Whether the muxer writes a track itself: the timecode of MP4 and MOV, and the text of chapters."""
    kind = run.film.kind_of(stream.index)
    return kind == b"tmcd" and "timecode" in run.main.metadata or kind == b"text" and bool(run.source.chapters())


def _attach_cover(run: Run, stream: Stream) -> None:
    """A cover picture: an attachment in Matroska; in MP4 it comes with the user data."""
    if run.out.format.name == "matroska" and stream.index in run.film.covers:
        kind = stream.metadata.get("mimetype") or _IMAGE_TYPES.get(stream.codec_context.name, "image/jpeg")
        run.out.add_attachment(stream.metadata.get("filename", "cover"), kind, run.film.covers[stream.index])


def _copy_head(run: Run) -> None:
    for name, value in run.source.metadata.items():
        if name not in WRITTEN_BY_MUXER:
            run.out.metadata[name] = value
    run.out.set_chapters(run.source.chapters())
