# SPDX-License-Identifier: Apache-2.0
"""Subtitles: the label is a cue of its own, at the start, after the last cue or between two.

SubRip, WebVTT (W3C) and Advanced SubStation. Times, numbers and styles of the other cues stay.
"""

from __future__ import annotations

import html
import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from labelkit.codec.samples import Block, Words
from labelkit.codec.text.encoding import EncodedText
from labelkit.container import textblock
from labelkit.errors import HostTooSmall, MalformedFile

_MAX_NAME = 4096  # characters
_SECONDS = 3.0  # a label is shown for; films show theirs as long by default
_LINE = r"[^\r\n]*+(?>\r\n|\r|\n|\Z)"
_TIME = r"(?:\d{1,3}:)?\d{1,2}:\d{1,2}[.,]\d{1,3}"
_CUE = re.compile(rf"^(?:(?P<number>\d+)[ \t]*(?>\r\n|\r|\n))?(?P<times>(?P<from>{_TIME})[ \t]*-->"
                  rf"[ \t]*(?P<to>{_TIME}){_LINE})"
                  rf"(?P<text>(?:(?!(?:\r|\n|\Z)){_LINE})*+)", re.MULTILINE)
_EVENTS = re.compile(rf"^\[Events\][ \t]*(?>\r\n|\r|\n)(?P<lines>(?:(?!\[|\Z){_LINE})*+)", re.MULTILINE | re.IGNORECASE)
_FORMAT = re.compile(rf"^Format:(?P<fields>[^\r\n]*){_LINE}", re.MULTILINE | re.IGNORECASE)
_DIALOGUE = re.compile(rf"^Dialogue:[ \t]*(?P<fields>[^\r\n]*){_LINE}", re.MULTILINE | re.IGNORECASE)
_TAGS = re.compile(r"<[^<>]*>|\{[^{}]*\}")


@dataclass(frozen=True, slots=True)
class _Cue:
    """Where a cue starts and stops, when it is shown, and its number, 0 for none."""

    start: int
    stop: int
    begins: float
    ends: float
    number: int = 0


@dataclass(frozen=True, slots=True)
class _Subtitles:
    """The cues of a file, and what writes a new one from its times, number and words."""

    encoded: EncodedText
    cues: tuple[_Cue, ...]
    cue: Callable[[float, float, int, str], str]
    gap: bool

    def labelled(self, words: Sequence[Words]) -> bytes:
        """See `TextSource`; raises HostTooSmall for a single cue, which has no middle."""
        return self.encoded.changed(self._change(one) for one in words)

    def _change(self, words: Words) -> tuple[int, int, str]:
        cues, newline = self.cues, self.encoded.newline
        text = "[AI]" if words.mark else words.text
        last = max(cue.number for cue in cues)
        if words.place == "start":
            stop = cues[0].begins if 2.0 <= cues[0].begins < _SECONDS else _SECONDS
            new = self.cue(0.0, stop, max(cues[0].number - 1, 0), text)
            return cues[0].start, cues[0].start, self.encoded.lined(new) + newline * self.gap
        if words.place == "middle":
            if len(cues) < 2:
                raise HostTooSmall("subtitles of one cue have no middle for a label",
                                   hint="put the label at the start or the end")
            at = len(cues) // 2
            begins = cues[at - 1].ends
            new = self.cue(begins, begins + _SECONDS, last + 1, text)
            return cues[at].start, cues[at].start, self.encoded.lined(new) + newline * self.gap
        tail = self.encoded.text[:cues[-1].stop]
        missing = (1 + self.gap) - len(re.findall(r"\r\n|\r|\n", tail[len(tail.rstrip("\r\n")):]))
        begins = max(cue.ends for cue in cues)
        new = self.encoded.lined(self.cue(begins, begins + _SECONDS, last + 1, text))
        at_end = not self.encoded.text[cues[-1].stop:].strip()
        new = new if not at_end or tail.endswith(newline) else new.rstrip("\r\n")
        return cues[-1].stop, cues[-1].stop, newline * max(missing, 0) + new


