# SPDX-License-Identifier: Apache-2.0
"""Renditions of sound alone: marked as one, so that no segment begins or ends with a click, and searched as one."""

from __future__ import annotations

import math
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from labelkit import container, watermark
from labelkit.codec import fragmented_sound, video
from labelkit.codec.samples import SoundChange
from labelkit.container import Reader, fragments, initialisation
from labelkit.errors import UnsupportedFormat
from labelkit.key import Key
from labelkit.messages import Message
from labelkit.payload import Payload
from labelkit.playlist.files import Folder, Rendition
from labelkit.playlist.segments import Job, Made, kind_of
from labelkit.watermark.audio.detector import AudioDetector
from labelkit.watermark.video import soundtrack

SEARCHED_S = 60.0
"""From the beginning, in which the mark of a rendition of sound is looked for."""


class SoundJob(Job):
    """A rendition of sound while its watermark is put into it."""

    def run(self) -> Iterator[Made]:
        """The new parts. Raises UnsupportedFormat for sound that is not written in segments."""
        segments, packets = self.rendition.segments, self.work / "packets"
        if not is_one(self.rendition):
            raise UnsupportedFormat("{where}: its segments need different decoder settings", where=self.rendition.name,
                                    hint="leave the sound track out of the plan")
        with _whole(self.folder, self.rendition, self.work / "joined") as reader:
            initialisation.refuse_encrypted(reader)
            sizes = fragmented_sound.encoded(reader, self._marker, packets)
            if fragments.sample_count(reader) != len(sizes):
                raise UnsupportedFormat("{where}: its fragments hold samples that are no sound",
                                        where=self.rendition.name, hint="leave the sound track out of the plan")
        head = segments[0].initialisation
        assert head is not None
        old_head = self.folder.bytes_of(head)
        with open(packets, "rb") as file, open(self.work / "joined", "wb") as whole:
            whole.write(old_head)
            samples = (file.read(size) for size in sizes)
            for number, segment in enumerate(segments):
                stage, old = self.work / f"{self.prefix}-{number}", self.work / "old"
                self.folder.copy([segment.part], old)
                with open(old, "rb") as data, container.opened(data) as reader:
                    reader.name = str(segment.part.path)
                    made = fragments.with_samples(reader, samples)
                stage.write_bytes(made)
                whole.write(made)
                if not number:
                    yield from self._head(head, old_head, segment.index)
                self._rates.append((segment.seconds, old.stat().st_size, stage.stat().st_size))
                yield Made(segment.part, stage)
        self._conclude()
        self._confirm_sound()

    def _confirm_sound(self) -> None:
        """Note a mark that is not read from what was written."""
        wanted = watermark.payload_of(self.request.label, self.request.plan)
        if not self.request.check or wanted is None:
            return
        with container.opened(self.work / "joined") as reader:
            if payload_in(reader, self.request.key) != wanted:
                self.outcome.left_out.append(Message("{where}: the watermark does not read back from the first minute "
                                                     "of the sound", where=self.rendition.name))

    def _marker(self, rate: int, channels: int) -> SoundChange:
        plan = self.request.plan.watermark
        assert plan is not None
        payload = watermark.payload_of(self.request.label, self.request.plan)
        return soundtrack.marker(payload, self.request.key, strength=plan.strength,
                                 robustness=plan.robustness)(rate, channels)


def is_one(rendition: Rendition) -> bool:
    """Whether all segments have the same initialisation segment; others may be of pictures."""
    return rendition.segments[0].initialisation is not None and len(
        {segment.initialisation for segment in rendition.segments}) == 1


def is_sound(folder: Folder, rendition: Rendition, place: Path) -> bool:
    """Whether a rendition is of sound in fragmented MP4 and nothing else; `place` is a file for a while."""
    first = rendition.segments[0]
    folder.copy([first.initialisation, first.part], place)
    with container.opened(place) as reader:
        kind = kind_of(reader)
        return kind == "mp4" and not video.has_pictures(reader, kind) and fragmented_sound.is_sound(reader)


def payload_in(reader: Reader, key: Key) -> Payload | None:
    """The word in the first minute of a rendition, joined; None where there is none."""
    detector: AudioDetector | None = None
    heard = 0.0
    for rate, samples in fragmented_sound.heard(reader):
        detector = detector or AudioDetector(rate, samples.shape[1], key, effort="fast")
        detector.push(samples)
        heard += len(samples) / rate
        if heard >= SEARCHED_S:
            break
    return detector.finish().payload if detector else None


def beginning(folder: Folder, rendition: Rendition, place: Path, seconds: float = SEARCHED_S) -> None:
    """Write the segments that begin in the first seconds as one file, named as sound by its brand."""
    begin = rendition.segments[0].begin
    parts = [rendition.segments[0].initialisation, *(
        segment.part for segment in rendition.segments if segment.begin - begin < seconds)]
    folder.refuse_repeats(parts)
    folder.copy(parts, place)
    with open(place, "r+b") as file:
        if file.read(8)[4:] == b"ftyp":
            file.write(b"M4A ")


@contextmanager
def _whole(folder: Folder, rendition: Rendition, place: Path) -> Iterator[Reader]:
    """A rendition as one file."""
    beginning(folder, rendition, place, math.inf)
    with container.opened(place) as reader:
        reader.name = rendition.name
        yield reader
