# SPDX-License-Identifier: Apache-2.0
"""Batches of pictures as generation pipelines hold them: floats, channels first or last, torch tensors."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from labelkit.errors import InvalidArgument
from labelkit.key import Key
from labelkit.watermark import image
from labelkit.watermark.payload import Payload


def embed_batch(images, payloads: Payload | Sequence[Payload], key: Key | None = None, *, strength: float = 1.0,
                channels_first: bool = False, value_range: tuple[float, float] = (0.0, 1.0), in_place: bool = False):
    """A batch with a payload in every picture; comes back as what it came as.

    images          [n, height, width, channels], or [n, channels, height, width] with `channels_first`: a NumPy
                    array, or a torch tensor on the CPU, of uint8, float16, float32 or float64
    payloads        one for each picture, or one for all
    value_range     what black and white are in floats: (-1, 1) for what a diffusers pipeline hands over
    in_place        write into `images` and return it
    Raises InvalidArgument, and HostTooSmall as `image.embed` does; then nothing is promised of the pictures before it.
    """
    source = _as_array(images)
    if source.ndim != 4 or source.dtype.name not in ("uint8", "float16", "float32", "float64"):
        raise InvalidArgument("a batch is uint8 or float of four axes, got {dtype} {shape}", dtype=source.dtype.name,
                              shape=str(source.shape))
    each = [payloads] * len(source) if isinstance(payloads, Payload) else list(payloads)
    if len(each) != len(source):
        raise InvalidArgument("a batch of {count} pictures needs as many payloads, got {got}", count=len(source),
                              got=len(each))
    result = images if in_place else _copy(images)
    for picture, payload in zip(_as_array(result), each, strict=True):
        view = np.moveaxis(picture, 0, -1) if channels_first else picture
        view[...] = _embed(view, payload, key, strength, value_range)
    return result


def _embed(picture: np.ndarray, payload: Payload, key: Key | None, strength: float,
           value_range: tuple[float, float]) -> np.ndarray:
    if picture.dtype == np.uint8:
        return image.embed(picture, payload, key, strength=strength)
    low, high = map(np.float32, value_range)
    unit = (picture.astype(np.float32) - low) / (high - low)
    return image.embed(unit, payload, key, strength=strength) * (high - low) + low


def _as_array(images) -> np.ndarray:
    """The batch's own memory as an array: of a tensor too, without importing torch."""
    if isinstance(images, np.ndarray):
        return images
    try:
        return images.detach().numpy() if hasattr(images, "detach") else np.asarray(images)
    except (TypeError, ValueError, RuntimeError) as error:
        raise InvalidArgument("a batch is a NumPy array or a torch tensor on the CPU, got {got}: {reason}",
                              got=type(images).__name__, reason=str(error),
                              hint="move it with .cpu(), and bfloat16 with .float()") from error


def _copy(images):
    return images.detach().clone() if hasattr(images, "detach") else np.array(images)
