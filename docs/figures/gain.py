# SPDX-License-Identifier: Apache-2.0
"""Where a picture is marked, and how strongly. `python -m docs.figures.gain`"""

from __future__ import annotations

import numpy as np

from docs.figures._style import pyplot, sample, save
from labelkit.payload import Payload
from labelkit.watermark import image
from labelkit.watermark.image import gain

PAYLOAD = Payload.from_int(0x283CEC28D6F4A55D)


def main() -> None:
    host = sample("valley.jpg", 640)
    grid, _ = gain.adapted(host, gain.activity(host))
    figure, axes = pyplot.subplots(1, 4, figsize=(8.4, 2.0))
    axes[0].imshow(host)
    axes[0].set_title("host")
    axes[1].imshow(grid / 64, cmap="viridis")
    axes[1].set_title("gain of 8 x 8 cells")
    for axis, robustness in zip(axes[2:], ("hard", "everyday"), strict=True):
        change = image.embed(host, PAYLOAD, robustness=robustness).astype(int) - host
        axis.imshow(np.clip(128 + 24 * change[..., 1], 0, 255), cmap="gray", vmin=0, vmax=255)
        axis.set_title(f"{robustness}: change x 24\nPSNR {10 * np.log10(255**2 / np.mean(change**2)):.1f} dB")
    for axis in axes:
        axis.set_axis_off()
    save(figure, "gain")


if __name__ == "__main__":
    main()
