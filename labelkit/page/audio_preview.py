# SPDX-License-Identifier: Apache-2.0
"""Compares two files of one sound for a page: spectrograms on one time axis, and that of their difference.

An audible label makes a file longer. So the programme is first aligned with the labelled file: the label then shows in
the file after, and the difference is the watermark and the loss of encoding alone.
"""

from __future__ import annotations

import io
import math
from collections.abc import Iterable
from dataclasses import dataclass
from typing import TypeAlias

import numpy as np
import numpy.typing as npt

from labelkit import codec
from labelkit.codec.samples import Audio, AudioSamples
from labelkit.errors import LimitExceeded, UnsupportedFormat
from labelkit.page.markup import Media

Float32: TypeAlias = npt.NDArray[np.float32]
Booleans: TypeAlias = npt.NDArray[np.bool_]

AMPLIFIED = 10
FLOOR_DB, TOP_DB = -95, -15  # of a sine at full scale: what is drawn darkest and lightest
MAX_SECONDS = 600  # of sound that is drawn
_SIZE = 1024  # samples of one transform
_WIDTH, _HEIGHT = 1100, 128
_LEVELS = 63  # shades; one more is for columns left empty
_BLOCK = 64  # frames: precision of a cut, well within the pause around a label
_MAX_LABELS = 32  # that are searched for: each costs one pass over the sound
_MIN_SNR_DB = 3.0  # below, the two files do not hold the same programme
# dark to light with even steps of lightness, so that it also reads without colour
_SHADES = np.array([(8, 8, 24), (58, 20, 98), (140, 36, 112), (218, 76, 76), (250, 156, 62), (252, 244, 190)])


@dataclass(frozen=True, slots=True)
class AudioPreview:
    """Two files of one sound, as spectrograms for a page.

    seconds     of the file before, and of the one after
    before      is left empty where `after` has its label, and so is `difference`
    difference  amplified; None where the programme is not found in the file after
    snr_db      programme over difference, outside the labels; inf where nothing changed, nan without difference
    """

    rate: int
    seconds: tuple[float, float]
    before: Media
    after: Media
    difference: Media | None
    snr_db: float
    amplified: int = AMPLIFIED

    @classmethod
    def of(cls, before: bytes, after: bytes, labels: int) -> AudioPreview:
        """Compare the bytes of two files; `labels` is how many audible labels were heard, 0 for none.

        Raises what `codec.decode` raises, UnsupportedFormat for what is no sound, LimitExceeded for a long one.
        """
        first, second = _decoded(before), _decoded(after)
        host, labelled = first.samples, second.samples
        seconds = len(host) / first.rate, len(labelled) / second.rate
        place = None
        if first.rate == second.rate and host.shape[1] == labelled.shape[1]:
            place = _alignment(host, labelled, labels)
        if place is None:
            return cls(first.rate, seconds, spectrogram(host.mean(1)), spectrogram(labelled.mean(1)), None, math.nan)
        aligned, empty = np.zeros_like(labelled), np.ones(len(labelled), bool)
        aligned[place], empty[place] = host, False
        change = np.where(empty[:, None], 0, labelled - aligned)
        return cls(first.rate, seconds, spectrogram(aligned.mean(1), empty), spectrogram(labelled.mean(1)),
                   spectrogram(AMPLIFIED * change.mean(1), empty), _snr(aligned, change))


def _decoded(data: bytes) -> AudioSamples:
    samples = codec.decode(data)
    if not isinstance(samples, Audio) or not samples.frames:
        raise UnsupportedFormat("no sound to draw")
    if samples.frames > MAX_SECONDS * samples.rate:
        raise LimitExceeded("sound of more than {seconds} s is not drawn", seconds=MAX_SECONDS)
    return samples.whole()


def _snr(programme: Float32, change: Float32) -> float:
    power, error = (float(np.square(x, dtype=np.float64).sum()) for x in (programme, change))
    return 10 * math.log10(max(power, 1e-12) / error) if error else math.inf


