# SPDX-License-Identifier: Apache-2.0
"""Files that are wrong on purpose, each failed for its one mistake, and a lawful twin of each that passes that rule."""

from __future__ import annotations

import base64
import datetime
import functools
import json
from collections.abc import Callable, Iterator
from dataclasses import dataclass

import numpy as np
import pytest
from PIL import Image, ImageDraw, ImageFont

import labelkit as lk
from labelkit import metadata
from labelkit.compliance import Outcome, Profile, Result, check
from labelkit.explicit.audio import morse
from labelkit.explicit.image.drawing import draw
from labelkit.explicit.image.font import BUNDLED
from labelkit.metadata import xmp
from labelkit.plan import Explicit, Generator, Plan
from tests import files
from tests.files import chunk, png_with
from tests.media import LABEL, photo, saved
from tests.sounds import noise, speech, wave_bytes

GB, EU, CALIFORNIA, KOREA, INDIA = Profile
FIELDS = LABEL.fields()
MADE = Generator("Painter", "2.0", datetime.datetime(2026, 3, 4, tzinfo=datetime.UTC))
KEY = lk.Key(bytes(range(32)))
RATE = 16_000
RAIN = "It rains in the hills.\n\nIt pours in the valley.\n"


@dataclass(frozen=True)
class Case:
    """A wrong file and its lawful twin, and the rule that tells them apart."""

    rule: str
    profile: Profile
    wrong: Callable[[lk.Signer], bytes]
    lawful: Callable[[lk.Signer], bytes]
    format: str | None = None
    sb1000: bool = False


def png(value: object, key: bytes = b"AIGC") -> Callable[[lk.Signer], bytes]:
    text = value if isinstance(value, str) else json.dumps({"AIGC": value}, ensure_ascii=False)
    return lambda signer: png_with(chunk(b"tEXt", key + b"\0" + text.encode()))


@functools.cache
def host() -> bytes:
    return saved(photo(256, 384), "JPEG", quality=92)


def embedded(label: lk.Label = LABEL, key: lk.Key | None = None, signed: bool = True,
             generator: Generator | None = None) -> Callable[[lk.Signer], bytes]:
    return lambda signer: lk.embed(host(), label=label, key=key, plan=Plan(provenance=signer if signed else None,
                                                                           generator=generator))


def pasted(height: int, width: int) -> Callable[[lk.Signer], bytes]:
    """A label of 5 % of a picture that then became the lower right corner of a larger one."""
    def make(signer: lk.Signer) -> bytes:
        small, _ = draw(photo(400, 600), Explicit(text="AI生成"))
        sheet = np.full((height, width, 3), 90, np.uint8)
        sheet[height - 400:, width - 600:] = small
        return saved(sheet, "PNG")
    return make


def lettered(*colour: int) -> Callable[[lk.Signer], bytes]:
    """A label in this colour on nearly black."""
    def make(signer: lk.Signer) -> bytes:
        sheet = Image.new("RGB", (600, 400), (5, 5, 5))
        ImageDraw.Draw(sheet).text((590, 390), "AI生成", fill=colour, anchor="rs",
                                   font=ImageFont.truetype(str(BUNDLED), 36))
        return saved(sheet, "PNG")
    return make


def other_metadata(signer: lk.Signer) -> bytes:
    return metadata.write(embedded(signed=False)(signer), lk.Label(lk.Kind.GENERATED, "somebody", "else"))


def broken(signer: lk.Signer) -> bytes:
    data = bytearray(embedded()(signer))
    data[-400] ^= 1
    return bytes(data)


