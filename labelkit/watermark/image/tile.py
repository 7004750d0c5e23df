# SPDX-License-Identifier: Apache-2.0
"""The tile: the periodic pattern that carries a payload in pictures and video frames.

A tile is built in the Fourier domain of a 128 x 128 grid. It has 2,048 bins: those of smallest radius from 4 upwards
(4.0 to 36.3), one of each conjugate pair. The key gives every bin a phase. Along that phase lies the synchronisation
pattern, a fifth of the energy. In quadrature lies one of 1,024 coded bits, two bins to a bit: one from the inner half
of the spectrum and one from the outer, so that a picture shrunk to a quarter keeps one of each. The same bins on a
p x p grid give the tile of any period p. The period grows with the picture, so that a large one survives being shrunk:
with the root of its sides up to 1024 x 1024 pixels, and above as the sides do. Below, a larger one gains as much on
thumbnails as it loses on crops and turns of textures (figures in benchmarks/IMAGE.md). Pages keep the root throughout.

What decided the numbers (26 pictures; margin in dB of the decoder after JPEG 20 to 50, WebP 50 and 80, AVIF 60, noise
20, at equal PSNR and SSIM):
- The band below 0.14 cycles per pixel has a constant gain: on flat ground a codec's quantiser keeps the low frequencies
  and deletes all others. With one gain for both bands, flat drawings lost their mark at JPEG 50. All its bins have the
  same amplitude. When it ended at 0.1 (24 cycles per tile at most), with amplitudes that fell with the root of the
  frequency, 35 pictures had 1.3 less of SSIMULACRA2, the worst one 5, and 26 pictures 6 of 1,456 words fewer after
  attacks (28 November 2026): coarse grain is seen more than fine grain, and keeps no more of a mark.
- The gain of the band above follows the local activity and has a low cap: a cap of 8 grey levels on strong edges
  instead of 2 cost 5 dB after JPEG 50 on pages and drawings, at the same PSNR.
- Periods 1.4 times larger (180 instead of 128 pixels at 512 x 512) put more bins where codecs keep them: JPEG 50 and
  WebP 80 of 256-pixel thumbnails, and JPEG 20 of flat drawings, gained; dense texture lost a little.
- Flat ground gets at most 0.88 (low band) and 0.44 (high band) grey levels rms, and 0.6 and 0.3 where textured ground
  carries the mark. At 1.4 in all, a faint mottle was visible in skies and drawings when flipping between host and
  marked picture at 100 %. Less costs drawings and pages JPEG 20 and WebP 50, where codecs leave nothing else.
- A share of 0.15 to 0.2 for synchronisation makes no difference to decoding, and 0.2 finds weaker marks.
"""

from __future__ import annotations

import functools
import math
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from labelkit import kernels
from labelkit.key import Key
from labelkit.watermark import ecc

GRID = 128
BINS = 2048
CODED_BITS = 1024
MIN_RADIUS = 4.0
COLUMNS = 37  # of a half spectrum hold bins: the largest radius is 36.3
RINGS = 16  # of equal bin count, inside out: the detector estimates noise and response for each
# swept 2026-11-28, tables in benchmarks/TUNING.md: HIGH_RMS, LOW_BAND, LOW_LIMIT, SYNC_SHARE
SYNC_SHARE = 0.2  # of the energy
PERIODS = (96, 108, 120, 135, 150, 168, 192, 216, 240, 270, 300, 336, 384, 432, 480, 540, 600, 672, 768, 864,
           1008)  # products of 2, 3, 5, 7
USUAL_SIDE = 1024  # pixels: a larger picture is marked as one of 1024 x 1024 that was enlarged
FILM_PERIOD = 168  # pixels, of films of 640 x 360: up to that size films have the periods of pictures
_FILM_PERIODS = tuple(p for p in PERIODS if p % 8 == 0)
LOW_BAND, LOW_LIMIT = 0.14, 30.0  # cycles per pixel, and per tile
HIGH_RMS = 0.55  # grey levels rms of the high band on flat ground
GAIN_UNIT = 64  # the gain grid's fixed point
PATTERN_UNIT = 16
FLAT_UNIT = 32
WAVE_BLOCK = 32  # LK_TILE_BLOCK
_SYNC, _DATA = np.complex64(SYNC_SHARE**0.5), np.complex64(1j * (1 - SYNC_SHARE) ** 0.5)
_HARMONICS = np.arange(-COLUMNS, COLUMNS + 1)


