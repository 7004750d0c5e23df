# SPDX-License-Identifier: Apache-2.0
"""A small valid call of each kernel: its arguments, in memory of their own."""

from __future__ import annotations

import inspect
from collections.abc import Callable

import numpy as np

from labelkit.kernels import contract
from labelkit.kernels.pattern import SCRATCH
from labelkit.watermark.audio.pattern import roots, windows


def floats(*shape: int) -> np.ndarray:
    return np.random.default_rng(len(shape)).standard_normal(shape).astype(np.float32)


def whole(dtype: type, *shape: int) -> np.ndarray:
    bounds = np.iinfo(dtype)
    return np.random.default_rng(len(shape)).integers(bounds.min, bounds.max, shape, dtype, endpoint=True)


def given_to(k: contract.Kernels, kernel: str) -> list:
    """The arguments of a call of one kernel, made anew each time."""
    return _calls(k)[kernel]()


def arguments(k: contract.Kernels) -> dict[str, list]:
    """Kernel -> the arguments of a call of it, made anew each time."""
    return {kernel: make() for kernel, make in _calls(k).items()}


def _calls(k: contract.Kernels) -> dict[str, Callable[[], list]]:
    """Kernel -> what makes the arguments of a call of it."""
    return {**_calls_for_pictures(k), **_calls_for_sound(k)}


def _calls_for_pictures(k: contract.Kernels) -> dict[str, Callable[[], list]]:
    frozen = np.array([1, 0] * 16, np.uint8)
    return {
        "polar_scratch": lambda: [32, 4],
        "polar_decode": lambda: [whole(np.int32, 32), frozen, 4, np.empty(k.polar_scratch(32, 4), np.uint8),
                                 np.empty((4, 16), np.uint8), np.empty(4, np.int64)],
        "code_distance": lambda: [whole(np.int64, 5), whole(np.int64, 8, 256, 2), whole(np.int64, 3, 2),
                                  whole(np.int64, 3, 2),
                                  np.empty((3, 5), np.uint16)],
        "image_gain": lambda: [whole(np.uint8, 9, 17, 3), np.empty((2, 3), np.uint8), 38, 128, 115],
        "film_gain": lambda: [whole(np.uint8, 9, 17, 1), whole(np.uint16, 2, 3), whole(np.uint8, 64),
                              np.empty((2, 3), np.uint8), 38, 128, 115],
        "image_embed": lambda: [whole(np.uint8, 9, 17, 3), np.empty((9, 17, 3), np.uint8), whole(np.uint8, 2, 3),
                                whole(np.int16, 7, 21) // 4, whole(np.int8, 7, 21), True,
                                np.empty(3 * (8 * 3 * 3 + 64), np.int16)],
        "tile_make": lambda: [floats(2, 6, 5, 2), 3, floats(2, 5, 32), np.empty((6, 18), np.int16),
                              np.empty((6, 18), np.int8)],
        "tile_place": lambda: [whole(np.int32, 6, 6), np.array([5, 0, 3], np.uint32), np.array([1, 5], np.uint32), 3,
                               np.zeros((4, 7), np.int16), np.zeros((4, 7), np.int8)],
        "camera_grid": lambda: [whole(np.uint16, 9, 13), 2, 1 / 64, 0.2, np.empty(4 * 6, np.float32),
                                np.empty((2, 4), np.float32), np.empty(2)],
        "camera_fit": lambda: [floats(9, 17), floats(9, 17) + 1, np.array([1.0, 0.2, -0.1]), 3, True, 0.02,
                               np.empty((2 * 9 + 5) * 32, np.float32), np.empty(4)],
        "margin_sample": lambda: [whole(np.uint8, 17, 25, 3), np.array([1, 0], np.uint32),
                                  np.array([0, 2, 1], np.uint32),
                                  whole(np.uint8, 3, 4), whole(np.uint8, 3, 4), 38, 182, whole(np.int32, 64, 16) >> 22,
                                  floats(2, 15, 7), np.empty((33, 64), np.float32)],
        "margin_score": lambda: [floats(33, 64), whole(np.uint8, 64), np.array([1.0, 0.5, 0.25]),
                                 np.arange(10, 25, 1, "f"),
                                 np.array([np.arange(9) / 10, np.arange(9) / 8]), np.ones(15), 2.5,
                                 np.empty((2, 8, 3))],
        "floats_quantise": lambda: [floats(9, 17, 3), np.empty((9, 17, 3), np.uint8), np.empty(1, np.int64)],
        "floats_expand": lambda: [whole(np.uint8, 9, 17, 3), np.empty((9, 17, 3), np.float32)],
        "image_colours": lambda: [whole(np.uint8, 9, 17, 4), np.empty((9, 17, 3), np.uint8)],
        "image_spread": lambda: [whole(np.uint8, 9, 17, 3), np.empty((9, 17, 4), np.uint8)],
        "image_luma": lambda: [whole(np.uint8, 9, 17, 3), np.empty((9, 17), np.uint8)],
        "plane_whiten": lambda: [whole(np.uint8, 9, 17), np.empty((9, 17), np.int8), np.empty(24 * 33, np.int32), 25],
        "plane_fold": lambda: [whole(np.int8, 9, 17), np.empty((4, 4), np.int32)],
        "plane_fold_lattice": lambda: [whole(np.int8, 9, 17), whole(np.uint32, 2), whole(np.uint32, 4),
                                       np.empty((256, 256), np.int32)],
        "lattice_score": lambda: [floats(16, 16), 9, 17, floats(3, 4), np.empty(3, np.float32)],
        "pattern_score": lambda: [floats(16, 8, 2), whole(np.int32, 5, 2) % 9, floats(5, 2), floats(1024, 2),
                                  floats(3, 4), np.empty(SCRATCH, np.float32), np.empty(3, np.float32)],
        "plane_resample": lambda: [whole(np.uint8, 9, 17), -1.5, 0.25, 16.0, 9.5, np.empty((3, 5), np.uint8),
                                   np.empty(15 + 34 + 1, np.uint32)],
        "plane_match": lambda: [whole(np.uint8, 9, 17), whole(np.uint8, 4, 5), 25, np.empty(3 * 17 + 4 * 81, np.int64),
                                np.empty(2, np.int64), np.empty(2, np.float32)],
        "jpeg_scan": lambda: [whole(np.uint8, 9, 17, 3), 2, 2, whole(np.uint16, 2, 64) % 255 + 1,
                              np.full((2, 272), 4096 << 8 | 16, np.uint32), np.empty(512 * 24, np.uint8),
                              np.empty(1, np.int64)],
        "jpeg_marker": lambda: [whole(np.uint8, 300), whole(np.uint8, 256) % 2, 7, np.empty(1, np.int64)],
    }


