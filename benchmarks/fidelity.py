# SPDX-License-Identifier: Apache-2.0
"""How close a marked picture is to its host."""

from __future__ import annotations

import math

import numpy as np


def psnr(host: np.ndarray, marked: np.ndarray) -> float:
    """Peak signal-to-noise ratio in dB over all samples of two uint8 pictures."""
    error = np.mean(np.square(host.astype(np.float64) - marked))
    return 10 * math.log10(255**2 / error) if error else math.inf


def ssim(host: np.ndarray, marked: np.ndarray) -> float:
    """Structural similarity (Wang and others 2004, Gaussian window of deviation 1.5), mean over the three channels."""
    from skimage.metrics import structural_similarity  # here, so that tests that need no more do without it

    return float(structural_similarity(host, marked, channel_axis=2, gaussian_weights=True, sigma=1.5,
                                       use_sample_covariance=False, data_range=255))
