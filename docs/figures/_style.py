# SPDX-License-Identifier: Apache-2.0
"""What all figures share: size, colours, and where they are written."""

from __future__ import annotations

from pathlib import Path

import matplotlib
import numpy as np
from PIL import Image

matplotlib.use("Agg")
from matplotlib import pyplot  # noqa: E402  the backend comes first

ROOT = Path(__file__).parents[2]
IMAGES = ROOT / "docs" / "images"
SAMPLES = ROOT / "samples"
BLUE, ORANGE, GREY, GREEN = "#1d6f8f", "#c8602b", "#8a8f94", "#3c7d4b"

pyplot.rcParams.update({
    "font.size": 9, "axes.spines.top": False, "axes.spines.right": False, "axes.titlesize": 9, "figure.dpi": 150,
    "axes.titlelocation": "left", "savefig.dpi": 150, "figure.constrained_layout.use": True, "legend.frameon": False})


def sample(name: str, longest: int | None = None) -> np.ndarray:
    """uint8 [height, width, 3]: a picture of samples/, no longer than `longest`."""
    picture = Image.open(SAMPLES / name).convert("RGB")
    if longest:
        picture.thumbnail((longest, longest), Image.Resampling.LANCZOS)
    return np.asarray(picture)


def save(figure: pyplot.Figure, name: str) -> None:
    """Write docs/images/NAME.png, with few colours, so that it stays small."""
    path = IMAGES / f"{name}.png"
    figure.savefig(path)
    Image.open(path).convert("RGB").quantize(200, dither=Image.Dither.NONE).save(path, optimize=True)
    pyplot.close(figure)
    print(path.relative_to(ROOT), path.stat().st_size)
