# SPDX-License-Identifier: Apache-2.0
"""Puts the audible label into sound (GB 45438-2025 5.3): the rhythm 短长 短短, or speech with both elements.

The label goes before or after the programme, or into it at a pause; it is never mixed over it. In dialogue the start
and the end are those of each turn (note 3): label the audio of each turn.
"""

from __future__ import annotations

import collections
import functools
from collections.abc import Iterator

import numpy as np

from labelkit.codec.samples import Audio, Blocks, Weights
from labelkit.errors import InvalidLabel
from labelkit.evidence import DrawnSound
from labelkit.explicit.audio import loudness, morse
from labelkit.explicit.audio.recordings import SPOKEN, language, speech
from labelkit.explicit.audio.spectrogram import Float32
from labelkit.explicit.rules import check_label
from labelkit.plan import Explicit

UNDER_LU = 6.0  # the rhythm is this much softer than the programme: a pure tone stands out, and should not startle
_MAX_LUFS, _MIN_LUFS = -16.0, -36.0  # of a rhythm; for a quieter programme it is as loud as that,
_LEAST_LUFS = -50.0  # and no softer than this: the noise of a room or an output would hide it
_UNKNOWN_LUFS = -26.0  # of a programme whose loudness is not known
LEAD_S = 0.4  # before a label at the start: outputs that sleep and Bluetooth swallow 0.2 to 0.5 s
GAP_S = 0.4  # between label and programme
_WAKE_DB = -34.0  # the lead holds the tone this much softer, because digital silence does not wake an output
_PAUSE_STEPS_A_SECOND, _PAUSE_STEPS = 50, 15  # a pause is sought as the softest 0.3 s


def draw(samples: Audio, explicit: Explicit) -> tuple[Audio, DrawnSound]:
    """The samples with the label put in, and where it stands. Of a stream it takes a pass, to measure the programme.

    Raises InvalidArgument or UnsupportedFormat for a recording that cannot be used, InvalidLabel for what it says.
    """
    rate, programme = samples.rate, Survey.of(samples)
    label = _rendered(explicit, rate, programme.loudness_lufs, _spread_lu(samples.channels, samples.weights))
    plays_on = loudness.channel_weights(samples.channels, samples.weights) > 0  # words are no effects of the LFE
    pieces, starts, at = [], [], 0
    for cut in _cuts(programme, explicit):
        part = with_margins(label, rate, at_start=cut == 0)
        starts.append(round((at + cut) / rate + (LEAD_S if cut == 0 else GAP_S), 3))
        pieces.append((cut, np.asarray(part[:, None] * plays_on, np.float32)))
        at += len(part)
    labelled = samples.rebuilt(functools.partial(_with_pieces, pieces), programme.frames + at,
                               tuple((cut / rate, len(piece) / rate) for cut, piece in pieces))
    return labelled, drawn_sound(explicit, starts, len(label) / rate)


def _with_pieces(pieces: list[tuple[int, Float32]], blocks: Blocks) -> Iterator[Float32]:
    """The sound with each piece before the frame at which it stands; pieces are in order."""
    left, done = collections.deque(pieces), 0
    for block in blocks():
        at = 0
        while left and left[0][0] < done + len(block):
            cut, piece = left.popleft()
            yield block[at : cut - done]
            yield piece
            at = cut - done
        yield block[at:]
        done += len(block)
    yield from (piece for _, piece in left)


def drawn_sound(explicit: Explicit, starts_s: list[float], seconds: float) -> DrawnSound:
    """The label as the manifest states it; checks what a recording is said to say, and raises InvalidLabel."""
    return DrawnSound(sound=explicit.sound, text=_text(explicit), place=explicit.place, starts_s=tuple(starts_s),
                      seconds=round(seconds, 3))


def _text(explicit: Explicit) -> str:
    """What the label says; a recording says what `text` says, which must hold both elements."""
    if explicit.sound == "rhythm":
        return "AI"
    if explicit.recording is None:
        if explicit.words == "eu-modified":
            raise InvalidLabel("the bundled recording says that the content was generated, and it is said to be "
                               "modified", hint="give a recording that says so")
        return SPOKEN[language(explicit)]
    check_label(explicit)
    return explicit.text


def render_label(explicit: Explicit, rate: int, programme: Float32 | None = None,
                 told: Weights | None = None) -> Float32:
    """float32 [frames]: rhythm, speech or both, at a level that suits float32 [frames, channels] of a programme.

    That is its loudness when it plays on all channels of the programme that count; `told` are their weights.
    """
    if programme is None:
        return _rendered(explicit, rate, loudness.SILENT_LUFS, 0.0)
    return _rendered(explicit, rate, loudness.integrated(programme, rate, told), _spread_lu(programme.shape[1], told))


