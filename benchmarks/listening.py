# SPDX-License-Identifier: Apache-2.0
"""What the constants of streams of sound, and of spoken labels under music, decide: measures for `sweeps.py`."""

from __future__ import annotations

import itertools
import math
from pathlib import Path

import numpy as np

from benchmarks import sustained
from benchmarks.audio_robustness import resampled
from labelkit.key import Key
from labelkit.payload import Payload
from labelkit.watermark.audio import margin
from labelkit.watermark.audio.difference import DifferenceMaker
from labelkit.watermark.audio.listener import STREAM_S, UNHEARD, Listener
from tests import sounds

RATE, PART_S, PAUSE_S = 16_000, 30, 6  # of each sound; of music that is played 36 dB lower for a while
NEAR, APART, WAITED_S = math.log(1.25), math.log(1.35), 15.0  # needs, as logarithms of amplitudes
PAYLOAD = Payload.from_int(0x5A3C91D277AA0F13)


def changing(folder: Path, value: float) -> dict[str, float]:
    """Streams of two sounds whose needs differ, of the folder and made ones: how many follow the change, and after how
    long; and of each sound by itself, a pause in it, what it costs and how far it is off."""
    hosts = _sounds(folder)
    needs = {name: math.log(margin.amplitude(host[: int(STREAM_S * RATE)], RATE, STREAM_S))
             for name, host in hosts.items()}
    waits, measured, off = [], [], []
    for one, two in itertools.permutations(hosts, 2):
        if abs(needs[one] - needs[two]) > APART:
            steps = _heard(np.concatenate([hosts[one], hosts[two]]))
            waits.append(min((at - PART_S for at, amplitude in steps
                              if at > PART_S and abs(amplitude - needs[two]) < NEAR), default=math.inf))
    for name, host in hosts.items():
        steps = _heard(np.concatenate([host, _paused(host)]))
        measured.append(60 * len(steps) / (2 * PART_S))
        off += [abs(amplitude - needs[name]) / math.log(2) for _, amplitude in steps]
    followed = [wait for wait in waits if wait <= WAITED_S]
    return {"followed within 15 s, %": 100 * len(followed) / len(waits), "after, s": float(np.mean(followed)),
            "measured, a minute": float(np.mean(measured)), "off, octaves": float(np.mean(off))}


def _sounds(folder: Path) -> dict[str, np.ndarray]:
    """float32 [frames] each, of PART_S."""
    import soundfile

    made = {"organ": resampled(sustained.pad(sustained.PADS["organ on C4"]), sustained.RATE, RATE),
            "hiss": sounds.noise(20, RATE, 0.05)}
    for path in sorted(path for ending in ("flac", "mp3", "wav") for path in folder.glob(f"*.{ending}")):
        samples, rate = soundfile.read(path, dtype="float32", always_2d=True)
        made[path.name] = resampled(samples.mean(1), rate, RATE)
    return {name: np.resize(one, PART_S * RATE).astype(np.float32) for name, one in made.items()}


def _paused(host: np.ndarray) -> np.ndarray:
    """The same with a quiet part."""
    quiet = host.copy()
    quiet[10 * RATE : (10 + PAUSE_S) * RATE] *= np.float32(10 ** (-36 / 20))
    return quiet


def _heard(host: np.ndarray) -> list[tuple[float, float]]:
    """When a stream is measured, in seconds, and the logarithm of its amplitude from then on."""
    maker, listener = DifferenceMaker(RATE, 1, PAYLOAD, Key.public(), 1.0, UNHEARD), Listener(RATE)
    at, steps = 0, []
    while at + listener.left <= len(host):
        part = host[at : at + listener.left]
        at += len(part)
        maker.push(part)
        listener.hear(part)
        amplitude = listener.look(*maker.heard())
        if amplitude is not None:
            steps.append((listener.heard_s, math.log(amplitude)))
    return steps


def spoken(folder: Path, value: float) -> dict[str, float]:
    """Of the labels of all languages, alone, 0.9 times as fast and over made music 6 dB under them: how many are found;
    of other sentences of the same voices (espeak-ng): how many are taken for that of their language."""
    from benchmarks import audible, audio_attacks as attacks
    from labelkit.explicit.audio.recordings import SPOKEN, speech
    from labelkit.plan import Explicit

    bed = sounds.music(12, RATE, seed=3).mean(1)

    def over(voice: np.ndarray) -> np.ndarray:
        padded, under = np.pad(voice, RATE // 2), np.resize(bed, len(voice) + RATE)
        return padded + under * (attacks._level(padded[:, None], RATE) / attacks._level(under[:, None], RATE) / 2)

    row: dict[str, list[float]] = {}
    for language, text in SPOKEN.items():
        label = speech(Explicit(language=language), RATE)
        for name, sound in (("alone", label), ("slower", attacks.speed(label[:, None], 0.9)[:, 0]),
                            ("under music", over(label))):
            row.setdefault(f"{name}, %", []).append(100.0 * (audible.heard(sound, RATE, [language]) == {text}))
        for other in audible.OTHERS[language]:
            voice = audible.said(language, other, RATE)
            for name, sound in (("others alone, %", voice), ("others under music, %", over(voice))):
                row.setdefault(name, []).append(100.0 * bool(audible.heard(sound, RATE, [language])))
    return {name: float(np.mean(shares)) for name, shares in row.items()}