@dataclass(frozen=True, slots=True)
class KeyedBins:
    """The bins as one key uses them.

    kx, ky  int64 [2048], cycles per tile
    phase   complex64 [2048], of unit magnitude
    bit     intp [2048], the coded bit that each bin carries, 0 to 1023
    """

    kx: npt.NDArray[np.int64]
    ky: npt.NDArray[np.int64]
    phase: npt.NDArray[np.complex64]
    bit: npt.NDArray[np.intp]

    def signs(self, payload: int) -> npt.NDArray[np.float32]:
        """float32 [2048], +-1: the sign of each bin's coded bit for a 64-bit payload."""
        coded = ecc.encode(payload, CODED_BITS)[self.bit].astype(np.float32)
        return np.float32(1) - np.float32(2) * coded


@dataclass(frozen=True, slots=True)
class Bands:
    """How the low and the high band share the tile.

    low_rms    grey levels rms of the low band on flat ground
    low_yield  by how many grey levels rms the low band shrinks for each that the high band grows by
    low_band   where the low band ends, in cycles per pixel
    low_limit  and at most, in cycles per tile: the largest tiles keep the rest of their bins for textured ground
    """

    low_rms: float
    low_yield: float
    low_band: float
    low_limit: float


STILL = Bands(1.1, 0.3, LOW_BAND, LOW_LIMIT)
FILM = Bands(0.85, 0.6, 0.1, 17.0)
"""Less low band than STILL, least on textured ground. x264 at crf 32 leaves as much of the mark, and the VMAF that the
mark costs at equal bitrate is 8 to 30 % lower (four films, veryfast, crf 23). The limit is what 360 lines have by the
band: with 24, films of 720 lines spend more bytes and as much VMAF, and are read less (benchmarks/VIDEO.md)."""


