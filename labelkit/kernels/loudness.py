# SPDX-License-Identifier: Apache-2.0
"""The NumPy twin of the kernel that weights sound after ITU-R BS.1770; native/lk_audio.h holds its contract."""

from __future__ import annotations

import numpy as np

from labelkit.kernels.contract import Float32, Float64

LANES, STATES, LEAST_HOP = 16, 4, 256


def audio_loudness(x: Float32, channels: int, hop: int, filters: Float64, fade: Float64, step: Float64, state: Float64,
                   scratch: Float64, energy: Float64) -> None:
    """The lanes of all stretches side by side, sample by sample."""
    if hop < LEAST_HOP:
        raise ValueError(f"hop: {LEAST_HOP} at least wanted, got {hop}")
    span, hops = -(-hop // LANES), x.size // (hop * channels)
    rest = hop - (LANES - 1) * span
    padded = np.zeros((hops, LANES * span, channels))
    padded[:, :hop] = x.reshape(hops, hop, channels)
    lanes = np.ascontiguousarray(padded.reshape(hops, LANES, span, channels).transpose(2, 0, 3, 1))
    left = _filtered(lanes, rest, filters)
    starts = _starts(left, step.reshape(2, STATES, STATES).tolist(), state.reshape(channels, STATES))
    total = np.zeros(lanes.shape[1:])
    for n, (out, (a, b, c, d)) in enumerate(zip(lanes, fade.reshape(span, STATES).tolist(), strict=True)):
        y = out + (a * starts[0] + b * starts[1] + c * starts[2] + d * starts[3])
        if n >= rest:
            y[..., -1] = 0
        total += y * y
    for width in (8, 4, 2, 1):
        total = total[..., :width] + total[..., width : 2 * width]
    energy.reshape(hops, channels)[...] = total[..., 0]


def _filtered(lanes: Float64, rest: int, filters: Float64) -> Float64:
    """Filters float64 [span, hops, channels, 16] in place; the states behind the lanes, [4, hops, channels, 16]."""
    b0, b1, b2, a1, a2, c1, c2 = filters.tolist()
    s0, s1, s2, s3 = np.zeros((STATES, *lanes.shape[1:]))
    last = np.empty((STATES, *lanes.shape[1:3]))
    for n, x in enumerate(lanes):
        y = b0 * x + s0
        s0 = b1 * x + s1 - a1 * y
        s1 = b2 * x - a2 * y
        w = y + s2
        s2 = s3 - 2.0 * y - c1 * w
        s3 = y - c2 * w
        if n + 1 == rest:
            last[:] = s0[..., -1], s1[..., -1], s2[..., -1], s3[..., -1]
        x[...] = w
    left = np.stack([s0, s1, s2, s3])
    left[..., -1] = last
    return left


def _starts(left: Float64, step: list[list[list[float]]], state: Float64) -> Float64:
    """float64 [4, hops, channels, 16]: the state before each lane; `state` [channels, 4] becomes that behind all."""
    starts = np.empty_like(left)
    for channel in range(left.shape[2]):
        now = state[channel].tolist()
        for hop in range(left.shape[1]):
            for lane, ends in enumerate(left[:, hop, channel].T.tolist()):
                starts[:, hop, channel, lane] = now
                rows = step[lane == LANES - 1]
                now = [end + (m[0] * now[0] + m[1] * now[1] + m[2] * now[2] + m[3] * now[3])
                       for end, m in zip(ends, rows, strict=True)]
        state[channel] = now
    return starts
