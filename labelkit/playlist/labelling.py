# SPDX-License-Identifier: Apache-2.0
"""A presentation of HLS or DASH labelled segment by segment, into another folder."""

from __future__ import annotations

import dataclasses
import os
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path, PurePosixPath
from typing import TYPE_CHECKING, TypeAlias

from labelkit import codec
from labelkit.container import workfolder
from labelkit.errors import InvalidArgument, UnsupportedFormat, cannot_write, check_types, checked
from labelkit.key import Key
from labelkit.label import Label
from labelkit.log_recorder import Audit, Recorder
from labelkit.messages import Message
from labelkit.plan import Plan
from labelkit.playlist import dash, hls, sound
from labelkit.playlist.files import Folder, Part
from labelkit.playlist.names import is_manifest
from labelkit.playlist.segments import Job, Made, Outcome
from labelkit.playlist.sound import SoundJob
from labelkit.preconditions import refuse_same_file
from labelkit.request import Request

if TYPE_CHECKING:
    from labelkit.codec.transcode import Progress


def embed(source: str | os.PathLike[str], target: str | os.PathLike[str], label: Label, *, plan: Plan | None = None,
          key: Key | None = None, replace: bool = False, check: bool = True, max_pixels: int = codec.MAX_PIXELS,
          audit: Audit | None = None, on_progress: Callable[[Progress], None] | None = None,
          on_left_out: Callable[[Message], None] | None = None) -> Path:
    """Label a presentation of HTTP Live Streaming (a playlist of media, or one of playlists), or of DASH (a manifest).

    source       path of the playlist or manifest; files are read in its folder and below, and nowhere else
    target       path of the one to write; other playlists, and the segments, are put beside it as they lay
    label        what is said about the content
    plan         its explicit label, watermark and metadata are used
    key          of the watermark; None is the public key
    replace      put this label in the place of another producer's
    check        look for the watermark in each labelled segment
    max_pixels   bound of the pixels of one frame
    audit        the label log that gets a record of the playlist before it is put in its place
    on_progress  called after each frame, with the `Progress` of its playlist
    on_left_out  called with what was copied without a label, or left out

    Each segment of pictures is encoded by itself, with its key frames, times and tracks, so that it can be played,
    fetched and verified alone. Sound of its own, in AAC, is marked if the watermark of the plan is in the sound track;
    sound beside pictures is copied. Fragmented MP4 has the metadata in its initialisation segment; MPEG-TS has no place
    for them, and is refused unless the plan leaves them out. Subtitles are copied.
    Returns the path of the new playlist, which is put in its place last. Raises LabelkitError: UnsupportedFormat, for
    encrypted and unfinished presentations too, and for paths that lead out of the folder; InvalidArgument,
    MalformedFile, LimitExceeded, HostTooSmall, OutputFailed.
    """
    plan, label = Plan() if plan is None else plan, checked(label, Label, "label")
    check_types(plan=(plan, Plan))
    _refuse(plan, str(source))
    source, target = Path(source), Path(target)
    refuse_same_file(source, target)
    if target.parent.resolve() == source.parent.resolve():
        raise InvalidArgument("{where}: the labelled segments would be written over the old ones", where=str(target),
                              hint="give another folder")
    request = Request(label, plan, Key.of(key), check, max_pixels, on_progress,
                      Recorder.of(audit, label, plan, samples_only=False))
    presentation = read(source)
    is_new = not target.parent.exists()
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
        work = workfolder.WorkFolder(target.parent)
        try:
            made = _Labelled(presentation, request, replace, work.path)
            made.run()
            made.put(target)
        finally:
            work.close()
    except OSError as error:
        raise cannot_write(target, error) from error
    finally:
        if is_new:
            with suppress(OSError):
                target.parent.rmdir()  # where nothing was put into it
    for message in dict.fromkeys(made.left_out) if on_left_out else ():
        on_left_out(message)  # type: ignore[misc]  # there is one
    return target


