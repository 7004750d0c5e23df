# SPDX-License-Identifier: Apache-2.0
"""Plan: which layers are put on, how strong and where. Frozen, with defaults that satisfy the standard."""

from __future__ import annotations

import math
import warnings
from collections.abc import Collection, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from labelkit.choices import CORNERS, EDGES, EFFORTS, EU_WORDS, FILM_CODECS, PLACES, ROBUSTNESS, SOUNDS
from labelkit.errors import InvalidArgument, check_types
from labelkit.label import Generator as Generator
from labelkit.languages import LANGUAGES
from labelkit.signpost import Signpost

if TYPE_CHECKING:
    import datetime

    from labelkit.provenance.signer import Signer

MIN_STRENGTH, MAX_STRENGTH = 0.25, 4.0
MIN_HEIGHT_SHARE = 0.05  # GB 45438-2025 5.2, 5.4: text height at least 5 % of the shortest side


@dataclass(frozen=True, slots=True)
class Showing:
    """When a film shows its label; always from the first frame on (GB 45438-2025 5.4).

    seconds  for how long, 2 (the legal floor) or more; math.inf is the whole length
    at_end   again in the last `seconds`
    every    again every so many seconds, or None
    fade     seconds of fading in and out, outside `seconds`
    """

    seconds: float = 3.0
    at_end: bool = False
    every: float | None = None
    fade: float = 0.0

    def __post_init__(self) -> None:
        check_range("seconds", self.seconds, 2.0, math.inf)
        check_range("fade", self.fade, 0.0, 10.0)
        if self.every is not None:
            check_range("every", self.every, self.seconds + 2 * self.fade, math.inf)


@dataclass(frozen=True, slots=True)
class Explicit:
    """The label that people see or hear. Texts get `text` (with style "icon" the corner mark AI alone) at `place`.

    text      must hold an AI element (人工智能 or AI) and a generation element (生成 or 合成), unless `language` is
              another than zh
    language  a key of `labelkit.languages.LANGUAGES`: of `text`, whose default gives way to that language's usual
              words, and of the spoken label. Words of another language than zh do not meet GB 45438-2025
    words     instead of `text` the words of an EU icon, a key of EU_WORDS; GB 45438-2025 is not met by them alone.
              `Explicit.eu` sets the place and the repetition too that the Code of Practice names
    corner    one of CORNERS, or an edge of EDGES (the label is centred along it)
    height    ink height of the lowest glyph as a share of the shortest side, 0.05 (the legal floor) to 0.5
    margin    distance from the edge as a share of the shortest side, 0 to 0.2
    opacity   of text and plate, 0.6 to 1; legibility is checked after blending
    style     "text", or "icon": the AI corner mark with the text beside it
    border    put the text in a strip outside the picture and leave the picture's own pixels alone
    font      path of a font file, or None for a bundled one: Latin, Greek, Cyrillic, Arabic, Hebrew, Devanagari and
              Thai letters, and the Chinese, Japanese and Korean characters that labels usually hold

    Of sound, and `place` of texts too:
    sound      "rhythm" (Morse "AI", 短长 短短), "speech" (a spoken label) or "both"
    place      "start", "end", "both", or "middle": at a pause, or between two paragraphs
    repeat_s   again at a pause about every so many seconds, 5 to 86,400; 0 for no repeat
    recording  path of a spoken label, a WAV of 16 bits; None for the bundled one, in `language` or that of `text`

    Of films:
    showing     when they show it
    soundtrack  let it be heard too, over the sound track, which is then encoded anew; `sound`, `place`, `repeat_s` and
                `recording` say how
    """

    text: str = "AI生成"
    corner: str = "bottom-right"
    height: float = MIN_HEIGHT_SHARE
    margin: float = 0.02
    opacity: float = 1.0
    style: str = "text"
    border: bool = False
    font: str | Path | None = None
    sound: str = "rhythm"
    place: str = "start"
    repeat_s: float = 0.0
    recording: str | Path | None = None
    showing: Showing = field(default_factory=Showing)
    soundtrack: bool = False
    words: str | None = None
    language: str | None = None

    def __post_init__(self) -> None:
        check_types(text=(self.text, str), showing=(self.showing, Showing))
        if self.language is not None:
            _check_choice("language", self.language, tuple(LANGUAGES))
            if self.text == LANGUAGES["zh"].text:
                object.__setattr__(self, "text", LANGUAGES[self.language].text)
        if self.words is not None:
            _check_choice("words", self.words, tuple(EU_WORDS))
            object.__setattr__(self, "text", EU_WORDS[self.words])
        _check_choice("corner", self.corner, CORNERS + EDGES)
        _check_choice("style", self.style, ("text", "icon"))
        check_range("height", self.height, MIN_HEIGHT_SHARE, 0.5)
        check_range("margin", self.margin, 0.0, 0.2)
        check_range("opacity", self.opacity, 0.6, 1.0)
        _check_choice("sound", self.sound, SOUNDS)
        _check_choice("place", self.place, PLACES)
        if self.repeat_s != 0:
            check_range("repeat_s", self.repeat_s, 5.0, 86_400.0)

    @classmethod
    def eu(cls, words: str = "eu-generated", **others: Any) -> Explicit:
        """The label of the EU Code of Practice, Section 2: top right, throughout a film, spoken, again in long sound.

        words   a key of EU_WORDS
        others  fields of this class, which override those
        Sound says "This audio was generated by AI", which is no label of modified content: give a `recording` of one.
        """
        return cls(words=words, **{**EU_PLACING, **others})


