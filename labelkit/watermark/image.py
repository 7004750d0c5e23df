# SPDX-License-Identifier: Apache-2.0
"""The watermark in pictures: `embed` adds a keyed periodic tile, `detect` decides whether one is there.

Embedding is one pass over the pixels: the tile (tile.py) is added to every channel alike, its low band with a
constant gain, its high band with a gain that follows the activity of 8 x 8 cells. It rises from 0.4 grey levels rms on
flat ground to 1.8; the busiest cells are then raised or lowered so that the whole keeps PSNR at or above 42 dB.

Detection, in order of cost; a step is taken only when the ones before found nothing:
  fast    the period that a picture of this size is given, at its own scale
  normal  the periods of larger pictures (crops); then every scale: the tile is periodic, so the autocorrelation of
          the whitened picture peaks on its lattice (lattice.py), whatever the payload
  deep    lattices at any angle and of unequal sides, in the shrunk picture, then at its own resolution
Each lattice is looked at in its eight orientations (quarter turns, mirror), at every shift, and as a negative.
"""

from __future__ import annotations

import functools
import math
from dataclasses import replace

import numpy as np

from labelkit import kernels
from labelkit.errors import HostTooSmall, InvalidArgument
from labelkit.key import Key
from labelkit.watermark import lattice, tile
from labelkit.watermark.detection import MAX_FALSE_POSITIVE_RATE, Detection
from labelkit.watermark.payload import Payload
from labelkit.watermark.search import ORIENTATIONS, Match, Tally, match

EFFORTS = ("fast", "normal", "deep")
MIN_SIDE = 96  # pixels; below it hardly any picture was read back
BUSY_CELLS = 64  # cells of 8 x 8 that hold any detail: a codec deletes the mark from all others
SURE_CELLS = 2304  # of them; with more, every picture of the development corpus was read back
GAIN_SLOPE = 144
GAIN_TOP = 115
GAIN_LEAST, GAIN_LIMIT = 60, 150  # what the top is lowered to, and raised to where the rest of the picture is quiet
MEAN_ERROR = 3.9  # grey levels squared: PSNR 42.2 dB
WORKING_SIDE = 512  # pixels: lattices are searched on a plane shrunk to about this
BASE_GAIN = round(tile.BASE_GAIN * tile.GAIN_UNIT)
SMOOTH_GAIN = 50  # cells below it are smooth: codecs take most of the high band from them, and grain shows
QUIETER = (0.8, 0.7, 0.6, 0.55)  # shares of the gain on flat ground


