# SPDX-License-Identifier: Apache-2.0
"""The segments of one rendition, labelled one by one."""

from __future__ import annotations

import dataclasses
import os
import shutil
from collections.abc import Callable, Generator, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import cast

from labelkit import codec, container, explicit, metadata, watermark
from labelkit.codec import transcode, video
from labelkit.codec.frame import Frame
from labelkit.codec.samples import VideoSamples
from labelkit.container import Reader, bmff, initialisation
from labelkit.errors import MalformedFile, OutputFailed, UnsupportedFormat
from labelkit.messages import Message
from labelkit.playlist.files import Folder, Part, Rendition, Segment
from labelkit.preconditions import refuse_other_labels
from labelkit.request import Request

_MANY = 6  # segments that are named
_HEAD, _EMPTY = (b"ftyp", b"moov"), (b"free", b"skip")


@dataclass(frozen=True, slots=True)
class Made:
    """A part of the source, and the file that is to take its place."""

    part: Part
    stage: Path


@dataclass(slots=True)
class Outcome:
    """What came of a rendition.

    peak, mean  by how many bits a second its largest segment and all together have grown
    codec       of its pictures, as RFC 6381 writes it; "" where it is not known
    left_out    what was copied without a label, or not written
    """

    peak: int = 0
    mean: int = 0
    codec: str = ""
    left_out: list[Message] = field(default_factory=list)


