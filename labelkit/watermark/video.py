# SPDX-License-Identifier: Apache-2.0
"""The watermark in films: a tile as in `labelkit.watermark.image` on the luma of every frame, at one place in all.

`embed` and `detect` take films; `mark_frames` and `detect_frames` take frames in memory. Every frame carries the mark
on its own: one that is saved as a picture is verified as a picture. When the whitened planes of frames are added, the
mark adds up and what differs averages out, so a few frames decide what one cannot.

The gain of the high band follows the activity of 8 x 8 cells and depends on nothing else in the frame, so that still
ground stays still and costs an encoder nothing after the first frame. On flat ground the mark is 1.0 grey levels rms,
on busy ground 1.8: PSNR stays above 42 dB on any. Films of 720p and more get three quarters of that. Where the scene
moves under the mark, which stands still, an encoder codes it anew in every frame; there the high band, which is most of
that, is lowered.

    fast    up to four frames, each looked at on its own and added up, at the scale of the film
    normal  up to 16 frames, in groups of neighbours and all together, at every scale
    deep    the whole film in windows of two seconds, lattices at any angle

Each way in which evidence is looked at counts in the stated false-positive rate.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import replace

import numpy as np

from labelkit import kernels
from labelkit.codec.frame import Frame
from labelkit.codec.samples import VideoSamples
from labelkit.errors import InvalidArgument
from labelkit.key import Key
from labelkit.watermark import image, tile
from labelkit.watermark.detection import Detection
from labelkit.watermark.evidence import Evidence, located
from labelkit.watermark.footage import FilmFootage, Footage, ListFootage
from labelkit.watermark.payload import Payload

_LEAST_EASE = 0.75
_EASE_LEVELS = 1.0  # grey levels by which the mean of a cell changes where half the way is gone
_SMALL, _LEAST_SHARE = 400_000, 0.75  # pixels up to which a film gets the full strength; what the largest get
_FLAT = 2  # grey levels: frames that vary by no more, black ones above all, stay as they are


def embed(samples: VideoSamples, payload: Payload, key: Key | None = None, *, strength: float = 1.0) -> VideoSamples:
    """The film with `payload` in every frame that encode writes; raises HostTooSmall, InvalidArgument.

    The mark lies where the picture is: black bars of the film stay black.
    """
    active = samples.form.active
    width, height = active[2:] if active else (samples.form.width, samples.form.height)
    marker = Marker(width, height, payload, key, strength)
    return samples.map(marker.mark)


def mark_frames(frames: Iterable[np.ndarray], payload: Payload, key: Key | None = None, *,
                strength: float = 1.0) -> Iterator[np.ndarray]:
    """Each frame with `payload` in it, one in and one out, for generators that have no file.

    frames  uint8 [height, width] luma or [height, width, 3] RGB, all of one size; they are not changed
    Raises HostTooSmall, InvalidArgument.
    """
    marker = None
    for frame in frames:
        if marker is None:
            image.check_array(frame)
            marker = Marker(frame.shape[1], frame.shape[0], payload, key, strength)
        yield marker.marked(frame)


class Marker:
    """Marks the frames of one film, with what they share made once."""

    def __init__(self, width: int, height: int, payload: Payload, key: Key | None = None,
                 strength: float = 1.0) -> None:
        image.check_settings(payload, strength, width, height)
        self.size = height, width
        self._payload, self._key, self._strength = payload, Key.of(key), strength * _share(width * height)
        self._gain = np.empty((-(-height // 8), -(-width // 8)), np.uint8)
        self._level, self._begun = np.zeros(self._gain.shape, np.uint16), False

    def mark(self, frame: Frame) -> None:
        """Mark the luma of a frame in place."""
        x, y, width, height = frame.form.active or (0, 0, frame.form.width, frame.form.height)
        if (height, width) != self.size:  # a film that changes its size is brought to that of its first frame
            raise InvalidArgument("a frame of {width} x {height} where {wanted} were wanted", width=width,
                                  height=height, wanted=f"{self.size[1]} x {self.size[0]}")
        self._begun &= frame.index != 0  # a film that is encoded again comes out the same
        luma = frame.luma[y:y + height, x:x + width]
        if frame.form.bits == 8:
            self.mark_pixels(_interleaved(luma))
            return
        down = frame.form.bits - 8
        host = (luma >> down).astype(np.uint8)
        marked = host.copy()
        self.mark_pixels(_interleaved(marked))
        change = (marked.astype(np.int32) - host) << down
        luma[...] = np.clip(luma + change, 0, (1 << frame.form.bits) - 1)

    def marked(self, frame: np.ndarray) -> np.ndarray:
        """A copy of a frame in memory, marked; see `mark_frames`."""
        image.check_array(frame)
        if frame.dtype != np.uint8 or frame.shape[:2] != self.size:
            raise InvalidArgument("frames are uint8 arrays of one size, {wanted}; got {dtype} {shape}",
                                  wanted=str(list(self.size)), dtype=str(frame.dtype), shape=str(list(frame.shape)))
        marked = np.array(frame, order="C")
        self.mark_pixels(marked if marked.ndim == 3 else _interleaved(marked))
        return marked

    def mark_pixels(self, pixels: np.ndarray) -> None:
        """Mark uint8 [height, width, channels] in place; a flat frame stays flat."""
        if np.ptp(pixels[::16, ::16]) <= _FLAT and np.ptp(pixels) <= _FLAT:
            return
        channels = pixels.shape[2]
        luma = pixels if channels == 1 else image.luma_of(pixels)[..., None]
        ease = _EASE if self._begun else _NO_EASE
        kernels.film_gain(luma, self._level, ease, self._gain, image.BASE_GAIN, image.GAIN_SLOPE, image.GAIN_TOP)
        self._begun = True
        flat, textured = tile.patterns(self._key, int(self._payload), tile.period(*self.size[::-1]), self._strength,
                                       channels, bands=tile.FILM)
        scratch = np.empty(3 * (8 * channels * self._gain.shape[1] + 64), np.int16)
        kernels.image_embed(pixels, pixels, self._gain, flat, textured, scratch)


def _eased(change: np.ndarray) -> np.ndarray:
    """uint8 shares, in 128ths, of the gain that cells keep whose means have changed by so many grey levels."""
    return np.rint(128 * (_LEAST_EASE + (1 - _LEAST_EASE) / (1 + np.square(change / _EASE_LEVELS)))).astype(np.uint8)


_EASE, _NO_EASE = _eased(np.arange(64) / 8), np.full(64, 128, np.uint8)


def _share(pixels: int) -> float:
    """Of the strength: more pixels carry the same bits with less."""
    return max(_LEAST_SHARE, min(1.0, (_SMALL / pixels) ** 0.4))


def _interleaved(plane: np.ndarray) -> np.ndarray:
    """A plane [height, width] of any row length as pixels of one channel; a new axis alone would have a stride of 0."""
    return np.lib.stride_tricks.as_strided(plane, (*plane.shape, 1), (*plane.strides, plane.itemsize))


def detect(samples: VideoSamples, key: Key | None = None, *, effort: str = "normal") -> Detection:
    """Whether a mark of `key` is in the film, which, and from when to when.

    geometry: as for pictures, and spans [[begin, end], ...], begin_seconds, end_seconds; at effort "fast" these cover
    only what was looked at. Raises InvalidArgument.
    """
    return _detect(FilmFootage(samples), Key.of(key), effort)


def detect_frames(frames: Iterable[np.ndarray | Frame], key: Key | None = None, *, rate: float = 25.0,
                  effort: str = "normal") -> Detection:
    """The same for frames in memory: a list of any length, or an iterator, which is read as far as it takes to decide.

    frames  arrays as for `labelkit.watermark.image.detect`, all of one size, `rate` a second
    """
    return _detect(ListFootage(frames, rate), Key.of(key), effort)


def _detect(footage: Footage, key: Key, effort: str) -> Detection:
    if effort not in image.EFFORTS:
        raise InvalidArgument("effort must be one of {choices}, got {value}", choices=", ".join(image.EFFORTS),
                              value=repr(effort))
    evidence = Evidence(key, effort)
    for group in footage.groups(effort):
        found = evidence.take(group)
        if found:
            return replace(located(found, evidence, footage, key), effort=effort)
    if not evidence.total.count:
        raise InvalidArgument("there is not one frame to look at")
    return evidence.nothing()
