# SPDX-License-Identifier: Apache-2.0
"""The tile: what is added to a picture, and the bins of its spectrum. `python -m docs.figures.tile`"""

from __future__ import annotations

import numpy as np

from docs.figures._style import BLUE, GREY, ORANGE, pyplot, sample, save
from labelkit.key import Key
from labelkit.payload import Payload
from labelkit.watermark import image
from labelkit.watermark.image import tile

PAYLOAD = Payload.from_int(0x283CEC28D6F4A55D)


def main() -> None:
    host = sample("chelsea.webp")
    change = image.embed(host, PAYLOAD, robustness="hard").astype(int)[..., 1] - host[..., 1]
    kx, ky, radius = tile.annulus()
    signs = tile.keyed_bins(Key.public()).signs(int(PAYLOAD))
    figure, axes = pyplot.subplots(1, 3, figsize=(8.4, 3.2), width_ratios=(1.35, 1, 1.15))
    axes[0].imshow(host)
    axes[0].set_title("a picture")
    shown = axes[1].imshow(change[:256, :256], cmap="RdBu", vmin=-4, vmax=4, interpolation="nearest")
    p = tile.period(host.shape[1], host.shape[0])
    axes[1].set_title(f"what is added, in grey levels\n(256 pixels; the period is {p})")
    figure.colorbar(shown, ax=axes[1], shrink=0.7, ticks=(-4, 0, 4))
    for axis in axes[:2]:
        axis.set_axis_off()
    end = min(tile.LOW_BAND * p, tile.LOW_LIMIT)
    low = radius < end
    for sign, colour in ((1, BLUE), (-1, ORANGE)):
        for band, marker in ((low, "."), (~low, "x")):
            which = (signs == sign) & band
            axes[2].scatter(np.r_[kx[which], -kx[which]], np.r_[ky[which], -ky[which]], s=4, c=colour, marker=marker,
                            linewidths=0.5)
    axes[2].set_aspect("equal")
    axes[2].add_patch(pyplot.Circle((0, 0), end, fill=False, color=GREY))
    axes[2].set_title("its 2,048 bins, by coded bit\n(in the circle: low band)")
    axes[2].set_xlabel("cycles per tile, across")
    axes[2].set_ylabel("down")
    save(figure, "tile")


if __name__ == "__main__":
    main()
