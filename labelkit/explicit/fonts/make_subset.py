# SPDX-License-Identifier: Apache-2.0
"""Makes LabelKitCJK-Regular.otf, the bundled font: a subset of Noto Sans CJK SC with the characters of labels.

    python make_subset.py /usr/share/fonts/opentype/noto/NotoSansCJK-Regular.ttc

The source is Debian's fonts-noto-cjk 1:20240730+repack1-1 (SIL Open Font License 1.1, see OFL.txt),
made with fonttools 4.68. "Noto" is a trademark, so the family is renamed; no font name is reserved.
"""

from __future__ import annotations

import hashlib
import sys
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from fontTools.cffLib import CFFFontSet

SOURCE_SHA256 = "b76b0433203017ca80401b2ee0dd69350349871c4b19d504c34dbdd80541690a"
FACE_SC = 2  # of the collection: the forms of mainland China

LABEL_WORDS = "人工智能生成合成由本内容图片图像音频视频声音语音制作节目作品文字文本素材画面场景虚拟数字仿真"
MORE_WORDS = ("的为是含有部分全完经过已使用利用技术模型算法辅助参与创编辑改修处理仅供参考请注意谨慎甄别识标提示"
              "说明声明告知此该这可能疑似属于非真实信息来源平台服务提供者编号日期年月日时分秒第集期号人物形象主播配音乐"
              "歌曲绘画照片动漫游戏小说新闻"
              "广告公司发布上传用户自行不代表观点版权所未授禁止豆包可灵即梦元宝千问百度讯飞腾阿里云火山引擎")
PUNCTUATION = "，。、；：？！“”‘’（）《》【】「」…—·～￥　©®™×–"
ASCII = "".join(map(chr, range(0x20, 0x7F)))
CHARACTERS = "".join(sorted(set(LABEL_WORDS + MORE_WORDS + PUNCTUATION + ASCII)))

_NAMES = {1: "LabelKit CJK", 2: "Regular", 3: "2.004;labelkit;LabelKitCJK-Regular", 4: "LabelKit CJK Regular",
          6: "LabelKitCJK-Regular"}


def make(source: Path, target: Path, characters: str = CHARACTERS) -> int:
    """Writes the subset of `source` with these characters to `target`; returns its size in bytes."""
    from fontTools import subset
    from fontTools.ttLib import TTFont

    if hashlib.sha256(source.read_bytes()).hexdigest() != SOURCE_SHA256:
        raise SystemExit(f"{source} is not the pinned source font")
    font = TTFont(source, fontNumber=FACE_SC, recalcTimestamp=False)
    options = subset.Options(hinting=False, desubroutinize=True, layout_features=[], name_IDs=[0, *_NAMES, 5, 13, 14],
                             notdef_outline=True, recalc_timestamp=False)
    cutter = subset.Subsetter(options)
    cutter.populate(text=characters)
    cutter.subset(font)
    for record in font["name"].names:
        record.string = _NAMES.get(record.nameID, record.toUnicode())
    _rename_cff(font["CFF "].cff)
    font.save(target)
    return target.stat().st_size


def _rename_cff(cff: CFFFontSet) -> None:
    cff.fontNames = [_NAMES[6]]
    top = cff.topDictIndex[0]
    top.FullName, top.FamilyName = _NAMES[4], _NAMES[1]
    for font in top.FDArray:
        font.FontName = font.FontName.replace("NotoSansCJKsc", "LabelKitCJK")


if __name__ == "__main__":
    print(make(Path(sys.argv[1]), Path(__file__).with_name("LabelKitCJK-Regular.otf")), "bytes")
