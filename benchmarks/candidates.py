# SPDX-License-Identifier: Apache-2.0
"""Marks that cannot be read, looked for among the payloads of a label log; and how often a wrong one is found.

    python -m benchmarks.candidates pictures [--folder FOLDER] [--log 1000000] [--robustness everyday] [--effort fast]
    python -m benchmarks.candidates sound [...]         # AMR needs a PyAV that has its encoder
    python -m benchmarks.candidates wrong [--count 1000] [--first 0] [--log 1000000] [--seed 1]
    python -m benchmarks.candidates wrong-sound [...]

`pictures` and `sound` mark each file with a payload of the log, and say how many are read blind and found among all of
the log; no answer may be another payload. `wrong` and `wrong-sound` look for a log in unmarked pictures or sound, and
in such with a mark of the same key that the log does not hold, under codecs that take a part of it: nothing may be
found but that mark. Each trial has a key and a number of its own; `--first` goes on where another run ended.
"""

from __future__ import annotations

import argparse
import io
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
from PIL import Image

from benchmarks import audio_attacks
from benchmarks.false_positives import sample
from benchmarks.image_robustness import pictures
from labelkit.errors import HostTooSmall
from labelkit.key import Key
from labelkit.payload import Payload
from labelkit.watermark import Candidates, Detection, audio, image

SAMPLES = Path(__file__).parent.parent / "samples"
CODECS = (("JPEG", 10), ("JPEG", 20), ("WEBP", 35), ("WEBP", 50))
_STARTS = (0.7, 4.1, 7.3)  # seconds, of the clips of two


def words_of(count: int, random: np.random.Generator) -> np.ndarray:
    """int64 [count]: payloads of one producer, as a log has them."""
    return random.integers(0, 1 << 35, count, np.int64) | int(Payload(1, int(random.integers(1 << 24)), 0))


class Tally:
    """How many of each attack were read, found and wrong; and the time of a search that read nothing."""

    def __init__(self) -> None:
        self.counts: dict[str, np.ndarray] = {}
        self.seconds: list[float] = []

    def add(self, attack: str, word: int, detect: Callable[[Candidates | None], Detection], log: Candidates) -> None:
        """Detect blind and among the candidates."""
        blind, start = detect(None), time.process_time()
        found = detect(log)
        if blind.payload is None:
            self.seconds.append(time.process_time() - start)
        wrong = found.payload is not None and int(found.payload) != word
        counts = self.counts.setdefault(attack, np.zeros(4, int))
        counts += [1, blind.payload is not None, found.payload is not None and not wrong, wrong]

    def show(self) -> None:
        """Print the table."""
        for attack, (total, read, found, wrong) in self.counts.items():
            print(f"{attack:16s} {total:4d}   read {read:4d}   found among candidates {found:4d}   wrong {wrong}")
        if self.seconds:
            print(f"{np.mean(self.seconds):.2f} s of CPU for a search that cannot read, with its candidates")


def coded(picture: np.ndarray, format: str, quality: int) -> np.ndarray:
    """A picture through a codec."""
    file = io.BytesIO()
    Image.fromarray(picture).save(file, format, quality=quality)
    return np.asarray(Image.open(file).convert("RGB"))


def in_pictures(options: argparse.Namespace, tally: Tally) -> None:
    """Every picture of the folder, marked once, under each attack."""
    random, key = np.random.default_rng(options.seed), Key(b"key of the benchmarks")
    words = words_of(options.log, random)
    log = Candidates.of(words)
    for _, host in pictures(options.folder or SAMPLES, 1100):
        word = int(random.choice(words))
        try:
            marked = image.embed(host, Payload.from_int(word), key, robustness=options.robustness)
        except HostTooSmall:
            continue
        for codec in CODECS:
            damaged = coded(marked, *codec)
            tally.add("{} {}".format(*codec), word, lambda among, x=damaged: image.detect(x, key, effort=options.effort,
                                                                          candidates=among), log)


def _damaged(marked: np.ndarray, rate: int) -> Iterator[tuple[str, np.ndarray]]:
    codec = audio_attacks.codec
    for kbps in (12.2, 7.95):
        yield f"AMR {kbps}, 10 s", codec(marked, rate, "libopencore_amrnb", kbps, "amr", mono=True, rate=8000)
    for start in _STARTS:
        part = marked[int(start * rate) : int((start + 2) * rate)]
        if len(part) >= 1.5 * rate:
            yield "Opus 16k, 2 s", codec(part, rate, "libopus", 16, "ogg", mono=True, rate=48000)


def in_sound(options: argparse.Namespace, tally: Tally) -> None:
    """The first 10 s of every clip, marked once, under each codec."""
    import soundfile

    random, key = np.random.default_rng(options.seed), Key(b"key of the benchmarks")
    words = words_of(options.log, random)
    log = Candidates.of(words)
    folder = options.folder or SAMPLES
    for path in sorted(path for path in folder.iterdir() if path.suffix in (".flac", ".mp3", ".wav")):
        host, rate = soundfile.read(path, dtype="float32", stop=10 * soundfile.info(path).samplerate, always_2d=True)
        word = int(random.choice(words))
        try:
            marked = audio.embed(host, rate, Payload.from_int(word), key, robustness=options.robustness)
        except HostTooSmall:
            continue
        for attack, damaged in _damaged(marked, rate):
            sound = np.ascontiguousarray(damaged, np.float32)
            tally.add(attack, word, lambda among, x=sound, rate=rate: audio.detect(x, rate, key, candidates=among), log)


