# SPDX-License-Identifier: Apache-2.0
"""The tile: the periodic pattern that carries a payload in pictures and video frames.

A tile is built in the Fourier domain of a 128 x 128 grid. Its 2,048 bins are those of smallest radius from 4 upwards
(4.0 to 36.3), one of each conjugate pair. Every bin has a keyed phase. Along that phase lies the synchronisation
pattern, a fifth of the energy; in quadrature lies one of 1,024 coded bits, two bins to a bit, one from the inner half
of the spectrum and one from the outer, so that a picture shrunk to a quarter keeps one of each. The same bins on a
p x p grid give the tile of any period p; the period follows the size of the picture, so that a big one survives being
shrunk.

What decided the numbers (26 pictures; margin in dB of the decoder after JPEG 20 to 50, WebP 50 and 80, AVIF 60, noise
20, at equal PSNR and SSIM):
- Energy below 0.1 cycles per pixel keeps a constant gain: a codec's quantiser spares the low frequencies of flat
  ground, where it deletes all others. With one gain for all, flat drawings lost their mark at JPEG 50.
- The band above follows the local activity and is capped early: a cap of 8 grey levels on strong edges instead of 2
  cost 5 dB after JPEG 50 on pages and drawings, at the same PSNR.
- Periods 1.4 times larger (180 instead of 128 pixels at 512 x 512) put more bins where codecs spare them: JPEG 50 and
  WebP 80 of 256-pixel thumbnails, and JPEG 20 of flat drawings, gained; dense texture lost a little.
- On flat ground at most 0.88 and 0.44 grey levels rms, and 0.6 and 0.3 where busy ground carries the mark: at 1.4 in
  all a faint mottle could be made out in skies and drawings when flipping between host and marked picture at 100 %.
  Less costs drawings and pages JPEG 20 and WebP 50, where codecs leave nothing else.
- A share of 0.15 to 0.2 for synchronisation makes no difference to decoding, and 0.2 finds weaker marks.
"""

from __future__ import annotations

import functools
import math
from dataclasses import dataclass

import numpy as np

from labelkit import kernels
from labelkit.key import Key
from labelkit.watermark import ecc

GRID = 128
BINS = 2048
CODED_BITS = 1024
MIN_RADIUS = 4.0
COLUMNS = 37  # of a half spectrum hold bins: the largest radius is 36.3
SYNC_SHARE = 0.2
PERIODS = (96, 108, 120, 135, 150, 168, 192, 216, 240, 270, 300, 336, 384, 432, 480, 540, 600)  # products of 2, 3, 5, 7
LOW_BAND = 0.1  # cycles per pixel
BASE_GAIN = 0.55  # grey levels rms of the high band on flat ground
GAIN_UNIT = 64  # the gain grid's fixed point
PATTERN_UNIT = 16
FLAT_UNIT = 32
WAVE_BLOCK = 32  # LK_TILE_BLOCK
_SYNC, _DATA = np.complex64(SYNC_SHARE**0.5), np.complex64(1j * (1 - SYNC_SHARE) ** 0.5)
_HARMONICS = np.arange(-COLUMNS, COLUMNS + 1)


@dataclass(frozen=True, slots=True)
class Carrier:
    """What a key decides: kx, ky int [2048], phase complex64 [2048], bit int [2048] (which coded bit a bin carries)."""

    kx: np.ndarray
    ky: np.ndarray
    phase: np.ndarray
    bit: np.ndarray

    def signs(self, payload: int) -> np.ndarray:
        """float32 [2048]: the sign that the coded bit of each bin has for a payload."""
        return np.float32(1) - np.float32(2) * ecc.encode(payload, CODED_BITS)[self.bit].astype(np.float32)


@dataclass(frozen=True, slots=True)
class Bands:
    """How the two bands share the tile.

    low_rms    grey levels, of the low band on flat ground
    low_yield  how much of the low band gives way as the high band grows
    low_tilt   its amplitudes fall with the radius to this power
    """

    low_rms: float
    low_yield: float
    low_tilt: float


STILL = Bands(1.1, 0.3, 0.5)
FILM = Bands(0.85, 0.6, 0.0)
"""Less low band, all the less where the ground is busy: beside STILL, x264 at crf 32 leaves as much of the mark, and
the VMAF that it costs at equal bitrate is 8 to 30 % lower (four films, veryfast, crf 23)."""


