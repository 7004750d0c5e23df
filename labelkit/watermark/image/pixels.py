# SPDX-License-Identifier: Apache-2.0
"""Pixels as the image carrier takes them: arguments checked, luma, whitened and decimated planes."""

from __future__ import annotations

import math
from typing import Any, TypeAlias, TypeGuard, TypeVar, cast

import numpy as np
import numpy.typing as npt

from labelkit import kernels
from labelkit.errors import HostTooSmall, InvalidArgument
from labelkit.payload import Payload
from labelkit.plan import check_strength

# swept 2026-11-28, tables in benchmarks/TUNING.md: NOISE, NOISE_FACTOR, MIN_SIDE, INK_REACH,
# CODED_INK_REACH
NOISE = 25  # grey levels squared: the most that is taken for the variance of what stays on smooth ground
NOISE_FACTOR = 4  # by which that variance is above the square of the mean magnitude in a smooth cell
_LEAST_NOISE = 2
_NOISE_CELLS = 1024  # of 8 x 8 pixels, about, that are looked at
INK_REACH = 5  # grey levels about the usual one that ink has; edges of letters are further
CODED_INK_REACH = 13  # after a codec
_WHITE, _PALEST_INK = 250, 200
MIN_SIDE = 96  # pixels; below it hardly any picture was read back
Pixels: TypeAlias = npt.NDArray[np.uint8] | npt.NDArray[np.uint16] | npt.NDArray[np.float32]
PixelT = TypeVar("PixelT", bound=np.uint8 | np.uint16 | np.float32)


def check_array(pixels: object) -> None:
    """Raise InvalidArgument unless `pixels` is an array of a type and shape that `image.embed` takes."""
    if not isinstance(pixels, np.ndarray):
        raise InvalidArgument("pixels must be a NumPy array, got {got}", got=type(pixels).__name__)
    right = pixels.ndim == 2 or pixels.ndim == 3 and 1 <= pixels.shape[2] <= 4
    if not right or pixels.dtype not in (np.uint8, np.uint16, np.float32) or 0 in pixels.shape:
        raise InvalidArgument("pixels must be uint8, uint16 or float32 [height, width] or [height, width, 1..4], got "
                              "{dtype} {shape}", dtype=str(pixels.dtype), shape=str(pixels.shape))


def check_settings(payload: object, strength: object, width: int, height: int) -> None:
    """Raise InvalidArgument for a payload or strength that cannot be embedded, HostTooSmall for a size in pixels."""
    if not isinstance(payload, Payload):
        raise InvalidArgument("payload must be a Payload, got {got}", got=type(payload).__name__)
    check_strength(strength)
    if min(height, width) < MIN_SIDE:
        raise HostTooSmall("a picture of {width} x {height} pixels cannot carry the 64 bits of the watermark; the "
                           "shortest side must be at least {least}", width=width, height=height, least=MIN_SIDE,
                           hint="set required=False to label it without a watermark")


def is_eight_bit(pixels: npt.NDArray[Any]) -> TypeGuard[npt.NDArray[np.uint8]]:
    """Whether the samples are uint8."""
    return pixels.dtype == np.uint8


def eight_bits(pixels: npt.NDArray[PixelT]) -> npt.NDArray[np.uint8]:
    """uint8 pixels of the same shape: themselves, the upper bits of uint16, or floats in [0, 1] times 255."""
    if is_eight_bit(pixels):
        return pixels
    if pixels.dtype == np.uint16:
        return (cast("npt.NDArray[np.uint16]", pixels) >> 8).astype(np.uint8)
    return (np.clip(np.nan_to_num(pixels), 0.0, 1.0) * np.float32(255.0) + np.float32(0.5)).astype(np.uint8)


def is_rows(pixels: npt.NDArray[Any]) -> bool:
    """Whether [height, width, channels] lies in memory as rows of interleaved samples, which kernels take."""
    return pixels.strides[2] == 1 and pixels.strides[1] == pixels.shape[2] and pixels.strides[0] >= 0


def interleaved_rows(pixels: npt.NDArray[np.uint8]) -> npt.NDArray[np.uint8]:
    """uint8 [height, width, channels] as rows of interleaved samples; a copy only where it must be."""
    return pixels if is_rows(pixels) else np.ascontiguousarray(pixels)


