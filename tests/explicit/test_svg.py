# SPDX-License-Identifier: Apache-2.0
"""The explicit label in SVG: a text in front of the drawing, in its lower right corner, and nothing else changed."""

import re
from xml.etree import ElementTree

import numpy as np
import pytest
from PIL import Image, ImageDraw

import labelkit as lk
from labelkit import metadata
from labelkit.errors import HostTooSmall, LabelkitError
from labelkit.explicit.image import font, raster
from labelkit.languages import LANGUAGES
from labelkit.report import Status
from tests.cost import within
from tests.files import LABEL

IN_SVG = "{http://www.w3.org/2000/svg}"


def svg(content: str = "", size: str = 'viewBox="-10 -20 300 200"', prefix: str = "") -> bytes:
    space = f"xmlns:{prefix[:-1]}" if prefix else "xmlns"
    return (f'<?xml version="1.0"?><{prefix}svg {space}="http://www.w3.org/2000/svg" {size}><{prefix}rect width="9" '
            f'height="9"/>{content}</{prefix}svg>').encode()


def labelled(data: bytes, **settings: object) -> bytes:
    return lk.embed(data, label=LABEL, plan=lk.Plan(explicit=lk.Explicit(**settings)))


def explicit(data: bytes) -> lk.Finding:
    return lk.verify(data)[lk.Layer.EXPLICIT]


@pytest.mark.parametrize("prefix", ["", "s:"])
def test_the_words_stand_in_the_corner_and_the_rest_stays(prefix):
    before = svg(prefix=prefix)
    assert explicit(before).status is Status.ABSENT
    after = labelled(before)
    root = ElementTree.fromstring(after)
    group, = root.findall(IN_SVG + "g")
    plate, words, ink = group
    x, y, width, height = (float(plate.get(name)) for name in ("x", "y", "width", "height"))
    assert 140 < x < x + width < 290 and 150 < y < y + height < 180
    assert ink.tag == IN_SVG + "path" and words.get("fill") == plate.get("fill") != ink.get("fill")
    assert words.text == "AI生成" and float(words.get("font-size")) * 0.7 >= 0.05 * 200
    assert after.startswith(before[:before.index(b"<" + prefix.encode() + b"rect")])
    assert explicit(after).status is Status.VALID and metadata.read(after).label == LABEL
    assert labelled(after) == after, "what is there is not put there again"
    assert lk.verify(after).verdict is lk.Verdict.CONFIRMED


@pytest.mark.parametrize("content, is_label", [
    ('<text x="9" y="175">AI生成</text>', True),
    ('<text x="9" y="-10"><tspan>由AI</tspan><tspan>生成</tspan></text>', True),
    ('<text x="9" y="175">由<tspan>AI</tspan>生成</text>', True),
    ('<text x="9" y="175">本图<tspan display="none">非</tspan>由<tspan>AI</tspan>生成</text>', True),
    ('<text x="9" y="175">生成<tspan>AI</tspan>由</text>', False),
    ('<g opacity="0"><text x="9" y="175">AI生成</text></g>', False),
    ('<defs><text y="175">AI生成</text></defs>', False),
    ('<text x="9" y="175" style="display:none">AI生成</text>', False), ('<text x="9" y="90">AI生成</text>', False),
    ("<title>AI生成</title>", False), ('<text x="9" y="175">非AI生成</text>', False)])
def test_labels_of_others_are_found_where_they_are_seen(content, is_label):
    assert (explicit(svg(content)).status is Status.VALID) is is_label


def test_sizes_languages_and_what_has_no_room():
    for size in ('width="300" height="200"', 'width="8cm" height="50mm"', 'width="100%" viewBox="0 0 3 2"'):
        assert explicit(labelled(svg(size=size))).status is Status.VALID
    for language in ("de", "ar", "hi", "ko"):
        assert explicit(labelled(svg(size='viewBox="0 0 600 400"'), language=language)).evidence.language == language
    for size, text in (("", "AI生成"), ('width="100%" height="50%"', "AI生成"),
                       ('viewBox="0 0 10 900"', "本内容由人工智能大模型自动生成")):
        with pytest.raises(HostTooSmall):
            labelled(svg(size=size), text=text)