@dataclass(slots=True)
class Job:
    """One rendition while it is labelled.

    work    folder for files under way
    prefix  of the names of those that are made
    heads   the initialisation segments of all renditions so far, as they go before fragments
    """

    folder: Folder
    rendition: Rendition
    request: Request
    replace: bool
    work: Path
    prefix: str
    heads: dict[Part, bytes]
    outcome: Outcome = field(default_factory=Outcome)
    _rates: list[tuple[float, int, int]] = field(default_factory=list)  # seconds, bytes before and after
    _unread: list[str] = field(default_factory=list)
    _first: VideoSamples | None = None
    _has_index: bool = False
    _frames: int = 0

    def run(self) -> Iterator[Made]:
        """The new parts, as they are made."""
        for number, segment in enumerate(self.rendition.segments):
            joined = self.work / "joined"
            self.folder.copy([segment.initialisation, segment.part], joined)
            with container.opened(joined) as reader:
                reader.name = str(segment.part.path)
                yield from self._labelled(reader, segment, self.work / f"{self.prefix}-{number}")
        self._conclude()

    def _labelled(self, reader: Reader, segment: Segment, stage: Path) -> Iterator[Made]:
        """The parts of one segment; `reader` has it behind its initialisation segment."""
        plan, kind = self.request.plan, kind_of(reader)
        if kind == "mp4":
            initialisation.refuse_encrypted(reader)
        has_pictures = kind is not None and video.has_pictures(reader, kind)
        if kind == "ts" and has_pictures and plan.metadata:
            raise UnsupportedFormat("{where}: MPEG-TS has no place that a standard or guide gives to a label's "
                                    "metadata", where=reader.name, hint="leave the metadata layer out of the plan, or "
                                    "repackage the presentation with segments of fragmented MP4")
        if kind == "ts" and has_pictures and segment.initialisation and plan.has_signal_layer:
            raise UnsupportedFormat("{where}: segments of MPEG-TS that need an initialisation segment are not labelled",
                                    where=reader.name, hint="repackage the presentation with segments of fragmented "
                                    "MP4")
        if kind is None or not has_pictures or not plan.has_signal_layer:
            yield from self._copied(segment, stage, is_sound=not has_pictures)
            return
        made, before = self.work / "made", reader.size
        self._encode(reader, made, kind, segment)
        self.outcome.codec = self.outcome.codec or video.codec_string(made, kind)
        if kind == "ts":
            os.replace(made, stage)
        else:
            before -= yield from self._fragments(made, stage, segment, reader)
        self._rates.append((segment.seconds, before, stage.stat().st_size))
        self._confirm(stage, segment, reader.name)
        yield Made(segment.part, stage)

    def _copied(self, segment: Segment, stage: Path, *, is_sound: bool) -> Iterator[Made]:
        """A segment as it is, and once what it needs before it, with the metadata."""
        if is_sound and self.request.plan.has_signal_layer:
            self.outcome.left_out.append(Message("{where}: sound and texts are copied without a mark",
                                                 where=self.rendition.name))
        if segment.initialisation:
            yield from self._head(segment.initialisation, self.folder.bytes_of(segment.initialisation), segment.index)
        self.folder.copy([segment.part], stage)
        yield Made(segment.part, stage)

    def _head(self, part: Part, head: bytes, index: Part | None) -> Iterator[Made]:
        """An initialisation segment, with the metadata, when it comes first, and the index behind it, as it was.

        Raises UnsupportedFormat where a later one is not the same.
        """
        yield from self._metadata(part, head)
        if index and not self._has_index:
            self._has_index, stage = True, self.work / f"{self.prefix}-index"
            self.folder.copy([index], stage)
            yield Made(index, stage)

    def _metadata(self, part: Part, head: bytes) -> Iterator[Made]:
        """An initialisation segment, when it comes first; later ones must be the same."""
        if part in self.heads:
            if self.heads[part] != head:
                raise UnsupportedFormat("{where}: its segments need different decoder settings", where=str(part.path),
                                        hint="give such segments initialisation segments of their own (EXT-X-MAP)")
            return
        self.heads[part] = head
        label, plan = self.request.label, self.request.plan
        stage = self.work / f"{self.prefix}-head-{len(self.heads)}"
        with container.opened(head) as reader:
            reader.name = str(part.path)
            refuse_other_labels(reader, label, plan, self.replace)
            stage.write_bytes(metadata.write(reader, label, generator=plan.generator, signpost=plan.signpost)
                              if plan.metadata else head)
        yield Made(part, stage)

    def _encode(self, reader: Reader, made: Path, kind: str, segment: Segment) -> None:
        """The segment with its signal layers, as a file of its own."""
        plan, done, on_progress = self.request.plan, self._frames, self.request.on_progress
        samples = video.decode(reader, kind, reader.name, self.request.max_pixels, self._first, is_segment=True)
        self._first = self._first or samples
        samples = dataclasses.replace(samples, seconds=self.rendition.seconds).map(_later(segment.begin))
        if plan.explicit:
            samples, _ = explicit.video.draw(samples, plan.explicit)
        if plan.watermark:
            payload = watermark.payload_of(self.request.label, plan)
            if plan.watermark.soundtrack and samples.sound:
                self.outcome.left_out.append(Message("{where}: sound beside pictures is copied without a mark",
                                                     where=self.rendition.name))
            samples = cast(VideoSamples, watermark.embed(samples, payload, self.request.key,
                                                         dataclasses.replace(plan.watermark, soundtrack=False)))

        def report(progress: transcode.Progress) -> None:
            if on_progress:
                on_progress(transcode.Progress(done + progress.frames, segment.begin + progress.seconds,
                                               self.rendition.seconds))

        progress = transcode.encode(samples, made, plan.quality, report)
        self._frames += progress.frames
        self.outcome.left_out += progress.left_out
        if progress.damaged:
            self.outcome.left_out.append(Message("{where}: {count} frames were broken", where=reader.name,
                                                 count=len(progress.damaged)))

    def _fragments(self, made: Path, stage: Path, segment: Segment,
                   reader: Reader) -> Generator[Made, None, int]:
        """The fragments of a segment in `stage`, and its initialisation segment; returns the bytes of the old one."""
        if segment.initialisation is None:
            raise MalformedFile("{where}: a segment of fragmented MP4 needs an initialisation segment (EXT-X-MAP)",
                                where=reader.name)
        old = self.folder.bytes_of(segment.initialisation)
        with container.opened(made) as fragments, container.opened(old) as before:
            before.name = str(segment.initialisation.path)
            yield from self._head(segment.initialisation, container.join(
                before, initialisation.with_description(before, fragments)), segment.index)
            with open(stage, "xb") as out:
                for one, kinds in ((reader, initialisation.KEPT), (fragments, initialisation.FRAGMENTS)):
                    boxes = bmff.boxes(one, 0, one.size)
                    container.stream(one, [(box.start, box.end) for box in boxes if box.kind in kinds], out)
                    self._note_lost({box.kind for box in boxes})
        return len(old)

    def _note_lost(self, kinds: set[bytes]) -> None:
        """Say which boxes of a segment are not in the new one."""
        lost = kinds.difference(initialisation.KEPT, initialisation.FRAGMENTS, _HEAD, _EMPTY)
        if lost:
            self.outcome.left_out.append(Message("{where}: boxes of the segments are left out: {kinds}",
                                                 where=self.rendition.name,
                                                 kinds=", ".join(sorted(kind.decode("latin-1") for kind in lost))))

    def _confirm(self, stage: Path, segment: Segment, name: str) -> None:
        """Note a segment that the watermark is not read from alone."""
        plan = self.request.plan
        if not plan.watermark or not self.request.check:
            return
        joined = self.work / "joined"
        with open(joined, "wb") as out:
            out.write(self.heads[segment.initialisation] if segment.initialisation else b"")
            with open(stage, "rb") as data:
                shutil.copyfileobj(data, out)
        with container.opened(joined) as reader:
            found = watermark.detect(codec.decode(reader, max_pixels=self.request.max_pixels, like=self._first),
                                     self.request.key, effort="fast")
        if found.payload != watermark.payload_of(self.request.label, plan):
            self._unread.append(name)

    def _conclude(self) -> None:
        """What came of the rendition. Raises OutputFailed where the watermark is read from no segment."""
        marked = len(self._rates)
        if marked and len(self._unread) == marked:
            raise OutputFailed("{where}: the watermark does not read back from any segment, which are too short or too "
                               "smooth", where=self.rendition.name, hint="raise the strength, or leave the watermark "
                               "out of the plan")
        if self._unread:
            self.outcome.left_out.append(Message(
                "{where}: the watermark is read from {good} of {total} segments alone, not from {names}",
                where=self.rendition.name, good=marked - len(self._unread), total=marked,
                names="; ".join(self._unread[:_MANY]) + (" ..." if len(self._unread) > _MANY else "")))
        timed = [row for row in self._rates if row[0] > 0]
        if timed:
            seconds = sum(row[0] for row in timed)
            self.outcome.mean = round(8 * sum(after - before for _, before, after in timed) / seconds)
            peaks = [max(8 * row[at] / row[0] for row in timed) for at in (1, 2)]
            self.outcome.peak = round(peaks[1] - peaks[0])


def kind_of(reader: Reader) -> str | None:
    """What a segment behind its initialisation segment is to the codecs: "mp4", "ts", or None for others."""
    try:
        name = container.sniff(reader).name
    except UnsupportedFormat:
        return None
    return {"mp4": "mp4", "mov": "mp4", "m4a": "mp4", "ts": "ts"}.get(name)


def _later(begin: float) -> Callable[[Frame], None]:
    """A change that gives frames their time since the beginning of the presentation."""
    def change(frame: Frame) -> None:
        frame.seconds += begin
    return change
