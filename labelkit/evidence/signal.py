# SPDX-License-Identifier: Apache-2.0
"""Evidence from the samples: watermark and explicit label, where they lie, and what was drawn."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import TypeAlias

from labelkit.evidence.values import Json, if_known

MAX_PLACE = 1 << 24  # pixels


# How a mark lies in the samples


@dataclass(frozen=True, slots=True)
class ImageGeometry:
    """How a tile lies in a picture or film.

    period     side of the tile in pixels
    mirrored   left to right, before turning
    angle      degrees counter-clockwise
    lattice    two vectors in pixels, (x, y) each
    also       other payloads of the same key over the strongest, as hex
    tilt       of a picture seen in perspective: by what share of the distance the right and the lower end of a square
               about the middle are nearer; period, angle and lattice are then those in the middle
    """

    period: float
    mirrored: bool
    angle: float
    lattice: tuple[tuple[float, float], tuple[float, float]]
    also: tuple[str, ...] | None = if_known()
    tilt: tuple[float, float] | None = if_known()


@dataclass(frozen=True, slots=True)
class FilmGeometry(ImageGeometry):
    """The same of a film; seconds from its start.

    spans          (begin, end) of each marked stretch, as far as frames were looked at
    begin_seconds  of the first, end_seconds of the last
    """

    spans: tuple[tuple[float, float], ...] | None = if_known()
    begin_seconds: float | None = if_known()
    end_seconds: float | None = if_known()


@dataclass(frozen=True, slots=True)
class Segment:
    """A stretch of sound that carries one payload (hex; None: presence alone); tempo and pitch are factors.

    false_positive_rate  chance that sound without this payload gives it, every trial counted
    backwards            True where it was played backwards
    """

    payload: str | None
    start_s: float
    end_s: float
    score: float
    tempo: float
    pitch: float
    false_positive_rate: float | None = if_known()
    backwards: bool | None = if_known()


@dataclass(frozen=True, slots=True)
class AudioGeometry:
    """How a mark lies in sound; absent but for `heard` and `replays_s` where none was found.

    start_s, end_s       seconds: the outermost of the strongest payload
    speed, tempo, pitch  factors of how it was replayed
    segments             every stretch of every payload; those of voices that were mixed lie over each other
    also                 the other payloads of the same key, as hex
    presence_only        True where the mark carries no id
    backwards            True where it was played backwards
    replays_s            seconds of the sound in which other speeds, tempos and pitches were searched for
    heard                of a film's sound track: the stretches (begin, end) that were listened to, in seconds
    """

    start_s: float | None = if_known()
    end_s: float | None = if_known()
    speed: float | None = if_known()
    tempo: float | None = if_known()
    pitch: float | None = if_known()
    segments: tuple[Segment, ...] | None = if_known()
    presence_only: bool | None = if_known()
    heard: tuple[tuple[float, float], ...] | None = if_known()
    also: tuple[str, ...] | None = if_known()
    backwards: bool | None = if_known()
    replays_s: float | None = if_known()


@dataclass(frozen=True, slots=True)
class NoGeometry:
    """Nothing was found, or a mark that cannot be placed."""


Geometry: TypeAlias = ImageGeometry | FilmGeometry | AudioGeometry | NoGeometry


# Watermark


@dataclass(frozen=True, slots=True, kw_only=True)
class _Decision:
    """A detector's decision.

    score                standard deviations above unmarked media
    false_positive_rate  chance that unmarked media give this answer, every trial counted; 1.0 where nothing was found
    candidates           how many payloads were counted, where this one was found among candidates; absent where it was
                         read
    """

    found: bool
    presence_only: bool
    score: float
    geometry: Geometry
    false_positive_rate: float
    effort: str
    candidates: int | None = if_known()


@dataclass(frozen=True, slots=True, kw_only=True)
class SoundtrackMark(_Decision):
    """The detector's decision on the sound track of a film."""

    payload: str | None


@dataclass(frozen=True, slots=True, kw_only=True)
class WatermarkEvidence(_Decision):
    """The detector's decision, by which key."""

    key_id: str
    key_is_public: bool
    soundtrack: SoundtrackMark | None = if_known()


# Explicit label


@dataclass(frozen=True, slots=True)
class HeardLabel:
    """An audible label that was heard.

    sound                   "rhythm" or "speech"
    start_s                 seconds
    unit_s, pitch_hz, contrast_db   of a rhythm
    loudness_lufs           of the sounds of a rhythm
    level_db                the same above the loudness of the programme around it; None where that is silent
    text, speed, likeness, least    of speech; correlation of the whole and of its least part
    """

    sound: str
    start_s: float
    unit_s: float | None = if_known()
    pitch_hz: int | None = if_known()
    contrast_db: float | None = if_known()
    loudness_lufs: float | None = if_known()
    level_db: float | None = if_known()
    text: str | None = if_known()
    speed: float | None = if_known()
    likeness: float | None = if_known()
    least: float | None = if_known()


