# SPDX-License-Identifier: Apache-2.0
"""How much noise the polar code bears, for three lengths of the decoder's list. `python -m docs.figures.polar`"""

from __future__ import annotations

import numpy as np

from docs.figures._style import BLUE, GREEN, ORANGE, pyplot, save
from labelkit.watermark import ecc

RATIOS = np.arange(-3.0, 2.01, 0.5)  # Eb/N0 in dB, for 80 bits
WORDS = 120


def share_read(ratio: float, paths: int) -> float:
    random = np.random.default_rng(round(100 * ratio) + 10_000)
    deviation = np.sqrt(1024 / (2 * ecc.INFORMATION_BITS * 10 ** (ratio / 10)))
    words = random.integers(0, 1 << 63, WORDS).tolist()
    return float(np.mean([ecc.decode(1.0 - 2.0 * ecc.encode(word) + random.normal(0, deviation, 1024), paths) == word
                          for word in words]))


def main() -> None:
    figure, axis = pyplot.subplots(figsize=(5.2, 2.8))
    for paths, colour in ((1, ORANGE), (8, BLUE), (32, GREEN)):
        axis.plot(RATIOS, [100 * share_read(ratio, paths) for ratio in RATIOS], "o-", color=colour, markersize=3,
                  label=f"list of {paths}")
    axis.set_xlabel("signal to noise of a bit, Eb/N0 in dB; below: score of the word")
    axis.set_ylabel("words read, %")
    axis.set_xticks(RATIOS[::2], [f"{ratio:g}\n{np.sqrt(2 * 80 * 10 ** (ratio / 10)):.1f}" for ratio in RATIOS[::2]])
    axis.legend()
    save(figure, "polar")


if __name__ == "__main__":
    main()