@functools.cache
def annulus() -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """kx, ky int [2048] and radius float [2048] of the bins, inside out."""
    k = np.arange(-GRID // 2, GRID // 2)
    kx, ky = (a.ravel() for a in np.meshgrid(k, k))
    radius2 = kx * kx + ky * ky
    half = ((ky > 0) | ((ky == 0) & (kx > 0))) & (radius2 >= MIN_RADIUS**2)
    kx, ky, radius2 = kx[half], ky[half], radius2[half]
    order = np.lexsort((kx, ky, radius2))[:BINS]
    return kx[order], ky[order], np.sqrt(radius2[order])


RINGS = 16
"""Rings of equal bin count, inside out, over which the detector estimates noise and response."""


@functools.lru_cache(maxsize=16)
def carrier(key: Key) -> Carrier:
    """The carrier of `key`."""
    kx, ky, _ = annulus()
    phase = np.exp(2j * np.pi * key.stream("image/phase").uniform(BINS)).astype(np.complex64)
    half = BINS // 2
    bit = np.empty(BINS, np.int64)
    bit[key.stream("image/inner-bits").permutation(half)] = np.arange(half)
    bit[half + key.stream("image/outer-bits").permutation(half)] = np.arange(half)
    return Carrier(kx, ky, phase, bit)


def period(width: int, height: int) -> int:
    """The tile period in pixels for a picture of this size."""
    ideal = 180.0 * (width * height / 512.0**2) ** 0.25
    return min(PERIODS, key=lambda p: abs(math.log(p / ideal)))


def _low_radius(p: int) -> float:
    return min(LOW_BAND * p, 24.0)  # the largest tiles keep a third of their bins for busy ground


def _amplitudes(p: int, tilt: float) -> np.ndarray:
    """float32 [2, 2048]: amplitude of each bin in the low and in the high band, each of unit rms over the tile."""
    radius = annulus()[2]
    low = radius < _low_radius(p)
    bands = []
    for a in (np.where(low, radius**-tilt, 0.0), np.where(low, 0.0, 1.0)):
        bands.append(a / max(np.sqrt(2.0 * np.sum(a * a)), 1e-9))
    return np.array(bands, np.float32)


@functools.lru_cache(maxsize=32)
def patterns(key: Key, payload: int, p: int, strength: float, channels: int = 1, quiet: float = 1.0,
             bands: Bands = STILL) -> tuple[np.ndarray, np.ndarray]:
    """What the embedding kernel adds: flat int16 in 1/32 grey level, and textured int8, both [p, p * channels].

    host + flat / 32 + gain / 64 * textured / 16 is the marked picture, gain being the local one (uint8, 64 is 1.0);
    `quiet` is the share of the usual gain that flat ground gets. Each sample is repeated for each channel.
    """
    bins = _bins(key, payload) * (_shares(p, quiet, bands) * np.float32(strength))
    columns = _columns(bins, p).view(np.float32).reshape(2, p, COLUMNS, 2)
    flat, textured = np.empty((p, p * channels), np.int16), np.empty((p, p * channels), np.int8)
    kernels.tile_make(columns, math.ceil(_low_radius(p)), _waves(p), flat, textured)
    return flat, textured


def _bins(key: Key, payload: int) -> np.ndarray:
    """complex64 [2048] of unit magnitude: phase, synchronisation, coded bits and place of a payload's tile."""
    c = carrier(key)
    across, down = np.exp(-2j * np.pi * np.outer(origin(key, payload), _HARMONICS)).astype(np.complex64)
    return across[c.kx + COLUMNS] * down[c.ky + COLUMNS] * c.phase * (_SYNC + _DATA * c.signs(payload))


def origin(key: Key, payload: int) -> np.ndarray:
    """Where in the picture the tile begins, as shares of its period: another place for every payload.

    So the tiles of one producer do not add up when its pictures are averaged, as they would from a common corner: there
    the average of 200 pictures, subtracted at 42 dB, erased 60 of 60 marks; so moved, none, and none at 36 dB either.
    """
    return key.stream("image/origin", payload).uniform(2)


@functools.lru_cache(maxsize=64)
def _shares(p: int, quiet: float, bands: Bands) -> np.ndarray:
    """float32 [2, 2048]: amplitude of each bin in the flat and in the textured plane."""
    low, high = _amplitudes(p, bands.low_tilt)
    return np.array([low * ((bands.low_rms * quiet + bands.low_yield * BASE_GAIN) * FLAT_UNIT),
                     (high - bands.low_yield * low) * PATTERN_UNIT], np.float32)


def _columns(bins: np.ndarray, p: int) -> np.ndarray:
    """complex64 [count, p, 37]: the columns that hold bins, of the half spectra of bins complex64 [count, 2048]."""
    right, right_place, left, left_place = _places(p)
    spectrum = np.zeros((len(bins), p * COLUMNS), np.complex64)
    spectrum[:, right_place] = bins[:, right]
    spectrum[:, left_place] = bins[:, left].conj()
    columns = np.fft.ifft(spectrum.reshape(-1, p, COLUMNS), axis=1, norm="forward")
    return np.ascontiguousarray(columns, np.complex64)


@functools.lru_cache(maxsize=32)
def _waves(p: int) -> np.ndarray:
    """float32 [2, 37, stride]: what column k adds to a row from x = 0 on, see lk_tile_make in native/lk.h."""
    count = (p // 2 if p % 2 else p // 4) + 1
    turns = 2 * np.pi / p * np.outer(np.arange(COLUMNS), np.arange(count))
    waves = np.zeros((2, COLUMNS, -(-count // WAVE_BLOCK) * WAVE_BLOCK), np.float32)
    waves[:, :, :count] = 2 * np.array([np.cos(turns), np.sin(turns)])
    waves[:, 0] /= 2  # the column of constants has no conjugate
    return waves


@functools.lru_cache(maxsize=32)
def _places(p: int) -> tuple[np.ndarray, ...]:
    """Which bins, and which conjugates, lie in the half spectrum of a p x p plane, and where."""
    kx, ky, _ = annulus()
    right, left = np.flatnonzero(kx >= 0), np.flatnonzero(kx <= 0)
    return right, ky[right] % p * COLUMNS + kx[right], left, -ky[left] % p * COLUMNS - kx[left]


def analyse(folded: np.ndarray) -> np.ndarray:
    """complex64 [p, 37]: the columns of a folded plane's half spectrum that hold bins."""
    return np.fft.fft(np.fft.rfft(folded.astype(np.float32), axis=1)[:, :COLUMNS], axis=0)