def filled(path: str, size: tuple[int, int], down: int) -> np.ndarray:
    """What a path covers by the rule evenodd, `down` units below the upper edge, by Pillow's polygons."""
    inside = np.zeros(size[::-1], bool)
    for contour in re.findall(r"M([^Z]*)Z", path):
        numbers = [int(one) for one in re.findall(r"-?\d+", contour)]
        part = Image.new("1", size)
        ImageDraw.Draw(part).polygon([(x, y + down) for x, y in zip(numbers[::2], numbers[1::2], strict=True)], fill=1)
        inside ^= np.asarray(part)
    return inside


@pytest.mark.parametrize("language", ["zh", "ar", "hi", "th", "he", "ko", "el"])
def test_the_outlines_are_those_of_the_words_as_pictures_show_them(language):
    root = ElementTree.fromstring(labelled(svg(size='viewBox="0 0 900 300"'), language=language))
    path = root.findall(IN_SVG + "g")[-1][2].get("d")
    shown = raster.render((LANGUAGES[language].text,), 200, "text", None).ink
    rows, columns = (np.flatnonzero((shown > 127).any(axis=axis)) for axis in (1, 0))
    shown = shown[rows[0]:rows[-1] + 1, columns[0]:columns[-1] + 1]
    covered = filled(path, (12_000, 1500), 800)
    rows, columns = (np.flatnonzero(covered.any(axis=axis)) for axis in (1, 0))
    covered = covered[rows[0]:rows[-1] + 1, columns[0]:columns[-1] + 1]
    small = np.asarray(Image.fromarray(covered.astype(np.uint8) * 255).resize(shown.shape[::-1], Image.Resampling.BOX))
    assert np.corrcoef(small.ravel(), shown.ravel())[0, 1] > 0.97
    assert np.corrcoef(small[:, ::-1].ravel(), shown.ravel())[0, 1] < 0.9


def test_words_that_no_font_of_ours_has_are_left_to_the_viewers(monkeypatch):
    settings = {"text": "AI生成 \U00010330", "language": "zh"}
    group = ElementTree.fromstring(labelled(svg(), **settings)).findall(IN_SVG + "g")[-1]
    assert [one.tag for one in group] == [IN_SVG + "rect", IN_SVG + "text"] and group[1].get("fill") == "#fff"
    monkeypatch.setattr(font, "can_shape", lambda: False)
    group = ElementTree.fromstring(labelled(svg(size='viewBox="0 0 600 400"'), language="ar")).findall(IN_SVG + "g")[-1]
    assert len(group) == 2 and group[1].get("fill") == "#fff"


def test_broken_drawings_raise_nothing_else():
    whole = svg('<text x="9" y="175">AI生成</text>')
    for cut in range(0, len(whole), 7):
        for broken in (whole[:cut], whole[:cut] + b"\xff<" + whole[cut + 2:]):
            try:
                labelled(broken)
            except LabelkitError:
                pass


def test_words_are_right_in_every_encoding_that_a_drawing_states():
    before = b'<?xml version="1.0" encoding="iso-8859-1"?>' + svg("<text y='90'>plain</text>").partition(b"?>")[2]
    texts = ["".join(one.itertext()) for one in ElementTree.fromstring(labelled(before)).iter(IN_SVG + "text")]
    assert texts == ["plain", "AI生成"]


def test_a_label_lies_in_a_drawing_far_from_its_origin():
    root = ElementTree.fromstring(labelled(svg(size='viewBox="500000 4649776 300 200"')))
    plate = root.findall(IN_SVG + "g")[-1][0]
    x, y, width, height = (float(plate.get(name)) for name in ("x", "y", "width", "height"))
    assert 500_140 < x < x + width < 500_300 and 4_649_926 < y < y + height < 4_649_976
    for size in ('viewBox="1e999 0 300 200"', 'viewBox="0 -1e200 300 200"'):
        with pytest.raises(HostTooSmall):
            labelled(svg(size=size))


def test_texts_in_texts_take_time_that_grows_with_their_number():
    nested = svg("<text y='90'>a" * 20_000 + "</text>" * 20_000)
    assert within(lambda: explicit(nested), 10)
    assert explicit(svg("<text y='90'><text>AI</text>生成</text>")).status is Status.ABSENT
    assert explicit(svg("<text y='175'><text>AI</text>生成</text>")).status is Status.VALID