def read(data: bytes, name: str) -> tuple[Sequence[Block], _Subtitles]:
    """The cues of a SubRip, WebVTT or SubStation file; raises MalformedFile for a file without any."""
    encoded = EncodedText.of(textblock.without(data), name)
    if events := _EVENTS.search(encoded.text):
        return _substation(encoded, events, name)
    is_vtt = encoded.text.startswith("WEBVTT")
    found = list(_CUE.finditer(encoded.text))
    if not found:
        raise MalformedFile("{where}: there are no subtitles in it", where=name)
    cues = tuple(_Cue(one.start(), one.end(), _seconds(one["from"]), _seconds(one["to"]),
                      int((one["number"] or "0")[:9])) for one in found)
    if is_vtt:  # a cue may have a name on the line before its times
        cues = tuple(_with_name(encoded.text, cue) for cue in cues)
    blocks = [Block(_shown(one["text"])) for one, cue in zip(found, cues, strict=True)
              if cue.ends > cue.begins and _shown(one["text"])]

    def cue(begins: float, ends: float, number: int, text: str) -> str:
        if is_vtt:
            return f"{_stamp(begins)} --> {_stamp(ends)}\n{html.escape(text, quote=False)}\n"
        return f"{number}\n{_stamp(begins, ',')} --> {_stamp(ends, ',')}\n{text}\n"
    return blocks, _Subtitles(encoded, cues, cue, gap=True)


def _with_name(text: str, cue: _Cue) -> _Cue:
    stop = cue.start - text.endswith("\n", 0, cue.start)
    stop -= text.endswith("\r", 0, stop)
    least = max(stop - _MAX_NAME, 0)
    at = max(text.rfind("\n", least, stop), text.rfind("\r", least, stop)) + 1
    has_name = bool(text[at:stop].strip()) and (at > 0 or least == 0)
    return _Cue(at if has_name else cue.start, cue.stop, cue.begins, cue.ends)


def _substation(encoded: EncodedText, events: re.Match[str], name: str) -> tuple[Sequence[Block], _Subtitles]:
    start, stop = events.span("lines")
    form = _FORMAT.search(encoded.text, start, stop)
    names = [field.strip().lower() for field in form["fields"].split(",")] if form else []
    if not {"start", "end", "text"} <= set(names) or names[-1] != "text":
        raise MalformedFile("{where}: there are no subtitles in it", where=name)
    cues: list[_Cue] = []
    blocks: list[Block] = []
    style = "Default"
    for line in _DIALOGUE.finditer(encoded.text, start, stop):
        fields = dict(zip(names, (field.strip() for field in line["fields"].split(",", len(names) - 1)), strict=False))
        style = style if cues else fields.get("style", style)
        cues.append(_Cue(line.start(), line.end(), _seconds(fields.get("start", "")), _seconds(fields.get("end", ""))))
        text = _shown(re.sub(r"\\[Nnh]", " ", fields.get("text", "")))
        blocks += [Block(text)] if text and cues[-1].ends > cues[-1].begins else []
    if not cues:
        raise MalformedFile("{where}: there are no subtitles in it", where=name)

    def cue(begins: float, ends: float, _number: int, text: str) -> str:
        values = {"layer": "0", "marked": "0", "start": _short_stamp(begins), "end": _short_stamp(ends),
                  "style": style, "marginl": "0", "marginr": "0", "marginv": "0",
                  "text": "{\\an9}" + text.replace("{", "(").replace("}", ")")}
        return "Dialogue: " + ",".join(values.get(field, "") for field in names) + "\n"
    return blocks, _Subtitles(encoded, tuple(cues), cue, gap=False)


def _shown(text: str) -> str:
    return "\n".join(line.strip() for line in html.unescape(_TAGS.sub("", text)).splitlines() if line.strip())


def _seconds(stamp: str) -> float:
    parts = [float(part) for part in re.findall(r"\d+", stamp.replace(".", ",").partition(",")[0])]
    fraction = re.search(r"[.,](\d+)", stamp)
    whole = 0.0
    for part in parts:
        whole = 60 * whole + part
    return whole + (float("0." + fraction[1]) if fraction else 0.0)


def _stamp(seconds: float, point: str = ".") -> str:
    whole = round(seconds * 1000)
    return f"{whole // 3_600_000:02d}:{whole // 60_000 % 60:02d}:{whole // 1000 % 60:02d}{point}{whole % 1000:03d}"


def _short_stamp(seconds: float) -> str:
    whole = round(seconds * 100)
    return f"{whole // 360_000}:{whole // 6000 % 60:02d}:{whole // 100 % 60:02d}.{whole % 100:02d}"