def luma_of(pixels: npt.NDArray[np.uint8]) -> npt.NDArray[np.uint8]:
    """uint8 [height, width]: the luma of uint8 pixels [height, width, 1..4]."""
    luma = np.empty(pixels.shape[:2], np.uint8)
    kernels.image_luma(interleaved_rows(pixels), luma)
    return luma


def whiten(luma: npt.NDArray[np.uint8], noise: int | None = None) -> npt.NDArray[np.int8]:
    """int8 [height, width]: a uint8 plane without its predictable part, weighted by how much noise hides there.

    noise  variance that stays on the smoothest ground, in grey levels squared; `ground_noise` if None
    """
    out = np.empty(luma.shape, np.int8)
    kernels.plane_whiten(luma, out, np.empty(24 * (luma.shape[1] + 16), np.int32),
                         ground_noise(luma) if noise is None else noise)
    return out


def ground_noise(luma: npt.NDArray[np.uint8]) -> int:
    """2 to 25 grey levels squared: the variance that stays on the smoothest ground of a uint8 plane, for `whiten`.

    It differs ten-fold between codecs: WebP and AVIF smooth what JPEG leaves in blocks. Where it is small, a mark on
    flat ground is nearly all that is there, and should weigh more. It is taken from the cells of 8 x 8 pixels that are
    not exactly flat: from the magnitude about their mean that a third of them do not reach.
    """
    height, width = (side // 8 for side in luma.shape)
    step = max(1, math.isqrt(height * width // _NOISE_CELLS))
    cells = luma[: 8 * height, : 8 * width].reshape(height, 8, width, 8)[step // 2 :: step, :, step // 2 :: step]
    values = cells.transpose(0, 2, 1, 3).reshape(-1, 64).astype(np.int16)
    from_mean = np.int16(64) * values - values.sum(1, np.int16, keepdims=True)  # in 1/64 grey level
    magnitude = np.abs(from_mean).sum(1, np.int32)
    uneven = np.sort(magnitude[magnitude > 4096 // 10])
    if len(uneven) < 16:
        return NOISE
    smooth = int(uneven[len(uneven) * 35 // 100]) / 4096
    return round(min(max(NOISE_FACTOR * smooth * smooth, _LEAST_NOISE), NOISE))


def ink(luma: npt.NDArray[np.uint8], reach: int) -> npt.NDArray[np.int8] | None:
    """int8 [height, width]: how far each pixel of a page's ink is from the usual level of ink, 0 elsewhere; None where
    half the plane is not white.

    Paper that is brightened turns white and loses its mark. What is left lies in thin strokes, whose edges `whiten`
    sees and nothing else; but drawn ink has one level.

    reach  how far from it ink is looked for, in grey levels: at most 15
    """
    counts = np.bincount(luma.ravel(), minlength=256)
    if 2 * counts[_WHITE:].sum() < luma.size:
        return None
    level = 1 + int(np.argmax(np.convolve(counts[1:_PALEST_INK], np.ones(2 * reach + 1), mode="same")))
    change = luma.astype(np.int16) - level
    inked = (np.abs(change) <= reach) & (luma > 0)  # black may be anything below it
    mean = float(change[inked].mean()) if inked.any() else 0.0
    plane: npt.NDArray[np.int8] = np.where(inked, np.rint(4 * (change - mean)), 0).astype(np.int8)
    return plane


def decimate(plane: npt.NDArray[np.uint8], factor: int) -> npt.NDArray[np.uint8]:
    """A uint8 plane shrunk by a whole factor: each sample is the mean of factor x factor, the rest is cut off."""
    height, width = (side // factor * factor for side in plane.shape)
    rows = plane[:height:factor, :width].astype(np.uint16)
    for first in range(1, factor):
        rows += plane[first:height:factor, :width]
    # 16 x 16 samples fit into 16 bits
    total: npt.NDArray[np.unsignedinteger[Any]] = rows[:, ::factor].astype(np.uint16 if factor <= 16 else np.uint32)
    for first in range(1, factor):
        total = np.add(total, rows[:, first::factor], out=total)
    half, whole = total.dtype.type(factor * factor // 2), total.dtype.type(factor * factor)
    means: npt.NDArray[np.uint8] = ((total + half) // whole).astype(np.uint8)
    return means