def embed(pixels: np.ndarray, payload: Payload, key: Key | None = None, *, strength: float = 1.0,
          out: np.ndarray | None = None) -> np.ndarray:
    """The picture with `payload` in it; the host is changed only where it is given as `out`.

    pixels    uint8 or uint16 [height, width] or [height, width, 1..4] (2: grey, alpha; 4: RGB, alpha; alpha is kept),
              or float32 of the same shapes in [0, 1]; any strides
    key       None is the public key
    strength  0.25 to 4; at 1 PSNR stays above 42 dB and SSIM above 0.985
    Raises HostTooSmall for a picture that cannot carry 64 bits: a small or quiet one is read back before it is handed
    out. Raises InvalidArgument for other arguments.
    """
    check_array(pixels)
    check_settings(payload, strength, *pixels.shape[1::-1])
    key = Key.of(key)
    if pixels.ndim == 2:
        out = None if out is None else out[..., None]
        return embed(pixels[..., None], payload, key, strength=strength, out=out)[..., 0]
    host = _rows(pixels if pixels.dtype == np.uint8 else _eight_bits(pixels))
    gain = np.empty((-(-host.shape[0] // 8), -(-host.shape[1] // 8)), np.uint8)
    kernels.image_gain(host, gain, BASE_GAIN, GAIN_SLOPE, GAIN_TOP)
    busy = _busy_cells(host, gain)
    direct = out is not None and out.dtype == np.uint8 == pixels.dtype and _is_rows(out) and busy >= SURE_CELLS
    marked = out if direct else np.empty(host.shape, np.uint8)
    add(host, marked, gain, payload, key, float(strength))
    if busy < SURE_CELLS:
        _read_back(marked, payload, key)
    if pixels.dtype != np.uint8:
        marked = _add_change(pixels, marked.astype(np.int16) - host)
    if out is None or direct:
        return marked
    out[...] = marked
    return out


def check_settings(payload: object, strength: object, width: int, height: int) -> None:
    """Raises InvalidArgument for what cannot be embedded, HostTooSmall for a size in pixels that cannot carry it."""
    if not isinstance(payload, Payload):
        raise InvalidArgument("payload must be a Payload, got {got}", got=type(payload).__name__)
    if not isinstance(strength, int | float) or not 0.25 <= strength <= 4:
        raise InvalidArgument("strength must be a number from 0.25 to 4, got {got}", got=repr(strength))
    if min(height, width) < MIN_SIDE:
        raise HostTooSmall("a picture of {width} x {height} pixels cannot carry the 64 bits of the watermark; the "
                           "shortest side must be at least {least}", width=width, height=height, least=MIN_SIDE)


def check_array(pixels: object) -> None:
    """Raises InvalidArgument for what is no array of the kinds that `embed` names."""
    if not isinstance(pixels, np.ndarray):
        raise InvalidArgument("pixels must be a NumPy array, got {got}", got=type(pixels).__name__)
    right = pixels.ndim == 2 or pixels.ndim == 3 and 1 <= pixels.shape[2] <= 4
    if not right or pixels.dtype not in (np.uint8, np.uint16, np.float32) or 0 in pixels.shape:
        raise InvalidArgument("pixels must be uint8, uint16 or float32 [height, width] or [height, width, 1..4], got "
                              "{dtype} {shape}", dtype=str(pixels.dtype), shape=str(pixels.shape))


def _eight_bits(pixels: np.ndarray) -> np.ndarray:
    if pixels.dtype == np.uint16:
        return (pixels >> 8).astype(np.uint8)
    return (np.clip(np.nan_to_num(pixels), 0.0, 1.0) * np.float32(255.0) + np.float32(0.5)).astype(np.uint8)


def _is_rows(pixels: np.ndarray) -> bool:
    return pixels.strides[2] == 1 and pixels.strides[1] == pixels.shape[2] and pixels.strides[0] >= 0


def _rows(pixels: np.ndarray) -> np.ndarray:
    return pixels if _is_rows(pixels) else np.ascontiguousarray(pixels)


def _busy_cells(host: np.ndarray, gain: np.ndarray) -> int:
    """How many cells hold any detail; raises HostTooSmall where they are too few."""
    busy = int(np.count_nonzero(gain > BASE_GAIN))
    if busy < BUSY_CELLS:  # a slow gradient is not flat either
        height, width = (side // 8 * 8 for side in host.shape[:2])
        cells = host[:height, :width, 0].reshape(height // 8, 8, width // 8, 8)
        busy = int(np.count_nonzero(np.ptp(cells, axis=(1, 3))))
    if busy < BUSY_CELLS:
        raise HostTooSmall("the picture is flat: {busy} of its {cells} cells of 8 x 8 pixels hold any detail, and the "
                           "watermark needs {least}", busy=busy, cells=gain.size, least=BUSY_CELLS)
    return busy


def _quiet(counts: np.ndarray) -> int:
    """Which of QUIETER the flat ground of a picture with so many cells of each gain is marked with.

    Grain shows in smooth ground of photographs. Where enough busy cells carry the mark it is not needed there; where
    nearly all is smooth, or flat as drawings are, it is all that is left after a codec.
    """
    cells, flat, smooth = (int(counts[:end].sum()) for end in (256, BASE_GAIN + 1, SMOOTH_GAIN))
    rich = _share((cells - smooth + 0.15 * cells - 2000) / 3000)
    seen = _share((smooth / cells - 0.2) / 0.3)
    drawn = _share((flat / cells - 0.25) / 0.2) * _share((40000 - cells) / 20000)
    return round(rich * seen * (1 - drawn) * (len(QUIETER) - 1))


def _share(value: float) -> float:
    return min(1.0, max(0.0, value))


def _spend(host: np.ndarray, gain: np.ndarray, counts: np.ndarray, quiet: int) -> np.ndarray:
    """The gain grid with its busiest cells raised, or lowered, to the error that PSNR 42 dB allows.

    Few pictures are busy everywhere. In pages of text the busy cells are the only ones that keep the mark when a change
    of contrast saturates the paper, and they hide it best.
    """
    sample = host[::8, ::8, 0]
    shifted = np.count_nonzero(sample == 255) / sample.size  # these move by one for headroom
    tables, table_errors = _tables(quiet)
    errors = table_errors @ counts / gain.size + shifted
    affordable = int(np.searchsorted(errors, MEAN_ERROR)) - 1  # errors ascend with the top
    return tables[max(affordable, 0)][gain]


@functools.cache
def _tables(quiet: int) -> tuple[np.ndarray, np.ndarray]:
    """uint8 [n, 256] gains by gain for each top, ascending, and float64 [n, 256] the mean squared change they make."""
    gain, knee, share = np.arange(256), 0.75 * GAIN_TOP, QUIETER[quiet]
    eased = np.interp(gain, [0, BASE_GAIN, knee, 255], [0, BASE_GAIN * share, knee, 255])
    tables = [np.minimum(eased, top) if top <= GAIN_TOP else np.interp(eased, [0, knee, GAIN_TOP], [0, knee, top])
              for top in range(GAIN_LEAST, GAIN_LIMIT + 1)]
    high = np.rint(tables) / tile.GAIN_UNIT
    low = tile.STILL.low_rms * share - tile.STILL.low_yield * (high - tile.BASE_GAIN)
    return np.rint(tables).astype(np.uint8), high**2 + low**2 + 1 / 12


def add(host: np.ndarray, out: np.ndarray, gain: np.ndarray, payload: Payload, key: Key, strength: float) -> None:
    """Mark uint8 [height, width, channels], rows of interleaved samples; `gain` is the grid of `kernels.image_gain`."""
    height, width, channels = host.shape
    counts = np.bincount(gain.ravel(), minlength=256)
    quiet = _quiet(counts)
    gain = _spend(host, gain, counts, quiet)
    p = tile.period(width, height)
    flat, textured = tile.patterns(key, int(payload), p, strength, channels, QUIETER[quiet])
    scratch = np.empty(3 * (8 * channels * gain.shape[1] + 64), np.int16)
    kernels.image_embed(host, out, gain, flat, textured, scratch)


def _read_back(marked: np.ndarray, payload: Payload, key: Key) -> None:
    found = Search(luma_of(marked), key).own_period()
    if not found or found.payload != payload:
        raise HostTooSmall("a picture of {width} x {height} pixels has too little usable detail to carry the 64 bits "
                           "of the watermark: they cannot be read back", width=marked.shape[1], height=marked.shape[0],
                           hint="give a larger picture, or more strength")


def _add_change(pixels: np.ndarray, change: np.ndarray) -> np.ndarray:
    """Samples of more than 8 bits with a change int16 [height, width, channels] in 8-bit grey levels added."""
    if pixels.dtype == np.uint16:
        return np.clip(pixels + change * np.int32(257), 0, 65535).astype(np.uint16)
    return np.clip(pixels + change * np.float32(1 / 255), 0, 1)


def detect(pixels: np.ndarray, key: Key | None = None, *, effort: str = "normal") -> Detection:
    """Whether a mark of `key` is in the picture, and which; arrays as for `embed`, of any size.

    A mark whose bits cannot be read, because too little is left of it, is found with payload None where the
    synchronisation pattern alone decides. Raises InvalidArgument for other arrays.

    geometry: period in pixels; mirrored (left to right, before turning); angle in degrees counter-clockwise; lattice,
    its two vectors in pixels; `also`, other payloads of the same key laid over the strongest.
    """
    check_array(pixels)
    if effort not in EFFORTS:
        raise InvalidArgument("effort must be one of {choices}, got {value}", choices=", ".join(EFFORTS),
                              value=repr(effort))
    pixels = pixels if pixels.ndim == 3 else pixels[..., None]
    search = Search(luma_of(pixels if pixels.dtype == np.uint8 else _eight_bits(pixels)), Key.of(key))
    for step in search.steps(effort):
        found = step()
        if found:
            return replace(found, effort=effort)
    chance = search.tally.chance()
    present = chance <= MAX_FALSE_POSITIVE_RATE
    return Detection(present, None, search.tally.best, chance if present else 1.0, effort=effort)


def luma_of(pixels: np.ndarray) -> np.ndarray:
    """uint8 [height, width]: the luma of uint8 pixels [height, width, 1..4]."""
    luma = np.empty(pixels.shape[:2], np.uint8)
    kernels.image_luma(_rows(pixels), luma)
    return luma


def whiten(luma: np.ndarray, noise: int = 25) -> np.ndarray:
    """int8 [height, width]: a uint8 plane without its predictable part, weighted by how much noise hides there.

    noise  what is left of it on the smoothest ground, in grey levels squared
    """
    out = np.empty(luma.shape, np.int8)
    kernels.plane_whiten(luma, out, np.empty(24 * (luma.shape[1] + 16), np.int32), noise)
    return out


def decimate(plane: np.ndarray, factor: int) -> np.ndarray:
    """A uint8 plane shrunk by a whole factor, each sample the mean of factor x factor."""
    height, width = (side // factor * factor for side in plane.shape)
    blocks = plane[:height, :width].reshape(height // factor, factor, width // factor, factor)
    total = blocks.sum(3, dtype=np.uint16).sum(1, dtype=np.uint32)
    return ((total + factor * factor // 2) // (factor * factor)).astype(np.uint8)


class Search:
    """One detection: what it looks at and what it has tried. Each step returns a Detection or None."""

    def __init__(self, luma: np.ndarray, key: Key) -> None:
        self.luma = luma
        self.carrier = tile.carrier(key)
        self.tally = Tally()
        self.plane = whiten(luma)
        self.found: tuple[Match, np.ndarray] | None = None  # the match and its lattice, once there is one

    def steps(self, effort: str) -> list:
        """The steps of an effort, in order."""
        steps = [self.own_period, self.own_scale, self.any_scale, self.any_lattice, self.fine_lattice]
        return steps[: {"fast": 1, "normal": 3, "deep": 5}[effort]]

    def own_period(self) -> Detection | None:
        """The period that a picture of this size is given, unturned."""
        height, width = self.luma.shape
        return self._fold(tile.period(width, height), orientations=1)

    def own_scale(self) -> Detection | None:
        """The periods of pictures of which this one may be a part, down to a twentieth, in all orientations."""
        own = tile.period(*self.luma.shape)
        return next(filter(None, (self._fold(p) for p in tile.PERIODS if 0.9 * own <= p <= 2.1 * own)), None)

    def any_scale(self) -> Detection | None:
        """Upright lattices of any spacing."""
        factor, found = self.coarse
        return self._try(found, factor, found.upright(8))

    def any_lattice(self) -> Detection | None:
        """Lattices at any angle, and upright ones of unequal sides."""
        factor, found = self.coarse
        return self._try(found, factor, found.turned(12) + found.unequal(12))

    def fine_lattice(self) -> Detection | None:
        """The same on the middle of the picture at its own resolution."""
        if self.coarse[0] == 1:
            return None
        found = lattice.Autocorrelation(self.plane)
        return self._try(found, 1, found.upright(8) + found.turned(8) + found.unequal(8))

    @functools.cached_property
    def coarse(self) -> tuple[int, lattice.Autocorrelation]:
        """The factor by which the picture was shrunk, and the autocorrelation of what came out."""
        # a strip is not shrunk away: its short side keeps 16 samples
        factor = coarse_factor(*self.luma.shape)
        return factor, lattice.Autocorrelation(self.plane if factor == 1 else whiten(decimate(self.luma, factor)))

    def _fold(self, p: int, orientations: int = 8) -> Detection | None:
        folded = np.empty((p, p), np.int32)
        kernels.plane_fold(self.plane, folded)
        found = match(tile.analyse(folded), self.carrier, self.tally, orientations)
        return self._answer(found, np.eye(2) * p) if found else None

    def _try(self, source: lattice.Autocorrelation, factor: int, lattices: list[np.ndarray]) -> Detection | None:
        return next(filter(None, (self._on(source.refine(vectors) * factor) for vectors in lattices)), None)

    def _on(self, vectors: np.ndarray, orientations: int = 8) -> Detection | None:
        """What lies on a lattice."""
        found = match(tile.analyse(lattice.fold(self.plane, vectors)), self.carrier, self.tally, orientations)
        return self._answer(found, vectors) if found else None

    def _answer(self, found: Match, vectors: np.ndarray) -> Detection:
        self.found = found, vectors
        return _described(found, vectors)


def coarse_factor(height: int, width: int) -> int:
    """By how much a plane is shrunk before lattices are searched in it; of a strip, 16 samples are left across."""
    return max(1, min(round(max(height, width) / WORKING_SIDE), min(height, width) // 16))


def _described(found: Match, vectors: np.ndarray) -> Detection:
    mirrored = found.orientation >= 4
    first = vectors @ ORIENTATIONS[found.orientation][:, 0] * (-1 if mirrored else 1)  # the tile's x axis
    geometry = {
        "period": round(math.sqrt(abs(np.linalg.det(vectors))), 2),
        "mirrored": mirrored,
        "angle": round(math.degrees(math.atan2(-first[1], first[0])), 2) + 0.0,
        "lattice": [[round(float(value), 3) for value in column] for column in vectors.T],
    }
    if found.others:
        geometry["also"] = [Payload.from_int(word).hex for word in found.others]
    return Detection(True, Payload.from_int(found.word), found.score, found.false_positive_rate, geometry)
