# SPDX-License-Identifier: Apache-2.0
"""The explicit label on pictures, 1024 x 1024 on one thread, beside a copy of the pixels and Pillow's JPEG q90."""

from __future__ import annotations

import io
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from PIL import Image, ImageDraw, ImageFont

from benchmarks.conftest import ratio
from labelkit.explicit.image.drawing import draw
from labelkit.explicit.image.finding import find_in
from labelkit.explicit.image.font import BUNDLED
from labelkit.explicit.image.raster import render
from labelkit.plan import Explicit

SAMPLE = Path(__file__).parents[1] / "samples" / "valley.jpg"
CONDITIONS = "1024x1024 RGB uint8, one thread"
PICTURES, WORDS = 300, list("人工智能生成合成成分内容生活由图片组合")


@pytest.fixture(scope="module")
def photograph() -> np.ndarray:
    return np.asarray(Image.open(SAMPLE).resize((1024, 1024)))


def to_jpeg(pixels: np.ndarray) -> Callable[[], None]:
    return lambda: Image.fromarray(pixels).save(io.BytesIO(), "JPEG", quality=90)


def test_drawing(benchmark, photograph, figure):
    host = photograph.copy()
    benchmark(draw, host, Explicit(), in_place=True)
    assert find_in(host).text == "AI生成"
    work = lambda: draw(host, Explicit(), in_place=True)  # noqa: E731
    figure("draw the label, warm", benchmark.stats["median"] * 1e6, unit="us", conditions=CONDITIONS)
    figure("draw the label, to a copy of the pixels", ratio(work, photograph.copy, 50), conditions=CONDITIONS)
    figure("draw the label, to Pillow's JPEG q90", ratio(work, to_jpeg(photograph)), most=0.2, conditions=CONDITIONS)


def test_rasterising(benchmark, photograph, figure):
    def cold() -> None:
        render.cache_clear()
        render(("AI生成",), 52, "text", None)

    benchmark(cold)
    figure("rasterise the label, cold", benchmark.stats["median"] * 1e3, unit="ms", conditions="52 pixels of ink")
    figure("rasterise the label, cold, to Pillow's JPEG q90", ratio(cold, to_jpeg(photograph)), conditions=CONDITIONS)


@pytest.mark.parametrize("labelled", [False, True], ids=["bare", "labelled"])
def test_finding(benchmark, photograph, figure, labelled):
    pixels = draw(photograph, Explicit())[0] if labelled else photograph
    found = benchmark(find_in, pixels)
    assert bool(found) is labelled
    name = f"look for the label, {'there' if labelled else 'not there'}"
    figure(name, benchmark.stats["median"] * 1e3, unit="ms", conditions=CONDITIONS)
    figure(f"{name}, to Pillow's JPEG q90", ratio(lambda: find_in(pixels), to_jpeg(photograph)),
           most=3 if labelled else 5, conditions=CONDITIONS)


def test_false_positives(figure):
    """Crops of the samples, and pages of text in the label's own font, dense in the characters that are looked for."""
    random = np.random.default_rng(8)
    pictures = [np.asarray(Image.open(path).convert("RGB")) for path in SAMPLE.parent.iterdir()
                if path.suffix in (".png", ".jpg", ".webp")]
    hits = sum(find_in(page(random) if i % 2 else crop(pictures[i % len(pictures)], random)) is not None
               for i in range(PICTURES))
    assert hits == 0
    figure("labels found where there are none", hits, most=0, conditions=f"{PICTURES} crops and pages of text")


def crop(pixels: np.ndarray, random: np.random.Generator) -> np.ndarray:
    height, width = (int(random.integers(min(side, 120), side + 1)) for side in pixels.shape[:2])
    y, x = (int(random.integers(0, whole - part + 1))
            for whole, part in zip(pixels.shape, (height, width), strict=False))
    return pixels[y:y + height, x:x + width]


def page(random: np.random.Generator) -> np.ndarray:
    size, width, height = (int(random.integers(*ends)) for ends in ((12, 60), (300, 900), (300, 900)))
    sheet = Image.new("L", (width, height), "white")
    pen, font = ImageDraw.Draw(sheet), ImageFont.truetype(str(BUNDLED), size)
    for y in range(2, height, round(size * random.uniform(1.1, 1.8))):
        pen.text((2, y), "".join(random.choice(WORDS, width // size)), fill="black", font=font)
    return np.asarray(sheet)