@dataclass(frozen=True, slots=True)
class Watermark:
    """The label inside the signal.

    strength       0.25 to 4 trades fidelity for robustness
    robustness     of pictures and sound: "everyday" spends what the picture or the sound needs to be read after
                   everyday transformations, "hard" all there is (`margin.py` in watermark/image and watermark/audio
                   say which). Animations and marks of presence alone get "hard". Of films: "everyday" moves the mark
                   with the camera, "hard" spends more and lets it stand still (watermark/video/marker.py)
    required       False labels what cannot carry the watermark without it, and says so; see `labelkit.embed`
    soundtrack     of films: in the sound track too, which is then encoded anew
    presence_only  of sound: a mark that says no more than that it is there, in clips too short for an id
    max_strength   up to which a mark is made stronger that its own file's encoding deletes, as happens in small
                   pictures and at low quality; `strength` to 4, None is twice `strength`. Marks of films keep their
                   strength
    most           deprecated: the former name of `max_strength`
    """

    strength: float = 1.0
    soundtrack: bool = False
    presence_only: bool = False
    max_strength: float | None = None
    most: float | None = field(default=None, repr=False, compare=False)
    robustness: str = ROBUSTNESS[0]
    required: bool = True

    def __post_init__(self) -> None:
        check_strength(self.strength)
        check_robustness(self.robustness)
        if self.most is not None and self.max_strength is None:
            warnings.warn("Watermark.most is now max_strength", DeprecationWarning, stacklevel=3)
            object.__setattr__(self, "max_strength", self.most)
        if self.max_strength is not None:
            check_range("max_strength", self.max_strength, self.strength, MAX_STRENGTH)

    def strengths(self) -> list[float]:
        """The strengths to try, weakest first: `strength`, and steps of 3 dB up to `max_strength`."""
        highest = min(2 * self.strength, MAX_STRENGTH) if self.max_strength is None else self.max_strength
        steps = [self.strength]
        while steps[-1] < highest:
            steps.append(min(steps[-1] * math.sqrt(2), highest))
        return steps

    def attempts(self) -> list[Watermark]:
        """What to try where a file's encoding deletes the mark: these settings, then "hard" at each of `strengths`."""
        hard = [replace(self, robustness="hard", strength=strength, max_strength=None, most=None)
                for strength in self.strengths()]
        return [self, *hard] if self.robustness != "hard" else hard


@dataclass(frozen=True, slots=True)
class Quality:
    """How media are encoded; None is the default of the codec, which is visually lossless.

    Of films:
    crf     constant rate factor of the encoder, 0 to 63; H.264 18, H.265 20, VP9 and AV1 24 by default
    preset  the encoder's name for speed against size, such as "veryfast", or a number for AV1
    codec   one of FILM_CODECS, which the pictures of a film are encoded to; None is that of the source
    jobs    how many chunks of a long film are encoded at a time, 1 to 64; each takes the memory of a film. In MP4, MOV,
            MKV and WebM, where it has key frames at least every ten seconds or so
    chunks  folder of this film, label and settings alone, in which finished chunks are kept: a run that was killed goes
            on there. The caller removes it

    Of pictures that come as samples, not as a file:
    percent  1 to 100 as lossy encoders count; JPEG 92, WebP 90, AVIF 85 by default
    """

    crf: float | None = None
    preset: str | None = None
    percent: int | None = None
    codec: str | None = None
    jobs: int = 1
    chunks: Path | None = None

    def __post_init__(self) -> None:
        if self.crf is not None:
            check_range("crf", self.crf, 0, 63)
        if self.codec is not None:
            _check_choice("codec", self.codec, FILM_CODECS)
        check_range("jobs", self.jobs, 1, 64)
        check_types(jobs=(self.jobs, int), **({} if self.chunks is None else {"chunks": (self.chunks, Path)}))
        if self.percent is not None:
            check_range("percent", self.percent, 1, 100)
        if self.preset is not None and not str(self.preset).isalnum():
            raise InvalidArgument("preset must be a word or a number, got {got}", got=repr(self.preset))