@dataclass(frozen=True, slots=True)
class SeenText:
    """A text that was seen.

    box           (x, y, width, height) in pixels
    position      corner or edge, "" for the middle
    height_share  of the shortest side
    contrast      WCAG ratio
    score         of the match, 0 to 1
    """

    text: str
    box: tuple[int, int, int, int]
    position: str
    height_share: float
    contrast: float
    score: float


@dataclass(frozen=True, slots=True, kw_only=True)
class ExplicitEvidence:
    """What was seen or heard of an explicit label; `SeenText`'s fields where one was seen.

    seen_by   "font" (the bundled font is recognised), "reading" (any font, by OCR) or "text" (of a document)
    wording   of a text that was read: "label", "english" or "other" (words without 生成 or 合成, in Chinese or another
              language); of a document also "mark" (the corner mark)
    language  ISO 639-1 code, where the text is the usual label of another language than Chinese
    place     of a document's label: "start", "middle" or "end"
    mentioned what of a document speaks of AI without being a label for certain
    unread    lines along the edges that OCR did not make out
    mention   a text that speaks of AI without being a label
    texts     what was looked for in vain
    heard     audible labels, in order of time
    words, text_bytes   of a document: how many words its text has, and how many bytes as UTF-8
    """

    text: str | None = if_known()
    box: tuple[int, int, int, int] | None = if_known()
    position: str | None = if_known()
    height_share: float | None = if_known()
    contrast: float | None = if_known()
    score: float | None = if_known()
    seen_by: str | None = if_known()
    wording: str | None = if_known()
    unread: int | None = if_known()
    mention: SeenText | None = if_known()
    texts: tuple[str, ...] | None = if_known()
    heard: tuple[HeardLabel, ...] | None = if_known()
    place: str | None = if_known()
    language: str | None = if_known()
    mentioned: str | None = if_known()
    words: int | None = if_known()
    text_bytes: int | None = if_known()


# What was drawn, as the manifest states it


@dataclass(frozen=True, slots=True, kw_only=True)
class DrawnSound:
    """An audible label as put in; seconds."""

    sound: str
    text: str
    place: str
    starts_s: tuple[float, ...]
    seconds: float


@dataclass(frozen=True, slots=True, kw_only=True)
class DrawnText:
    """A text as drawn.

    lines           the text as broken into lines
    position        corner or edge, as in the plan; with a border the strip is above or below the picture
    box             (x, y, width, height) of the ink in pixels of the labelled picture
    ink_height_px   height of the lowest character of the AI and generation elements
    height_share    that height as a share of the shortest side of the labelled picture
    contrast        WCAG contrast ratio of the blended ink to the worst 1 % of the blended ground
    treatment       "plain", "plate" or "border"
    frames          how many a picture has
    """

    text: str
    lines: tuple[str, ...]
    position: str
    box: tuple[int, int, int, int]
    ink_height_px: int
    height_share: float
    contrast: float
    treatment: str
    frames: int | None = if_known()

    def rounded(self) -> DrawnText:
        """The same with as many digits as a manifest states."""
        return replace(self, height_share=round(self.height_share, 4), contrast=round(self.contrast, 2))


@dataclass(frozen=True, slots=True, kw_only=True)
class DrawnFilmText(DrawnText):
    """A text as drawn into a film.

    until_seconds  None where it is shown to the end
    soundtrack     what was put into the sound track
    """

    from_seconds: float
    until_seconds: float | None
    soundtrack: DrawnSound | None = if_known()


@dataclass(frozen=True, slots=True, kw_only=True)
class DrawnWords:
    """Words as put into a text: at the "start", "middle" or "end"; `mark` where it is the corner mark alone."""

    text: str
    places: tuple[str, ...]
    mark: bool


Drawn: TypeAlias = DrawnText | DrawnFilmText | DrawnSound | DrawnWords


@dataclass(frozen=True, slots=True)
class StatedPlace:
    """Where a manifest says that a text was drawn: (x, y, width, height) and its ink height, pixels of the picture."""

    box: tuple[int, int, int, int]
    ink_height_px: int

    @classmethod
    def of(cls, stated: Mapping[str, Json]) -> StatedPlace | None:
        """The place in a manifest's description; None where it states none, or none that a picture can have."""
        box, ink = stated.get("box"), stated.get("ink_height_px")
        numbers = [*box, ink] if isinstance(box, list | tuple) and len(box) == 4 else []
        if not numbers or not all(type(one) is int and 0 <= one <= MAX_PLACE for one in numbers) or 0 in numbers[2:]:
            return None
        x, y, width, height, ink_px = (one for one in numbers if isinstance(one, int))
        return cls((x, y, width, height), ink_px)
