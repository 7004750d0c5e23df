# SPDX-License-Identifier: Apache-2.0
"""Plan: which layers are put on, how strong and where. Frozen, with defaults that satisfy the standard."""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

from labelkit.errors import InvalidArgument, check_types

if TYPE_CHECKING:
    import datetime

    from labelkit.provenance.signer import Signer

CORNERS = ("top-left", "top-right", "bottom-left", "bottom-right")
SOUNDS = ("rhythm", "speech", "both")
PLACES = ("start", "end", "both", "middle")
EDGES = ("top", "bottom", "left", "right")
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
        _check_range("seconds", self.seconds, 2.0, math.inf)
        _check_range("fade", self.fade, 0.0, 10.0)
        if self.every is not None:
            _check_range("every", self.every, self.seconds + 2 * self.fade, math.inf)


@dataclass(frozen=True, slots=True)
class Explicit:
    """The label that people see or hear.

    text      must hold an AI element (人工智能 or AI) and a generation element (生成 or 合成)
    corner    one of CORNERS, or an edge of EDGES (the label is centred along it)
    height    ink height of the lowest glyph as a share of the shortest side, 0.05 (the legal floor) to 0.5
    margin    distance from the edge as a share of the shortest side, 0 to 0.2
    opacity   of text and plate, 0.6 to 1; legibility is checked after blending
    style     "text", or "icon": the AI corner mark with the text beside it
    border    put the text in a strip outside the picture and leave the picture's own pixels alone
    font      path of a font file, or None for the bundled one

    Of sound:
    sound      "rhythm" (Morse "AI", 短长 短短), "speech" (a spoken label) or "both"
    place      "start", "end", "both", or "middle": at a pause
    repeat_s   again at a pause about every so many seconds, 5 to 86,400; 0 for no repeat
    recording  path of a spoken label, a WAV of 16 bits; None for the bundled one, in the language of `text`

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

    def __post_init__(self) -> None:
        check_types(text=(self.text, str), showing=(self.showing, Showing))
        _check_choice("corner", self.corner, CORNERS + EDGES)
        _check_choice("style", self.style, ("text", "icon"))
        _check_range("height", self.height, MIN_HEIGHT_SHARE, 0.5)
        _check_range("margin", self.margin, 0.0, 0.2)
        _check_range("opacity", self.opacity, 0.6, 1.0)
        _check_choice("sound", self.sound, SOUNDS)
        _check_choice("place", self.place, PLACES)
        if self.repeat_s != 0:
            _check_range("repeat_s", self.repeat_s, 5.0, 86_400.0)


@dataclass(frozen=True, slots=True)
class Watermark:
    """The label inside the signal.

    strength       0.25 to 4 trades fidelity for robustness
    most           how strong a mark is made that is lost in the encoding of its own file, as that of small pictures and
                   of low quality is; None is twice `strength`. Of films the mark keeps its strength
    soundtrack     of films: in the sound track too, which is then encoded anew
    presence_only  of sound: a mark that says no more than that it is there, in clips too short for an id
    """

    strength: float = 1.0
    soundtrack: bool = False
    presence_only: bool = False
    most: float | None = None

    def __post_init__(self) -> None:
        _check_range("strength", self.strength, 0.25, 4.0)
        if self.most is not None:
            _check_range("most", self.most, self.strength, 4.0)

    def strengths(self) -> list[float]:
        """The strengths to try, weakest first: `strength`, and steps of 3 dB up to `most`."""
        most = min(2 * self.strength, 4.0) if self.most is None else self.most
        steps = [self.strength]
        while steps[-1] < most:
            steps.append(min(steps[-1] * math.sqrt(2), most))
        return steps


@dataclass(frozen=True, slots=True)
class Quality:
    """How media are encoded; None is the default of the codec, which is visually lossless.

    Of films:
    crf     constant rate factor of the encoder, 0 to 63; H.264 18, H.265 20, VP9 and AV1 24 by default
    preset  the encoder's name for speed against size, such as "veryfast", or a number for AV1

    Of pictures that come as samples, not as a file:
    percent  1 to 100 as lossy encoders count; JPEG 92, WebP 90, AVIF 85 by default
    """

    crf: float | None = None
    preset: str | None = None
    percent: int | None = None

    def __post_init__(self) -> None:
        if self.crf is not None:
            _check_range("crf", self.crf, 0, 63)
        if self.percent is not None:
            _check_range("percent", self.percent, 1, 100)
        if self.preset is not None and not str(self.preset).isalnum():
            raise InvalidArgument("preset must be a word or a number, got {got}", got=repr(self.preset))


@dataclass(frozen=True, slots=True)
class Generator:
    """The system that generated the content, stated in the manifest (California SB 942 wants all three).

    created  aware datetime of the creation, or None: not stated
    """

    name: str
    version: str = ""
    created: datetime.datetime | None = None

    def __post_init__(self) -> None:
        for name, least in (("name", 1), ("version", 0)):
            value = getattr(self, name)
            if not isinstance(value, str) or not least <= len(value) <= 128 or not value.isprintable():
                raise InvalidArgument("{name} of the generator is a text of {least} to 128 printable characters, got "
                                      "{value}", name=name, least=least, value=repr(value)[:160])
        if self.created is not None and getattr(self.created, "tzinfo", None) is None:
            raise InvalidArgument("created is a datetime with a time zone, got {got}", got=repr(self.created))


@dataclass(frozen=True, slots=True)
class Plan:
    """The layers to put on; None or False leaves a layer out, and the report says so.

    provenance    a Signer, or None: nobody can sign without a certificate
    quality       of the encoder, where media are encoded anew at a quality that can be chosen
    generator     stated by the provenance layer, which it needs
    """

    explicit: Explicit | None = field(default_factory=Explicit)
    watermark: Watermark | None = field(default_factory=Watermark)
    metadata: bool = True
    provenance: Signer | None = None
    quality: Quality = field(default_factory=Quality)
    generator: Generator | None = None

    def __post_init__(self) -> None:
        check_types(quality=(self.quality, Quality))
        for name, kind in (("explicit", Explicit), ("watermark", Watermark), ("generator", Generator)):
            if getattr(self, name):
                check_types(**{name: (getattr(self, name), kind)})
        if self.generator and not self.provenance:
            raise InvalidArgument("the generator is stated in the manifest, which needs a signer")

    @property
    def has_signal_layer(self) -> bool:
        """Whether anything changes in the samples."""
        return bool(self.explicit or self.watermark)


def _check_range(name: str, value: float, low: float, high: float) -> None:
    if isinstance(value, bool) or not isinstance(value, int | float) or not low <= value <= high:
        raise InvalidArgument("{name} must be a number from {low} to {high}, got {value}",
                              name=name, low=low, high=high, value=repr(value))


def _check_choice(name: str, value: str, choices: tuple[str, ...]) -> None:
    if value not in choices:
        raise InvalidArgument("{name} must be one of {choices}, got {value}",
                              name=name, choices=", ".join(choices), value=repr(value))