def _refuse(plan: Plan, where: str) -> None:
    """Raise InvalidArgument for layers that are not put into segments."""
    if plan.provenance:
        raise InvalidArgument("{where}: segments are not signed: there is no manifest of C2PA over them here",
                              where=where, hint="leave provenance out of the plan")
    if plan.explicit and plan.explicit.soundtrack:
        raise InvalidArgument("{where}: segments get no audible label", where=where,
                              hint="set soundtrack=False")
    if not (plan.has_signal_layer or plan.metadata):
        raise InvalidArgument("the plan has no layer, so nothing would be labelled")


Presentation: TypeAlias = hls.Presentation | dash.Presentation


def read(source: Path) -> Presentation:
    """The presentation of a playlist or manifest. Raises what `hls.parse` and `dash.Presentation` raise."""
    kind = dash.Presentation if is_manifest(source.name) else hls.Presentation
    return kind(Folder(source))


@dataclass(slots=True)
class _Labelled:
    """A presentation while it is labelled, its files in a folder of their own."""

    presentation: Presentation
    request: Request
    replace: bool
    work: Path
    left_out: list[Message] = field(default_factory=list)
    parts: dict[Part, Part] = field(default_factory=dict)  # where each part of the source lies now
    outcomes: dict[str, Outcome] = field(default_factory=dict)  # by playlist
    places: dict[PurePosixPath, Path] = field(default_factory=dict)  # the files that are made

    def run(self) -> None:
        """Label all of it."""
        heads: dict[Part, bytes] = {}
        self.presentation.folder.refuse_repeats(dict.fromkeys(
            part for rendition in self.presentation.renditions() for segment in rendition.segments
            for part in (segment.initialisation, segment.part)))
        for number, rendition in enumerate(self.presentation.renditions()):
            folder, watermark = self.presentation.folder, self.request.plan.watermark
            kind = SoundJob if watermark and watermark.soundtrack and sound.is_sound(
                folder, rendition, self.work / "joined") else Job
            job = kind(folder, rendition, self.request, self.replace, self.work, f"{number}", heads)
            for made in job.run():
                self._place(made)
            self.outcomes[rendition.name] = job.outcome
            self.left_out += job.outcome.left_out
        for path in self.presentation.files():
            self._place(Made(Part(path), self._copied(path)))
        for part, data in self.presentation.patches(self.parts):
            with open(self.places[part.path], "r+b") as file:
                file.seek(part.start or 0)
                file.write(data)

    def _copied(self, path: PurePosixPath) -> Path:
        stage = self.work / f"copy-{len(self.places)}"
        self.presentation.folder.copy([Part(path)], stage)
        return stage

    def _place(self, made: Made) -> None:
        """Put a part where its file is made: a range behind the ranges that were made before it."""
        old = made.part
        if old in self.parts:
            made.stage.unlink()
            return
        stage = self.places.get(old.path)
        if old.start is None and stage is None:
            self.parts[old], self.places[old.path] = old, made.stage
            return
        if stage is None:
            stage = self.places[old.path] = self.work / f"ranges-{len(self.places)}"
        elif (old.start is None) != (self.parts.get(Part(old.path)) is not None):
            raise UnsupportedFormat("{where} is named whole and in ranges", where=str(old.path))
        with open(stage, "ab") as out, open(made.stage, "rb") as data:
            start, length = out.tell(), 0
            while piece := data.read(1 << 20):
                length += out.write(piece)
        made.stage.unlink()
        self.parts[old] = dataclasses.replace(old, start=start, length=length)

    def put(self, target: Path) -> None:
        """Record the playlist and move everything to its place, the playlist itself last."""
        folder = self.presentation.folder
        texts = self.presentation.texts(self.parts, self.outcomes, self.left_out)
        entry = self.work / "entry"
        entry.write_text(texts.pop(folder.entry), "utf-8", newline="\n")
        for number, (path, text) in enumerate(texts.items()):
            self.places[path] = self.work / f"playlist-{number}"
            self.places[path].write_text(text, "utf-8", newline="\n")
        if self.request.recorder:
            self.request.recorder.record(None, entry)
        for path, stage in self.places.items():
            place = target.parent / path
            place.parent.mkdir(parents=True, exist_ok=True)
            os.replace(stage, place)
        os.replace(entry, target)
