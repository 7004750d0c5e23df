# SPDX-License-Identifier: Apache-2.0
"""What a kernel is called with: the protocol that the compiled module and the NumPy twins both satisfy.

native/lk.h holds the full contract of each kernel under the name `lk_<kernel>`; native/binding/ checks the buffers and
calls it. Arrays are C-contiguous and aligned, but for rows of pixels, which may lie apart. Arguments are positional.
What a kernel writes shares no memory with its other arguments. Each raises ValueError for what breaks its contract.
"""

from __future__ import annotations

from typing import Protocol, TypeAlias

import numpy as np
import numpy.typing as npt

Int8: TypeAlias = npt.NDArray[np.int8]
UInt8: TypeAlias = npt.NDArray[np.uint8]
Int16: TypeAlias = npt.NDArray[np.int16]
UInt16: TypeAlias = npt.NDArray[np.uint16]
Int32: TypeAlias = npt.NDArray[np.int32]
UInt32: TypeAlias = npt.NDArray[np.uint32]
Int64: TypeAlias = npt.NDArray[np.int64]
Float32: TypeAlias = npt.NDArray[np.float32]
Float64: TypeAlias = npt.NDArray[np.float64]
Sound: TypeAlias = npt.NDArray[np.float32 | np.int16]


class Kernels(Protocol):
    """All kernels. `scratch` is memory to work in, of the size that native/lk.h states; the twins leave it alone."""

    def polar_scratch(self, n: int, paths: int, /) -> int:
        """Bytes of scratch that `polar_decode` wants for a code of n bits."""

    def polar_decode(self, soft: Int32, frozen: UInt8, paths: int, scratch: UInt8, bits: UInt8, metric: Int64,
                     /) -> None:
        """List decoding of a polar code: `bits` [paths, k] and `metric` [paths] from `soft` and `frozen` [n]."""

    def code_distance(self, words: Int64, table: Int64, hard: Int64, mask: Int64, distance: UInt16, /) -> None:
        """`distance` [observations, count]: the bits of the code words of `words` [count] that differ from `hard`."""

    def image_gain(self, pixels: UInt8, gain: UInt8, base: int, slope: int, top: int, /) -> None:
        """Local `gain` [ceil(height / 8), ceil(width / 8)] of `pixels` [height, width, channels]."""

    def film_gain(self, luma: UInt8, level: UInt16, ease: UInt8, gain: UInt8, base: int, slope: int, top: int,
                  /) -> None:
        """Local `gain` of a film's frame `luma` [height, width, 1], from and into the `level` of its cells."""

    def image_embed(self, pixels: UInt8, out: UInt8, gain: UInt8, flat: Int16, textured: Int8, fades: bool,
                    scratch: Int16, /) -> None:
        """`out`, which may be `pixels` [height, width, channels]: the picture with a tile [p, p * channels] added."""

    def tile_make(self, columns: Float32, low: int, waves: Float32, flat: Int16, textured: Int8, /) -> None:
        """The tile `flat` and `textured` [p, p * channels] from the `columns` [2, p, count, 2] of its spectra."""

    def tile_place(self, both: Int32, rows: UInt32, columns: UInt32, channels: int, flat: Int16, textured: Int8,
                   /) -> None:
        """The samples `rows` and `columns` of a tile `both` [side, side], flat * 256 + textured, at the beginning of
        the rows of `flat` and `textured`."""

    def camera_grid(self, brightness: UInt16, times: int, scale: float, plain: float, scratch: Float32, grid: Float32,
                    facts: Float64, /) -> None:
        """`grid`: the cells of a frame, joined `times` both ways and smoothed; `facts` [2]: their contrast, and the
        share of them that is plain."""

    def camera_fit(self, now: Float32, first: Float32, start: Float64, steps: int, zooms: bool, settled: float,
                   scratch: Float32, found: Float64, /) -> None:
        """`found` [4]: the zoom and the shift that take the grid `now` to an earlier one, and the error that they
        leave, -1 where there are none."""

    def margin_sample(self, pixels: UInt8, y: UInt32, x: UInt32, activity: UInt8, gain: UInt8, base: int, bright: int,
                      waves: Int32, patterns: Float32, cells: Float32, /) -> None:
        """`cells` [33, stride]: what the measure of a picture's need takes of its cells in rows `y` and columns `x`."""

    def margin_score(self, cells: Float32, crops: UInt8, levels: Float64, steps: Float32, kept: Float64,
                     passed: Float64, scale: float, scores: Float64, /) -> None:
        """`scores` [2, 8, count]: what a detector would score at each of the `levels` after each of eight changes."""

    def floats_quantise(self, pixels: Float32, out: UInt8, outside: Int64, /) -> None:
        """`out`: `pixels` [height, width, channels] from 0 to 1, of any strides forwards, as 8 bits; and how many of
        them are `outside` [1] of that."""

    def floats_expand(self, pixels: UInt8, out: Float32, /) -> None:
        """`out`, of any strides forwards: `pixels` [height, width, channels] as floats from 0 to 1."""

    def image_colours(self, pixels: UInt8, out: UInt8, /) -> None:
        """`out` [height, width, 3]: the first three of the four channels of `pixels` [height, width, 4]."""

    def image_spread(self, pixels: UInt8, out: UInt8, /) -> None:
        """`out` [height, width, 4]: `pixels` [height, width, 3], and 255 as the fourth channel."""

    def image_luma(self, pixels: UInt8, luma: UInt8, /) -> None:
        """`luma` [height, width] of `pixels` [height, width, channels], as ITU-R BT.601 weighs them."""

    def plane_whiten(self, luma: UInt8, out: Int8, scratch: Int32, noise: int, /) -> None:
        """`out` [height, width]: `luma` without its slow parts, weighted by the inverse of its local energy."""

    def plane_fold(self, plane: Int8, out: Int32, /) -> None:
        """`out` [p, p]: the sum of `plane` [height, width] over period p, both ways."""

    def plane_fold_lattice(self, plane: Int8, origin: UInt32, step: UInt32, out: Int32, /) -> None:
        """`out` [256, 256]: the sum of `plane` [height, width] over the cells of any lattice."""

    def lattice_score(self, r: Float32, height: int, width: int, vectors: Float32, score: Float32, /) -> None:
        """`score` [count]: how much of an autocorrelation `r` [n, n] lies on each lattice of `vectors` [count, 4]."""

    def pattern_score(self, spectrum: Float32, waves: Int32, pattern: Float32, roots: Float32, steps: Float32,
                      scratch: Float32, score: Float32, /) -> None:
        """`score` [count]: the highest projection of a half spectrum [n, n / 2, 2], read at `waves` [bins, 2] on each
        lattice of `steps` [count, 4], on `pattern` [bins, 2], at any of 128 x 128 shifts; `roots` [1024, 2]."""

    def plane_resample(self, plane: UInt8, left: float, top: float, right: float, bottom: float, out: UInt8,
                       scratch: UInt32, /) -> None:
        """`out`: a box of `plane` [height, width], in fractional samples, at another scale."""

    def plane_match(self, plane: UInt8, pattern: UInt8, least: int, scratch: Int64, place: Int64, score: Float32,
                    /) -> None:
        """`place` and `score` [2] of the highest and lowest correlation of `pattern` [h, w] with `plane` [H, W]."""

    def jpeg_scan(self, pixels: UInt8, across: int, down: int, quantisers: UInt16, codes: UInt32, out: UInt8,
                  size: Int64, /) -> None:
        """`out`, its first `size` [1] bytes: the entropy-coded segment of a baseline JPEG of `pixels`. 0 bytes where
        there may be too little room. `quantisers` [2, 64] and Huffman `codes` [2, 272] are of luma and of the others,
        which are subsampled by `across` and `down`."""

    def jpeg_marker(self, data: UInt8 | bytes | memoryview, wanted: UInt8 | bytes, start: int, place: Int64, /) -> None:
        """`place` [1]: where in the coded `data` of a JPEG, from `start` on, the next marker begins whose second byte
        is `wanted` [256]; the size of the data where none does."""

    def audio_mark_scratch(self, channels: int, /) -> int:
        """Floats of scratch that `audio_mark` wants."""

    def audio_mark(self, x: Float32, channels: int, frames: int, roots: Float32, window: Float32, edges: UInt16,
                   signs: Int8, phase: int, depths: Float32, heard: Float32, scratch: Float32, out: Float32,
                   /) -> None:
        """Add to `out` what makes the bands of `x` [channels, samples] follow the `signs` [period, bands]."""

    def audio_shield(self, host: Float32, difference: Float32, ratio: float, roots: Float32, window: Float32,
                     scratch: Float32, out: Float32, /) -> None:
        """Add to `out` the `difference`, lowered in the bins where it is louder than `ratio` of its `host`."""

    def audio_limit(self, host: Float32, difference: Float32, ratio: float, scratch: Float32, out: Float32,
                    /) -> None:
        """`out` [n]: the `difference` [n + 64], lowered in time where it is louder than `ratio` of its `host`."""

    def audio_resample(self, x: Float32, bank: Float32, phases: int, up: int, down: int, position: int, y: Float32,
                       /) -> None:
        """`y`: samples at (position + j * down) / up of `x`, through the filters `bank` [phases, taps]."""

    def audio_stream_state(self, channels: int, room: int, far_room: int, /) -> int:
        """Floats of what `audio_stream` keeps between two calls."""

    def audio_stream_scratch(self, channels: int, /) -> int:
        """Floats of scratch that `audio_stream` wants."""

    def audio_stream_form(self, channels: int, room: int, far_room: int, up: int, down: int, down_bank: Float32,
                          up_bank: Float32, roots: Float32, window: Float32, brief: Float32, edges: UInt16, signs: Int8,
                          depths: Float32, limits: Float32, adds: bool, counts: Int64, state: Float32,
                          scratch: Float32, /) -> object:
        """What the calls of one stream have in common, for `audio_stream`; the arrays stay its own. It reads `depths`
        and `limits` at each call, and keeps in `counts` [10] and `state` what the next one needs."""

    def audio_stream(self, form: object, chunk: Sound, most: int, whole: bool, out: Sound, /) -> int:
        """`out`: what is ready of a stream that goes on with `chunk`, marked (the form's `adds`), or its difference.
        Returns how many frames that are, -1 where nothing was taken in; how much of both, in the form's `counts`."""

    def audio_loudness(self, x: Float32, channels: int, hop: int, filters: Float64, fade: Float64, step: Float64,
                       state: Float64, scratch: Float64, energy: Float64, /) -> None:
        """`energy` [hops, channels]: sums of squares of `x` [hops, hop, channels] after the `filters` [7] of BS.1770,
        whose `state` [channels, 4] is carried."""

    def audio_spectrum(self, x: Float32, frames: int, hop: int, roots: Float32, window: Float32, low: int, high: int,
                       scratch: Float32, out: Float32, /) -> None:
        """`out` [frames, high - low + 1]: running sums of log2 power over the bins of each frame of `x`."""

    def audio_chips(self, spectrum: Float32, frames: int, index: UInt16, part: Float32, width: Float32,
                    floors: Float32, weights: Float32, pace: float, rows: int, scratch: Float32, out: Float32,
                    /) -> None:
        """`out` [rows, bands / 2 - 1]: the value of every chip at every start."""

    def audio_rows(self, chips: Float32, signs: Float32, length: int, hit: Float32, variance: Float32, /) -> None:
        """`hit` and `variance` [rows / length, 16 * length] of `chips` [rows, pairs] against `signs` [pairs, 16]."""


class Compiled(Kernels, Protocol):
    """The module `labelkit._native`: the kernels, and the instruction sets that they are compiled for."""

    def isa(self) -> str:
        """The instruction set in use, the fastest that the processor has until `use_isa` is called."""

    def isas(self) -> list[str]:
        """All that this build and this processor have, slowest first."""

    def use_isa(self, name: str, /) -> None:
        """Switch to one of `isas()`, for tests and benchmarks; not while kernels run."""


NAMES = tuple(name for name in vars(Kernels) if not name.startswith("_"))
"""The names of the kernels."""
