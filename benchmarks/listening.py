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


def streamed(folder: Path, value: float) -> dict[str, float]:
    """Streams of each sound: what their first 3 s cost, before which nothing was heard, and 10 s from second 15 on;
    how they (the first 6 s) are read as they are, after Opus 16k and in white noise 20 dB under them."""
    from benchmarks import audio_attacks
    from benchmarks.audio_robustness import snr_db
    from labelkit.watermark import audio
    from labelkit.watermark.audio.synchronizer import band_levels

    row: dict[str, list[float]] = {}
    for name, host in _sounds(folder).items():
        marker = audio.AudioMarker(RATE, 1, PAYLOAD)
        marked = np.concatenate([*(marker.push(part) for part in np.split(host, PART_S)), marker.finish()])
        for what, first, last, read_to in (("first", 0, 3, 6), ("later", 15, 25, 25)):
            part = slice(first * RATE, last * RATE)
            row.setdefault(f"{what}: SNR", []).append(snr_db(host[part], marked[part]))
            if name == "organ":
                row[f"{what}: organ swells by"] = [margin._swell_of_tones(*(band_levels(x[part])
                                                                            for x in (host, marked)))]
            heard = slice(first * RATE, read_to * RATE)
            for attack in ("none", "opus_16k", "white_20"):
                worn = audio_attacks.apply(attack, marked[heard], RATE, host=host[heard])[0]
                found = audio.detect(worn, RATE, effort="fast")
                row.setdefault(f"{what}: {attack}", []).append(found.score if found.payload == PAYLOAD else 0.0)
    return {name: float(np.mean(scores)) for name, scores in row.items()}


def quieted(folder: Path, value: float) -> dict[str, float]:
    """Streams that begin with 6 s of the noise of 16 bits, and then each sound as loud as it is and softer: how many
    are measured within 9 s of it, after how long and how far off, and how many in that noise."""
    row: dict[str, list[float]] = {}
    steps_of_dither = np.random.default_rng(1).uniform(-1, 1, (2, PAUSE_S * RATE)).sum(0)  # two steps wide, and rounded
    noise = (np.rint(steps_of_dither) / 32_768).astype(np.float32)
    for host in _sounds(folder).values():
        need = math.log(margin.amplitude(host[: int(STREAM_S * RATE)], RATE, STREAM_S))
        for db in (0, 40, 60):
            steps = _heard(np.concatenate([noise, host[: 12 * RATE] * np.float32(10 ** (-db / 20))]))
            right = [(at - PAUSE_S, amplitude) for at, amplitude in steps if PAUSE_S + 2 < at <= PAUSE_S + 9]
            row.setdefault(f"{db} dB softer: measured, %", []).append(100.0 * bool(right))
            row.setdefault("after, s", []).extend(at for at, _ in right[:1])
            row.setdefault("off, octaves", []).extend(abs(amplitude - need) / math.log(2) for _, amplitude in right)
            row.setdefault("measured in noise, %", []).append(100.0 * any(at <= PAUSE_S for at, _ in steps))
    return {name: float(np.mean(shares)) for name, shares in row.items()}


def divided(folder: Path, value: float) -> dict[str, float]:
    """Files of two sounds, half a minute each: how many are marked in two parts, and how far from the change."""
    away: list[float] = []
    hosts, count = _sounds(folder), 0
    for one, two in itertools.permutations(hosts.values(), 2):
        parts = margin.amplitudes(np.concatenate([one, two]), RATE)
        count += 1
        if len(parts) == 2:
            away.append(parts[1][0] / RATE - PART_S)
    return {"in two parts, %": 100 * len(away) / count, "away, s": float(np.mean(np.abs(away))),
            "earliest, s": min(away), "latest, s": max(away)}


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
