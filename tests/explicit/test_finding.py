# SPDX-License-Identifier: Apache-2.0
"""Finding our own label again, and finding nothing where there is none."""

import io
import json
from pathlib import Path

import numpy as np
import pytest
from PIL import Image, ImageDraw, ImageFont

from labelkit import codec, explicit
from labelkit.choices import CORNERS, EDGES
from labelkit.codec.samples import ImageSamples
from labelkit.evidence import StatedPlace, to_json
from labelkit.explicit.image import ocr
from labelkit.explicit.image.drawing import draw
from labelkit.explicit.image.finding import TEXTS, find_in
from labelkit.explicit.image.font import BUNDLED
from labelkit.plan import Explicit
from labelkit.report import Layer, Status
from tests.explicit.grounds import GROUNDS, ground


def jpeg(pixels: np.ndarray, quality: int) -> np.ndarray:
    file = io.BytesIO()
    Image.fromarray(pixels).save(file, "JPEG", quality=quality)
    return np.asarray(Image.open(file))


def resized(pixels: np.ndarray, factor: float) -> np.ndarray:
    height, width = pixels.shape[:2]
    return np.asarray(Image.fromarray(pixels).resize((round(width * factor), round(height * factor)), Image.LANCZOS))


def page(text: str, size: int, height: int = 500, width: int = 400) -> np.ndarray:
    """A page of `text` over and over."""
    sheet = Image.new("RGB", (width, height), "white")
    pen, font = ImageDraw.Draw(sheet), ImageFont.truetype(str(BUNDLED), size)
    per_line = width // size + 2
    line = text * (per_line // len(text) + 2)
    for i, y in enumerate(range(4, height, round(1.5 * size))):
        pen.text((4, y), line[i % len(text):][:per_line], fill="black", font=font)
    return np.asarray(sheet)


@pytest.mark.parametrize("text", TEXTS)
def test_every_common_text_is_found_where_it_was_drawn(text):
    out, placement = draw(ground("waves", 400, 600), Explicit(text=text))
    match = find_in(out)
    assert match.text == text
    assert np.allclose(match.box, placement.box, atol=4)
    assert abs(match.score) > 0.8 and match.contrast > 4


@pytest.mark.parametrize("name", GROUNDS)
@pytest.mark.parametrize("attack", [lambda p: jpeg(p, 50), lambda p: jpeg(resized(p, 0.5), 75),
                                    lambda p: resized(p, 1.6)],
                         ids=["jpeg 50", "half the size and jpeg 75", "larger"])
def test_label_survives_what_platforms_do(name, attack):
    out, placement = draw(ground(name, 512, 640), Explicit())
    attacked = attack(out)
    match = find_in(attacked)
    assert match and match.text == "AI生成"
    factor = attacked.shape[0] / 512
    assert np.allclose(match.box, np.array(placement.box) * factor, atol=5 * factor)


@pytest.mark.parametrize("corner", CORNERS + EDGES)
@pytest.mark.parametrize("border", [False, True])
def test_position_is_named(corner, border):
    out, _ = draw(ground("gradient", 480, 480), Explicit(corner=corner, border=border))
    finding = explicit.find(ImageSamples((out,)))
    assert finding.status is Status.VALID
    if not border:
        assert finding.evidence.position == corner


@pytest.mark.parametrize("plan", [Explicit(style="icon"), Explicit(opacity=0.6), Explicit(height=0.12),
                                  Explicit(height=0.25), Explicit(margin=0.2), Explicit(margin=0.2, corner="left")],
                         ids=["icon", "translucent", "large", "huge", "margin", "side margin"])
def test_other_plans_are_found(plan):
    assert find_in(draw(ground("noise", 512, 512), plan)[0]).text == "AI生成"


@pytest.mark.parametrize("shape", [(300, 400), (300, 400, 4)])
@pytest.mark.parametrize("dtype", [np.uint8, np.uint16])
def test_every_pixel_type_is_read(shape, dtype):
    out, _ = draw(np.full(shape, np.iinfo(dtype).max // 2, dtype), Explicit())
    assert find_in(out).text == "AI生成"


@pytest.mark.parametrize("name", GROUNDS)
@pytest.mark.parametrize("size", [(12, 12), (200, 300), (512, 512), (100, 3000)])
def test_nothing_is_found_on_unlabelled_grounds(name, size):
    assert find_in(ground(name, *size)) is None


@pytest.mark.parametrize("text", ["本节目由平台制作图片视频文字", "人生百度成功合计声明",
                                  "合成视频人工制作文字生成画面", "人工智能平台服务提供"])
@pytest.mark.parametrize("size", [16, 24, 40])
def test_nothing_is_found_on_pages_without_the_words(text, size):
    assert find_in(page(text, size)) is None
    assert find_in(255 - page(text, size)) is None


def test_a_page_with_the_words_along_its_edge_is_found():
    """The negative twin: the pages above are looked at, and would be found if they held the words."""
    assert find_in(page("图片由AI生成", 24)) is not None


def test_removed_label_is_absent():
    host = ground("waves", 400, 600)
    out, placement = draw(host, Explicit())
    x, y, w, h = placement.box
    out[y - h:y + 2 * h, x - h:x + w + h] = host[y - h:y + 2 * h, x - h:x + w + h]
    assert find_in(out) is None
    half = draw(host, Explicit())[0]
    half[y - 2:y + h + 2, x - 2:x + w // 2] = half[y - 4, x - 4]  # AI wiped out: the AI element is gone
    assert find_in(half) is None


def test_a_low_label_is_invalid_and_says_how_low():
    large, _ = draw(ground("white", 400, 400), Explicit())
    host = ground("white", 560, 700)
    host[-400:, -400:] = large  # 5 % of 400 is 3.6 % of 560
    finding = explicit.find(ImageSamples((host,)))
    assert finding.status is Status.INVALID
    assert 0.038 < finding.evidence.height_share < 0.046
    assert "5 %" in str(finding.summary) and "GB 45438-2025 5.2" in finding.summary.text("zh-CN")


def test_finding_is_valid_with_json_evidence():
    samples, drawn = explicit.draw(ImageSamples((ground("noise", 512, 512),)), Explicit())
    finding = explicit.find(samples)
    assert finding.layer is Layer.EXPLICIT and finding.status is Status.VALID
    evidence = json.loads(json.dumps(finding.evidence_dict()))
    assert evidence["text"] == drawn.text == "AI生成" and evidence["position"] == drawn.position
    assert abs(evidence["height_share"] - 0.06) < 0.004  # of 生; the capital A is at 5 %
    assert str(finding.summary).startswith('"AI生成" bottom right, ')
    assert "右下角" in finding.summary.text("zh-CN")
    assert drawn.height_share >= 0.05 and drawn.contrast >= 4.5


def test_absent_names_the_texts_that_were_looked_for():
    finding = explicit.find(ImageSamples((ground("waves"),)))
    assert finding.status is Status.ABSENT and "AI生成" in finding.evidence.texts


def test_expected_text_is_looked_for():
    text = "千问AI生成的图片"
    out, _ = draw(ground("noise", 512, 900), Explicit(text=text))
    assert find_in(out, text).text == text
    assert find_in(out).text == "AI生成"  # the part that is known


@pytest.mark.parametrize("hostile", ["", "x" * 10**6, "AI生成" + "\0" * 20, "AI生成\U0010ffff", None, 7])
def test_hostile_expected_text_is_ignored(hostile):
    assert find_in(ground("waves"), hostile) is None
    assert find_in(draw(ground("waves"), Explicit())[0], hostile).text == "AI生成"


def twice_labelled() -> tuple[np.ndarray, list[StatedPlace]]:
    """A picture with a label at the top left and a larger one at the right, and where they are."""
    places = []
    out = ground("waves", 600, 800)
    for plan in (Explicit(corner="top-left", height=0.08), Explicit(corner="right", height=0.12)):
        out, placement = draw(out, plan)
        places.append(StatedPlace(placement.box, placement.ink_height_px))
    return out, places


@pytest.mark.parametrize("which", [0, 1])
def test_the_stated_place_is_looked_at_first(which):
    out, places = twice_labelled()
    found = find_in(out, stated_place=places[which])
    assert np.allclose(found.box, places[which].box, atol=4)


@pytest.mark.parametrize("box", [(0, 0, 800, 600), (700, 500, 60, 20), (0, 0, 1, 1), (799, 599, 1 << 24, 1 << 24),
                                 (1 << 24, 1 << 24, 40, 20), (5, 5, 0, 0)])
@pytest.mark.parametrize("ink", [1, 30, 1 << 24])
def test_a_wrong_place_hides_no_label_and_makes_none(box, ink):
    wrong = StatedPlace(box, ink)
    labelled, placement = draw(ground("waves", 600, 800), Explicit(corner="top-left", height=0.08))
    assert np.allclose(find_in(labelled, stated_place=wrong).box, placement.box, atol=4)
    assert find_in(ground("waves", 600, 800), stated_place=wrong) is None


@pytest.mark.parametrize("stated", [{}, {"box": [1, 2, 3, 4]}, {"box": [1, 2, 3], "ink_height_px": 9},
                                    {"box": [1, 2, 3, True], "ink_height_px": 9}, {"box": "1234", "ink_height_px": 9},
                                    {"box": [1, 2, 3.5, 4], "ink_height_px": 9}, {"box": None, "ink_height_px": 9},
                                    {"box": [-1, 2, 3, 4], "ink_height_px": 9},
                                    {"box": [1, 2, 3, 0], "ink_height_px": 9},
                                    {"box": [1, 2, 3, 10**30], "ink_height_px": 9},
                                    {"box": [1, 2, 3, 4], "ink_height_px": 0}])
def test_a_place_that_no_picture_has_is_none(stated):
    assert StatedPlace.of(stated) is None
    assert StatedPlace.of({"box": [1, 2, 3, 4], "ink_height_px": 9}) == StatedPlace((1, 2, 3, 4), 9)


def test_a_stated_place_is_read_from_a_drawn_label():
    _, drawn = explicit.draw(ImageSamples((ground("noise", 512, 512),)), Explicit())
    place = StatedPlace.of(json.loads(json.dumps(to_json(drawn))))
    assert place == StatedPlace(tuple(drawn.box), drawn.ink_height_px)


def test_wrapped_label_of_a_small_picture_is_found():
    out, placement = draw(ground("white", 80, 80), Explicit(text="人工智能生成"))
    assert len(placement.lines) > 1
    assert find_in(out, "人工智能生成").text == "人工智能生成"


@pytest.mark.parametrize("corner", ["top-left", "bottom-right", "top", "right"])
@pytest.mark.parametrize("shape", [(200, 9000), (9000, 200)])
def test_label_on_a_very_long_picture_is_found_where_it_is(corner, shape):
    out, placement = draw(ground("noise", *shape), Explicit(corner=corner))
    found = find_in(out)
    assert found.text == "AI生成"
    assert all(abs(a - b) <= 4 for a, b in zip(found.box, placement.box, strict=True))
    assert find_in(ground("noise", *shape)) is None


def test_animation_is_labelled_in_every_frame_and_a_bare_frame_is_reported():
    frames = tuple(ground(name) for name in GROUNDS[:5])
    samples, drawn = explicit.draw(ImageSamples(frames), Explicit())
    assert drawn.frames == 5 and explicit.find(samples).status is Status.VALID
    broken = ImageSamples((*samples.frames[:4], frames[4]))
    finding = explicit.find(broken)
    assert finding.status is Status.INVALID and "2 of 3" in str(finding.summary)
    assert explicit.find(ImageSamples(frames)).status is Status.ABSENT


SAMPLES = sorted(path for path in (Path(__file__).parents[2] / "samples").iterdir()
                 if path.suffix in (".png", ".jpg", ".webp"))


@pytest.mark.parametrize("path", SAMPLES, ids=lambda path: path.name)
def test_samples_are_found_labelled_and_not_bare(path):
    samples = codec.decode(path.read_bytes())
    assert explicit.find(samples).status is Status.ABSENT
    labelled, _ = explicit.draw(samples, Explicit())
    finding = explicit.find(labelled)
    assert finding.status is Status.VALID and finding.evidence.position == "bottom-right"


def written(text: str, size: int = 36, font: object = BUNDLED) -> np.ndarray:
    """A grey picture with a text at its lower right, which no check of ours has seen."""
    sheet = Image.fromarray(ground("gradient", 400, 600) // 3)
    pen, face = ImageDraw.Draw(sheet), ImageFont.truetype(str(font), size)
    pen.text((590, 390), text, fill="white", font=face, anchor="rs")
    return np.asarray(sheet)


@pytest.mark.parametrize("text", ["非AI生成", "不是AI生成", "未使用AI生成", "禁止AI合成", "不含AI生成",
                                  "本图非由AI生成"])
def test_a_negation_before_the_label_makes_it_none(text):
    finding = explicit.find(ImageSamples((written(text),)))
    assert finding.status is Status.ABSENT
    assert "not AI-generated" in str(finding.summary) and finding.evidence.mention.text in text


@pytest.mark.parametrize("text", ["AI生成", "豆包AI生成", "可灵AI生成", "本内容由AI生成", "是AI生成", "经AI生成"])
def test_other_words_before_the_label_leave_it_one(text):
    assert explicit.find(ImageSamples((written(text),))).status is Status.VALID


@pytest.mark.parametrize(("line", "status"), [("拒绝AI生成", Status.ABSENT), ("天工AI生成", Status.VALID),
                                              ("", Status.VALID)])
def test_what_the_font_does_not_have_is_read_where_text_may_be_read(line, status, monkeypatch):
    monkeypatch.setattr(ocr, "line_around", lambda pixels, box: line)
    before = written("界AI生成")
    assert explicit.find(ImageSamples((before,)), read_text=True).status is status
    assert explicit.find(ImageSamples((before,))).status is Status.VALID
    monkeypatch.setattr(ocr, "line_around", lambda pixels, box: pytest.fail("nothing stands before it"))
    assert explicit.find(ImageSamples((written("AI生成"),)), read_text=True).status is Status.VALID
