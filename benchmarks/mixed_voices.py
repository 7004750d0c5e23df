# SPDX-License-Identifier: Apache-2.0
"""Two voices with different marks of one key, mixed: how many are named, and what else is.

    python -m benchmarks.mixed_voices [--pairs 8]

Synthetic speech and music of `tests.sounds` at 16 kHz, effort "normal". "apart" is a random distance, "together" the
same first sample. The last rows are single marks, where a second name is a mistake.
"""

from __future__ import annotations

import argparse

import numpy as np

from labelkit.key import Key
from labelkit.payload import Payload
from labelkit.watermark import audio
from tests import sounds

RATE = 16_000
KEY = Key(b"benchmarks.mixed_voices")
MARKS = Payload(1, 7, 101), Payload(1, 7, 202)
SECONDS, SOFTER_DB = (10, 20, 40), (0, 3, 6, 10)


def pair(number: int, seconds: int) -> tuple[np.ndarray, np.ndarray]:
    """Marked speech, and marked speech or music beside it."""
    first = sounds.speech(seconds, RATE, seed=100 + number)
    second = (sounds.music(seconds, RATE, seed=200 + number).mean(1) if number % 2 else
              sounds.speech(seconds, RATE, seed=200 + number))
    return tuple(audio.embed(host, RATE, mark, KEY, robustness="hard")
                 for host, mark in zip((first, second), MARKS, strict=True))


def names(samples: np.ndarray) -> set[str]:
    """The payloads that the detector names."""
    found = audio.detect(samples.astype(np.float32), RATE, KEY)
    return {segment.payload for segment in found.geometry.segments} if found.found else set()


def mixed(first: np.ndarray, second: np.ndarray, softer_db: float, late: int) -> np.ndarray:
    """The second voice at the first one's power less some dB, `late` samples behind it."""
    gain = np.sqrt(np.square(first).mean() / np.square(second).mean()) * 10 ** (-softer_db / 20)
    out = np.pad(first, (0, late)).astype(np.float64)
    out[late:] += gain * second
    return out


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--pairs", type=int, default=8)
    count = parser.parse_args().pairs
    random = np.random.default_rng(1)
    wanted, wrong = {mark.hex for mark in MARKS}, 0
    print("| length | second softer by | apart: both, one, none | together: both, one, none |\n|---|---|---|---|")
    for seconds in SECONDS:
        pairs = [pair(number, seconds) for number in range(count)]
        for softer in SOFTER_DB:
            cells = []
            for apart in (True, False):
                tally = [0, 0, 0]
                for voices in pairs:
                    named = names(mixed(*voices, softer, int(random.integers(400, 40_000)) if apart else 0))
                    wrong += len(named - wanted)
                    tally[len(named & wanted)] += 1
                cells.append(f"{tally[2]}, {tally[1]}, {tally[0]}")
            print(f"| {seconds} s | {softer} dB | {' | '.join(cells)} |", flush=True)
        second = sum(len(names(voice)) != 1 for voices in pairs for voice in voices)
        print(f"| {seconds} s | one mark alone | not exactly one name: {second} of {2 * count} | |", flush=True)
    print(f"\nwrong names: {wrong}")


if __name__ == "__main__":
    main()
