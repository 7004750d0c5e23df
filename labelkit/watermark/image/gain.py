# SPDX-License-Identifier: Apache-2.0
"""The gain grid: how strongly each cell of 8 x 8 pixels of a picture is marked.

`kernels.image_gain` measures the activity of a cell, uint8 with 64 for a gain of 1.0. Two rules then change the grid
to suit the whole picture: flat ground gets less where textured cells carry the mark, and the most textured cells are
raised or lowered until the picture keeps the PSNR that is promised.
"""

from __future__ import annotations

import functools

import numpy as np
import numpy.typing as npt

from labelkit import kernels
from labelkit.errors import HostTooSmall
from labelkit.watermark.image import tile

BASE_GAIN = round(tile.HIGH_RMS * tile.GAIN_UNIT)  # of a flat cell
# swept 2026-11-28, tables in benchmarks/TUNING.md: GAIN_SLOPE, GAIN_TOP, SMOOTH_GAIN, MSE_BUDGET, MIN_TEXTURED_CELLS,
# RELIABLE_CELLS
GAIN_SLOPE = 144  # how fast the gain rises with the activity; see lk_image_gain in native/lk.h
GAIN_TOP = 115  # where it stops rising
RELIABLE_CELLS = 2304  # textured ones; a picture of fewer is read back before it is returned
_MIN_TEXTURED_CELLS = 64  # a codec deletes the mark from all other cells
_MIN_TOP, _MAX_TOP = 60, 150  # the top is lowered or raised between these to meet the PSNR budget
_MSE_BUDGET = 3.9  # grey levels squared: PSNR 42.2 dB
_SMOOTH_GAIN = 50  # cells below it are smooth: codecs take most of the high band from them, and grain is visible there
_STRONG_GAIN = 80  # cells above it hold strong edges
_FLAT_GAINS = (0.8, 0.7, 0.6, 0.55)  # shares of the gain that flat ground can get


def activity(host: npt.NDArray[np.uint8]) -> npt.NDArray[np.uint8]:
    """uint8 [ceil(height / 8), ceil(width / 8)]: the gain that the activity of each cell of a picture asks for."""
    gain = np.empty((-(-host.shape[0] // 8), -(-host.shape[1] // 8)), np.uint8)
    kernels.image_gain(host, gain, BASE_GAIN, GAIN_SLOPE, GAIN_TOP)
    return gain


def count_textured(host: npt.NDArray[np.uint8], gain: npt.NDArray[np.uint8]) -> int:
    """How many cells hold any detail.

    host  uint8 [height, width, channels]
    gain  its `activity`
    Raises HostTooSmall where they are too few to carry a mark.
    """
    textured = int(np.count_nonzero(gain > BASE_GAIN))
    if textured < _MIN_TEXTURED_CELLS:  # a slow gradient is not flat either
        height, width = (side // 8 * 8 for side in host.shape[:2])
        cells = host[:height, :width, 0].reshape(height // 8, 8, width // 8, 8)
        textured = int(np.count_nonzero(np.ptp(cells, axis=(1, 3))))
    if textured < _MIN_TEXTURED_CELLS:
        raise HostTooSmall("the picture is flat: {busy} of its {cells} cells of 8 x 8 pixels hold any detail, and the "
                           "watermark needs {least}", busy=textured, cells=gain.size, least=_MIN_TEXTURED_CELLS,
                           hint="set required=False to label it without a watermark")
    return textured


def is_page(gain: npt.NDArray[np.uint8]) -> bool:
    """Whether a picture of this `activity` is flat but for strong edges, as a page of text is. Of a large tile on flat
    ground JPEG 50 leaves nothing."""
    flat, strong = int(np.count_nonzero(gain == BASE_GAIN)), int(np.count_nonzero(gain > _STRONG_GAIN))
    return 3 * flat >= gain.size and 10 * strong >= gain.size


def adapted(host: npt.NDArray[np.uint8], gain: npt.NDArray[np.uint8]) -> tuple[npt.NDArray[np.uint8], float]:
    """The grid as the whole picture allows, and the share of the gain that flat ground gets.

    host  uint8 [height, width, channels]
    gain  its `activity`
    """
    counts = np.bincount(gain.ravel(), minlength=256)
    level = _flat_gain_index(counts)
    return _within_psnr_budget(host, gain, counts, level), _FLAT_GAINS[level]


def _flat_gain_index(counts: npt.NDArray[np.intp]) -> int:
    """Which of _FLAT_GAINS suits a picture with so many cells of each gain, int [256].

    Grain is visible in smooth ground of photographs. Where enough textured cells carry the mark it is not needed there;
    where nearly all is smooth, or flat as in drawings, that ground is all that a codec leaves.
    """
    flat, faint, rest = np.add.reduceat(counts, (0, BASE_GAIN + 1, _SMOOTH_GAIN)).tolist()
    smooth = flat + faint
    cells = smooth + rest
    rich = _unit_clip((cells - smooth + 0.15 * cells - 2000) / 3000)
    visible = _unit_clip((smooth / cells - 0.2) / 0.3)
    drawn = _unit_clip((flat / cells - 0.25) / 0.2) * _unit_clip((40000 - cells) / 20000)
    return round(rich * visible * (1 - drawn) * (len(_FLAT_GAINS) - 1))


def _unit_clip(value: float) -> float:
    return min(1.0, max(0.0, value))


def _within_psnr_budget(host: npt.NDArray[np.uint8], gain: npt.NDArray[np.uint8], counts: npt.NDArray[np.intp],
                        level: int) -> npt.NDArray[np.uint8]:
    """The grid with its most textured cells raised or lowered until the error is what PSNR 42 dB allows.

    Few pictures are textured everywhere. In pages of text the textured cells are the only ones that keep the mark when
    a change of contrast saturates the paper, and they hide it best.
    """
    sample = host[::8, ::8, 0]
    shifted = np.count_nonzero(sample == 255) / sample.size  # these are lowered by one for headroom
    tables, table_errors = _gain_tables(level)
    errors = table_errors @ counts / gain.size + shifted
    affordable = int(np.searchsorted(errors, _MSE_BUDGET)) - 1  # errors ascend with the top
    table: npt.NDArray[np.uint8] = tables[max(affordable, 0)]
    return table[gain]


@functools.cache
def _gain_tables(level: int) -> tuple[npt.NDArray[np.uint8], npt.NDArray[np.float64]]:
    """Gains by gain for each top, ascending: uint8 [tops, 256]; and the mean squared error of each, float64.

    level  index into _FLAT_GAINS
    """
    gain, knee, share = np.arange(256), 0.75 * GAIN_TOP, _FLAT_GAINS[level]
    eased = np.interp(gain, [0, BASE_GAIN, knee, 255], [0, BASE_GAIN * share, knee, 255])
    tables = [np.minimum(eased, top) if top <= GAIN_TOP else np.interp(eased, [0, knee, GAIN_TOP], [0, knee, top])
              for top in range(_MIN_TOP, _MAX_TOP + 1)]
    high = np.rint(tables) / tile.GAIN_UNIT
    low = tile.STILL.low_rms * share - tile.STILL.low_yield * (high - tile.HIGH_RMS)
    return np.rint(tables).astype(np.uint8), high**2 + low**2 + 1 / 12