def _calls_for_sound(k: contract.Kernels) -> dict[str, Callable[[], list]]:
    edges, index = np.array([1, 9, 300, 512], np.uint16), np.array([0, 2, 3, 5, 8], np.uint16)

    def stream() -> list:
        rooms = 9 + 4096, 2 * 2048 + 40
        counts = np.array([0, 7, 0, 704, 0, 672, 15, 0, 0, 0], np.int64)
        return [2, *rooms, 2, 3, floats(2, 16), floats(3, 32), roots().copy(), windows()[0].copy(), floats(256), edges,
                np.array([[1, -1, 0], [0, 1, 1]], np.int8), floats(3), floats(2), True, counts,
                np.zeros(k.audio_stream_state(2, *rooms), np.float32),
                np.empty(max(1, k.audio_stream_scratch(2)), np.float32)]

    return {
        "audio_mark_scratch": lambda: [2],
        "audio_mark": lambda: [floats(2, 1536), 2, 2, roots().copy(), windows()[0].copy(), edges,
                               np.array([[1, -1, 0], [0, 1, 1]], np.int8), 1, floats(3), np.zeros(257, np.float32),
                               np.empty(max(1, k.audio_mark_scratch(2)), np.float32), np.zeros((2, 1536), np.float32)],
        "audio_shield": lambda: [floats(384), floats(384), 0.1, roots().copy(), floats(256),
                                 np.empty(5 * 1024 + 8 * 129, np.float32), np.zeros(384, np.float32)],
        "audio_limit": lambda: [floats(100), floats(100), 0.1, np.empty(200, np.float32), np.empty(36, np.float32)],
        "audio_resample": lambda: [floats(60), floats(3, 16), 3, 3, 2, 1, np.empty(40, np.float32)],
        "audio_stream_state": lambda: [2, 300, 400],
        "audio_stream_scratch": lambda: [2],
        "audio_stream_form": stream,
        "audio_stream": lambda: [k.audio_stream_form(*stream()), floats(3000, 2), 3, False,
                                 np.zeros((2000, 2), np.float32)],
        "audio_loudness": lambda: [floats(2, 300, 3), 3, 300, np.array([1.5, -2.7, 1.2, -1.7, 0.7, -1.9, 0.95]),
                                   np.linspace(1, 0, 19 * 4), np.eye(4)[None].repeat(2, 0) / 2, np.ones((3, 4)),
                                   np.empty(19 * 16), np.empty((2, 3))],
        "audio_spectrum": lambda: [floats(1300), 2, 256, roots().copy(), windows()[1].copy(), 22, 512,
                                   np.empty(4096, np.float32), np.empty((2, 491), np.float32)],
        "audio_chips": lambda: [floats(5, 10), 5, index, floats(5), floats(4), floats(4), floats(4), 0.7, 6,
                                np.empty(96, np.float32), np.empty((6, 1), np.float32)],
        "audio_rows": lambda: [floats(7, 2), floats(2, 16), 3, np.empty((2, 48), np.float32),
                               np.empty((2, 48), np.float32)],
    }


def name_of(kernel: str, argument: int) -> str:
    """What the contract calls an argument."""
    return list(inspect.signature(getattr(contract.Kernels, kernel)).parameters)[argument + 1]
