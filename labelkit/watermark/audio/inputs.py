# SPDX-License-Identifier: Apache-2.0
"""Checks of what callers pass in: sampling rates, channels and sample formats."""

from __future__ import annotations

from typing import TypeAlias

import numpy as np
import numpy.typing as npt

from labelkit.codec.samples import MAX_SAMPLE_RATE, MIN_SAMPLE_RATE
from labelkit.errors import InvalidArgument

Float32: TypeAlias = npt.NDArray[np.float32]
Float64: TypeAlias = npt.NDArray[np.float64]
Samples: TypeAlias = npt.NDArray[np.float32 | np.int16]

_INT16_STEP = 1 / 32768
MAX_CHANNELS = 64
MAX_AMPLITUDE = 1e4  # of a float sample: 80 dB over full scale; powers stay far inside float32


def check_rate(rate: int) -> int:
    """The rate in Hz; raises InvalidArgument for a rate that is not supported."""
    if isinstance(rate, bool) or not isinstance(rate, int | np.integer) or not (
            MIN_SAMPLE_RATE <= rate <= MAX_SAMPLE_RATE):
        raise InvalidArgument("sampling rate must be an integer from {low} to {high} Hz, got {got}",
                              low=MIN_SAMPLE_RATE, high=MAX_SAMPLE_RATE, got=repr(rate))
    return int(rate)


def check_channels(channels: int) -> int:
    """The number of channels; raises InvalidArgument for too many or none."""
    if isinstance(channels, bool) or not isinstance(channels, int) or not 1 <= channels <= MAX_CHANNELS:
        raise InvalidArgument("channels must be 1 to {most}, got {got}", most=MAX_CHANNELS, got=repr(channels))
    return channels


def channels_of(samples: object) -> int:
    """The number of channels of an array of samples; raises InvalidArgument for what is no such array."""
    if not isinstance(samples, np.ndarray) or samples.dtype not in (np.float32, np.int16) or samples.ndim not in (1, 2):
        got = f"{samples.dtype} {list(samples.shape)}" if isinstance(samples, np.ndarray) else type(samples).__name__
        raise InvalidArgument("samples must be float32 or int16, [frames] or [frames, channels], got {got}", got=got)
    return check_channels(samples.shape[1] if samples.ndim == 2 else 1)


def by_channel(samples: Samples, channels: int) -> Float32:
    """Samples as float32 [channels, frames], full scale +-1.

    Raises InvalidArgument for another number of channels, and for values that are not finite or too large.
    """
    if channels_of(samples) != channels:
        raise InvalidArgument("a chunk of {wanted} channels was expected, got {got}", wanted=channels,
                              got=channels_of(samples))
    rows = np.ascontiguousarray(samples.reshape(len(samples), channels).T, np.float32)
    if samples.dtype == np.int16:
        rows *= np.float32(_INT16_STEP)
    elif rows.size and not max(rows.max(), -rows.min()) <= MAX_AMPLITUDE:  # written so that NaN fails too
        raise InvalidArgument("samples hold values that are not numbers or above {largest:g}", largest=MAX_AMPLITUDE)
    return rows


def mean_of(samples: Samples) -> Float32:
    """The mean of the channels of samples, float32 [frames], full scale +-1."""
    rows = samples.T if samples.ndim == 2 else samples[None]
    step = np.float32(_INT16_STEP if samples.dtype == np.int16 else 1)
    mean: Float32 = np.multiply(rows[0], step, dtype=np.float32)
    if len(rows) > 1:
        with np.errstate(over="ignore", invalid="ignore"):  # values that are refused later
            for row in rows[1:]:
                mean += row * step
        mean /= np.float32(len(rows))
    return mean


def views_of(samples: Samples) -> list[Float32]:
    """What the detector listens to, float32 [frames] each, full scale +-1: the mean of the channels, and the first."""
    mean = mean_of(samples)
    return [mean] if channels_of(samples) == 1 else [mean, mean_of(samples[:, 0])]
