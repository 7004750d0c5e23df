# SPDX-License-Identifier: Apache-2.0
"""How far must a picture be spoiled before its mark is not read, by strangers who know the method but not the key?

    python -m benchmarks.removal common [--count 200] [--robustness everyday] [--effort normal] [--then NAME]
    python -m benchmarks.removal both   [...]
    python -m benchmarks.removal one    [...]

`common`: many pictures of one private key. Each is whitened and folded at its period, which is public; the folded
tiles are aligned by correlation and averaged. What remains is what all of them have in common, the synchronisation
pattern. It is subtracted where it lies in each of fifty pictures, with the gains that the embedder gives their cells.

`both`: the pattern from many pictures says on which axis each bin of one picture's folded tile holds its coded bit. The
pattern and what lies on that axis are subtracted.

`one`: one picture. It is folded, and the folded tile is subtracted with these gains; then the tile of another key may
be laid over.

The tables give PSNR between the marked and the attacked pictures, and how many are still read.
"""

from __future__ import annotations

import argparse
import math
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from benchmarks import image_attacks
from benchmarks.averaging import marked_parts
from benchmarks.fidelity import psnr
from labelkit.key import Key
from labelkit.payload import Payload
from labelkit.watermark import image
from labelkit.watermark.image import gain, margin, matcher, search, tile
from labelkit.watermark.image.pixels import NOISE, luma_of, whiten

KEY = Key(b"the private key of a producer")
ROUNDS = 4  # of aligning with the average and averaging again
PROBE = tile.placed_phases(Key(b"the key of somebody else"), 7)
SYNC_AMPLITUDE = tile.SYNC_SHARE**0.5


@dataclass(frozen=True)
class Embedding:
    """What the embedder spends on a picture, as anybody can compute it from the marked one."""

    p: int
    strength: float
    grid: np.ndarray
    flat_gain: float
    fades: bool

    @classmethod
    def of(cls, picture: np.ndarray, robustness: str) -> Embedding:
        """uint8 [height, width, 3]."""
        activity, p = gain.activity(picture), tile.period(picture.shape[1], picture.shape[0])
        grid, flat_gain = gain.adapted(picture, activity)
        if robustness == "hard":
            return cls(p, 1.0, grid, flat_gain, False)
        spent = margin.spending(picture, activity, grid, flat_gain, p)
        grid = grid if spent.on_flat else grid * (activity != gain.BASE_GAIN)
        return cls(p, spent.amplitude, grid, flat_gain, not spent.on_flat)

    def add(self, picture: np.ndarray, bins: np.ndarray) -> np.ndarray:
        """The picture with a tile of complex bins [2048] added, each in units of the embedder's amplitude there."""
        planes = tile.planes(bins * np.float32(self.strength), self.p, picture.shape[2], self.flat_gain)
        out = np.empty_like(picture)
        tile.add(picture, out, self.grid, *planes, fades=self.fades)
        return out


def folded(picture: np.ndarray, p: int) -> np.ndarray:
    """complex64 [2048]: the bins of a picture's folded tile, in noise deviations."""
    return matcher.limited_bins(tile.analyse(search.fold(whiten(luma_of(picture), NOISE), p)), 1)[0]


def moved(bins: np.ndarray, shift: np.ndarray) -> np.ndarray:
    """Bins [2048] with a shift (y, x) in samples of the grid taken out."""
    kx, ky, _ = tile.annulus()
    return (bins * np.exp(2j * np.pi / tile.GRID * (shift[0] * ky + shift[1] * kx))).astype(np.complex64)


def shift_to(reference: np.ndarray, bins: np.ndarray) -> np.ndarray:
    """float [2]: the shift to take out of `bins` that suits the reference best, to a quarter of a sample."""
    product = (bins * reference.conj()).astype(np.complex64)
    peak = np.array(np.unravel_index(int(np.argmax(matcher.correlate(product[None])[0])), (tile.GRID,) * 2), float)
    for step in (0.5, 0.25, 0.125):
        trials = [peak + step * np.array((y, x)) for y in (-1, 0, 1) for x in (-1, 0, 1)]
        peak = max(trials, key=lambda one: float(moved(product, one).real.sum()))
    return peak


def common_part(tiles: list[np.ndarray]) -> np.ndarray:
    """complex [2048] of magnitude up to 1: what folded tiles have in common when they are aligned."""
    first = tiles[: min(24, len(tiles))]
    peaks = [[float(matcher.correlate((one * other.conj())[None]).max()) for other in first] for one in first]
    reference = first[int(np.argmax(np.sort(peaks, axis=1)[:, :-1].sum(1)))]
    for _ in range(ROUNDS):
        aligned = np.array([moved(one, shift_to(reference, one)) for one in tiles])
        reference = aligned.mean(0)
    noise = (np.abs(aligned - reference) ** 2).mean(0) / len(tiles)
    energy = np.abs(reference) ** 2
    return reference / np.sqrt(energy) * energy / (energy + noise)