def wrong(options: argparse.Namespace) -> None:
    """Pictures without a mark of the log, each under another key."""
    hosts = [host for _, host in pictures(options.folder or SAMPLES, 2000)]
    log = Candidates.of(words_of(options.log, np.random.default_rng(options.seed)))
    found = others = 0
    for trial in range(options.first, options.first + options.count):
        random = np.random.default_rng([options.seed, trial])
        key, picture, marked = Key(random.bytes(32)), sample(hosts, 320, random), None
        if trial % 2:
            marked = Payload(3, int(random.integers(1 << 24)), int(random.integers(1 << 35)))
            try:
                picture = image.embed(picture, marked, key)
            except HostTooSmall:
                marked = None
            picture = coded(picture, *CODECS[int(random.integers(len(CODECS)))])
        answer = image.detect(picture, key, effort=options.effort, candidates=log)
        others += marked is not None and answer.payload == marked
        if answer.payload is not None and answer.payload != marked:
            found += 1
            print(f"trial {trial}: {answer}")
    print(f"{options.count} pictures, half with a mark that the log of {options.log} does not hold ({others} of these "
          f"read blind): {found} wrong")


def _clips(folder: Path) -> list[tuple[np.ndarray, int]]:
    """float32 [frames] of each sound, and its rate."""
    import soundfile

    clips = []
    for path in sorted(path for path in folder.iterdir() if path.suffix in (".flac", ".mp3", ".wav")):
        samples, rate = soundfile.read(path, dtype="float32", always_2d=True)
        clips.append((samples.mean(1), rate))
    return clips


def _worn(sound: np.ndarray, rate: int, random: np.random.Generator) -> np.ndarray:
    """A clip as it is, in noise, or after one of the codecs that take most of a mark."""
    way = int(random.integers(5))
    if way < 2:
        return sound if not way else sound + np.float32(0.3 * sound.std()) * random.standard_normal(
            len(sound)).astype(np.float32)
    name, kbps, container, used = (("libopus", 16, "ogg", 48_000), ("libopencore_amrnb", 12.2, "amr", 8_000),
                                   ("libopencore_amrnb", 7.95, "amr", 8_000))[way - 2]
    made = audio_attacks.codec(sound[:, None], rate, name, kbps, container, mono=True, rate=used)
    return np.ascontiguousarray(made[:, 0], np.float32)


def wrong_sound(options: argparse.Namespace) -> None:
    """Stretches of 2 to 8 s without a mark of the log, each under another key."""
    clips = _clips(options.folder or SAMPLES)
    log = Candidates.of(words_of(options.log, np.random.default_rng(options.seed)))
    found = others = marks = 0
    for trial in range(options.first, options.first + options.count):
        random = np.random.default_rng([options.seed, trial])
        (clip, rate), key, marked = clips[int(random.integers(len(clips)))], Key(random.bytes(32)), None
        frames = min(len(clip), int(random.uniform(2, 8) * rate))
        start = int(random.integers(len(clip) - frames + 1))
        sound = clip[start : start + frames]
        if trial % 2:
            marked = Payload(3, int(random.integers(1 << 24)), int(random.integers(1 << 35)))
            try:
                sound = audio.embed(sound, rate, marked, key, robustness=options.robustness)
            except HostTooSmall:
                marked = None
        marks += marked is not None
        answer = audio.detect(_worn(sound, rate, random), rate, key, effort=options.effort, candidates=log)
        others += marked is not None and answer.payload == marked
        if answer.payload is not None and answer.payload != marked:
            found += 1
            print(f"trial {trial}: {answer}", flush=True)
        if trial % 500 == 499:
            print(f"up to {trial + 1}: {found} wrong", flush=True)
    print(f"{options.count} stretches, {marks} with a mark that the log of {options.log} does not hold ({others} of "
          f"these read blind): {found} wrong")


def main(arguments: list[str] | None = None) -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("what", choices=["pictures", "sound", "wrong", "wrong-sound"])
    parser.add_argument("--folder", type=Path, help="of pictures or sound; by default samples/")
    parser.add_argument("--log", type=int, default=1_000_000, help="how many payloads the log holds")
    parser.add_argument("--robustness", default="everyday")
    parser.add_argument("--effort", default="fast")
    parser.add_argument("--count", type=int, default=1000)
    parser.add_argument("--first", type=int, default=0, help="the number of the first trial")
    parser.add_argument("--seed", type=int, default=1)
    options = parser.parse_args(arguments)
    if options.what.startswith("wrong"):
        (wrong if options.what == "wrong" else wrong_sound)(options)
        return
    tally = Tally()
    (in_pictures if options.what == "pictures" else in_sound)(options, tally)
    tally.show()


if __name__ == "__main__":
    main()
