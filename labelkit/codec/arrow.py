# SPDX-License-Identifier: Apache-2.0
"""The memory of Pillow's images, which it lends by the Arrow C data interface (arrow.apache.org, "The Arrow C data
interface"; Pillow's "Arrow Support"), where an array would be a copy, and an image of an array two passes.
"""

from __future__ import annotations

import ctypes
from typing import TYPE_CHECKING, ClassVar, cast

import numpy as np
import numpy.typing as npt

from labelkit import kernels

if TYPE_CHECKING:
    from PIL import Image

    from labelkit.codec.samples import Pixels

_BLOCK = 16 << 20  # bytes of an image that Pillow keeps in one piece, unless it is told otherwise


class _Array(ctypes.Structure):
    """`struct ArrowArray`."""

    _fields_: ClassVar = [
        *((name, ctypes.c_int64) for name in ("length", "null_count", "offset", "n_buffers", "n_children")),
        ("buffers", ctypes.POINTER(ctypes.c_void_p)), ("children", ctypes.POINTER(ctypes.c_void_p)),
        *((name, ctypes.c_void_p) for name in ("dictionary", "release", "private_data"))]


def pixels_of(held: Image.Image) -> npt.NDArray[np.uint8] | None:
    """uint8 [height, width, 4], not to be written: the memory of an RGB image, whose fourth bytes are of no meaning.

    None for other images, and where the rows do not lie one after the other, as in images of more than 16 MB.
    Raises what Pillow does for a file that cannot be read.
    """
    held.load()
    pixels = _memory(held)
    if pixels is not None:
        pixels.flags.writeable = False
    return pixels


def image_of(pixels: Pixels) -> Image.Image:
    """A Pillow image of uint8 [height, width], [height, width, 3] or [height, width, 4], or uint16 [height, width]."""
    from PIL import Image

    height, width = pixels.shape[:2]
    is_rgb = pixels.dtype == np.uint8 and pixels.shape[2:] == (3,) and pixels.flags.c_contiguous
    if is_rgb and 0 < 4 * width * height <= _BLOCK:
        made = Image.new("RGB", (width, height), None)
        memory = _memory(made)  # which nobody else has seen
        if memory is not None:
            kernels.image_spread(cast("npt.NDArray[np.uint8]", pixels), memory)
            return made
    return Image.fromarray(pixels)


def _memory(held: Image.Image) -> npt.NDArray[np.uint8] | None:
    """uint8 [height, width, 4] of a loaded image, as `pixels_of` states it, but to be written."""
    if held.mode != "RGB" or not held.width or not held.height:
        return None
    try:
        _, capsule = held.__arrow_c_array__()
    except ValueError:
        return None
    array = _Array.from_address(_pointer_of(capsule, b"arrow_array"))
    count = 4 * held.width * held.height
    if array.n_children != 1 or array.offset or 4 * array.length != count:
        return None
    samples = _Array.from_address(array.children[0] or 0)
    if samples.n_buffers != 2 or samples.offset or samples.length != count:
        return None
    memory = (ctypes.c_uint8 * count).from_address(samples.buffers[1] or 0)
    memory.capsule = capsule  # type: ignore[attr-defined]  # which keeps the memory, as the array keeps `memory`
    return np.frombuffer(memoryview(memory), np.uint8).reshape(held.height, held.width, 4)


_pointer_of = ctypes.PYFUNCTYPE(ctypes.c_void_p, ctypes.py_object, ctypes.c_char_p)(
    ("PyCapsule_GetPointer", ctypes.pythonapi))
