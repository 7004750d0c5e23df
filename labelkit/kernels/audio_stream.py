# SPDX-License-Identifier: Apache-2.0
"""The NumPy twin of the kernel that marks a stream of sound; native/lk_audio.h holds its contract."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from labelkit.kernels.audio import audio_limit, audio_mark, audio_resample, audio_shield
from labelkit.kernels.contract import Float32, Int8, Int64, Sound, UInt16

_FRAME, _HOP, _LAG, _AROUND, _BATCH, _HEARD, _LOUDEST = 1024, 512, 128, 32, 4, 257, 1e4
_PAST = _LAG + 2 * _AROUND
_NEAR, _MADE, _KEPT = _PAST + (_BATCH + 2) * _HOP, _LAG + (_BATCH + 1) * _HOP, _PAST + _BATCH * _HOP
_AT, _HELD, _DOWN, _NEAR_HELD, _FRAMES, _EARLY, _FAR_HELD, _UP, _TAKEN, _GIVEN = range(10)
_NOTHING = np.empty(0, np.float32)


def audio_stream_state(channels: int, room: int, far_room: int) -> int:
    """Floats of what `audio_stream` keeps between two calls."""
    return channels * (room + far_room + _NEAR + _MADE + _KEPT) + _HEARD


def audio_stream_scratch(channels: int) -> int:
    """Floats of scratch that `audio_stream` wants; this twin uses none."""
    return 0


def audio_stream_form(channels: int, room: int, far_room: int, up: int, down: int, down_bank: Float32, up_bank: Float32,
                      roots: Float32, window: Float32, brief: Float32, edges: UInt16, signs: Int8, depths: Float32,
                      limits: Float32, adds: bool, counts: Int64, state: Float32, scratch: Float32) -> object:
    """What the calls of a stream have in common."""
    return _Form(channels, room, far_room, up, down, down_bank, up_bank, roots, window, brief, edges, signs, depths,
                 limits, adds, counts, state)


def audio_stream(form: object, chunk: Sound, most: int, whole: bool, out: Sound) -> int:
    """Mark what comes of a stream, block by block; returns how many frames are given, -1 for what is no number."""
    if not isinstance(form, _Form):
        raise ValueError("form: what audio_stream_form returns wanted")
    channels, counts = form.channels, form.counts
    host: Float32 = np.asarray(chunk.reshape(-1, channels).T, np.float32) / np.float32(32768 if whole else 1)
    counts[_TAKEN], counts[_GIVEN] = -1, 0
    if not (np.abs(host) <= _LOUDEST).all():
        return -1
    stream = _Stream(form)
    taken = given = 0
    ready = out.reshape(-1, channels).T
    while True:
        took = stream.take(host[:, taken:])
        moved = took + stream.descend(form.down_bank)
        frames = stream.frames(most)
        if frames:
            stream.mark(frames, form.roots, form.window, form.edges, form.signs, form.depths)
            stream.limit(frames, form.limits, form.roots, form.brief)
        part = stream.give(form.up_bank, ready.shape[1] - given, whole, form.adds)
        ready[:, given : given + part.shape[1]] = part
        taken, given, most = taken + took, given + part.shape[1], most - frames
        if not (moved or frames or part.shape[1]):
            break
    counts[_TAKEN], counts[_GIVEN] = taken, given
    return int(given)


class _Form(NamedTuple):
    """The arguments of `audio_stream_form`."""

    channels: int
    room: int
    far_room: int
    up: int
    down: int
    down_bank: Float32
    up_bank: Float32
    roots: Float32
    window: Float32
    brief: Float32
    edges: UInt16
    signs: Int8
    depths: Float32
    limits: Float32
    adds: bool
    counts: Int64
    state: Float32


class _Stream:
    """The rows of the state: of each channel the host, the difference, the host at 16 kHz, the difference before it is
    limited, and the same limited in frequency."""

    def __init__(self, form: _Form) -> None:
        rows = form.state[:-_HEARD].reshape(form.channels, -1)
        self._host, self._far, self._near, self._made, self._kept = np.split(
            rows, np.cumsum([form.room, form.far_room, _NEAR, _MADE]), axis=1)
        self._heard, self._counts, self._up, self._down = form.state[-_HEARD:], form.counts, form.up, form.down
        self._lead = 0

    def take(self, host: Float32) -> int:
        """Take in what there is room for."""
        counts = self._counts
        count: int = min(host.shape[1], self._host.shape[1] - int(counts[_HELD]))
        self._host[:, : counts[_HELD]] = self._host[:, counts[_AT] : counts[_AT] + counts[_HELD]].copy()
        counts[_AT] = 0
        self._host[:, counts[_HELD] : counts[_HELD] + count] = host[:, :count]
        counts[_HELD] += count
        return count

    def descend(self, bank: Float32) -> int:
        """To 16 kHz."""
        counts, self._lead = self._counts, max(bank.shape[1] // 2 - 1, 0)
        made = self._turned(self._host[:, : counts[_HELD]], bank, self._up, self._down, int(counts[_DOWN]),
                            _NEAR - int(counts[_NEAR_HELD]))
        self._near[:, counts[_NEAR_HELD] : counts[_NEAR_HELD] + made.shape[1]] = made
        counts[_NEAR_HELD] += made.shape[1]
        counts[_DOWN] += made.shape[1] * self._down
        return len(made.T)

    def frames(self, most: int) -> int:
        """How many frames can be made."""
        held, room = int(self._counts[_NEAR_HELD]), len(self._far.T) - int(self._counts[_FAR_HELD])
        return max(0, min((held - _PAST - _FRAME) // _HOP + 1, _BATCH, most, room // _HOP))

    def mark(self, frames: int, roots: Float32, window: Float32, edges: UInt16, signs: Int8, depths: Float32) -> None:
        """The difference of so many frames."""
        size, phase = frames * _HOP, int(self._counts[_FRAMES]) % len(signs)
        x = np.ascontiguousarray(self._near[:, _PAST : _PAST + size + _HOP])
        made = np.zeros_like(x)
        audio_mark(x, len(x), frames, roots, window, edges, signs, phase, depths, self._heard, _NOTHING, made)
        self._made[:, _LAG : _LAG + size + _HOP] += made
        self._counts[_FRAMES] += frames

    def limit(self, frames: int, limits: Float32, roots: Float32, brief: Float32) -> None:
        """The difference limited in frequency and in time; what is done moves out."""
        size, counts, reach = frames * _HOP, self._counts, frames * _HOP + 2 * _AROUND
        at, early = int(counts[_FAR_HELD]), min(size, int(counts[_EARLY]))
        limited = np.empty((len(self._near), size), np.float32)
        for near, made, kept, to in zip(self._near, self._made, self._kept, limited, strict=True):
            audio_shield(near[_PAST - _LAG : _PAST + size], made[: _LAG + size], float(limits[0]), roots, brief,
                         _NOTHING, kept[2 * _AROUND : 2 * _AROUND + _LAG + size])
            audio_limit(near[:reach], kept[:reach], float(limits[1]), _NOTHING, to)
        self._far[:, at : at + size - early] = limited[:, early:]
        left = int(counts[_NEAR_HELD]) - size
        for rows, held in ((self._near, left), (self._made, _LAG + _HOP), (self._kept, _PAST)):
            rows[:, :held] = rows[:, size : size + held].copy()
            rows[:, held:] = 0
        counts[_NEAR_HELD] -= size
        counts[_FAR_HELD] += size - early
        counts[_EARLY] -= early

    def give(self, bank: Float32, room: int, whole: bool, adds: bool) -> Sound:
        """[channels, frames]: what is ready, at the host's rate, and marked if it `adds`."""
        counts = self._counts
        made = self._turned(self._far[:, : counts[_FAR_HELD]], bank, self._down, self._up, int(counts[_UP]),
                            min(room, int(counts[_HELD]) - self._lead))
        count = made.shape[1]
        host = self._host[:, self._lead : self._lead + count].copy()
        self._host[:, : counts[_HELD] - count] = self._host[:, count : counts[_HELD]].copy()
        counts[_HELD] -= count
        counts[_DOWN] -= count * self._up
        counts[_UP] += count * self._up
        gone = min(int(counts[_UP]) // self._down, int(counts[_FAR_HELD]))
        self._far[:, : counts[_FAR_HELD] - gone] = self._far[:, gone : counts[_FAR_HELD]].copy()
        counts[_FAR_HELD] -= gone
        counts[_UP] -= gone * self._down
        if not adds:
            return made
        if whole:
            scale = np.float32(32768)
            words: Sound = np.rint(np.clip(host * scale + made * scale, -32768, 32767)).astype(np.int16)
            return words
        top = np.maximum(np.abs(host), np.float32(1))
        marked: Sound = np.clip(host + made, -top, top)
        return marked

    @staticmethod
    def _turned(x: Float32, bank: Float32, up: int, down: int, position: int, room: int) -> Float32:
        """[channels, frames] of `x` at another rate, from a position in 1/up on."""
        if not bank.shape[1]:
            return x[:, position : position + room].copy()
        ready = -(-((x.shape[1] - bank.shape[1] + 1) * up - position) // down)
        out = np.empty((len(x), max(0, min(ready, room))), np.float32)
        for row, to in zip(x, out, strict=True):
            audio_resample(row, bank, len(bank), up, down, position, to)
        return out
