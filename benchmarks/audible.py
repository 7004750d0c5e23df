# SPDX-License-Identifier: Apache-2.0
"""The audible label looked for again after what players, rooms and music do to it.

    python -m benchmarks.audible [--clips FOLDER] [--seconds 8]

Every clip gets the rhythm, and the bundled spoken label in Chinese and in English, at its start and its end, at the
level that embed gives them. A trial is right if one label at least is found and no other kind is; the last column
counts what is found in the clip without a label under the same change. Music (synthetic) lies 6 dB under the label, by
the level that `audio_attacks.py` measures, for the whole of the sound.
"""

from __future__ import annotations

import argparse
from collections.abc import Callable
from pathlib import Path

import numpy as np

from benchmarks import audio_attacks as attacks
from benchmarks.audio_robustness import read_clips
from labelkit import explicit
from labelkit.codec.samples import AudioSamples
from labelkit.evidence import DrawnSound, ExplicitEvidence
from labelkit.plan import Explicit
from tests import sounds

LABELS = {"rhythm": Explicit(place="both"), "spoken, zh": Explicit(sound="speech", text="AI生成", place="both"),
          "spoken, en": Explicit(sound="speech", text="made by AI", place="both")}
SPEEDS, TEMPOS = (0.85, 0.9, 1.1, 1.25), (0.85, 1.25)
Change = Callable[[np.ndarray, int, float], np.ndarray]  # float32 [frames, channels], Hz, the label's level


def changes() -> dict[str, Change]:
    """What is done to the sound, by name."""
    done: dict[str, Change] = {"none": lambda x, rate, level: x}
    done |= {f"speed {factor}": lambda x, rate, level, f=factor: attacks.speed(x, f) for factor in SPEEDS}
    done |= {f"tempo {factor}": lambda x, rate, level, f=factor: attacks.tempo(x, rate, f) for factor in TEMPOS}
    done |= {name: lambda x, rate, level, n=name: attacks.apply(n, x, rate, seed=1)[0]
             for name in ("rerecord", "reverb", "amr_nb", "opus_16k", "mp3_32k") if name in attacks.names()}
    return done | {"music 6 dB under": lambda x, rate, level: x + _music(len(x), rate, level / 2)}


def _music(frames: int, rate: int, level: float) -> np.ndarray:
    seconds = -(-frames // rate)
    music = attacks.resize(sounds.music(seconds, seed=3).mean(1)[:, None], seconds * rate)[:frames]
    return music * (level / attacks._level(music, rate))


def heard(samples: np.ndarray, rate: int) -> set[str]:
    """The kinds of label that are found, a spoken one with its text."""
    sound = AudioSamples(np.ascontiguousarray(samples.reshape(len(samples), -1), np.float32), rate)
    evidence = explicit.find(sound).evidence
    found = evidence.heard or () if isinstance(evidence, ExplicitEvidence) else ()
    return {one.text or "" if one.sound == "speech" else one.sound for one in found}


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n")[0])
    parser.add_argument("--clips", type=Path, default=Path(__file__).parent.parent / "samples")
    parser.add_argument("--seconds", type=float, default=8.0, help="of each clip")
    options = parser.parse_args()
    table = {name: np.zeros(len(LABELS) + 1, int) for name in changes()}
    count = 0
    for _, samples, rate in read_clips(options.clips):
        host = AudioSamples(samples.reshape(len(samples), -1)[: int(options.seconds * rate)], rate)
        count += 1
        for column, settings in enumerate(LABELS.values()):
            labelled, drawn = explicit.draw(host, settings)
            assert isinstance(drawn, DrawnSound)
            at = int(drawn.starts_s[0] * rate)
            level = attacks._level(labelled.samples[at : at + int(drawn.seconds * rate)], rate)
            wanted = {drawn.text if settings.sound == "speech" else "rhythm"}
            for name, change in changes().items():
                table[name][column] += heard(change(labelled.samples, rate, level), rate) == wanted
                table[name][-1] += not column and bool(heard(change(host.samples, rate, level), rate))
    print(f"{count} clips of {options.seconds:g} s\n\n| change | {' | '.join(LABELS)} | found without a label |")
    print("|---|" + "---:|" * (len(LABELS) + 1))
    for name, counts in table.items():
        print(f"| {name} | {' | '.join(map(str, counts))} |")


if __name__ == "__main__":
    main()
