# SPDX-License-Identifier: Apache-2.0
"""The watermark in films: a tile as in `labelkit.watermark.image` on the luma of every frame, at one origin in all.

`embed` and `detect` take films; `mark_frames` and `detect_frames` take frames in memory. Every frame carries the mark
on its own: a frame saved as a picture is verified as a picture. In a sum of whitened frames the mark adds up and what
differs averages out, so a few frames decide what one cannot.

The gain of the high band follows the activity of 8 x 8 cells of the frame alone, so that still ground stays still and
costs an encoder nothing after the first frame. At amplitude 1 the mark is 1.0 grey levels rms on flat ground and 1.8 on
textured ground: PSNR stays above 42 dB on any. Films of 720p and more get four fifths of that.

A mark that stands still while the picture moves is coded anew in every frame. So by default (`everyday`) the tile moves
with the camera (camera.py): an encoder that predicts the picture from the frame before predicts the mark with it. It
begins anew at the origin in every frame that is coded alone and at cuts, where that costs nothing. With a pan it moves
by whole pixels: by fractions it would be rounded to grey levels anew in every frame, and coded anew. On textured ground
each frame carries the whole tile, at 0.8 of the amplitude. On smooth ground an encoder pays most and the picture hides
least: there the tile is thinned out (thinned.py), and where flat art stands still, what has changed goes without it
(changes.py). So much is what a stretch needs that is cut anywhere and goes through the everyday transformations of
benchmarks/VIDEO.md.

In the class `hard` the mark stands still at amplitude 1; where the scene moves, the high band, which costs the most
bits, is lowered, but not in frames that are coded alone.
"""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Iterable, Iterator
from typing import Any

import numpy as np
import numpy.typing as npt

from labelkit import kernels
from labelkit.choices import ROBUSTNESS
from labelkit.codec.frame import Frame
from labelkit.codec.samples import VideoSamples
from labelkit.errors import InvalidArgument
from labelkit.key import Key
from labelkit.payload import Payload
from labelkit.plan import check_robustness
from labelkit.watermark.image import gain, tile
from labelkit.watermark.image.pixels import check_array, check_settings, luma_of
from labelkit.watermark.video import thinned
from labelkit.watermark.video.camera import ORIGIN, Camera, Placement
from labelkit.watermark.video.changes import ChangedCells
from labelkit.watermark.video.moved import MovedTile, Patterns, WholePixels

CELL = 8  # pixels a side, LK_CELL
# swept 2026-11-28, tables in benchmarks/TUNING.md: AMPLITUDE, MIXED_AMPLITUDE, SMOOTH_AMPLITUDE, MIXED_FLOOR,
# SMOOTH_FLOOR, PARTLY_SMOOTH, MOSTLY_SMOOTH, FILM_SMOOTH_GAIN, MIN_MOTION_GAIN, MOTION_LEVELS, MIN_SIZE_FACTOR
_MIN_MOTION_GAIN = 0.75
_MOTION_LEVELS = 1.0  # grey levels: where the mean of a cell changes by so many, the gain falls half-way to the least
_FULL_STRENGTH_PIXELS = 400_000
# tried on the film of 720 lines of benchmarks/VIDEO.md, 2026-11-29: at 0.75 one stretch in two is lost on two platforms
_MIN_SIZE_FACTOR = 0.8
# of the class everyday: amplitude, and the least coefficient that is kept, in grey levels at amplitude 1 (thinned.py),
# with the tile of 360 lines; a coarser tile has fewer coefficients, which are larger (benchmarks/VIDEO.md)
_AMPLITUDE, _MIXED_AMPLITUDE, _SMOOTH_AMPLITUDE = 0.8, 1.0, 0.78
_MIXED_FLOOR, _SMOOTH_FLOOR = 2.9, 4.95
_SPENT = (_AMPLITUDE, 0.0), (_MIXED_AMPLITUDE, _MIXED_FLOOR), (_SMOOTH_AMPLITUDE, _SMOOTH_FLOOR)
_SMOOTH_GAIN = 39  # of cells that hold next to no detail
_PARTLY_SMOOTH, _MOSTLY_SMOOTH = 0.3, 0.85  # the shares of such cells from which the second and the third are spent
_HELD = 0.1  # by so much less the share may fall before less is spent again
_MAX_ASPECT = 4  # of frames whose mark moves: a moved tile takes memory for the square of the longest side
_CELL_SUM = CELL * CELL / 2  # samples of a cell that its sum is of
_FLAT_RANGE = 2  # grey levels: frames that vary by no more, black ones above all, stay as they are


