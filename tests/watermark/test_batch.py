# SPDX-License-Identifier: Apache-2.0
"""Batches as generation pipelines hold them."""

from __future__ import annotations

import numpy as np
import pytest

from labelkit.errors import InvalidArgument
from labelkit.integrations.diffusers import PipelineWatermark
from labelkit.label import Kind, Label
from labelkit.payload import Payload
from labelkit.watermark import image
from labelkit.watermark.image.batch import embed_batch
from tests.media import photo

PAYLOADS = [Payload(kind=1, producer=7, content=n) for n in range(2)]
PICTURES = np.stack([photo(320, 384, seed) for seed in (1, 2)])


class Tensor:
    """Stands for a torch tensor on the CPU: what of its interface is used."""

    def __init__(self, array: np.ndarray, device: str = "cpu") -> None:
        self.array, self.device = array, device

    def detach(self) -> Tensor:
        return self

    def clone(self) -> Tensor:
        return Tensor(self.array.copy())

    def numpy(self) -> np.ndarray:
        if self.device != "cpu":
            raise TypeError("can't convert cuda:0 device type tensor to numpy")
        return self.array

    def __len__(self) -> int:
        return len(self.array)


def _read(picture: np.ndarray) -> Payload | None:
    return image.detect(np.clip(picture, 0, 1).astype(np.float32), effort="fast").payload


@pytest.mark.parametrize("dtype", ["uint8", "float16", "float32", "float64"])
def test_every_picture_gets_its_payload(dtype) -> None:
    batch = PICTURES if dtype == "uint8" else (PICTURES / 255).astype(dtype)
    before = batch.copy()
    result = embed_batch(batch, PAYLOADS)
    assert result.dtype == batch.dtype and np.array_equal(batch, before)
    assert [_read(p / 255 if dtype == "uint8" else p) for p in result] == PAYLOADS


def test_channels_first_in_another_range() -> None:
    batch = np.moveaxis(PICTURES, 3, 1).astype(np.float32) / 127.5 - 1
    result = embed_batch(batch, PAYLOADS, channels_first=True, value_range=(-1, 1))
    assert result.shape == batch.shape and result.min() >= -1 and result.max() <= 1
    assert [_read(np.moveaxis(p, 0, 2) / 2 + 0.5) for p in result] == PAYLOADS


def test_in_place_writes_into_the_batch() -> None:
    batch = PICTURES.copy()
    assert embed_batch(batch, PAYLOADS[0], in_place=True) is batch
    assert all(image.detect(picture, effort="fast").payload == PAYLOADS[0] for picture in batch)


def test_tensors_come_back_as_tensors() -> None:
    tensor = Tensor(np.moveaxis(PICTURES, 3, 1).astype(np.float32) / 127.5 - 1)
    labels = iter([Label(Kind.GENERATED, "acme", str(number)) for number in range(2)])
    hook = PipelineWatermark(lambda: next(labels))
    result = hook.apply_watermark(tensor)
    assert isinstance(result, Tensor) and not np.array_equal(result.array, tensor.array)
    assert [_read(np.moveaxis(p, 0, 2) / 2 + 0.5) for p in result.array] == [Payload.of(label) for label in hook.labels]


def test_what_is_no_batch_is_refused() -> None:
    for batch, payloads in ((PICTURES[0], PAYLOADS[0]), (PICTURES, PAYLOADS[:1]),
                            (PICTURES.astype(np.int32), PAYLOADS)):
        with pytest.raises(InvalidArgument):
            embed_batch(batch, payloads)
    with pytest.raises(InvalidArgument, match="CPU"):
        embed_batch(Tensor(PICTURES, "cuda"), PAYLOADS)
