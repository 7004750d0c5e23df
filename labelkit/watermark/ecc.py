# SPDX-License-Identifier: Apache-2.0
"""Error correction: 64 payload bits and 16 of a CRC in a polar code, decoded softly with a list.

Polar codes: Arikan 2009; list decoding with a CRC: Tal and Vardy 2015. The information positions are chosen by
polarisation weight (He and others 2017), which needs no channel model. Measured on white noise, 80 bits in 1,024, 300
words each: a list of 8 (32) reads 58 % (71 %) at Eb/N0 = -1 dB, 89 % (95 %) at 0 dB, all at 1 dB. What did not help: a
convolution before the polar code (Arikan 2019) and information positions of higher weight (1 to 3 % at best); fewer
check bits read more, and let a wrong word through where the right one has dropped out of the list.
"""

from __future__ import annotations

import functools
import zlib

import numpy as np

from labelkit import kernels

PAYLOAD_BITS = 64
CHECK_BITS = 16  # choose among a list's paths
INFORMATION_BITS = PAYLOAD_BITS + CHECK_BITS


@functools.cache
def _frozen(n: int) -> np.ndarray:
    """uint8 [n], 0 at the 80 most reliable inputs by polarisation weight."""
    index = np.arange(n)
    weight = sum(((index >> bit) & 1) * 2.0 ** (bit / 4) for bit in range(n.bit_length() - 1))
    frozen = np.ones(n, np.uint8)
    frozen[np.argsort(weight, kind="stable")[n - INFORMATION_BITS :]] = 0
    return frozen


def _word(payload: int) -> int:
    crc = zlib.crc32(b"labelkit" + payload.to_bytes(8, "big"))
    return payload << CHECK_BITS | crc >> (32 - CHECK_BITS)


def encode(payload: int, n: int = 1024) -> np.ndarray:
    """uint8 [n] code bits of a 64-bit `payload` and the first bits of its CRC-32; n a power of two from 128 to 4096."""
    word = _word(payload)
    code = np.zeros(n, np.uint8)
    code[_frozen(n) == 0] = [(word >> shift) & 1 for shift in range(INFORMATION_BITS - 1, -1, -1)]
    size = 1
    while size < n:
        pairs = code.reshape(-1, 2, size)
        pairs[:, 0] ^= pairs[:, 1]
        size *= 2
    return code


def decode(soft: np.ndarray, paths: int = 8) -> int | None:
    """The 64-bit payload of float [n] soft values (> 0 leans to bit 0, any scale), or None where no path passes.

    On noise a wrong payload comes back with probability at most paths / 65,536: what decides whether there is one is
    how well the whole pattern correlates, see search.py and audio_decision.py.
    """
    n = soft.size
    scale = 256.0 / max(float(np.sqrt(np.mean(np.square(soft, dtype=np.float64)))), 1e-30)
    levels = np.clip(np.rint(soft * scale), -4096, 4096).astype(np.int32)
    bits = np.zeros((paths, INFORMATION_BITS), np.uint8)
    metric = np.zeros(paths, np.int64)
    kernels.polar_decode(levels, _frozen(n), paths, np.empty(kernels.polar_scratch(n, paths), np.uint8), bits, metric)
    for row in bits[metric >= 0]:
        word = int.from_bytes(np.packbits(row).tobytes(), "big")
        if word == _word(word >> CHECK_BITS):
            return word >> CHECK_BITS
    return None
