# SPDX-License-Identifier: Apache-2.0
"""Counts labels in other languages that are found: where they are, after encoding, and where none is.

    python -m benchmarks.label_languages [VIEWS]

VIEWS unlabelled views of the pictures in samples/ and in scikit-image are searched for the words of every language
along all edges. Then every label is drawn on six pictures at three sizes and looked for bare, in JPEG 50, at half the
size in JPEG 70, cropped, and cropped in the language that is asked for. benchmarks/IMAGE.md has the table.
"""

from __future__ import annotations

import io
import sys
import time
from collections import Counter
from collections.abc import Callable
from pathlib import Path

import numpy as np
import numpy.typing as npt
from PIL import Image

from benchmarks.image_robustness import pictures
from labelkit.codec.samples import ImageSamples
from labelkit.errors import HostTooSmall
from labelkit.explicit import image
from labelkit.languages import LANGUAGES
from labelkit.plan import Explicit
from labelkit.report import Status

_SIZES = (320, 640, 1080)
Picture = npt.NDArray[np.uint8]


def _hosts() -> list[Picture]:
    from skimage import data

    own = [one for _, one in pictures(Path("samples"), 1200)]
    return own + [np.asarray(Image.fromarray(getattr(data, name)()).convert("RGB"))
                  for name in ("astronaut", "camera", "page", "text", "coins", "brick", "grass", "gravel")]


def views(hosts: list[Picture], count: int, random: np.random.Generator) -> list[Picture]:
    """So many crops of pictures at random scales."""
    out = []
    for index in range(count):
        host = Image.fromarray(hosts[index % len(hosts)])
        part = random.uniform(0.4, 1.0)
        width, height = round(host.width * part), round(host.height * part)
        x, y = random.integers(host.width - width + 1), random.integers(host.height - height + 1)
        side = random.integers(240, 900) / min(width, height)
        view = host.crop((x, y, x + width, y + height)).resize((round(width * side), round(height * side)))
        out.append(np.asarray(view))
    return out


def _jpeg(pixels: Picture, quality: int) -> Picture:
    out = io.BytesIO()
    Image.fromarray(pixels).save(out, "JPEG", quality=quality)
    return np.asarray(Image.open(out).convert("RGB"))


def _half(pixels: Picture) -> Picture:
    height, width = pixels.shape[:2]
    return _jpeg(np.asarray(Image.fromarray(pixels).resize((width // 2, height // 2), Image.Resampling.LANCZOS)), 70)


def _cropped(pixels: Picture) -> Picture:
    height, width = pixels.shape[:2]
    return np.ascontiguousarray(pixels[height // 3:height - height // 70, width // 40:width - width // 90])


_CHANGES: dict[str, Callable[[Picture], Picture]] = {
    "bare": np.asarray, "JPEG 50": lambda one: _jpeg(one, 50), "half, JPEG 70": _half, "cropped": _cropped,
    "cropped, JPEG 50": lambda one: _jpeg(_cropped(one), 50), "cropped, asked for": _cropped}


def main(arguments: list[str]) -> None:
    """Print both tables."""
    hosts, random = _hosts(), np.random.default_rng(20261128)
    count = int(arguments[0]) if arguments else 200
    false, started = 0, time.process_time()
    for view in views(hosts, count, random):
        found = image.find(ImageSamples((view,)), languages=tuple(LANGUAGES))
        if found.status is not Status.ABSENT:
            false += 1
            print("false", found.summary, found.evidence)
    print(f"{false} of {count} unlabelled views; {(time.process_time() - started) / count:.3f} s each")
    seen: Counter[tuple[int, str]] = Counter()
    drawn, missed = 0, []
    for size in _SIZES:
        for host in hosts[:6]:
            height, width = (round(side * size / min(host.shape[:2])) for side in host.shape[:2])
            picture = np.asarray(Image.fromarray(host).resize((width, height)))
            for language in LANGUAGES:
                try:
                    labelled = image.draw(picture, Explicit(language=language))[0]
                except HostTooSmall:
                    continue
                drawn += 1
                for name, change in _CHANGES.items():
                    asked = (language,) if name == "cropped, asked for" else ()
                    found = image.find(ImageSamples((change(labelled),)), languages=asked)
                    if found.status is Status.VALID and LANGUAGES[language].text in str(found.summary):
                        seen[size, name] += 1
                    else:
                        missed.append((size, name, language))
    for (size, name), hits in seen.items():
        print(f"{size} {name}: {hits} of {drawn // len(_SIZES)}")
    print("missed", missed)


if __name__ == "__main__":
    main(sys.argv[1:])