def _show(name: str, attacked: list[tuple[np.ndarray, np.ndarray, Payload]], options: argparse.Namespace) -> None:
    read = [image.detect(image_attacks.apply(options.then, spoiled), KEY, effort=options.effort).payload == payload
            for _, spoiled, payload in attacked]
    cost = np.mean([psnr(picture, spoiled) for picture, spoiled, _ in attacked])
    print(f"{name}: {cost:.1f} dB, {sum(read)} of {len(read)} still read", flush=True)


def common(marked: list[tuple[np.ndarray, Payload]], options: argparse.Namespace) -> None:
    """Fold, align, average, subtract; for `both` also what each picture's own tile has on the axis of its bits."""
    ways = [Embedding.of(picture, options.robustness) for picture, _ in marked]
    tiles = [folded(picture, way.p) for (picture, _), way in zip(marked, ways, strict=True)]
    pattern = common_part(tiles)
    truth = tile.keyed_bins(KEY).phase
    likeness = matcher.correlate((pattern * truth.conj()).astype(np.complex64)[None]).max() / math.sqrt(2 * tile.BINS)
    print(f"average of {len(tiles)} aligned tiles: correlation {likeness:.2f} with the synchronisation pattern")
    victims = []
    for (picture, payload), way, bins in list(zip(marked, ways, tiles, strict=True))[: options.victims]:
        placed = moved(pattern, -shift_to(pattern, bins))
        found = SYNC_AMPLITUDE * placed
        if options.attack == "both":
            axis = placed / np.abs(placed)
            found = found + 1j * axis * (own_tile(picture, way, PROBE) * axis.conj()).imag
        victims.append((picture, payload, way, found))
    for amount in options.amounts or (0.25, 0.5, 0.75, 1, 1.25, 1.5, 2, 3, 4, 6):
        attacked = [(picture, way.add(picture, -amount * found), payload) for picture, payload, way, found in victims]
        _show(f"{amount:g} times the pattern", attacked, options)


def one(marked: list[tuple[np.ndarray, Payload]], options: argparse.Namespace) -> None:
    """Fold one picture, subtract, lay another tile over."""
    victims = []
    for picture, payload in marked[: options.victims]:
        way = Embedding.of(picture, options.robustness)
        victims.append((picture, payload, way, own_tile(picture, way, PROBE)))
    for over in (0.0, 0.5, 1.0):
        for amount in options.amounts or (0.5, 0.75, 1, 1.25, 1.5):
            attacked = [(picture, way.add(way.add(picture, -amount * bins), over * PROBE), payload)
                        for picture, payload, way, bins in victims]
            _show(f"{amount:g} times the folded tile, another at {over:g}", attacked, options)


def own_tile(picture: np.ndarray, way: Embedding, probe: np.ndarray) -> np.ndarray:
    """complex [2048]: the tile of a picture in units of the embedder's amplitudes; what fold and whitening make of
    these is measured, ring by ring, with a probe that is added."""
    def raw(pixels: np.ndarray) -> np.ndarray:
        kx, ky, _ = tile.annulus()
        spectrum = tile.analyse(search.fold(whiten(luma_of(pixels)), way.p))
        return np.where(kx >= 0, spectrum[ky % way.p, np.abs(kx)], spectrum[-ky % way.p, np.abs(kx)].conj())
    plain = raw(picture)
    rings = ((raw(way.add(picture, probe)) - plain) * probe.conj()).real.reshape(tile.RINGS, -1).mean(1)
    return plain / np.repeat(np.maximum(rings, 1e-6), tile.BINS // tile.RINGS)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("attack", choices=["common", "both", "one"])
    parser.add_argument("--pictures", type=Path, default=Path(__file__).parent.parent / "samples")
    parser.add_argument("--count", type=int, default=200)
    parser.add_argument("--victims", type=int, default=50)
    parser.add_argument("--amounts", type=float, nargs="*")
    parser.add_argument("--robustness", default="everyday")
    parser.add_argument("--effort", default="normal")
    parser.add_argument("--then", default="none", help="one of image_attacks that comes after it")
    options = parser.parse_args()
    count = options.victims if options.attack == "one" else options.count
    marked = marked_parts(options.pictures, count, KEY, options.robustness)
    (one if options.attack == "one" else common)(marked, options)


if __name__ == "__main__":
    main()
