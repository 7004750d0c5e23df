# SPDX-License-Identifier: Apache-2.0
"""A film in chunks: cut at key frames, encoded beside one another, and put together as if encoded in one piece.

A chunk begins at a key frame before which nothing is shown later and after which nothing earlier, so that it is decoded
and marked exactly as in the whole film: marks begin anew at key frames. What differs is how the encoder spends its
bits, which does not know the other chunks. Finished chunks are files of their own; where the caller keeps their folder,
a run that was killed makes only those that are missing.
"""

from __future__ import annotations

import functools
import os
import threading
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, cast

import numpy as np

from labelkit import threads
from labelkit.codec.backends import opened, time_base
from labelkit.codec.pictures import EncodedTrack, Progress, Run
from labelkit.codec.samples import VideoSamples
from labelkit.codec.structure import Int64, Structure
from labelkit.codec.video import Film, translated
from labelkit.errors import LabelkitError, OutputFailed
from labelkit.plan import Quality

if TYPE_CHECKING:
    from av import Packet
    from av.stream import Stream
    from av.video.stream import VideoStream

SECONDS = 10.0
"""Of a chunk at least; a chunk of a film of key frames every two seconds lasts ten."""
_CONTAINERS = ("mp4", "mov", "mkv", "webm")  # their pictures have the decoder's settings apart, as the chunks have
_CODECS = ("h264", "hevc", "av1", "vp9", "vp8")


@dataclass(frozen=True, slots=True)
class Chunk:
    """A stretch of the film, encoded.

    path   the file of its pictures alone
    times  int64 [packets] in the order in which they are stored, when each is shown, in units of the film's stream
    """

    path: Path
    times: Int64


@dataclass(frozen=True, slots=True)
class _Span:
    """The frames from `start`, None for the first, to before `stop`, None for the end; the number of the first."""

    start: int | None
    stop: int | None
    first: int


