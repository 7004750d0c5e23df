# SPDX-License-Identifier: Apache-2.0
"""One frame of a film as planes, and the form that all frames of the film share."""

from __future__ import annotations

from dataclasses import dataclass
from fractions import Fraction

import numpy as np
import numpy.typing as npt

Plane = npt.NDArray[np.uint8 | np.uint16]
"""[height, width] of one component of a frame."""


@dataclass(frozen=True, slots=True)
class Orientation:
    """How stored rows and columns become displayed ones: first exchanged (`swap`), then mirrored along x and y."""

    swap: bool = False
    flip_x: bool = False
    flip_y: bool = False

    @classmethod
    def of_matrix(cls, matrix: tuple[int, ...]) -> Orientation:
        """The nearest of the eight orientations to a display matrix of nine integers (ISO/IEC 14496-12, 6.2.2)."""
        a, b, c, d = matrix[0], matrix[1], matrix[3], matrix[4]
        if abs(a) + abs(d) >= abs(b) + abs(c):
            return cls(False, a < 0, d < 0)
        return cls(True, c < 0, b < 0)

    def displayed(self, plane: Plane) -> Plane:
        """A view of a stored plane [height, width] as it is displayed."""
        plane = plane.T if self.swap else plane
        return plane[::-1 if self.flip_y else 1, ::-1 if self.flip_x else 1]

    def stored(self, plane: Plane) -> Plane:
        """The inverse: a view of a displayed plane as it is stored."""
        plane = plane[::-1 if self.flip_y else 1, ::-1 if self.flip_x else 1]
        return plane.T if self.swap else plane


@dataclass(frozen=True, slots=True)
class FrameFormat:
    """What all frames of a film have in common.

    width, height  of the stored luma plane, after cropping flags
    bits           of a sample, 8 to 16
    halved         (x, y): by which powers of two the chroma planes are smaller; None where there are none
    full_range     whether black is 0 and white the largest value, or 16 and 235 (in 8 bits)
    transfer       "sdr", "pq" or "hlg"
    orientation    how it is displayed
    aspect         width of a stored pixel over its height
    active         x, y, width, height of what is not a black bar, in stored pixels
    """

    width: int
    height: int
    bits: int = 8
    halved: tuple[int, int] | None = (1, 1)
    full_range: bool = False
    transfer: str = "sdr"
    orientation: Orientation = Orientation()
    aspect: Fraction = Fraction(1)
    active: tuple[int, int, int, int] | None = None

    @property
    def displayed_size(self) -> tuple[int, int]:
        """(height, width) as a player shows it: square pixels, upright; the height of the stored rows is kept."""
        height, width = self.height, max(1, round(self.width * self.aspect))
        return (width, height) if self.orientation.swap else (height, width)


@dataclass(slots=True)
class Frame:
    """One frame; the arrays are the decoder's own memory, to be changed in place and not to be kept.

    luma     uint8 [height, width], or uint16 where `format.bits` is above 8
    chroma   () or two arrays of the same type, smaller as `format.halved` says
    alpha    the same type and size as luma, or None
    seconds  its time in the film, the first frame at 0
    index    its number, from 0; -1 where it is not known
    anchor   False for a frame that the codec interpolated between others (a B-frame)
    key      True for one that the codec coded by itself
    """

    format: FrameFormat
    luma: Plane
    chroma: tuple[Plane, ...] = ()
    alpha: Plane | None = None
    seconds: float = 0.0
    index: int = -1
    anchor: bool = True
    key: bool = False

    def eight_bits(self) -> npt.NDArray[np.uint8]:
        """The luma plane as uint8 [height, width]: itself, or its upper bits."""
        shifted = self.luma if self.format.bits == 8 else self.luma >> (self.format.bits - 8)
        return shifted.astype(np.uint8, copy=False)

    def grey(self) -> npt.NDArray[np.uint8]:
        """uint8 [height, width] as displayed: upright, square pixels, black 0 and white 255."""
        plane = self.eight_bits()
        if not self.format.full_range:
            plane = _EXPANDED[plane]
        plane = np.ascontiguousarray(self.format.orientation.displayed(plane))
        height, width = self.format.displayed_size
        if plane.shape == (height, width):
            return plane
        from PIL import Image
        return np.asarray(Image.fromarray(plane).resize((width, height), Image.Resampling.BILINEAR))


_EXPANDED = np.clip(np.rint((np.arange(256) - 16) * (255 / 219)), 0, 255).astype(np.uint8)
