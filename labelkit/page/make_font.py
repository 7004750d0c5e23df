# SPDX-License-Identifier: Apache-2.0
"""Makes LabelKitPages.woff, the font in every page: the Chinese characters of all messages and of usual labels.

    python labelkit/page/make_font.py /usr/share/fonts/opentype/noto/NotoSansCJK-Regular.ttc

The source is that of labelkit/explicit/fonts (SIL Open Font License 1.1, see OFL.txt there); needs fonttools. Run it
when messages have new characters: a machine without a Chinese font shows boxes for those that are missing.
"""

from __future__ import annotations

import json
import runpy
import sys
from pathlib import Path

_PACKAGE = Path(__file__).parents[1]


def characters(labels: str) -> str:
    """What the font has: every Chinese character and sign of the messages, and those of labels."""
    texts = [text for file in sorted((_PACKAGE / "locale" / "zh_CN").glob("*.json"))
             for text in json.loads(file.read_text("utf-8")).values()]
    return "".join(sorted({one for text in [*texts, labels] for one in text if ord(one) >= 0x2E80}))


def make(source: Path, target: Path) -> int:
    """Writes the subset of `source` to `target`; returns its size in bytes."""
    from fontTools.ttLib import TTFont

    bundled = runpy.run_path(str(_PACKAGE / "explicit" / "fonts" / "make_subset.py"), run_name="make_subset")
    bundled["make"](source, target, characters(bundled["CHARACTERS"]))
    font = TTFont(target, recalcTimestamp=False)
    font.flavor = "woff"
    font.save(target)
    return target.stat().st_size


if __name__ == "__main__":
    print(make(Path(sys.argv[1]), Path(__file__).with_name("LabelKitPages.woff")), "bytes")