def _spread_lu(channels: int, told: Weights | None) -> float:
    return loudness.spread_lu(loudness.channel_weights(channels, told))


def _rendered(explicit: Explicit, rate: int, level: float, spread: float) -> Float32:
    """The label for a programme of `level` LUFS, on whose channels it is louder by `spread` LU than on one."""
    rhythm = rhythm_lufs(level)
    parts = []
    if explicit.sound in ("rhythm", "both"):
        parts.append(_at_loudness(morse.tone(rate), rate, rhythm - spread))
    if explicit.sound in ("speech", "both"):
        parts.append(_at_loudness(speech(explicit, rate), rate, rhythm + UNDER_LU - spread))
    gap = np.zeros(int(GAP_S * rate), np.float32)
    return parts[0] if len(parts) == 1 else np.concatenate([parts[0], gap, parts[1]])


def rhythm_lufs(programme: float) -> float:
    """The loudness of a rhythm for a programme of so many LUFS; speech is louder by UNDER_LU."""
    if programme <= loudness.SILENT_LUFS:
        return _UNKNOWN_LUFS - UNDER_LU
    least = max(min(_MIN_LUFS, programme), _LEAST_LUFS)
    return float(np.clip(programme - UNDER_LU, least, _MAX_LUFS))


def _at_loudness(label: Float32, rate: int, lufs: float) -> Float32:
    """The label at a loudness, kept below full scale; its pauses are gated out as BS.1770 says."""
    own = loudness.integrated(label[:, None], rate)
    gain = 10 ** ((lufs - own) / 20)
    return np.asarray(label * min(gain, 0.98 / max(float(np.abs(label).max()), 1e-9)), np.float32)


def with_margins(label: Float32, rate: int, *, at_start: bool) -> Float32:
    """The label with silence around it; at the very start with a faint tone in its place, which wakes the output."""
    gap = np.zeros(int(GAP_S * rate), np.float32)
    lead = gap
    if at_start:
        t = np.arange(int(LEAD_S * rate)) / rate
        faint = float(np.abs(label).max()) * 10 ** (_WAKE_DB / 20)
        lead = (faint * np.sin(2 * np.pi * morse.PITCH_HZ / 2 * t) * np.sin(np.pi * t / LEAD_S)).astype(np.float32)
    return np.concatenate([lead, label, gap])


class Survey:
    """What a label must know of a programme, gathered as it streams.

    frames         its length
    loudness_lufs  its integrated loudness
    """

    def __init__(self, rate: int, channels: int, told: Weights | None) -> None:
        self.rate, self.frames = rate, 0
        self._step = max(1, rate // _PAUSE_STEPS_A_SECOND)  # frames
        self._meter = loudness.Meter(rate, channels, told)
        self._rest = np.empty((0, channels), np.float32)  # of a step that has not ended
        self._power: list[Float32] = []  # mean power of each step

    @classmethod
    def of(cls, samples: Audio) -> Survey:
        """The survey of a clip, by one pass over it."""
        survey = cls(samples.rate, samples.channels, samples.weights)
        for block in samples.blocks():
            survey.push(block)
        return survey

    def push(self, block: Float32) -> None:
        """Take in float32 [frames, channels]."""
        self.frames += len(block)
        self._meter.push(block)
        held = np.concatenate([self._rest, block])
        whole = len(held) // self._step * self._step
        self._power.append(np.square(held[:whole].reshape(-1, self._step * held.shape[1])).mean(1))
        self._rest = held[whole:]

    @property
    def loudness_lufs(self) -> float:
        """Of all that was pushed, -70 where it is silent."""
        return self._meter.integrated()

    def pause(self, place: int, reach: int) -> int:
        """The frame in the middle of the softest 0.3 s within `reach` frames of a place."""
        first = max(0, place - reach) // self._step
        power = np.concatenate([np.empty(0, np.float32), *self._power])[first : (place + reach) // self._step]
        if len(power) < _PAUSE_STEPS:
            return min(place, self.frames)
        softest = int(np.convolve(power, np.ones(_PAUSE_STEPS), "valid").argmin())
        return (first + softest + _PAUSE_STEPS // 2) * self._step


def _cuts(programme: Survey, explicit: Explicit) -> list[int]:
    """Where the programme is cut to put labels in, in frames."""
    total, rate = programme.frames, programme.rate
    cuts = {"start": [0], "end": [total], "both": [0, total], "middle": []}[explicit.place]
    wanted = [total // 2] if explicit.place == "middle" else []
    if explicit.repeat_s:
        every = int(explicit.repeat_s * rate)
        wanted += range(every, total - every // 2, every)
    reach = int(min(explicit.repeat_s or total / rate, total / rate) * rate / 4)
    return sorted({*cuts, *(programme.pause(place, reach) for place in wanted)})