def encoded(samples: VideoSamples, film: Film, quality: Quality, folder: Path, progress: Progress,
            report: Callable[[Progress], None] | None) -> list[Chunk] | None:
    """The chunks of a film, encoded with `quality.jobs` at a time; None where it is to be encoded in one piece.

    folder    where they are written, if `quality.chunks` names no other; what is there already is kept
    progress  is added to, and given to `report` after each frame, from any thread but one at a time
    """
    if quality.jobs == 1 and quality.chunks is None or film.is_segment or film.container_format not in _CONTAINERS \
            or (quality.codec or film.codec) not in _CODECS:
        return None
    spans = _spans(film.structure)
    probe = film.reader.again()
    if len(spans) < 2 or probe is None or film.structure.shown.min() < 0:  # chunks tell no times before 0
        return None
    probe.file.close()
    folder = quality.chunks or folder
    folder.mkdir(parents=True, exist_ok=True)
    counter = _Counter(progress, report)
    share = max(1, threads.cores() // quality.jobs)

    def made(span: _Span) -> Chunk:
        path = folder / f"{span.first}.nut"
        expected = _expected(film.structure, span)
        times = _times(path, film) if path.exists() else None
        if times is not None and np.array_equal(np.sort(times), expected):
            counter.skip(len(times), film.seconds_of(int(times.max())))
            return Chunk(path, times)
        _encode(samples, film, quality, span, path, share, counter)
        times = _times(path, film)
        if times is None or not np.isin(times, expected).all():
            raise OutputFailed("{where}: a chunk of the film does not read back", where=film.name)
        return Chunk(path, times)

    return [chunk for _, chunk in threads.in_order(made, spans, quality.jobs, ending=counter.stopped.set)]


def _spans(structure: Structure) -> list[_Span]:
    """The film, cut at least SECONDS apart."""
    least, marks = SECONDS / structure.time_base, cast("list[int | None]", [None])
    last = int(structure.shown.min()) if len(structure.shown) else 0
    for cut in structure.cuts():
        if cut - last >= least:
            marks.append(last := int(cut))
    return [_Span(start, stop, 0 if start is None else int((structure.shown < start).sum()))
            for start, stop in zip(marks, [*marks[1:], None], strict=True)]


def _expected(structure: Structure, span: _Span) -> Int64:
    """When its frames are shown, ascending."""
    shown = np.unique(structure.shown)
    inside = np.ones(len(shown), np.bool_)
    if span.start is not None:
        inside &= shown >= span.start
    if span.stop is not None:
        inside &= shown < span.stop
    return shown[inside]


class _Counter:
    """Adds up the progress of several chunks."""

    def __init__(self, progress: Progress, report: Callable[[Progress], None] | None) -> None:
        self.stopped = threading.Event()
        self._progress, self._report, self._lock = progress, report, threading.Lock()

    def frame(self, own: Progress) -> None:
        """One frame more, of a chunk with a progress of its own; raises KeyboardInterrupt where the run has ended."""
        if self.stopped.is_set():
            raise KeyboardInterrupt
        with self._lock:
            self._add(1, own.seconds)

    def skip(self, frames: int, seconds: float) -> None:
        """The frames of a chunk that is there already."""
        with self._lock:
            self._add(frames, seconds)

    def _add(self, frames: int, seconds: float) -> None:
        self._progress.frames += frames
        self._progress.seconds = max(self._progress.seconds, seconds)
        if self._report:
            self._report(self._progress)

    def finished(self, own: Progress) -> None:
        """A chunk is done: what was broken in it, and what was left out."""
        with self._lock:
            self._progress.damaged = sorted([*self._progress.damaged, *own.damaged])
            self._progress.left_out += [one for one in own.left_out if one not in self._progress.left_out]


def _encode(samples: VideoSamples, film: Film, quality: Quality, span: _Span, path: Path, share: int,
            counter: _Counter) -> None:
    """Write one chunk; its name is given to it when it is whole."""
    import av

    reader = film.reader.again()
    if reader is None:
        raise OutputFailed("{where}: the film cannot be opened again", where=film.name)
    part, progress = path.with_suffix(".part"), Progress()
    try:
        with film.opened(reader=reader) as (source, main), translated(film.name):
            # B-frames are decoded before time 0, which would move the first chunk alone
            with av.open(str(part), "w", format="nut", container_options={"avoid_negative_ts": "disabled"}) as out:
                track = _ChunkTrack(Run(samples.anew(), film, source, main, out, quality, progress, counter.frame,
                                        threads=share), main, span)
                if span.start is not None:
                    source.seek(span.start, stream=main)
                for packet in source.demux(main):
                    for write in track.writes(cast("Packet[Stream]", packet)):
                        write()
                    if track.is_over:
                        break
                track.finish()
    finally:
        reader.file.close()
    os.replace(part, path)
    counter.finished(progress)


class _ChunkTrack(EncodedTrack):
    """The pictures of one span."""

    def __init__(self, run: Run, source: VideoStream, span: _Span) -> None:
        super().__init__(run, source)
        self.span, self.count = span, span.first
        self.is_begun, self.is_over = span.start is None, False

    def writes(self, packet: Packet[Stream]) -> Iterator[Callable[[], None]]:
        """The frames of the span, with the changes."""
        import av

        self.is_begun |= packet.is_keyframe and packet.pts == self.span.start
        if not self.is_begun:
            return
        if packet.size and packet.is_keyframe and packet.pts == self.span.stop:
            self.is_over = True
            packet = av.Packet()  # the end, for the decoder
            packet.stream = self.source
        yield from super().writes(packet)


def _times(path: Path, film: Film) -> Int64 | None:
    """When the packets of a chunk are shown, in the order in which they are stored; None for what is no chunk."""
    try:
        return np.array([packet.pts for packet in _packets(path, film)], np.int64)
    except (LabelkitError, OSError):
        return None


def _packets(path: Path, film: Film) -> Iterator[Packet[VideoStream]]:
    """The packets of a chunk, their times in units of the film's stream."""
    with open(path, "rb") as file, translated(film.name):
        with opened(file, format="nut") as source:
            stream = source.streams.video[0]
            scale = time_base(stream) / film.time_base
            for packet in source.demux(stream):
                if packet.size and packet.pts is not None:
                    packet.pts = round(packet.pts * scale)
                    yield packet


class ChunkedTrack(EncodedTrack):
    """The chunks of a film, one after the other, as the stream of its pictures."""

    def __init__(self, run: Run, source: VideoStream, chunks: Sequence[Chunk]) -> None:
        super().__init__(run, source)
        self._chunks = chunks
        self._shown = np.concatenate([np.sort(chunk.times) for chunk in chunks])
        self._delay = max(int((np.arange(len(chunk.times)) - np.argsort(np.argsort(chunk.times))).max(initial=0))
                          for chunk in chunks)
        last = int(self._shown[-1])
        self._lengths = np.diff(self._shown, append=last + (self.left_at_end(last) or self.film.structure.last_length))
        self._stored, self._number = self._all(), 0

    def writes(self, packet: Packet[Stream]) -> Iterator[Callable[[], None]]:
        """A packet for each one of the source, so that all streams come in the order of their times."""
        if packet.size and (stored := next(self._stored, None)):
            yield functools.partial(self._write_stored, stored)

    def finish(self) -> None:
        """Write what is left."""
        for packet in self._stored:
            self._write_stored(packet)

    def _write_stored(self, packet: Packet[VideoStream]) -> None:
        at, time = self._number, cast(int, packet.pts)
        self._number += 1
        packet.dts = int(self._shown[at - self._delay]) if at >= self._delay else \
            int(self._shown[at] - (self._shown[min(self._delay, len(self._shown) - 1)] - self._shown[0]))
        packet.duration = int(self._lengths[np.searchsorted(self._shown, time)])
        packet.time_base, packet.stream = self.time_base, self.stream
        self.run.out.mux(packet)

    def _all(self) -> Iterator[Packet[VideoStream]]:
        for chunk in self._chunks:
            yield from _packets(chunk.path, self.film)
