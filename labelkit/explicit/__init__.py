# SPDX-License-Identifier: Apache-2.0
"""The explicit label, which people see or hear (GB 45438-2025, clause 5).

`draw` puts it on, `confirm` reads it back right after, `find` searches any file for it. Pictures, sound, films and
texts have a folder each, with drawing and finding in files of their own; `rules` and `wording` hold what the standard
asks of all.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator
from dataclasses import replace
from typing import cast

from labelkit.codec.samples import Audio, ImageSamples, Samples, TextSamples, VideoSamples
from labelkit.errors import OutputFailed, UnsupportedFormat
from labelkit.evidence import Drawn, DrawnFilmText, DrawnSound, DrawnWords, StatedPlace
from labelkit.explicit import audio, image, text, video
from labelkit.explicit.image.raster import UInt8
from labelkit.explicit.rules import check_text
from labelkit.messages import Message
from labelkit.plan import Explicit
from labelkit.report import Finding, Status

__all__ = ["check_text", "confirm", "draw", "find"]


def draw(samples: Samples, explicit: Explicit, *, in_place: bool = False) -> tuple[Samples, Drawn]:
    """`samples` with the label, and how it was drawn; in a film at the times of `explicit.showing`.

    in_place  the caller no longer needs writable pictures, which are then drawn on

    Raises what `image.draw`, `audio.draw`, `video.draw` and `text.draw` raise.
    """
    if isinstance(samples, ImageSamples):
        return image.draw_frames(samples, explicit, in_place=in_place)
    if isinstance(samples, Audio):
        return audio.draw(samples, explicit)
    if isinstance(samples, VideoSamples):
        return video.draw(samples, explicit)
    if isinstance(samples, TextSamples):
        return text.draw(samples, explicit)
    raise UnsupportedFormat("an explicit label for {kind} cannot be made", kind=type(samples).__name__)


def confirm(decoded: Callable[[], Samples], explicit: Explicit | None, drawn: Drawn | None) -> None:
    """Raises OutputFailed where a spoken label, any in the sound of a film, or words in a text do not read back from
    the labelled file.

    decoded  decodes the labelled file; not called for other labels, which need no confirmation
    drawn    what `draw` put in
    """
    if explicit is None or drawn is None:
        return
    if isinstance(drawn, DrawnSound):
        if drawn.sound in ("speech", "both"):
            audio.confirm(cast(Audio, decoded()), explicit, drawn)  # `draw` drew it into sound
    elif isinstance(drawn, DrawnWords):
        samples = cast(TextSamples, decoded())
        if samples.blocks or not samples.pictures:
            text.confirm(samples, drawn)
        elif not _in_pictures(samples.pictures(), drawn.text, ()):
            raise OutputFailed("the explicit label {text} does not read back from the text", text=repr(drawn.text))
    elif isinstance(drawn, DrawnFilmText) and drawn.soundtrack:
        video.confirm(cast(VideoSamples, decoded()), explicit, drawn.soundtrack)  # `draw` drew it into a film


def find(samples: Samples, expected_text: str | None = None, *, read_text: bool = False,
         stated_place: StatedPlace | None = None, languages: Collection[str] = ()) -> Finding:
    """What the samples show of an explicit label.

    expected_text   a text that another layer names
    read_text       read text in any font too, as `image.find` does; ignored for sound and texts
    stated_place    where another layer says that it is; pictures are looked at there first
    languages       other than Chinese, whose usual words are searched for along all edges of pictures and films, and
                    their spoken labels at other speeds too
    """
    if isinstance(samples, ImageSamples):
        return image.find(samples, expected_text, read_text=read_text, stated_place=stated_place, languages=languages)
    if isinstance(samples, Audio):
        return audio.find(samples, expected_text, languages)
    if isinstance(samples, VideoSamples):
        return video.find(samples, expected_text, read_text=read_text, languages=languages)
    if isinstance(samples, TextSamples):
        found = text.find(samples)
        if found.status is not Status.ABSENT or not samples.pictures:
            return found
        seen = _in_pictures(samples.pictures(), expected_text, languages, read_text=read_text)
        return seen if seen else found
    raise UnsupportedFormat("an explicit label in {kind} cannot be looked for", kind=type(samples).__name__)


def _in_pictures(pictures: Iterator[UInt8], expected_text: str | None, languages: Collection[str], *,
                 read_text: bool = False) -> Finding | None:
    """The first label in the pictures of a document; None where there is none.

    A low one counts: GB 45438-2025 5.1 fixes no height for labels in texts.
    """
    for picture in pictures:
        seen = image.find(ImageSamples((picture,)), expected_text, read_text=read_text, languages=languages)
        if seen.status is not Status.ABSENT:
            return replace(seen, status=Status.VALID, summary=Message("in a picture: {picture}", picture=seen.summary))
    return None
