# SPDX-License-Identifier: Apache-2.0
"""Watermark the pictures of a diffusers pipeline: `pipe.watermark = PipelineWatermark(new_label)`."""

from __future__ import annotations

from collections.abc import Callable

from labelkit.key import Key
from labelkit.label import Label
from labelkit.payload import Payload
from labelkit.watermark.image.batch import BatchT, embed_batch


class PipelineWatermark:
    """Replaces the pipeline's own watermarker; the pipeline calls `apply_watermark` before tensors become pictures.

    new_label  called once for each picture
    key        None is the public key
    strength   0.25 to 4
    labels     those of the last batch, in its order, for the files made from it:
               `labelkit.embed(file, target, label, plan=Plan(watermark=None))`
    """

    def __init__(self, new_label: Callable[[], Label], key: Key | None = None, *, strength: float = 1.0) -> None:
        self.new_label = new_label
        self.key = key
        self.strength = strength
        self.labels: list[Label] = []

    def apply_watermark(self, images: BatchT) -> BatchT:
        """A batch [n, 3, height, width] in [-1, 1], marked; raises what `embed_batch` raises."""
        self.labels = [self.new_label() for _ in range(len(images))]
        return embed_batch(images, [Payload.of(label) for label in self.labels], self.key, strength=self.strength,
                           channels_first=True, value_range=(-1.0, 1.0))
