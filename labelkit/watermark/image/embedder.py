# SPDX-License-Identifier: Apache-2.0
"""Embed the picture watermark: add a keyed periodic tile.

Embedding is one pass over the pixels: the tile (tile.py) is added to every channel alike, its low band with a constant
gain, its high band with a gain that follows the activity of 8 x 8 cells (gain.py), from 0.4 grey levels rms on flat
ground to 1.8. The whole picture keeps PSNR at or above 42 dB. That is the class `hard`.

By default (`everyday`) all of it is multiplied by what this picture needs, 0.25 to 1, and exactly flat cells are left
alone where the others suffice: margin.py measures both.
"""

from __future__ import annotations

from typing import cast

import numpy as np
import numpy.typing as npt

from labelkit.choices import ROBUSTNESS
from labelkit.errors import HostTooSmall
from labelkit.key import Key
from labelkit.payload import Payload
from labelkit.plan import check_robustness
from labelkit.watermark.image import gain, margin, tile
from labelkit.watermark.image.pixels import (
    PixelT,
    check_array,
    check_settings,
    eight_bits,
    interleaved_rows,
    is_eight_bit,
    is_rows,
    luma_of,
)
from labelkit.watermark.image.search import TileSearch


def embed(pixels: npt.NDArray[PixelT], payload: Payload, key: Key | None = None, *, strength: float = 1.0,
          robustness: str = ROBUSTNESS[0], out: npt.NDArray[PixelT] | None = None) -> npt.NDArray[PixelT]:
    """The picture with `payload` in it; the host is changed only where it is given as `out`.

    pixels      uint8 or uint16 [height, width] or [height, width, 1..4] (2: grey, alpha; 4: RGB, alpha; alpha is
                kept), or float32 of the same shapes in [0, 1]; any strides
    key         None is the public key
    strength    0.25 to 4, a factor of all amplitudes; at 1 PSNR stays above 42 dB and SSIM above 0.985
    robustness  "everyday" spends what this picture needs to be read after everyday transformations (margin.py), "hard"
                all of it
    out         an array of the same type and shape to write into, which is then returned; may be `pixels`
    Raises HostTooSmall for a picture that cannot carry 64 bits: a small or flat one is read back before it is returned.
    Raises InvalidArgument for other arguments.
    """
    check_array(pixels)
    check_settings(payload, strength, pixels.shape[1], pixels.shape[0])
    check_robustness(robustness)
    key = Key.of(key)
    if pixels.ndim == 2:
        out = None if out is None else out[..., None]
        return embed(pixels[..., None], payload, key, strength=strength, robustness=robustness, out=out)[..., 0]
    host = interleaved_rows(eight_bits(pixels))
    grid = gain.activity(host)
    textured = gain.count_textured(host, grid)
    reliable = textured >= gain.RELIABLE_CELLS
    direct = is_eight_bit(pixels) and out is not None and is_eight_bit(out) and is_rows(out) and reliable
    marked = cast("npt.NDArray[np.uint8]", out) if direct else np.empty(host.shape, np.uint8)
    _mark(host, marked, grid, payload, key, float(strength), robustness)
    if not reliable and not _is_read(marked, payload, key):
        if robustness != "hard":
            _mark(host, marked, grid, payload, key, float(strength), "hard")
        if robustness == "hard" or not _is_read(marked, payload, key):
            raise HostTooSmall(
                "a picture of {width} x {height} pixels has too little usable detail to carry the 64 bits of the "
                "watermark: they cannot be read back", width=host.shape[1], height=host.shape[0],
                hint="give a larger picture or more strength, or set required=False to label it without a watermark")
    result = cast("npt.NDArray[PixelT]", marked) if is_eight_bit(pixels) else _with_change(
        pixels, marked.astype(np.int16) - host)
    if out is None or direct:
        return result
    out[...] = result
    return out


def _mark(host: npt.NDArray[np.uint8], out: npt.NDArray[np.uint8], grid: npt.NDArray[np.uint8], payload: Payload,
          key: Key, strength: float, robustness: str) -> None:
    height, width, channels = host.shape
    activity = grid
    p = (tile.fine_period if gain.is_page(activity) else tile.period)(width, height)
    grid, flat_gain = gain.adapted(host, activity)
    on_flat = True
    if robustness != "hard":
        spent = margin.spending(host, activity, grid, flat_gain, p)
        strength, on_flat = strength * spent.amplitude, spent.on_flat
    if not on_flat:
        grid = grid * (activity != gain.BASE_GAIN)
    tile.add(host, out, grid, *tile.patterns(key, int(payload), p, strength, channels, flat_gain), fades=not on_flat)


def _is_read(marked: npt.NDArray[np.uint8], payload: Payload, key: Key) -> bool:
    found = TileSearch.of_picture(luma_of(marked), key).own_period()
    return found is not None and found.payload == payload


def _with_change(pixels: npt.NDArray[PixelT], change: npt.NDArray[np.int16]) -> npt.NDArray[PixelT]:
    """uint16 or float32 samples with a change int16 [height, width, channels] in 8-bit grey levels added."""
    if pixels.dtype == np.uint16:
        return np.clip(pixels + change * np.int32(257), 0, 65535).astype(pixels.dtype)
    return np.clip(pixels + change * np.float32(1 / 255), 0, 1).astype(pixels.dtype, copy=False)
