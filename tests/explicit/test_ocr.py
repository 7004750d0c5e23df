# SPDX-License-Identifier: Apache-2.0
"""Labels in other fonts, read from pictures; and what stands in pictures without being a label.

The other fonts are the bundled one, slanted and stretched until our own search does not know it any more, and the Latin
one that comes with Pillow.
"""

from __future__ import annotations

import socket
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest
from PIL import Image, ImageDraw, ImageFont

import labelkit as lk
from labelkit import explicit
from labelkit.codec.samples import ImageSamples
from labelkit.compliance import Outcome, check
from labelkit.errors import LimitExceeded, UnsupportedFormat
from labelkit.explicit import ocr
from labelkit.explicit.finding import find_in
from labelkit.explicit.font import BUNDLED
from labelkit.report import Layer, Status
from tests.media import photo, saved

pytest.importorskip("rapidocr")
pytest.importorskip("onnxruntime")

SIZE = 512


def word(text: str, ink_px: int, *, latin: bool = False) -> Image.Image:
    """The ink of a text, `ink_px` high, in a font that is not ours."""
    font = ImageFont.load_default(200) if latin else ImageFont.truetype(str(BUNDLED), 200)
    left, top, right, bottom = font.getbbox(text)
    sheet = Image.new("L", (right - left + 160, bottom - top + 60))
    ImageDraw.Draw(sheet).text((100 - left, 30 - top), text, fill=255, font=font, stroke_width=0 if latin else 6)
    if not latin:
        sheet = sheet.transform(sheet.size, Image.Transform.AFFINE, (1, 0.25, -30, 0, 1, 0), Image.Resampling.BICUBIC)
    ink = sheet.crop(sheet.point(lambda value: 255 * (value > 90)).getbbox())
    widened = 1.0 if latin else 1.25
    return ink.resize((round(ink.width * ink_px / ink.height * widened), ink_px), Image.Resampling.BOX)


