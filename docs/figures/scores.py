# SPDX-License-Identifier: Apache-2.0
"""Scores of unmarked and of marked pictures, beside what theory says. `python -m docs.figures.scores`"""

from __future__ import annotations

import io
import math

import numpy as np
from PIL import Image

from docs.figures._style import BLUE, GREEN, GREY, ORANGE, pyplot, sample, save
from labelkit.key import Key
from labelkit.payload import Payload
from labelkit.watermark import image
from labelkit.watermark.detection import MAX_FALSE_POSITIVE_RATE
from labelkit.watermark.image import matcher

NAMES = ("chelsea.webp", "coffee.png", "rocket.jpg", "boat.png", "valley.jpg", "night.webp", "page.png")
KEYS = 60
PAYLOAD = Payload.from_int(0x283CEC28D6F4A55D)


def jpeg(rgb: np.ndarray, quality: int) -> np.ndarray:
    out = io.BytesIO()
    Image.fromarray(rgb).save(out, "JPEG", quality=quality)
    return np.asarray(Image.open(out))


def expected_maximum(z: np.ndarray) -> np.ndarray:
    """The density of the highest of one orientation's shifts and signs, after the expected number of peaks above z."""
    above = 2 * matcher.SHIFTS * matcher.PEAKS * z * np.exp(-(z**2) / 2)
    return np.gradient(np.exp(-above), z)


def bar() -> float:
    """The score from which a word is decided in one fast search."""
    low, high = 0.0, 40.0
    for _ in range(60):
        middle = (low + high) / 2
        trials = matcher.Trials(count=2 * matcher.SHIFTS)
        low, high = (middle, high) if trials.word_chance(middle) > MAX_FALSE_POSITIVE_RATE else (low, middle)
    return high


def main() -> None:
    hosts = [sample(name, 512) for name in NAMES]
    unmarked = [image.detect(host, Key(f"figure {k:10}".encode()), effort="fast").score
                for host in hosts for k in range(KEYS)]
    marked = {"untouched": [], "JPEG 50": [], "JPEG 30": []}
    for host in hosts:
        for k in range(8):
            key = Key(f"figure {k:10}".encode())
            done = image.embed(host, PAYLOAD, key)
            for name, picture in (("untouched", done), ("JPEG 50", jpeg(done, 50)), ("JPEG 30", jpeg(done, 30))):
                found = image.detect(picture, key, effort="fast")
                if found.payload == PAYLOAD:
                    marked[name].append(found.score)
    figure, axes = pyplot.subplots(1, 2, figsize=(8.4, 2.9), width_ratios=(1, 1.25))
    z = np.linspace(3, 7.5, 400)
    axes[0].hist(unmarked, bins=np.arange(3, 7.5, 0.15), density=True, color=GREY, label=f"{len(unmarked)} searches")
    axes[0].plot(z, expected_maximum(z), color=BLUE, label="theory, an upper bound")
    axes[0].axvline(matcher.MIN_SCORE, color=ORANGE, linestyle=":", label="decoding begins")
    axes[0].set_title("unmarked: highest synchronisation score\nof all shifts")
    axes[0].set_xlabel("standard deviations")
    axes[0].legend(fontsize=8)
    bins = np.arange(0, 50, 1.5)
    for (name, values), colour in zip(marked.items(), (BLUE, GREEN, ORANGE), strict=True):
        axes[1].hist(values, bins=bins, alpha=0.65, color=colour,
                     label=f"{name}, {len(values)} of {len(hosts) * 8} read")
    axes[1].axvline(bar(), color="black", linestyle=":")
    axes[1].text(bar() + 0.4, axes[1].get_ylim()[1] * 0.93, f"1e-9: {bar():.1f}", fontsize=8)
    axes[1].set_title("marked: score of the whole pattern,\nsynchronisation and word")
    axes[1].set_xlabel("standard deviations")
    axes[1].set_ylim(top=1.3 * axes[1].get_ylim()[1])  # room for the legend
    axes[1].legend(fontsize=8)
    save(figure, "scores")
    print("mean of the maxima", np.mean(unmarked), "theory", math.fsum(z * expected_maximum(z)) * (z[1] - z[0]))


if __name__ == "__main__":
    main()