@dataclass(frozen=True, slots=True)
class Plan:
    """The layers to put on; None or False leaves a layer out, and the report says so.

    provenance    a Signer, or None: nobody can sign without a certificate
    quality       of the encoder, where media are encoded anew at a quality that can be chosen
    generator     stated by the provenance layer, and by XMP where the format has a place for it; needs one of both
    signpost      where to ask about the mark, stated in the same places; needs one of both
    """

    explicit: Explicit | None = field(default_factory=Explicit)
    watermark: Watermark | None = field(default_factory=Watermark)
    metadata: bool = True
    provenance: Signer | None = None
    quality: Quality = field(default_factory=Quality)
    generator: Generator | None = None
    signpost: Signpost | None = None

    def __post_init__(self) -> None:
        check_types(quality=(self.quality, Quality))
        for name, kind in (("explicit", Explicit), ("watermark", Watermark), ("generator", Generator),
                           ("signpost", Signpost)):
            if getattr(self, name):
                check_types(**{name: (getattr(self, name), kind)})
        if self.generator and not (self.provenance or self.metadata):
            raise InvalidArgument("the generator is stated in the metadata and in the manifest, and neither is asked "
                                  "for")
        if self.signpost and not (self.provenance or self.metadata):
            raise InvalidArgument("the signpost is stated in the metadata and in the manifest, and neither is asked "
                                  "for")
        if self.generator and (self.generator.model or self.generator.edit) and not self.provenance:
            raise InvalidArgument("model and kind of edit are stated in the manifest, which needs a signer")

    @property
    def has_signal_layer(self) -> bool:
        """Whether anything changes in the samples."""
        return bool(self.explicit or self.watermark)

    def at(self, now: datetime.datetime) -> Plan:
        """The plan whose generator made the content now, to the second, where it states no other time.

        now  aware datetime
        """
        if not self.generator or self.generator.created:
            return self
        return replace(self, generator=replace(self.generator, created=now.replace(microsecond=0)))


def check_strength(strength: object) -> float:
    """The strength of a watermark, from MIN_STRENGTH to MAX_STRENGTH; raises InvalidArgument for anything else."""
    if isinstance(strength, bool) or not isinstance(strength, int | float) or not (
            MIN_STRENGTH <= strength <= MAX_STRENGTH):
        raise InvalidArgument("strength must be a number from 0.25 to 4, got {got}", got=repr(strength))
    return float(strength)


def check_robustness(robustness: object) -> None:
    """Raise InvalidArgument unless `robustness` is one of ROBUSTNESS."""
    _check_choice("robustness", robustness, ROBUSTNESS)


def check_effort(effort: object) -> None:
    """Raise InvalidArgument unless `effort` is one of EFFORTS."""
    _check_choice("effort", effort, EFFORTS)


def check_languages(languages: object) -> None:
    """Raise InvalidArgument unless `languages` is a collection of keys of LANGUAGES."""
    if isinstance(languages, str) or not isinstance(languages, Collection):
        raise InvalidArgument("languages is a collection of language codes, got {got}", got=repr(languages))
    for language in languages:
        _check_choice("language", language, tuple(LANGUAGES))


def check_range(name: str, value: object, low: float, high: float) -> None:
    """Raise InvalidArgument for anything but a number from `low` to `high`."""
    if isinstance(value, bool) or not isinstance(value, int | float) or not low <= value <= high:
        raise InvalidArgument("{name} must be a number from {low} to {high}, got {value}",
                              name=name, low=low, high=high, value=repr(value))


def _check_choice(name: str, value: object, choices: tuple[str, ...]) -> None:
    if value not in choices:
        raise InvalidArgument("{name} must be one of {choices}, got {value}",
                              name=name, choices=", ".join(choices), value=repr(value))


EU_PLACING: Mapping[str, Any] = {"corner": "top-right", "showing": Showing(math.inf), "sound": "speech",
                                 "repeat_s": 600.0}
"""What `Explicit.eu` sets (Code of Practice, Section 2, M1.2): "e.g. in the top right corner"; at the beginning of a
film and, where possible, throughout; a spoken disclaimer at the beginning of sound, and again in what is long. The Code
gives no interval."""