def labelled(text: str, share: float = 0.07, place: str = "bottom-right", *, latin: bool = False, dark: bool = False,
             base: np.ndarray | None = None) -> np.ndarray:
    """A picture with a text on a plate, `share` of the short side high."""
    sheet = Image.fromarray(base if base is not None else photo(SIZE, SIZE))
    ink = word(text, round(share * min(sheet.size)), latin=latin)
    pad = 10
    free = [(whole - part - 2 * pad - 12) // 2 for whole, part in zip(sheet.size, ink.size, strict=True)]
    x = {"left": 12, "right": 2 * free[0]}.get(place.rpartition("-")[2], free[0] + 6)
    y = {"top": 12, "bottom": 2 * free[1]}.get(place.partition("-")[0], free[1] + 6)
    sheet.paste((235,) * 3 if dark else (25,) * 3, (x, y, x + ink.width + 2 * pad, y + ink.height + 2 * pad))
    sheet.paste((15,) * 3 if dark else (240,) * 3, (x + pad, y + pad), ink)
    return np.asarray(sheet)


def find(pixels: np.ndarray):
    return explicit.find(ImageSamples((pixels,)), read_text=True)


def rules(pixels: np.ndarray) -> dict[str, Outcome]:
    report = lk.verify(saved(pixels, "PNG"), layers=[Layer.EXPLICIT, Layer.METADATA], ocr=True)
    return {result.rule: result.outcome for result in check(report) if result.rule.startswith("explicit")}


@pytest.mark.parametrize("text,place", [("AI生成", "bottom-right"), ("人工智能合成", "bottom"),
                                        ("本内容由AI生成", "top-left"), ("AI生成", "left")])
def test_a_label_in_another_font_is_read_where_it_stands(text, place):
    pixels = labelled(text, place=place)
    assert find_in(pixels) is None, "our own search knows this font, so nothing is shown"
    finding = find(pixels)
    assert (finding.status, finding.evidence["text"].replace(" ", "")) == (Status.VALID, text)
    assert finding.evidence["position"] in (place, place.split("-")[0]), "a long text reaches to the middle"
    assert finding.evidence["seen_by"] == "reading"
    assert finding.evidence["height_share"] == pytest.approx(0.07, rel=0.12)
    assert finding.evidence["contrast"] > 4.5


def test_without_reading_it_stays_unseen_and_says_what_would_help():
    finding = explicit.find(ImageSamples((labelled("AI生成"),)))
    assert finding.status is Status.ABSENT and "labelkit[ocr]" in str(finding.summary)
    assert lk.verify(saved(labelled("AI生成"), "PNG"), layers=[Layer.EXPLICIT])[Layer.EXPLICIT].status is Status.ABSENT


def test_our_own_label_is_seen_by_its_font():
    finding = find(lk.embed(np.array(photo(SIZE, SIZE)), label=lk.Label(lk.Kind.GENERATED, "acme", "1"),
                            plan=lk.Plan(watermark=None)))
    assert (finding.status, finding.evidence["seen_by"]) == (Status.VALID, "font")


@pytest.mark.parametrize("share,status", [(0.03, Status.INVALID), (0.043, Status.INVALID), (0.052, Status.VALID)])
def test_a_low_label_is_told_from_one_of_the_legal_height(share, status):
    base = photo(1080, 1080)
    assert find(labelled("AI生成", share, base=base)).status is status


def test_dark_ink_and_large_pictures_and_both_directions():
    for shape in ((1500, 2400), (256, 256), (2000, 400), (300, 2400)):
        finding = find(labelled("AI生成", 0.08, dark=True, base=photo(*shape)))
        assert finding.status is Status.VALID and finding.evidence["position"] == "bottom-right", shape


def test_two_lines_and_scattered_words_are_one_label():
    two = labelled("生成合成", place="bottom-left", base=labelled("人工智能", place="bottom-left"))
    stacked = Image.fromarray(photo(SIZE, SIZE))
    for y, text in ((400, "人工智能"), (450, "生成合成")):
        ink = word(text, 36)
        stacked.paste((20,) * 3, (10, y - 5, 30 + ink.width, y + 45))
        stacked.paste((240,) * 3, (20, y), ink)
    finding = find(np.asarray(stacked))
    assert finding.status is Status.VALID and finding.evidence["text"].replace(" ", "") == "人工智能生成合成"
    assert find(two).status is Status.ABSENT, "the second text alone names no AI"


@pytest.mark.parametrize("text", ["AI-generated", "Generated by AI", "AI GENERATED"])
def test_an_english_label_is_seen_and_whether_it_satisfies_the_standard_is_left_open(text):
    pixels = labelled(text, latin=True)
    finding = find(pixels)
    assert finding.status is Status.VALID and finding.evidence["wording"] == "english"
    assert rules(pixels)["explicit-label"] is Outcome.CANNOT_TELL


@pytest.mark.parametrize("text", ["非AI生成", "不是AI生成", "AI生成内容的未来", "人工智能服务"])
def test_what_only_speaks_of_ai_is_no_label(text):
    pixels = labelled(text, place="top")
    finding = find(pixels)
    assert finding.status is Status.ABSENT
    assert rules(pixels) == {"explicit-label": Outcome.FAIL if text == "人工智能服务" else Outcome.CANNOT_TELL}
    assert lk.verify(saved(pixels, "PNG"), layers=[Layer.EXPLICIT], ocr=True).verdict is lk.Verdict.NONE


def test_a_word_before_it_belongs_to_it():
    sheet, place = Image.fromarray(photo(SIZE, SIZE)), 20
    sheet.paste((20,) * 3, (10, 10, 420, 70))
    for text in ("未使用", "AI生成"):
        ink = word(text, 36)
        sheet.paste((240,) * 3, (place, 20), ink)
        place += ink.width + 20
    assert find(np.asarray(sheet)).status is Status.ABSENT


def test_a_headline_in_the_words_of_a_label_is_a_mention():
    finding = find(labelled("AI生成", 0.25, place="top"))
    assert finding.status is Status.ABSENT and finding.evidence["mention"]["text"] == "AI生成"


def test_the_words_in_the_middle_are_no_label():
    assert find(labelled("AI生成", place="middle")).status is Status.ABSENT
    assert rules(labelled("AI生成", place="middle")) == {"explicit-label": Outcome.FAIL}


def test_a_page_of_text_about_ai_is_no_label():
    sheet = Image.new("RGB", (700, 900), "white")
    pen, font = ImageDraw.Draw(sheet), ImageFont.truetype(str(BUNDLED), 20)
    for row, y in enumerate(range(10, 870, 30)):
        pen.text((10, y), ("由AI生成图片的人工智能合成内容" * 3)[row % 7:][:32], fill="black", font=font)
    finding = find(np.asarray(sheet))
    assert finding.status is Status.ABSENT
    assert rules(np.asarray(sheet)) == {"explicit-label": Outcome.CANNOT_TELL}, "more lines than are read"


def test_a_picture_without_text_fails_and_passes_with_a_label():
    assert rules(np.array(photo(SIZE, SIZE))) == {"explicit-label": Outcome.FAIL}
    assert rules(labelled("AI生成")) == {"explicit-label": Outcome.PASS, "explicit-position": Outcome.PASS,
                                       "explicit-height": Outcome.PASS}
    assert rules(labelled("AI生成", 0.03))["explicit-height"] is Outcome.FAIL


def test_an_animation_must_keep_its_label():
    with_label, without = labelled("AI生成"), np.array(photo(SIZE, SIZE))
    kept = explicit.find(ImageSamples((with_label,) * 3), read_text=True)
    lost = explicit.find(ImageSamples((with_label, with_label, without)), read_text=True)
    assert (kept.status, lost.status) == (Status.VALID, Status.INVALID)
    assert "2 of 3 frames" in str(lost.summary)


def test_what_a_model_sees_does_not_change_between_threads():
    pictures = [labelled("AI生成"), labelled("AI-generated", latin=True)] * 3
    with ThreadPoolExecutor(3) as pool:
        texts = list(pool.map(lambda pixels: find(pixels).evidence["text"], pictures))
    assert len(set(texts[::2])) == len(set(texts[1::2])) == 1


@pytest.mark.parametrize("pixels", [
    np.zeros((10, 10), np.uint8), np.full((12, 3000, 3), 255, np.uint8), np.zeros((40, 11), np.uint8),
    np.random.default_rng(1).integers(0, 65536, (64, 64, 4), dtype=np.uint16), np.zeros((3, 3, 3), np.uint8)],
    ids=["tiny", "strip", "column", "deep with alpha", "smaller than a letter"])
def test_any_picture_gives_an_answer(pixels):
    assert find(pixels).status is Status.ABSENT


def test_nothing_is_fetched(monkeypatch):
    def refuse(*_: object, **__: object) -> None:
        raise AssertionError("the network was asked for something")
    monkeypatch.setattr(socket.socket, "connect", refuse)
    monkeypatch.setattr(socket, "getaddrinfo", refuse)
    ocr._engine.cache_clear()
    assert find(labelled("AI生成")).status is Status.VALID


def test_a_recogniser_that_fails_or_is_missing_says_so(monkeypatch):
    def broken(*_: object, **__: object) -> None:
        raise RuntimeError("out of memory")
    engine, lock = ocr._engine(ocr.os.getpid())
    monkeypatch.setattr(ocr, "_engine", lambda process: (broken, lock))
    with pytest.raises(LimitExceeded, match="out of memory"):
        ocr.read(np.array(photo(64, 64)))
    monkeypatch.undo()
    ocr._engine.cache_clear()
    monkeypatch.setattr(ocr, "available", lambda: False)
    with pytest.raises(UnsupportedFormat):
        ocr.read(np.array(photo(64, 64)))
    found = lk.verify(saved(photo(64, 64), "PNG"), ocr=True)[Layer.EXPLICIT]
    assert found.status is Status.UNCHECKED