def _alignment(before: Float32, after: Float32, labels: int) -> npt.NDArray[np.intp] | None:
    """The frame of `after` that holds each frame of `before`; None where they do not match."""
    extra = len(after) - len(before)
    if extra < 0 or labels > _MAX_LABELS:
        return None
    # the user's own recordings are not heard, so without a count the likely ones are tried
    counts: Iterable[int] = (0,) if not extra else (labels,) if labels else (1, 2, 3)
    best, best_snr = None, _MIN_SNR_DB
    for count in counts:
        place = np.arange(len(before))
        for number, cut in enumerate(_cuts(before, after, count), 1):
            place[cut:] = np.arange(cut, len(before)) + number * extra // count
        snr = _snr(before, after[place] - before)
        if snr > best_snr:
            best, best_snr = place, snr
    return best


def _cuts(before: Float32, after: Float32, count: int) -> list[int]:
    """Frames of `before` at which `count` labels of one length stand in `after`, with the least squared error.

    Viterbi's algorithm: the state is how many labels have passed, and it only grows.
    """
    extra, starts = len(after) - len(before), np.arange(0, len(before), _BLOCK)
    costs = []  # [labels passed][block]: squared error of all blocks before it, at that shift
    for number in range(count + 1):
        shift = number * extra // count if count else 0
        error = np.square(after[shift:shift + len(before)] - before).sum(1, dtype=np.float64)
        costs.append(np.concatenate([[0.0], np.cumsum(np.add.reduceat(error, starts))]))
    switches, total = [], costs[0]
    for cost in costs[1:]:
        switches.append(total - cost)
        total = cost + np.minimum.accumulate(total - cost)
    cuts: list[int] = []
    end = len(starts)
    for gain in reversed(switches):
        end = int(gain[:end + 1].argmin())
        cuts.insert(0, min(end * _BLOCK, len(before)))
    return cuts


def spectrogram(mono: Float32, empty: Booleans | None = None) -> Media:
    """A PNG: time to the right, 0 Hz to half the rate upwards, FLOOR_DB to TOP_DB from dark to light.

    empty  bool [frames]: frames whose columns are left transparent
    """
    from PIL import Image

    power = _power(mono.astype(np.float32))
    level = ((10 * np.log10(np.maximum(power, 1e-20)) - FLOOR_DB) / (TOP_DB - FLOOR_DB)).clip(0, 1)
    shades = np.round(level * (_LEVELS - 1)).astype(np.uint8).T[::-1]
    if empty is not None:
        middles = (np.arange(len(power)) + 0.5) * len(empty) / len(power)
        shades[:, empty[middles.astype(int)]] = _LEVELS
    at = np.linspace(0, len(_SHADES) - 1, _LEVELS)
    palette = np.stack([np.interp(at, np.arange(len(_SHADES)), channel) for channel in _SHADES.T], 1)
    picture = Image.fromarray(np.ascontiguousarray(shades), "P")
    picture.putpalette([*np.round(palette).astype(int).ravel().tolist(), 0, 0, 0])
    file = io.BytesIO()
    picture.save(file, "PNG", optimize=True, transparency=_LEVELS)
    return "image/png", file.getvalue()


def _power(mono: Float32) -> Float32:
    """[columns, _HEIGHT]: mean power in time and frequency, 1 for a sine at full scale."""
    padded = np.pad(mono, _SIZE // 2)
    hop = min(_SIZE // 2, max(16, len(mono) // _WIDTH))
    frames = np.lib.stride_tricks.sliding_window_view(padded, _SIZE)[::hop]
    window = np.hanning(_SIZE).astype(np.float32)
    bounds = np.linspace(0, len(frames), min(_WIDTH, len(frames)) + 1).astype(int)
    rows = []
    for start, end in zip(bounds, bounds[1:], strict=False):
        spectrum = np.abs(np.fft.rfft(frames[start:end] * window)[:, :_SIZE // 2]) * (2 / window.sum())
        rows.append(np.square(spectrum).mean(0))
    highest: Float32 = np.array(rows).reshape(len(rows), _HEIGHT, -1).max(2)
    return highest
