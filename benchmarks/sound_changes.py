# SPDX-License-Identifier: Apache-2.0
"""Streams whose sound changes, beside the same sound marked as a whole: what is read, heard and made to swell.

    python -m benchmarks.sound_changes
    python -m benchmarks.sound_changes --programme organ:110 speech.flac:40 --programme a.flac:60:-20 b.mp3:60

A programme is parts that follow one another, each a file or one of the sounds made here, so many seconds of it, again
and again where it is shorter, at its level or so many decibels above. It is marked at 24 kHz, mono, class `everyday`,
as a stream in chunks of 20 ms and by `embed`. Stretches of 15 s, one each 7.5 s, are read after attacks of the class,
those that lie in one part and those across a change apart. ODG by `peaq.py`, and the swelling of tones as margin.py
measures it, of the first and of the last 15 s of each part.
"""

from __future__ import annotations

import argparse
import functools
from collections.abc import Callable
from pathlib import Path

import numpy as np

from benchmarks import audio_attacks as attacks, sustained
from benchmarks.audio_robustness import odg, resampled
from labelkit.key import Key
from labelkit.payload import Payload
from labelkit.watermark import audio
from labelkit.watermark.audio import margin
from labelkit.watermark.audio.pattern import RATE as NARROW
from labelkit.watermark.audio.synchronizer import band_levels
from tests import sounds

RATE, STRETCH_S, STEP_S, CHUNK_S = 24_000, 15.0, 7.5, 0.02
KEY, PAYLOAD = Key(b"benchmarks.sound_changes"), Payload(1, 7, 20)
ATTACKS = ("mp3_64k", "rate_16k", "opus_16k")
SAMPLES = Path(__file__).parent.parent / "samples"


def _organ() -> np.ndarray:
    return resampled(sustained.pad(sustained.PADS["organ on C4"]), sustained.RATE, RATE)


MADE: dict[str, Callable[[], np.ndarray]] = {
    "organ": _organ, "speech": lambda: sounds.speech(30, RATE), "music": lambda: sounds.music(16, RATE).mean(1),
    "hiss": lambda: sounds.noise(20, RATE, 0.05), "silence": lambda: np.zeros(RATE, np.float32)}
PROGRAMMES = (("organ:110", "speech:40"), ("speech:110", "organ:40", "speech:40"),
              ("speech:60:-24", f"{SAMPLES / 'music.mp3'}:60"),
              (f"{SAMPLES / 'music.mp3'}:110", "hiss:30", "speech:40"),
              ("silence:20", f"{SAMPLES / 'speech.flac'}:50", "silence:10", f"{SAMPLES / 'music.mp3'}:50"))


@functools.cache
def _source(name: str) -> np.ndarray:
    if name in MADE:
        return np.asarray(MADE[name](), np.float32)
    import soundfile
    x, rate = soundfile.read(name, dtype="float32")
    mono = x if x.ndim == 1 else x.mean(1)
    return mono if rate == RATE else resampled(mono, rate, RATE)


def part(text: str) -> tuple[str, np.ndarray]:
    """A part from NAME:SECONDS or NAME:SECONDS:DB, and its name."""
    name, seconds, *level = text.split(":")
    samples = np.resize(_source(name), int(float(seconds) * RATE)) * 10 ** (float(level[0] if level else 0) / 20)
    return Path(name).stem, samples.astype(np.float32)


def streamed(host: np.ndarray) -> np.ndarray:
    """The host marked in chunks."""
    marker, size = audio.AudioMarker(RATE, 1, PAYLOAD, KEY), int(CHUNK_S * RATE)
    return np.concatenate([*(marker.push(host[at : at + size]) for at in range(0, len(host), size)), marker.finish()])


WAYS = {"stream": streamed, "whole": lambda host: audio.embed(host, RATE, PAYLOAD, KEY)}


def is_read(marked: np.ndarray, attack: str) -> bool:
    """Whether the payload is read after an attack."""
    attacked, rate = attacks.apply(attack, marked, RATE, seed=1)
    return audio.detect(np.ascontiguousarray(attacked, np.float32), rate, KEY, effort="fast").payload == PAYLOAD


def swelling(host: np.ndarray, marked: np.ndarray) -> float:
    """Amplitude modulation that the mark gives to sustained tones."""
    return margin._swell_of_tones(*(band_levels(resampled(x, RATE, NARROW)) for x in (host, marked)))


def reading(marked: np.ndarray, edges: list[int], wanted: list[str]) -> dict[str, dict[bool, list[int]]]:
    """For each attack, whether a stretch lies across a change: how many were read, of how many."""
    table = {attack: {across: [0, 0] for across in (False, True)} for attack in wanted}
    size = int(STRETCH_S * RATE)
    for start in range(0, len(marked) - size + 1, int(STEP_S * RATE)):
        stretch = marked[start : start + size]
        across = any(start < edge < start + size for edge in edges)
        for attack in wanted if np.abs(stretch).max() > 1e-3 else ():
            table[attack][across][0] += is_read(stretch, attack)
            table[attack][across][1] += 1
    return table


def measure(programme: list[str] | tuple[str, ...], wanted: list[str], kinds: list[str]) -> None:
    """Print the lines of one programme."""
    names, parts = zip(*map(part, programme), strict=True)
    host = np.concatenate(parts)
    edges = np.cumsum([0, *map(len, parts)]).tolist()
    both = {kind: WAYS[kind](host) for kind in kinds}
    print(f"{', then '.join(programme)}")
    for kind, marked in both.items():
        for attack, cells in reading(marked, edges[1:-1], wanted).items():
            inside, across = (f"{read} of {count}" for read, count in cells.values())
            print(f"  {kind:6s} {attack:10s} in a part {inside:9s} across {across}", flush=True)
    size = int(STRETCH_S * RATE)
    for name, first, stop in zip(names, edges, edges[1:], strict=False):
        if name == "silence":
            continue
        for place, at in (("first", first), ("last", stop - size)):
            cells, inside = [], slice(max(first, at), min(at + size, stop))
            for kind, marked in both.items():
                x, y = host[inside], marked[inside]
                cells.append(f"{kind} ODG {odg(x, y, RATE):5.2f} swell {swelling(x, y):.3f}")
            print(f"  {name}, {place} 15 s: {'; '.join(cells)}", flush=True)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--programme", nargs="+", action="append", help="parts NAME:SECONDS[:DB]; may be given again")
    parser.add_argument("--attacks", nargs="+", default=[name for name in ATTACKS if name in attacks.names()])
    parser.add_argument("--kinds", nargs="+", choices=tuple(WAYS), default=tuple(WAYS))
    options = parser.parse_args()
    for programme in options.programme or PROGRAMMES:
        measure(programme, options.attacks, options.kinds)


if __name__ == "__main__":
    main()
