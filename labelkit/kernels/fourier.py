# SPDX-License-Identifier: Apache-2.0
"""The table by which the Fourier transforms of kernels multiply."""

from __future__ import annotations

import functools

import numpy as np

from labelkit.kernels.contract import Float32

POINTS = 1024


@functools.cache
def roots() -> Float32:
    """float32 [1024, 2]: cosine and sine of -2 pi k / 1024."""
    angle = -2 * np.pi * np.arange(POINTS) / POINTS
    return np.stack([np.cos(angle), np.sin(angle)], 1).astype(np.float32)
