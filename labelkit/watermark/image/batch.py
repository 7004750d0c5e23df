# SPDX-License-Identifier: Apache-2.0
"""Batches of pictures as generation pipelines hold them: floats, channels first or last, torch tensors."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Protocol, Self, TypeAlias, TypeVar, cast

import numpy as np
import numpy.typing as npt

from labelkit.choices import ROBUSTNESS
from labelkit.errors import InvalidArgument
from labelkit.key import Key
from labelkit.payload import Payload
from labelkit.watermark.image.embedder import embed


class Tensor(Protocol):
    """What is used of a torch tensor."""

    def detach(self) -> Self:
        """The tensor without its graph, over the same memory."""

    def clone(self) -> Self:
        """A copy."""

    def numpy(self) -> npt.NDArray[Any]:
        """The tensor's memory as an array; raises TypeError for a tensor on another device."""

    def __len__(self) -> int:
        """How many pictures the batch holds."""


Pictures: TypeAlias = npt.NDArray[np.uint8 | np.float16 | np.float32 | np.float64]
BatchT = TypeVar("BatchT", bound="Pictures | Tensor")


def embed_batch(images: BatchT, payloads: Payload | Sequence[Payload], key: Key | None = None, *,
                strength: float = 1.0, robustness: str = ROBUSTNESS[0], channels_first: bool = False,
                value_range: tuple[float, float] = (0.0, 1.0), in_place: bool = False) -> BatchT:
    """A batch of the same type with a payload in every picture.

    images          [n, height, width, channels], or [n, channels, height, width] with `channels_first`: a NumPy
                    array, or a torch tensor on the CPU, of uint8, float16, float32 or float64
    payloads        one for each picture, or one for all
    key             None is the public key
    strength        0.25 to 4, a factor of all amplitudes
    robustness      "everyday" or "hard", as for `image.embed`
    value_range     black and white in floats: (-1, 1) for the batches of a diffusers pipeline
    in_place        write into `images` and return it
    Raises InvalidArgument, and HostTooSmall as `image.embed` does; with `in_place` the pictures before are then marked.
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
        view[...] = _marked(view, payload, key, strength, robustness, value_range)
    return result


def _marked(picture: Pictures, payload: Payload, key: Key | None, strength: float, robustness: str,
            value_range: tuple[float, float]) -> Pictures:
    if picture.dtype == np.uint8:
        return embed(cast("npt.NDArray[np.uint8]", picture), payload, key, strength=strength, robustness=robustness)
    low, high = map(np.float32, value_range)
    unit = (picture.astype(np.float32) - low) / (high - low)
    return embed(unit, payload, key, strength=strength, robustness=robustness) * (high - low) + low


def _as_array(images: Pictures | Tensor) -> Pictures:
    """The batch's own memory as an array, that of a tensor too, without importing torch."""
    if isinstance(images, np.ndarray):
        return images
    try:
        return images.detach().numpy() if hasattr(images, "detach") else np.asarray(images)
    except (TypeError, ValueError, RuntimeError) as error:
        raise InvalidArgument("a batch is a NumPy array or a torch tensor on the CPU, got {got}: {reason}",
                              got=type(images).__name__, reason=str(error),
                              hint="move it with .cpu(), and bfloat16 with .float()") from error


def _copy(images: BatchT) -> BatchT:
    copy = images.detach().clone() if hasattr(images, "detach") else np.array(images)
    return cast("BatchT", copy)
