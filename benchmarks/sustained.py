# SPDX-License-Identifier: Apache-2.0
"""How much the audio watermark makes sustained tones swell and fade: amplitude modulation of their partials.

    python -m benchmarks.sustained                              # in each class
    python -m benchmarks.sustained --amplitudes 0.25 0.5 1 2    # at amplitudes, and after which attacks it is read

Pads of constant partials over faint noise, 12 s at 48 kHz. A partial's modulation is the deviation of its amplitude
after marking, times the square root of two, over its mean, below 15 Hz; the pattern changes every 96 ms.
"""

from __future__ import annotations

import argparse

import numpy as np

from benchmarks import audio_attacks
from labelkit.choices import ROBUSTNESS
from labelkit.errors import HostTooSmall
from labelkit.key import Key
from labelkit.payload import Payload
from labelkit.watermark import audio
from labelkit.watermark.audio.difference import DifferenceMaker

RATE, SECONDS = 48_000, 12
STEP = 8  # samples between those of the amplitude that are kept
_TIME = np.arange(RATE * SECONDS) / RATE
PADS = {"strings on A2": [(110.0 * n, 0.2 / n) for n in range(1, 14)],
        "strings on C3": [(130.8 * n, 0.2 / n) for n in range(1, 14)],
        "chord of ten sines": [(hz, 0.1 / (1 + 0.3 * n)) for n, hz in enumerate(
            (220, 277.2, 329.6, 440, 554.4, 659.3, 880, 1108.7, 1318.5, 1760))],
        "organ on C4": [(261.6 * n, level) for n, level in ((1, 0.2), (2, 0.15), (3, 0.1), (4, 0.08), (6, 0.05),
                                                            (8, 0.03))]}
PAYLOAD = Payload.from_int(77)
ATTACKS = ("none", "rate_16k", "mp3_128k", "mp3_64k", "aac_64k", "opus_24k", "opus_16k", "white_30")
LOWEST_HZ = 470  # below it the mark changes nothing


def pad(partials: list[tuple[float, float]]) -> np.ndarray:
    """float32 [frames]: constant partials of (Hz, amplitude), and noise 80 dB under full scale."""
    random = np.random.default_rng(1)
    tones = sum(level * np.sin(2 * np.pi * hz * _TIME + random.uniform(0, 2 * np.pi)) for hz, level in partials)
    return (tones + 1e-4 * random.standard_normal(len(_TIME))).astype(np.float32)


def amplitude(x: np.ndarray, hz: float) -> np.ndarray:
    """The amplitude of a partial over time, below about 15 Hz."""
    turned = (x * np.exp(-2j * np.pi * hz * _TIME)).reshape(-1, STEP).mean(1)
    window = np.hanning(round(RATE / STEP * 0.06))
    smooth = np.abs(np.convolve(turned, window / window.sum(), "valid"))
    return smooth[RATE // STEP // 2 : -RATE // STEP // 2]


def modulations(host: np.ndarray, marked: np.ndarray, partials: list[tuple[float, float]]) -> list[float]:
    """The modulation of each partial that the mark can reach."""
    ratios = [amplitude(marked, hz) / amplitude(host, hz) for hz, _ in partials if hz > LOWEST_HZ]
    return [float(np.sqrt(2) * ratio.std() / ratio.mean()) for ratio in ratios]


def classes() -> None:
    """What each class does to each pad."""
    print("| pad | robustness | modulation: median, worst partial |\n|---|---|---|")
    for name, partials in PADS.items():
        host = pad(partials)
        for robustness in ROBUSTNESS:
            try:
                marked = audio.embed(host, RATE, PAYLOAD, robustness=robustness)
            except HostTooSmall as error:
                print(f"| {name} | {robustness} | {error} |")
                continue
            swell = modulations(host, marked, partials)
            print(f"| {name} | {robustness} | {np.median(swell):.2f}, {max(swell):.2f} |", flush=True)


def marked_at(host: np.ndarray, amplitude: float) -> np.ndarray:
    """The host with a mark of an amplitude, whether it is read or not."""
    maker = DifferenceMaker(RATE, 1, PAYLOAD, Key.public(), 1.0, amplitude)
    change = maker.push(np.concatenate([host, np.zeros(maker.delay, np.float32)]))
    return host + change[: len(host)]


def frontier(amplitudes: list[float]) -> None:
    """What each amplitude does to each pad, and the attacks after which it is read."""
    attacks = [name for name in ATTACKS if name in audio_attacks.names()]
    print(f"| pad | amplitude | modulation: median, worst partial | {' | '.join(attacks)} |")
    print(f"|{'---|' * (3 + len(attacks))}")
    for name, partials in PADS.items():
        host = pad(partials)
        for amplitude in amplitudes:
            marked = marked_at(host, amplitude)
            swell = modulations(host, marked, partials)
            attacked = (audio_attacks.apply(attack, marked, RATE) for attack in attacks)
            read = [audio.detect(np.ascontiguousarray(x, np.float32), rate, effort="fast").payload == PAYLOAD
                    for x, rate in attacked]
            print(f"| {name} | {amplitude:g} | {np.median(swell):.3f}, {max(swell):.3f} | "
                  f"{' | '.join('yes' if one else 'no' for one in read)} |", flush=True)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--amplitudes", type=float, nargs="+", help="to try instead of the classes")
    options = parser.parse_args()
    if options.amplitudes:
        frontier(options.amplitudes)
    else:
        classes()


if __name__ == "__main__":
    main()
