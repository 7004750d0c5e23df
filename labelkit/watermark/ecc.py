# SPDX-License-Identifier: Apache-2.0
"""Error correction: 64 payload bits and a 16-bit CRC in a polar code, with soft list decoding.

Polar codes: Arikan 2009; list decoding with a CRC: Tal and Vardy 2015. The information positions are chosen by
polarisation weight (He and others 2017), which needs no channel model. Measured on white noise, 80 bits in 1,024, 300
words each: a list of 8 (32) decodes 58 % (71 %) at Eb/N0 = -1 dB, 89 % (95 %) at 0 dB, all at 1 dB. A convolution
before the polar code (Arikan 2019) and information positions of higher weight gain 1 to 3 % at best. Fewer check bits
decode more, but accept a wrong word where the right one has dropped out of the list.
"""

from __future__ import annotations

import functools
import zlib

import numpy as np
import numpy.typing as npt

from labelkit import kernels

PAYLOAD_BITS = 64
CHECK_BITS = 16  # of a CRC-32; they choose among a list's paths
INFORMATION_BITS = PAYLOAD_BITS + CHECK_BITS


@functools.cache
def _frozen(n: int) -> npt.NDArray[np.uint8]:
    """uint8 [n]: 0 at the 80 most reliable inputs by polarisation weight, 1 at all others."""
    index = np.arange(n)
    weight = sum(((index >> bit) & 1) * 2.0 ** (bit / 4) for bit in range(n.bit_length() - 1))
    frozen = np.ones(n, np.uint8)
    frozen[np.argsort(weight, kind="stable")[n - INFORMATION_BITS :]] = 0
    return frozen


@functools.cache
def _generator(n: int) -> npt.NDArray[np.uint8]:
    """uint8 [80, n]: the code bits that each bit of a word turns over."""
    code = np.zeros((INFORMATION_BITS, n), np.uint8)
    code[np.arange(INFORMATION_BITS), np.flatnonzero(_frozen(n) == 0)] = 1
    size = 1
    while size < n:
        pairs = code.reshape(INFORMATION_BITS, -1, 2, size)
        pairs[:, :, 0] ^= pairs[:, :, 1]
        size *= 2
    return code


def _word(payload: int) -> int:
    """80 bits: the payload and the first bits of its CRC-32."""
    crc = zlib.crc32(b"labelkit" + payload.to_bytes(8, "big"))
    return payload << CHECK_BITS | crc >> (32 - CHECK_BITS)


def encode(payload: int, n: int = 1024) -> npt.NDArray[np.uint8]:
    """uint8 [n] code bits, 0 or 1, of a 64-bit payload and its check bits; n is a power of two from 128 to 4096."""
    word = np.frombuffer(_word(payload).to_bytes(INFORMATION_BITS // 8, "big"), np.uint8)
    code: npt.NDArray[np.uint8] = np.bitwise_xor.reduce(_generator(n)[np.unpackbits(word) == 1], axis=0)
    return code


def decode(soft: npt.NDArray[np.floating], paths: int = 8) -> int | None:
    """The 64-bit payload, or None where no path's check bits are right.

    soft   float [n] of any scale, n as for `encode`; a positive value leans to bit 0
    paths  that the decoder keeps, 1 to 256
    On noise a wrong payload comes back with probability at most paths / 65,536. So this never decides whether a mark is
    there; the correlation of the whole pattern does: image/matcher.py, audio/significance.py.
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


@functools.cache
def code_table(n: int) -> npt.NDArray[np.int64]:
    """int64 [8, 256, n / 64]: eight rows whose exclusive or is the code word of a payload, as `packed` packs it: one
    for each byte of the payload, the most significant first. n as for `encode`.

    The code is linear and its check bits are an affine function of the payload.
    """
    nothing = encode(0, n)
    rows = np.zeros((8, 256, n), np.uint8)
    for byte in range(8):
        for bit in range(8):
            turned = encode(1 << (56 - 8 * byte + bit), n) ^ nothing
            rows[byte, 1 << bit : 2 << bit] = rows[byte, : 1 << bit] ^ turned
    rows[0] ^= nothing
    return packed(rows)


def packed(bits: npt.NDArray[np.uint8] | npt.NDArray[np.bool_]) -> npt.NDArray[np.int64]:
    """int64 [..., n / 64]: uint8 or bool [..., n] of 0 and 1, 64 to a number, the first the most significant."""
    return np.packbits(bits, axis=-1).view(">i8").astype(np.int64)


def encode_all(payloads: npt.NDArray[np.int64], n: int) -> npt.NDArray[np.uint8]:
    """uint8 [count, n]: `encode` of many payloads, int64 [count], their 64 bits as signed numbers."""
    table = code_table(n)
    code = np.zeros((len(payloads), n // 64), np.int64)
    for byte in range(8):
        code ^= table[byte, payloads >> (56 - 8 * byte) & 255]
    return np.unpackbits(code.astype(">i8").view(np.uint8), axis=1)
