# SPDX-License-Identifier: Apache-2.0
"""A presentation of HLS or DASH verified segment by segment: what anybody sees who fetches one."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple, Unpack

from labelkit import container, pipeline
from labelkit.codec import video
from labelkit.finding import Finding, Layer, Status
from labelkit.messages import Message
from labelkit.playlist import sound
from labelkit.playlist.files import Part
from labelkit.playlist.labelling import read
from labelkit.playlist.segments import kind_of
from labelkit.preconditions import VerifySettings
from labelkit.report import Report


class Joined(NamedTuple):
    """A segment behind its initialisation segment, or the first minute of a rendition of sound.

    name      of the segment, or of the rendition
    path      of a file that goes when the next is asked for
    is_first  whether the playlist begins with it
    is_sound  whether it is sound alone, which is reported where it carries a mark
    """

    name: str
    path: str
    is_first: bool
    is_sound: bool = False


def verify(source: str | os.PathLike[str], **settings: Unpack[VerifySettings]) -> Iterator[tuple[str, Report]]:
    """(name, report) of each segment with pictures, in order, verified alone behind its initialisation segment; and of
    each rendition of sound alone whose first minute carries a mark.

    source    path of the playlist or manifest; files are read in its folder and below, and nowhere else
    settings  as for `labelkit.verify`
    The name is that of the segment's file, with its range in bytes where it is one. A segment that two playlists name
    comes once. Raises what `hls.parse` and `labelkit.verify` raise.
    """
    for one in joined(source):
        report = of_segment(pipeline.verify(one.path, **settings), one)
        if counts(report, one):
            yield one.name, report


def counts(report: Report, one: Joined) -> bool:
    """Whether a report is given: of sound alone only where it carries a mark."""
    return not one.is_sound or any(finding.layer is Layer.WATERMARK and finding.status is Status.VALID
                                   for finding in report)


def of_segment(report: Report, one: Joined) -> Report:
    """The report of a segment: the explicit label is shown at the beginning, and later ones need not have it."""
    found = {finding.layer: finding for finding in report}
    if not one.is_first and found[Layer.EXPLICIT].status is not Status.VALID:
        found[Layer.EXPLICIT] = Finding(Layer.EXPLICIT, Status.UNCHECKED, Message(
            "shown at the beginning of a film, and judged in the first segment"), asked=False)
    return Report.of(one.name, found)


def joined(source: str | os.PathLike[str]) -> Iterator[Joined]:
    """Each segment with pictures of a presentation, and the beginning of each rendition of sound alone."""
    presentation = read(Path(source))
    done: set[Part] = set()
    with tempfile.TemporaryDirectory() as place:
        for rendition in presentation.renditions():
            whole = Path(place) / "sound.mp4"
            if rendition.segments[0].part not in done and sound.is_one(rendition) and sound.is_sound(
                    presentation.folder, rendition, whole):
                done.update(segment.part for segment in rendition.segments)
                sound.beginning(presentation.folder, rendition, whole)
                yield Joined(rendition.name, str(whole), False, True)
                continue
            for segment in rendition.segments:
                part = segment.part
                if part in done:
                    continue
                done.add(part)
                path = Path(place) / "segment"
                presentation.folder.copy([segment.initialisation, part], path)
                with container.opened(path) as reader:
                    reader.name = str(part.path)
                    kind = kind_of(reader)
                    has_pictures = kind is not None and video.has_pictures(reader, kind)
                if has_pictures:
                    span = "" if part.start is None else f"@{part.start}-{part.start + part.length - 1}"
                    yield Joined(f"{part.path}{span}", str(path), segment.begin == 0)
                path.unlink()
