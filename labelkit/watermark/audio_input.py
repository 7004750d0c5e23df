# SPDX-License-Identifier: Apache-2.0
"""What the audio carrier takes: sampling rates, channels and sample formats, checked in one place."""

from __future__ import annotations

import numpy as np

from labelkit.errors import InvalidArgument

MIN_RATE, MAX_RATE = 8_000, 192_000  # Hz
MAX_CHANNELS = 64
LARGEST = 1e4  # of a float sample: 80 dB over full scale; powers stay far inside float32


def check_rate(rate: int) -> int:
    """The rate in Hz, or InvalidArgument."""
    if isinstance(rate, bool) or not isinstance(rate, int | np.integer) or not MIN_RATE <= rate <= MAX_RATE:
        raise InvalidArgument("sampling rate must be an integer from {low} to {high} Hz, got {got}", low=MIN_RATE,
                              high=MAX_RATE, got=repr(rate))
    return int(rate)


def check_channels(channels: int) -> int:
    """The number of channels, or InvalidArgument."""
    if isinstance(channels, bool) or not isinstance(channels, int) or not 1 <= channels <= MAX_CHANNELS:
        raise InvalidArgument("channels must be 1 to {most}, got {got}", most=MAX_CHANNELS, got=repr(channels))
    return channels


def channels_of(samples: np.ndarray) -> int:
    """How many channels an array of samples has, or InvalidArgument."""
    if not isinstance(samples, np.ndarray) or samples.dtype not in (np.float32, np.int16) or samples.ndim not in (1, 2):
        got = f"{samples.dtype} {list(samples.shape)}" if isinstance(samples, np.ndarray) else type(samples).__name__
        raise InvalidArgument("samples must be float32 or int16, [frames] or [frames, channels], got {got}", got=got)
    return check_channels(samples.shape[1] if samples.ndim == 2 else 1)


def by_channel(samples: np.ndarray, channels: int) -> np.ndarray:
    """float32 [channels, frames] at full scale +-1, or InvalidArgument."""
    if channels_of(samples) != channels:
        raise InvalidArgument("a chunk of {wanted} channels was expected, got {got}", wanted=channels,
                              got=channels_of(samples))
    rows = np.ascontiguousarray(samples.reshape(len(samples), channels).T, np.float32)
    if samples.dtype == np.int16:
        rows *= np.float32(1 / 32768)
    elif rows.size and not np.abs(rows).max() <= LARGEST:  # so that not-a-number is refused too
        raise InvalidArgument("samples hold values that are not numbers or above {largest:g}", largest=LARGEST)
    return rows