def embed(samples: VideoSamples, payload: Payload, key: Key | None = None, *, strength: float = 1.0,
          robustness: str = ROBUSTNESS[0]) -> VideoSamples:
    """The film with `payload` in every frame that encode writes; black bars stay black.

    key         None is the public key
    strength    0.25 to 4
    robustness  as for `Marker`
    Raises HostTooSmall, InvalidArgument.
    """
    active = samples.format.active
    width, height = active[2:] if active else (samples.format.width, samples.format.height)
    marker = Marker(width, height, payload, key, strength, robustness)
    return dataclasses.replace(samples.map(marker), grained=True)


def mark_frames(frames: Iterable[npt.NDArray[np.uint8]], payload: Payload, key: Key | None = None, *,
                strength: float = 1.0, robustness: str = ROBUSTNESS[0]) -> Iterator[npt.NDArray[np.uint8]]:
    """Each frame with `payload` in it, one in and one out, for generators that have no file.

    frames      uint8 [height, width] luma or [height, width, 3] RGB, all of one size; they are not changed
    key         None is the public key
    strength    0.25 to 4
    robustness  as for `Marker`
    Raises HostTooSmall, InvalidArgument.
    """
    marker = None
    for frame in frames:
        if marker is None:
            check_array(frame)
            marker = Marker(frame.shape[1], frame.shape[0], payload, key, strength, robustness)
        yield marker.marked(frame)


