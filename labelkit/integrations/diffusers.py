# SPDX-License-Identifier: Apache-2.0
"""The watermark inside a diffusers pipeline: `pipe.watermark = PipelineWatermark(new_label)`."""

from __future__ import annotations

from collections.abc import Callable

from labelkit.key import Key
from labelkit.label import Label
from labelkit.watermark.batch import embed_batch
from labelkit.watermark.payload import Payload


class PipelineWatermark:
    """Takes the place of the pipeline's own watermarker: `apply_watermark` is called before tensors become pictures.

    new_label  called once for each picture; the labels of the last batch stand in `labels`, in its order, so that the
               files can be given the same ones: `labelkit.embed(file, target, label, plan=Plan(watermark=None))`
    """

    def __init__(self, new_label: Callable[[], Label], key: Key | None = None, *, strength: float = 1.0) -> None:
        self.new_label = new_label
        self.key = key
        self.strength = strength
        self.labels: list[Label] = []

    def apply_watermark(self, images):
        """A batch [n, 3, height, width] in [-1, 1], marked; raises what `embed_batch` raises."""
        self.labels = [self.new_label() for _ in range(len(images))]
        return embed_batch(images, [Payload.of(label) for label in self.labels], self.key, strength=self.strength,
                           channels_first=True, value_range=(-1.0, 1.0))
