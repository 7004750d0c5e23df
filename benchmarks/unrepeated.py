# SPDX-License-Identifier: Apache-2.0
"""A study, not a part of the mark: what energy that does not repeat would keep from who folds one picture.

    python -m benchmarks.unrepeated [--count 24] [--shares 0 0.1 0.2 0.3 0.5]

A share of the mark's energy is moved from the tile into an array: 2,048 bins, with the tile's amplitudes, of a period
three times as long, at frequencies that the tile does not have. In parts of 512 x 512 pixels an array is larger than
the picture, and no fold shows it. Each marked part is attacked as by `removal one`; then the scores of tile and array
are taken, where word, key and place are known; a word needs 12.7.
"""

from __future__ import annotations

import argparse
from pathlib import Path

import numpy as np

from benchmarks import image_attacks, removal
from benchmarks.averaging import SIZE
from benchmarks.fidelity import psnr
from benchmarks.image_robustness import pictures
from labelkit.payload import Payload
from labelkit.watermark.image import gain, margin, matcher, tile
from labelkit.watermark.image.known import known_scores
from labelkit.watermark.image.pixels import luma_of, whiten

TIMES = 3  # periods of the tile to one of the array
ATTACKS = ((0.9, 0.5), (0.9, 1.0), (1.0, 1.6), (1.0, 2.2))  # times the folded tile, strength of the one laid over
NEEDED = 12.7
SHARES = np.sqrt(np.array([tile.SYNC_SHARE, 1 - tile.SYNC_SHARE]))