@functools.cache
def annulus() -> tuple[npt.NDArray[np.int64], npt.NDArray[np.int64], npt.NDArray[np.float64]]:
    """kx and ky int64 [2048] (cycles per tile) and radius float64 [2048] of the bins, inside out."""
    k = np.arange(-GRID // 2, GRID // 2)
    kx, ky = (a.ravel() for a in np.meshgrid(k, k))
    radius2 = kx * kx + ky * ky
    half = ((ky > 0) | ((ky == 0) & (kx > 0))) & (radius2 >= MIN_RADIUS**2)
    kx, ky, radius2 = kx[half], ky[half], radius2[half]
    order = np.lexsort((kx, ky, radius2))[:BINS]
    return kx[order], ky[order], np.sqrt(radius2[order])


@functools.lru_cache(maxsize=16)
def keyed_bins(key: Key) -> KeyedBins:
    """The bins with the phases and the bit order of `key`; cached."""
    kx, ky, _ = annulus()
    phase = np.exp(2j * np.pi * key.stream("image/phase").uniform(BINS)).astype(np.complex64)
    half = BINS // 2
    bit = np.empty(BINS, np.intp)
    bit[key.stream("image/inner-bits").permutation(half)] = np.arange(half)
    bit[half + key.stream("image/outer-bits").permutation(half)] = np.arange(half)
    return KeyedBins(kx, ky, phase, bit)


@functools.lru_cache(maxsize=64)
def fine_period(width: float, height: float) -> int:
    """The tile period in pixels, one of PERIODS, of a page of text so large; it grows with the root of the sides."""
    return _nearest(PERIODS, 180.0 * (width * height / 512.0**2) ** 0.25)


@functools.lru_cache(maxsize=64)
def period(width: float, height: float) -> int:
    """The tile period in pixels, one of PERIODS, of other pictures: the same up to 1024 x 1024 pixels. Above, it grows
    as the sides do, so that a picture that is shrunk to 1024 pixels is marked as one that was made with so many."""
    area, own = width * height / USUAL_SIDE**2, fine_period(width, height)
    growth = min(math.sqrt(area), 2 * min(width, height) / USUAL_SIDE)  # two repeats at least, in a strip too
    return max(own, _nearest(PERIODS, 180.0 * math.sqrt(USUAL_SIDE / 512) * growth)) if area > 1 else own


def _nearest(periods: tuple[int, ...], ideal: float) -> int:
    return min(periods, key=lambda p: abs(math.log(p / ideal)))


@functools.lru_cache(maxsize=64)
def film_period(width: float, height: float) -> int:
    """The tile period of a film: above 640 x 360 pixels it grows as the sides do, so that a film that is shrunk to 360
    lines is marked as one that was made with so many. A multiple of 8, as blocks of codecs have it, but in strips."""
    own, area = fine_period(width, height), width * height / (640 * 360)
    if area <= 1:
        return own
    ideal = FILM_PERIOD * min(math.sqrt(area), min(width, height) / 360)  # two repeats at least, in a strip too
    return max(own, _nearest(_FILM_PERIODS, ideal))


@functools.lru_cache(maxsize=4)
def patterns(key: Key, payload: int, p: int, strength: float, channels: int = 1, flat_gain: float = 1.0,
             bands: Bands = STILL, fine: int = 1) -> tuple[npt.NDArray[np.int16], npt.NDArray[np.int8]]:
    """What the embedding kernel adds: `flat` int16 in 1/32 grey level, and `textured` int8, both [p, p * channels].

    The marked picture is host + flat / 32 + gain / 64 * textured / 16, where gain is the local one (uint8, 64 is 1.0).

    payload    64 bits
    p          the period in pixels
    strength   factor of all amplitudes
    channels   each sample is repeated for each channel
    flat_gain  share of the usual gain that flat ground gets, 0 to 1
    fine       samples for each pixel, both ways: the tile to be sampled between pixels, [fine * p, fine * p * channels]
    """
    return planes(_bins(key, payload) * np.float32(strength), p, channels, flat_gain, bands, fine)


def planes(bins: npt.NDArray[np.complex64], p: int, channels: int, flat_gain: float, bands: Bands = STILL,
           fine: int = 1) -> tuple[npt.NDArray[np.int16], npt.NDArray[np.int8]]:
    """`patterns` of bins complex64 [2048], each in units of a mark's amplitude there."""
    bins = bins * plane_amplitudes(p, flat_gain, bands)
    side = fine * p
    columns = _half_spectrum_columns(bins, side).view(np.float32).reshape(2, side, COLUMNS, 2)
    flat, textured = np.empty((side, side * channels), np.int16), np.empty((side, side * channels), np.int8)
    kernels.tile_make(columns, math.ceil(_low_radius(p, bands)), _row_waves(side), flat, textured)
    return flat, textured


def add(host: npt.NDArray[np.uint8], out: npt.NDArray[np.uint8], gain: npt.NDArray[np.uint8],
        flat: npt.NDArray[np.int16], textured: npt.NDArray[np.int8], *, fades: bool = False) -> None:
    """Write the host with `patterns` added into `out`.

    host, out  uint8 [height, width, channels], rows of interleaved samples; may be the same array
    gain       uint8 [ceil(height / 8), ceil(width / 8)], 64 is 1.0
    fades      where the gain is below 16 the flat pattern fades with it, to nothing at 0
    """
    scratch = np.empty(3 * (8 * host.shape[2] * gain.shape[1] + 64), np.int16)
    kernels.image_embed(host, out, gain, flat, textured, fades, scratch)


def analyse(folded: npt.NDArray[np.int32]) -> npt.NDArray[np.complex64]:
    """complex64 [p, 37]: the columns that hold bins, of the half spectrum of a folded plane int32 [p, p]."""
    rows = np.fft.rfft(folded.astype(np.float32), axis=1, norm="forward")[:, :COLUMNS]  # see _half_spectrum_columns
    columns: npt.NDArray[np.complex64] = np.fft.fft(rows, axis=0, norm="forward").astype(np.complex64, copy=False)
    return columns * np.float32(folded.size)


def origin(key: Key, payload: int) -> npt.NDArray[np.float64]:
    """float64 [2]: where the tile begins, as shares of its period across and down; it differs for every payload.

    So the tiles of one producer do not add up when its pictures are averaged as they are. With a common origin, the
    average of 200 pictures, subtracted at 42 dB, erased 60 of 60 marks; with this one it erased none, and none at 36 dB
    either. It does not help against an average of folded tiles that are aligned first; unsynchronised.py does.
    """
    return key.stream("image/origin", payload).uniform(2)


@functools.lru_cache(maxsize=16)
def placed_phases(key: Key, payload: int) -> npt.NDArray[np.complex64]:
    """complex64 [2048] of unit magnitude: the key's phases, moved to the origin of a payload's tile; cached."""
    keyed = keyed_bins(key)
    across, down = np.exp(-2j * np.pi * np.outer(origin(key, payload), _HARMONICS)).astype(np.complex64)
    moved: npt.NDArray[np.complex64] = across[keyed.kx + COLUMNS] * down[keyed.ky + COLUMNS]
    return moved * keyed.phase


def _bins(key: Key, payload: int) -> npt.NDArray[np.complex64]:
    """complex64 [2048] of unit magnitude: phase, synchronisation, coded bits and origin of a payload's tile."""
    return placed_phases(key, payload) * (_SYNC + _DATA * keyed_bins(key).signs(payload))


def _low_radius(p: int, bands: Bands) -> float:
    return min(bands.low_band * p, bands.low_limit)


@functools.lru_cache(maxsize=64)
def plane_amplitudes(p: int, flat_gain: float, bands: Bands = STILL) -> npt.NDArray[np.float32]:
    """float32 [2, 2048]: amplitude of each bin in the flat and in the textured plane."""
    low, high = _unit_amplitudes(p, bands)
    return np.array([low * ((bands.low_rms * flat_gain + bands.low_yield * HIGH_RMS) * FLAT_UNIT),
                     (high - bands.low_yield * low) * PATTERN_UNIT], np.float32)


def _unit_amplitudes(p: int, bands: Bands) -> npt.NDArray[np.float32]:
    """float32 [2, 2048]: amplitude of each bin in the low and in the high band, each of unit rms over the tile."""
    low = annulus()[2] < _low_radius(p, bands)
    amplitudes = [band / max(math.sqrt(2.0 * np.count_nonzero(band)), 1e-9) for band in (low, ~low)]
    return np.array(amplitudes, np.float32)


def _half_spectrum_columns(bins: npt.NDArray[np.complex64], p: int) -> npt.NDArray[np.complex64]:
    """complex64 [count, p, 37]: the columns that hold bins, of the half spectra of bins complex64 [count, 2048].

    NumPy transforms in float32, in as little as a fifth of the time, only where it applies a factor.
    """
    right, right_index, left, left_index = _half_spectrum_index(p)
    spectrum = np.zeros((len(bins), p * COLUMNS), np.complex64)
    spectrum[:, right_index] = bins[:, right]
    spectrum[:, left_index] = bins[:, left].conj()
    columns = np.fft.ifft(spectrum.reshape(-1, p, COLUMNS), axis=1)
    return np.ascontiguousarray(columns * np.float32(p), np.complex64)


@functools.lru_cache(maxsize=32)
def _row_waves(p: int) -> npt.NDArray[np.float32]:
    """float32 [2, 37, stride]: what column k adds to a row from x = 0 on, see lk_tile_make in native/lk.h."""
    count = (p // 2 if p % 2 else p // 4) + 1
    angle = 2 * np.pi / p * np.outer(np.arange(COLUMNS), np.arange(count))
    waves = np.zeros((2, COLUMNS, -(-count // WAVE_BLOCK) * WAVE_BLOCK), np.float32)
    waves[:, :, :count] = 2 * np.array([np.cos(angle), np.sin(angle)])
    waves[:, 0] /= 2  # the column of constants has no conjugate
    return waves


@functools.lru_cache(maxsize=32)
def _half_spectrum_index(p: int) -> tuple[npt.NDArray[np.intp], npt.NDArray[np.int64], npt.NDArray[np.intp],
                                          npt.NDArray[np.int64]]:
    """Which bins, and which conjugates, lie in the half spectrum of a p x p plane, and at which flat index."""
    kx, ky, _ = annulus()
    right, left = np.flatnonzero(kx >= 0), np.flatnonzero(kx <= 0)
    return right, ky[right] % p * COLUMNS + kx[right], left, -ky[left] % p * COLUMNS - kx[left]
