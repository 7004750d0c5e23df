# SPDX-License-Identifier: Apache-2.0
"""Makes the bundled fonts of other scripts than the Chinese: subsets of Noto, by fonttools 4.68.

    python make_scripts.py NOTO_FOLDER

NOTO_FOLDER holds the files of Debian's fonts-noto-core 20201225-2 and fonts-noto-cjk 1:20240730+repack1-1 (SIL Open
Font License 1.1, see OFL.txt). LabelKitWorld has whole alphabets: Latin, Greek, Cyrillic, Arabic, Hebrew, Devanagari
and Thai, with the rules that shape them. LabelKitKR and LabelKitJP have what labels say. "Noto" is a trademark, so the
families are renamed; no font name is reserved.
"""

from __future__ import annotations

import hashlib
import sys
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from fontTools.ttLib import TTFont

_LATIN = ["ccmp", "locl", "mark", "mkmk"]  # no small capitals, fractions and the like
ASCII = "".join(map(chr, range(0x20, 0x7F)))
SIGNS = "«»‘’‚“”„•…‹›–—·©®™×"


def _span(*ranges: tuple[int, int]) -> str:
    return "".join(chr(code) for first, last in ranges for code in range(first, last + 1))


WORLD = {
    "NotoSans-Regular.ttf": ("89c3c497f618fdaa0b2d1e98fef93582f28c71debd2c4a8cdf41f190ced2909d",
                             ASCII + SIGNS + "€№ȘșȚțẞ" + _span((0xA1, 0x17F), (0x300, 0x303), (0x309, 0x309),
                                                             (0x323, 0x323), (0x386, 0x3CE), (0x400, 0x45F),
                                                             (0x490, 0x491), (0x1EA0, 0x1EF9))),
    "NotoSansArabic-Regular.ttf": ("504d7407d86875acf7d04dfaa0fd7524d0b8797723bc4aa18022f29db25b0b6e",
                                   "،؛؟٠١٢٣٤٥٦٧٨٩پچژکگیى\u200c\u200d" + _span((0x621, 0x652), (0x6F0, 0x6F9))),
    "NotoSansHebrew-Regular.ttf": ("436900d5ad77d33e4234247f3076eaecd25b92b9bea0519514f684140e3566a7",
                                   _span((0x5B0, 0x5BC), (0x5BE, 0x5BE), (0x5D0, 0x5EA), (0x5F3, 0x5F4))),
    "NotoSansDevanagari-Regular.ttf": ("79a470365ccb210fa3c7d8d8ff2e005ef9d983cfd067f735a0caf7e15070ca9f",
                                   "\u200c\u200d" + _span((0x900, 0x96F))),
    "NotoSansThai-Regular.ttf": ("dfbd5ed0f1e68c3cbc51aa08f646d1ab0e68e7c4ceab70a69e465225ff701f93",
                                   _span((0xE01, 0xE3A), (0xE3F, 0xE5B))),
}
CJK = ("NotoSansCJK-Regular.ttc", "b76b0433203017ca80401b2ee0dd69350349871c4b19d504c34dbdd80541690a")
KOREAN = ("인공지능으로생성된됨됐됩합성콘텐츠이미지영상음성오디오비디오동사진그림텍스트글문서내용본저작"
          "물은는가를을에의해하여한했습니다입만들어진제작되었수있음없실제와다를편집변형변경수정일부전체"
          "자동도움활용사용기술모델표시안내알림주의가상인물목소리장면작품광고뉴스번역요약작성및또생형아님않비")
JAPANESE = ("非未不人工知能生成作制画像音声動映文章内容本作品部分全体使用利用技術編集加工変更合一含自翻訳要約実"
            "在人物場面広告注意表示写真絵字幕記事仮想")
KANA = _span((0x3041, 0x3096), (0x30A1, 0x30FC)) + "、。「」・（）【】！？：　"


def make(source: Path, target: Path) -> None:
    """Write the three fonts into the folder `target`."""
    from fontTools import merge
    from fontTools.ttLib import TTFont

    parts, made = [], TTFont(source / "NotoSans-Regular.ttf")["head"].created
    for name, (digest, characters) in WORLD.items():
        path = target / f"{name}.part"
        features = _LATIN if name == "NotoSans-Regular.ttf" else ["*"]
        _cut(TTFont(_checked(source / name, digest), recalcTimestamp=False), characters, features).save(path)
        parts.append(str(path))
    world = merge.Merger().merge(parts)
    world.recalcTimestamp, world["head"].created, world["head"].modified = False, made, made
    _named(world, "LabelKit World", "LabelKitWorld").save(target / "LabelKitWorld-Regular.ttf")
    for part in parts:
        Path(part).unlink()
    for face, region, characters in ((0, "JP", JAPANESE + KANA), (1, "KR", KOREAN + "，。·「」【】（）、")):
        font = TTFont(_checked(source / CJK[0], CJK[1]), fontNumber=face, recalcTimestamp=False)
        font = _named(_cut(font, ASCII + characters, []), f"LabelKit {region}", f"LabelKit{region}")
        font.save(target / f"LabelKit{region}-Regular.otf")


def _checked(path: Path, digest: str) -> Path:
    if hashlib.sha256(path.read_bytes()).hexdigest() != digest:
        raise SystemExit(f"{path} is not the pinned source font")
    return path


def _cut(font: TTFont, characters: str, features: list[str]) -> TTFont:
    from fontTools import subset

    options = subset.Options(hinting=False, desubroutinize=True, layout_features=features, notdef_outline=True,
                             name_IDs=[0, 5, 13, 14], recalc_timestamp=False, glyph_names=False)
    cutter = subset.Subsetter(options)
    cutter.populate(text=characters)
    cutter.subset(font)
    return font


def _named(font: TTFont, family: str, name: str) -> TTFont:
    for number, value in ((1, family), (2, "Regular"), (3, f"labelkit;{name}-Regular"), (4, f"{family} Regular"),
                          (6, f"{name}-Regular")):
        font["name"].setName(value, number, 3, 1, 0x409)
    if "CFF " in font:
        cff = font["CFF "].cff
        cff.fontNames = [f"{name}-Regular"]
        cff.topDictIndex[0].FullName, cff.topDictIndex[0].FamilyName = f"{family} Regular", family
        for part in cff.topDictIndex[0].FDArray:
            part.FontName = f"{name}-Regular"
    return font


if __name__ == "__main__":
    make(Path(sys.argv[1]), Path(__file__).parent)