class Marker:
    """Marks the frames of one film.

    width, height  of the frames, without black bars, in pixels
    key            None is the public key
    strength       0.25 to 4
    robustness     "everyday" moves the mark with the camera, with less amplitude; "hard" lets it stand still
    size           (height, width)
    Raises HostTooSmall, InvalidArgument.
    """

    def __init__(self, width: int, height: int, payload: Payload, key: Key | None = None,
                 strength: float = 1.0, robustness: str = ROBUSTNESS[0]) -> None:
        check_settings(payload, strength, width, height)
        check_robustness(robustness)
        self.size = height, width
        self._settings = width, height, payload, key, strength, robustness
        self._payload, self._key, self._strength = payload, Key.of(key), strength * _size_factor(width * height)
        is_moving = robustness != "hard" and max(width, height) <= _MAX_ASPECT * min(width, height)
        self._period = tile.film_period(width, height)
        self._coarseness = max(1.0, math.sqrt(self._period / tile.FILM_PERIOD))
        self._camera = Camera(CELL) if is_moving else None
        self._moved: dict[tuple[float, int], MovedTile] = {}
        self._pixels = WholePixels()
        self._kind, self._changes = 0, ChangedCells(_CELL_SUM)
        self._grid = np.empty((-(-height // 8), -(-width // 8)), np.uint8)
        self._cell_sums, self._has_previous = np.zeros(self._grid.shape, np.uint16), False

    def __call__(self, frame: Frame) -> None:
        """`mark`."""
        self.mark(frame)

    def anew(self) -> Marker:
        """A marker with the same settings that has seen no frame."""
        return Marker(*self._settings)

    def mark(self, frame: Frame) -> None:
        """Mark the luma of a frame in place. Raises InvalidArgument for a frame of another size."""
        x, y, width, height = frame.format.active or (0, 0, frame.format.width, frame.format.height)
        if (height, width) != self.size:  # codec scales every frame of a film to the size of its first one
            raise InvalidArgument("a frame is {width} x {height} pixels, expected {wanted}", width=width,
                                  height=height, wanted=f"{self.size[1]} x {self.size[0]}")
        self._has_previous &= frame.index != 0  # a film that is encoded again comes out the same
        luma = frame.luma[y:y + height, x:x + width]
        if frame.format.bits == 8:
            self.mark_pixels(_one_channel(luma), frame.key)
            return
        down = frame.format.bits - 8
        host = (luma >> down).astype(np.uint8)
        marked = host.copy()
        self.mark_pixels(_one_channel(marked), frame.key)
        change = (marked.astype(np.int32) - host) << down
        luma[...] = np.clip(luma + change, 0, (1 << frame.format.bits) - 1)

    def marked(self, frame: npt.NDArray[np.uint8]) -> npt.NDArray[np.uint8]:
        """A marked copy of a frame in memory; see `mark_frames`. Raises InvalidArgument for other arrays."""
        check_array(frame)
        if frame.dtype != np.uint8 or frame.shape[:2] != self.size:
            raise InvalidArgument("frames are uint8 arrays of one size, {wanted}; got {dtype} {shape}",
                                  wanted=str(list(self.size)), dtype=str(frame.dtype), shape=str(list(frame.shape)))
        marked = np.array(frame, order="C")
        self.mark_pixels(marked if marked.ndim == 3 else _one_channel(marked))
        return marked

    def mark_pixels(self, pixels: npt.NDArray[np.uint8], restart: bool = False) -> None:
        """Mark uint8 [height, width, channels] in place; a flat frame stays flat.

        restart  whether an encoder codes the frame alone, so that the mark begins anew there at no cost
        """
        if np.ptp(pixels[::16, ::16]) <= _FLAT_RANGE and np.ptp(pixels) <= _FLAT_RANGE:
            return
        channels = pixels.shape[2]
        luma = pixels if channels == 1 else luma_of(pixels)[..., None]
        motion_gains = _FULL_GAINS if self._camera or restart or not self._has_previous else _MOTION_GAINS
        kernels.film_gain(luma, self._cell_sums, motion_gains, self._grid, gain.BASE_GAIN, gain.GAIN_SLOPE,
                          gain.GAIN_TOP)
        restart |= not self._has_previous
        self._has_previous = True
        if self._camera is None:
            patterns = tile.patterns(self._key, int(self._payload), self._period, self._strength, channels,
                                     bands=tile.FILM)
            tile.add(pixels, pixels, self._grid, *patterns)
        else:
            self._mark_everyday(pixels, self._camera, restart)

    def _mark_everyday(self, pixels: npt.NDArray[np.uint8], camera: Camera, restart: bool) -> None:
        height, width = self.size
        self._kind = self._kind_of_frame(restart)
        placement = camera.follow(self._cell_sums[: height // CELL, : width // CELL], _CELL_SUM, restart)
        amplitude, floor = _SPENT[self._kind]
        patterns = self._patterns(placement, self._strength * amplitude, floor * self._coarseness, pixels.shape[2])
        if self._kind != len(_SPENT) - 1 or placement != ORIGIN:
            self._changes.forget()
            tile.add(pixels, pixels, self._grid, *patterns)
            return
        lost = self._changes.lost(self._cell_sums, restart)
        host = pixels.copy() if lost.any() else pixels
        tile.add(pixels, pixels, self._grid, *patterns)
        if host is not pixels:
            np.copyto(pixels, host, where=lost.repeat(CELL, 0).repeat(CELL, 1)[:height, :width, None])

    def _kind_of_frame(self, restart: bool) -> int:
        """Which of _SPENT a frame gets."""
        smooth = float(np.mean(self._grid <= _SMOOTH_GAIN))
        held = 0.0 if restart else _HELD
        return sum(smooth > bound - (held if self._kind > kind else 0.0)
                   for kind, bound in enumerate((_PARTLY_SMOOTH, _MOSTLY_SMOOTH)))

    def _patterns(self, placement: Placement, strength: float, floor: float, channels: int) -> Patterns:
        """The tile as it lies on a frame."""
        payload = int(self._payload)
        if placement == ORIGIN or self._kind and placement.zoom == 1:  # on texture the host hides what rounding changes
            flat, textured = thinned.patterns(self._key, payload, self._period, strength, floor, channels)
            left, top = self._pixels.at(placement)
            shift = -top, -left * channels
            return (np.roll(flat, shift, (0, 1)), np.roll(textured, shift, (0, 1))) if any(shift) else (flat, textured)
        moved = self._moved.get((strength, channels))
        if moved is None:
            moved = MovedTile(self._key, payload, self.size, strength, floor, channels)
            self._moved[strength, channels] = moved
        return moved.at(placement)


def _motion_gains(change: npt.NDArray[np.float64]) -> npt.NDArray[np.uint8]:
    """uint8 shares, in 128ths, of the gain that cells keep whose means have changed by so many grey levels."""
    kept = _MIN_MOTION_GAIN + (1 - _MIN_MOTION_GAIN) / (1 + np.square(change / _MOTION_LEVELS))
    return np.rint(128 * kept).astype(np.uint8)


_MOTION_GAINS, _FULL_GAINS = _motion_gains(np.arange(64) / 8), np.full(64, 128, np.uint8)


def _size_factor(pixels: int) -> float:
    """The share of the strength for a film of so many pixels: more pixels carry the same bits with less."""
    return max(_MIN_SIZE_FACTOR, min(1.0, float((_FULL_STRENGTH_PIXELS / pixels) ** 0.4)))


def _one_channel(plane: npt.NDArray[Any]) -> npt.NDArray[Any]:
    """A view [height, width, 1] of a plane with rows of any length; a new axis alone would have a stride of 0."""
    return np.lib.stride_tricks.as_strided(plane, (*plane.shape, 1), (*plane.strides, plane.itemsize))
