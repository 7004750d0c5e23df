# SPDX-License-Identifier: Apache-2.0
"""The lattice in the autocorrelation of a picture that was scaled and turned. `python -m docs.figures.lattice`"""

from __future__ import annotations

import numpy as np
from PIL import Image

from docs.figures._style import pyplot, sample, save
from labelkit.payload import Payload
from labelkit.watermark import image
from labelkit.watermark.image import lattice, tile
from labelkit.watermark.image.pixels import luma_of, whiten

PAYLOAD = Payload.from_int(0x283CEC28D6F4A55D)
REACH = 320  # pixels shown on either side


def main() -> None:
    host = sample("coffee.png")
    figure, axes = pyplot.subplots(1, 3, figsize=(8.4, 3.7))
    marked = image.embed(host, PAYLOAD, robustness="hard")
    for axis, picture, said in ((axes[1], host, "unmarked"), (axes[2], marked, "marked")):
        turned = Image.fromarray(picture).resize([round(side * 0.9) for side in picture.shape[1::-1]],
                                                 Image.Resampling.LANCZOS)
        turned = np.asarray(turned.rotate(20, Image.Resampling.BICUBIC, expand=True, fillcolor=(127, 127, 127)))
        correlation = lattice.Autocorrelation(whiten(luma_of(turned)))
        values = np.roll(correlation.values, (REACH, REACH), (0, 1))[: 2 * REACH, : 2 * REACH] / correlation.noise
        values = values.reshape(REACH // 4, 8, REACH // 4, 8).max((1, 3))  # a peak is two pixels wide
        axis.imshow(values, cmap="magma", vmin=2, vmax=7, extent=(-REACH, REACH, REACH, -REACH))
        axis.set_title(f"{said}: autocorrelation")
        if said == "marked":
            vectors = correlation.refine(correlation.rotated(8)[0])
            for i, j in ((0, 1), (0, -1), (1, 0), (-1, 0), (1, 1), (-1, -1), (1, -1), (-1, 1)):
                axis.add_patch(pyplot.Circle(vectors @ (i, j), 22, fill=False, color="white", linewidth=0.8))
            axis.set_xlabel(f"found: a period of {np.sqrt(abs(np.linalg.det(vectors))):.1f} pixels\n"
                            f"put in: 0.9 x {tile.period(*host.shape[1::-1])} = "
                            f"{0.9 * tile.period(*host.shape[1::-1]):.1f}")
            axes[0].imshow(turned)
            axes[0].set_title("scaled to 0.9, turned by 20 degrees")
            axes[0].set_axis_off()
            print("angle", np.degrees(np.arctan2(vectors[1, 0], vectors[0, 0])) % 90)
    save(figure, "lattice")


if __name__ == "__main__":
    main()
