# SPDX-License-Identifier: Apache-2.0
"""Fonts: any path, missing glyphs named, broken files refused with our own errors."""

import random

import numpy as np
import pytest

from labelkit.errors import InvalidArgument, LabelkitError, MalformedFile, MissingGlyph
from labelkit.explicit.image.drawing import draw
from labelkit.explicit.image.font import BUNDLED, Font
from labelkit.plan import Explicit
from tests.explicit.grounds import ground

fonttools = pytest.importorskip("fontTools.ttLib", reason="fontTools, the independent reader of cmap, is missing")


def collection(path, *faces) -> None:
    """A TTC of `faces`."""
    ttc = fonttools.TTCollection()
    ttc.fonts = [fonttools.TTFont(face) for face in faces]
    ttc.save(path)


def test_cmap_agrees_with_an_independent_reader():
    known = set(fonttools.TTFont(BUNDLED).getBestCmap())
    font = Font.open(None)
    for codepoint in [*range(0x20, 0x3000), *range(0x4E00, 0x9FFF, 7), *known]:
        try:
            font.check(chr(codepoint))
            assert codepoint in known
        except MissingGlyph:
            assert codepoint not in known


def test_bundled_font_has_the_words_of_labels_and_ascii():
    ascii_characters = "".join(map(chr, range(0x20, 0x7F)))
    Font.open(None).check("由人工智能生成合成本内容图片音频视频制作节目，。、：（）《》" + ascii_characters)


def test_bundled_font_is_renamed_and_carries_its_licence():
    names = fonttools.TTFont(BUNDLED)["name"]
    assert names.getDebugName(1) == "LabelKit CJK" and "Open Font License" in names.getDebugName(13)
    assert "SIL OPEN FONT LICENSE Version 1.1" in (BUNDLED.parent / "OFL.txt").read_text("utf-8")


def test_missing_characters_are_named_and_no_tofu_is_drawn():
    with pytest.raises(MissingGlyph, match="齉") as refusal:
        draw(ground("white"), Explicit(text="齉AI生成🎨"))
    assert "U+9F49" in str(refusal.value) and "U+1F3A8" in str(refusal.value) and "生" not in str(refusal.value)


@pytest.mark.parametrize("text", ["AI生成\n", "AI生成\t", "AI\x00生成", "AI生成\ue000"])
def test_characters_without_a_shape_are_refused(text):
    with pytest.raises(MissingGlyph, match=r"U\+"):
        draw(ground("white"), Explicit(text=text))


def test_a_collection_and_a_copied_path_draw_like_the_bundled_font(tmp_path):
    collection(tmp_path / "f.ttc", BUNDLED, BUNDLED)
    (tmp_path / "字体.otf").write_bytes(BUNDLED.read_bytes())
    expected, _ = draw(ground("noise"), Explicit())
    for path in (tmp_path / "f.ttc", str(tmp_path / "字体.otf")):
        assert np.array_equal(draw(ground("noise"), Explicit(font=path))[0], expected)


def test_a_font_without_ink_is_refused(tmp_path):
    font = fonttools.TTFont(BUNDLED)
    from fontTools.pens.t2CharStringPen import T2CharStringPen

    top = font["CFF "].cff.topDictIndex[0]
    for codepoint in map(ord, "AI生成"):
        name = font.getBestCmap()[codepoint]
        old = top.CharStrings[name]
        top.CharStrings[name] = T2CharStringPen(1000, None).getCharString(old.private, old.globalSubrs)
    font.save(tmp_path / "blank.otf")
    with pytest.raises(LabelkitError, match="blank.otf"):
        draw(ground("white"), Explicit(font=tmp_path / "blank.otf"))


@pytest.mark.parametrize("content", [b"", b"OTTO", b"not a font at all" * 9, b"ttcf" + b"\xff" * 60,
                                     b"wOF2" + b"\0" * 60])
def test_what_is_no_font_is_refused(tmp_path, content):
    (tmp_path / "broken.otf").write_bytes(content)
    with pytest.raises(MalformedFile, match="broken.otf"):
        draw(ground("white"), Explicit(font=tmp_path / "broken.otf"))


@pytest.mark.parametrize("path", ["/nowhere/font.otf", "", "a\0b", 7])
def test_unreadable_font_is_refused(path):
    with pytest.raises(InvalidArgument, match="cannot be read"):
        draw(ground("white"), Explicit(font=path))


def test_damaged_fonts_raise_nothing_else(tmp_path):
    source, chance = BUNDLED.read_bytes(), random.Random(5)
    refused = 0
    for i in range(150):
        data = bytearray(source)
        for _ in range(chance.choice((1, 4, 40))):
            data[chance.randrange(0, chance.choice((300, 3000, len(data))))] = chance.randrange(256)
        if chance.random() < 0.2:
            del data[chance.randrange(len(data)):]
        path = tmp_path / f"{i}.otf"
        path.write_bytes(data)
        try:
            draw(ground("white"), Explicit(font=path))
        except LabelkitError:
            refused += 1
    assert refused > 20