class Array:
    """The array: where its bins lie, in cycles for TIMES tiles, and their phases and signs.

    x, y    int64 [2048]; radius float64 [2048], in cycles a tile
    phase   complex128 [2048]; signs float32 [2048], those of one word
    """

    def __init__(self, random: np.random.Generator) -> None:
        reach = np.arange(-TIMES * tile.COLUMNS, TIMES * tile.COLUMNS + 1)
        x, y = (axis.ravel() for axis in np.meshgrid(reach, reach))
        own = tile.annulus()[2]
        radius = np.hypot(x, y) / TIMES
        free = ((y > 0) | ((y == 0) & (x > 0))) & ((x % TIMES != 0) | (y % TIMES != 0))
        chosen = random.permutation(np.flatnonzero(free & (radius >= own[0]) & (radius <= own[-1])))[: tile.BINS]
        chosen = chosen[np.argsort(radius[chosen])]
        self.x, self.y, self.radius = x[chosen], y[chosen], radius[chosen]
        self.phase = np.exp(2j * np.pi * random.random(tile.BINS))
        self.signs = random.choice(np.array([-1, 1], np.float32), tile.BINS)

    def score(self, picture: np.ndarray, p: int) -> float:
        """Of the word, in standard deviations, in a picture whose tile has the period p."""
        side = TIMES * p
        padded = np.zeros((-(-SIZE // side) * side,) * 2, np.float32)
        padded[:SIZE, :SIZE] = whiten(luma_of(picture))
        folded = padded.reshape(len(padded) // side, side, -1, side).sum((0, 2))
        bins = np.fft.fft2(folded)[self.y % side, self.x % side].astype(np.complex64)
        aligned = matcher.limited(bins[None])[0] * self.phase.conj().astype(np.complex64)
        return float(np.array(matcher.scores(aligned, self.signs)) @ SHARES)


def field(x: np.ndarray, y: np.ndarray, bins: np.ndarray, side: int) -> np.ndarray:
    """float64 [SIZE, SIZE]: the plane of period `side` that has these bins."""
    spectrum = np.zeros((side, side), complex)
    spectrum[y % side, x % side] = bins
    spectrum[-y % side, -x % side] = bins.conj()
    plane = np.fft.ifft2(spectrum).real * side**2
    return np.tile(plane, (-(-SIZE // side),) * 2)[:SIZE, :SIZE]


def marked(host: np.ndarray, payload: Payload, array: Array, share: float) -> np.ndarray:
    """A host uint8 [SIZE, SIZE, 3] marked at "everyday", with a share of the energy in the array."""
    activity, p = gain.activity(host), tile.period(SIZE, SIZE)
    grid, flat_gain = gain.adapted(host, activity)
    spent = margin.spending(host, activity, grid, flat_gain, p)
    kx, ky, radius = tile.annulus()
    own = tile.placed_phases(removal.KEY, int(payload)) * (
        SHARES[0] + 1j * SHARES[1] * tile.keyed_bins(removal.KEY).signs(int(payload)))
    other = array.phase * (SHARES[0] + 1j * SHARES[1] * array.signs)
    change = np.zeros((SIZE, SIZE))
    local = np.kron(grid, np.ones((8, 8)))[:SIZE, :SIZE] / tile.GAIN_UNIT
    flat, textured = tile.plane_amplitudes(p, flat_gain)
    for amplitudes, gains in ((flat / tile.FLAT_UNIT, 1.0), (textured / tile.PATTERN_UNIT, local)):
        there = np.interp(array.radius, radius, amplitudes)
        change += gains * (np.sqrt(1 - share) * field(kx, ky, own * amplitudes, p)
                           + np.sqrt(share) * field(array.x, array.y, other * there, TIMES * p))
    return np.clip(np.rint(host + spent.amplitude * change[..., None]), 0, 255).astype(np.uint8)


def scores(picture: np.ndarray, payload: Payload, array: Array) -> tuple[float, float]:
    """Of tile and array."""
    return (float(np.array(known_scores(picture, payload, removal.KEY)) @ SHARES),
            array.score(picture, tile.period(SIZE, SIZE)))


def study(share: float, hosts: list[np.ndarray], count: int) -> None:
    """Mark `count` parts of the hosts, attack them, and print a line for each attack."""
    random, array = np.random.default_rng(3), Array(np.random.default_rng(1))
    rows: dict[str, list[tuple[float, float, float]]] = {}
    for number in range(count):
        host = hosts[number % len(hosts)]
        y, x = (int(random.integers(0, side - SIZE + 1)) for side in host.shape[:2])
        payload = Payload(1, 12345, int(random.integers(1 << 35)))
        picture = marked(host[y : y + SIZE, x : x + SIZE], payload, array, share)
        way = removal.Embedding.of(picture, "everyday")
        folded = removal.own_tile(picture, way, removal.PROBE)
        attacked = {"nothing": picture, **{name: image_attacks.apply(name, picture) for name in ("jpeg_30", "webp_50")}}
        for times, over in ATTACKS:
            attacked[f"{times:g} of the fold, another at {over:g}"] = way.add(
                way.add(picture, -times * folded), over * removal.PROBE)
        for name, result in attacked.items():
            cost = psnr(picture, result) if name != "nothing" else np.inf
            rows.setdefault(name, []).append((cost, *scores(result, payload, array)))
    for name, row in rows.items():
        cost, own, other = np.array(row).T
        readable = [f"{np.median(score):.1f}, {np.sum(score >= NEEDED)} of {count}" for score in (own, other)]
        print(f"{share:g} in the array, {name}: {cost.mean():.1f} dB; score, and readable ones: tile {readable[0]}; "
              f"array {readable[1]}", flush=True)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--pictures", type=Path, default=Path(__file__).parent.parent / "samples")
    parser.add_argument("--count", type=int, default=24)
    parser.add_argument("--shares", type=float, nargs="+", default=[0, 0.1, 0.2, 0.3, 0.5])
    options = parser.parse_args()
    hosts = [host for _, host in pictures(options.pictures, 0) if min(host.shape[:2]) >= SIZE]
    for share in options.shares:
        study(share, hosts, options.count)


if __name__ == "__main__":
    main()