def beeping(level: float) -> Callable[[lk.Signer], bytes]:
    """The rhythm of AI in steady noise."""
    def make(signer: lk.Signer) -> bytes:
        sound, tone = noise(12.0, RATE, 0.1).ravel().astype(np.float32), morse.tone(RATE)
        sound[RATE:RATE + 3 * RATE] *= 0.001  # a pause, in which it is heard at any level
        sound[RATE + RATE // 2:RATE + RATE // 2 + len(tone)] += level * tone
        return wave_bytes(sound[:, None], RATE)
    return make


def spoken(place: str) -> Callable[[lk.Signer], bytes]:
    sound = speech(8.0, RATE)[:, None].astype(np.float32)
    return lambda signer: lk.embed(sound, label=LABEL, rate=RATE, format="wav",
                                   plan=Plan(explicit=Explicit.eu(place=place), watermark=None))


def carrier(kind: str, value: str) -> bytes:
    """A file of a kind whose label, JSON text of any sort, somebody else wrote."""
    if kind == "JPEG":
        return files.jpeg_with(files.segment(0xE1, b"http://ns.adobe.com/xap/1.0/\0" + xmp.fresh(value)))
    if kind == "WebP":
        return files.riff_with(files.picture("WEBP", lossless=True), (b"XMP ", xmp.fresh(value)))
    if kind == "WAV":
        return files.riff_with(files.sound("WAV"), (b"AIGC", value.encode()))
    if kind == "markdown":
        return f"---\nAIGC: {value}\n---\n\n【AI生成】\n\n{RAIN}".encode()
    return (f"<html><head><meta name=\"AIGC\" content='{value}'></head><body><p>AI生成</p><p>{RAIN}</p></body>"
            "</html>").encode()


MISTAKES = {
    "label-value": {**FIELDS, "Label": "0"}, "seven-fields": {**FIELDS, "ReservedCode1": None},
    "field-names": {**FIELDS, "contentProducer": "x"}, "elements": {**FIELDS, "ContentPropagator": ""},
    "provider-code": {**FIELDS, "ContentPropagator": "001191440300708461136X1XGW3"}}


def elsewhere() -> Iterator[Case]:
    """The mistakes of Annex E in the carriers of other formats."""
    for kind in ("JPEG", "WebP", "WAV", "markdown", "html"):
        for rule, fields in MISTAKES.items():
            wrong, right = (carrier(kind, json.dumps(one)) for one in (fields, FIELDS))
            yield Case(rule, GB, functools.partial(given, wrong), functools.partial(given, right),
                       kind if kind in ("markdown", "html") else None)


def given(data: bytes, signer: lk.Signer) -> bytes:
    return data


def text(words: str) -> Callable[[lk.Signer], bytes]:
    return lambda signer: words.encode()


GOOD = png(FIELDS)
TWICE = png_with(chunk(b"tEXt", b"AIGC\0" + json.dumps({"AIGC": FIELDS}).encode()),
                 chunk(b"tEXt", b"AIGC\0" + json.dumps({"AIGC": FIELDS}).encode()))
CASES = [
    Case("metadata-label", GB, lambda signer: png_with(), GOOD),
    Case("metadata-unique", GB, lambda signer: TWICE, GOOD),
    Case("metadata-placement", GB, png(json.dumps({"AIGC": FIELDS}), b"Comment"), GOOD),
    Case("label-value", GB, png({**FIELDS, "Label": "4"}), GOOD),
    Case("seven-fields", GB, png({**FIELDS, "Label": 1}), GOOD),
    Case("seven-fields", GB, png({**FIELDS, "ReservedCode2": None}), GOOD),
    Case("field-names", GB, png({**FIELDS, "Extra": "x"}), GOOD),
    Case("field-names", GB, png(json.dumps(FIELDS)[:-1] + ',"Label":"2"}'), GOOD),
    Case("elements", GB, png({**FIELDS, "PropagateID": ""}), GOOD),
    Case("provider-code", GB, png({**FIELDS, "ContentProducer": "001191440300708461136X1XGW3"}), GOOD),
    Case("json-form", GB, png(base64.b64encode(json.dumps(FIELDS).encode()).decode()), GOOD),
    Case("explicit-height", GB, pasted(530, 800), pasted(400, 600)),
    Case("explicit-contrast", GB, lettered(40, 40, 60), lettered(255, 255, 255)),
    Case("explicit-label", GB, text("本文由AI创作。\n\n" + RAIN), text("本文由AI生成。\n\n" + RAIN), "txt"),
    Case("explicit-label", GB, text(RAIN), text("【AI生成】\n\n" + RAIN), "txt"),
    Case("explicit-label", GB, text("非AI生成\n\n" + RAIN), text("AI生成\n\n" + RAIN), "txt"),
    Case("explicit-label", GB, text(f"# Rain\n\n{RAIN}"), text(f"# Rain\n\n> AI生成\n\n{RAIN}"), "markdown"),
    Case("explicit-level", GB, beeping(0.002), beeping(0.1)),
    Case("layers-agree", GB, other_metadata, embedded(signed=False)),
    Case("manifest-whole", GB, broken, embedded()),
    Case("signed-metadata", EU, embedded(signed=False), embedded()),
    Case("machine-readable", EU, lambda signer: host(), embedded()),
    Case("watermark", EU, embedded(), embedded(key=KEY)),
    Case("disclosure-design", EU, text("ai-generated\n\n" + RAIN), text("AI GENERATED\n\n" + RAIN), "txt"),
    Case("disclosure-place", EU, text(RAIN + "\nAI GENERATED\n"), text("AI GENERATED\n\n" + RAIN), "txt"),
    Case("disclosure-place", EU, spoken("end"), spoken("start")),
    Case("system", CALIFORNIA, embedded(lk.Label(lk.Kind.GENERATED, "acme", "1")), embedded(generator=MADE)),
    Case("time", CALIFORNIA, embedded(), embedded(generator=MADE)),
    Case("unique-identifier", CALIFORNIA, lambda signer: host(), embedded()),
    Case("detectable", CALIFORNIA, lambda signer: host(), embedded()),
    Case("created-or-altered", CALIFORNIA, embedded(signed=False), embedded(), sb1000=True),
    Case("exported-mark", KOREA, text(RAIN), text("【AI生成】\n\n" + RAIN), "txt"),
    Case("prominent-label", INDIA, text(RAIN), text("[AI]\n\n" + RAIN), "txt"),
    Case("unaltered", INDIA, broken, embedded()),
    Case("permanent-metadata", INDIA, lambda signer: host(), embedded()),
    *elsewhere(),
]


def judged(data: bytes, case: Case, anchors: lk.TrustList) -> list[Result]:
    source = data.decode() if case.format else data
    report = lk.verify(source, format=case.format, trust=anchors)
    if case.rule == "watermark" and report[lk.Layer.WATERMARK].status is not lk.Status.VALID:
        report = lk.verify(source, key=KEY, trust=anchors)
    return check(report, case.profile, sb1000=case.sb1000)


def names(results: list[Result], outcome: Outcome) -> set[str]:
    return {one.rule for one in results if one.outcome is outcome}


@pytest.mark.parametrize("case", CASES, ids=lambda case: f"{case.profile.value}-{case.rule}")
def test_a_wrong_file_fails_its_rule_and_its_twin_passes_it(case, signer, anchors):
    wrong, lawful = (judged(make(signer), case, anchors) for make in (case.wrong, case.lawful))
    failed = names(wrong, Outcome.FAIL)
    assert case.rule in failed
    if case.profile is GB:  # a label that does not hold is no valid label either
        assert failed <= {case.rule, "metadata-label"}, "one mistake is one failure"
    assert case.rule not in names(lawful, Outcome.FAIL) | names(lawful, Outcome.CANNOT_TELL)


QUOTED = json.dumps(FIELDS).replace('"', "&quot;")
OF_OTHERS = {
    "XMP with entities, as Doubao writes it": xmp.fresh("@").replace(b"@", QUOTED.encode()),
    "XMP as an attribute, as PicWish writes it": xmp.fresh("@").replace(
        b"<TC260:AIGC>@</TC260:AIGC>", b"").replace(b'rdf:about=""', b'rdf:about="" TC260:AIGC="' + QUOTED.encode()
                                                    + b'"'),
    "EXIF UserComment, as Tencent writes it": files.exif(comment=b"ASCII\0\0\0" + json.dumps(
        {"AIGC": FIELDS}).encode())}


@pytest.mark.parametrize("name", OF_OTHERS)
def test_lawful_labels_of_others_fail_nothing(name):
    body = OF_OTHERS[name]
    head = b"Exif\0\0" if name.startswith("EXIF") else b"http://ns.adobe.com/xap/1.0/\0"
    report = lk.verify(files.jpeg_with(files.segment(0xE1, head + body)))
    assert report.label == LABEL and not names(check(report), Outcome.FAIL)


def test_sixty_files_are_wrong():
    assert len(CASES) >= 60
