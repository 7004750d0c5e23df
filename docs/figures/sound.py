# SPDX-License-Identifier: Apache-2.0
"""The pattern of sound, what it does to speech, and how its start is found. `python -m docs.figures.sound`"""

from __future__ import annotations

import numpy as np
import soundfile

from docs.figures._style import BLUE, GREY, SAMPLES, pyplot, save
from labelkit.codec.resample import Resampler
from labelkit.key import Key
from labelkit.payload import Payload
from labelkit.watermark import audio
from labelkit.watermark.audio import pattern, synchronizer

PAYLOAD = Payload.from_int(0x283CEC28D6F4A55D)


def at_16_khz(samples: np.ndarray, rate: int) -> np.ndarray:
    resampler = Resampler(rate, pattern.RATE, 1)
    padded = np.concatenate([samples[None], np.zeros((1, resampler.lookahead + 1), np.float32)], axis=1)
    return np.ascontiguousarray(resampler.push(padded)[0])


def starts(samples: np.ndarray) -> np.ndarray:
    """The score of the known signs at each of the 192 starts of a period."""
    chips = synchronizer.Spectrum.of(samples).chips(synchronizer.Replay())
    hit, var = synchronizer.row_scores(chips, pattern.pattern(Key.public()).sync.astype(np.float32))
    return hit.sum(0) / np.sqrt(var.sum(0) + 1e-9)


def main() -> None:
    samples, rate = soundfile.read(SAMPLES / "speech.flac", dtype="float32")
    host = samples if samples.ndim == 1 else samples[:, 0]
    host = np.ascontiguousarray(host[: 9 * rate])
    marked = audio.embed(host, rate, PAYLOAD, robustness="hard")
    figure, axes = pyplot.subplots(1, 3, figsize=(8.4, 2.7), width_ratios=(1, 1.1, 1.2))
    signs = pattern.frame_signs(Key.public(), PAYLOAD)
    axes[0].imshow(signs[:48].T, cmap="RdBu", aspect="auto", origin="lower", interpolation="nearest",
                   extent=(0, 48 * 0.032, 0, pattern.BANDS))
    axes[0].set_title("half a period: which band is raised")
    axes[0].set_xlabel("s")
    axes[0].set_ylabel("band, 469 Hz to 6.9 kHz")
    windows = np.lib.stride_tricks.sliding_window_view(at_16_khz(marked - host, rate)[:32_000], 512)[::128]
    level = 20 * np.log10(np.abs(np.fft.rfft(windows * np.hanning(512), axis=1)) + 1e-4)
    axes[1].imshow(level.T, cmap="magma", aspect="auto", origin="lower", extent=(0, 2, 0, 8), vmin=-70, vmax=10)
    axes[1].set_title("what is added to speech")
    axes[1].set_xlabel("s")
    axes[1].set_ylabel("kHz")
    for one, colour, said in ((host, GREY, "unmarked"), (marked, BLUE, "marked")):
        axes[2].plot(np.arange(192) * synchronizer.STEP_S, starts(at_16_khz(one, rate)), color=colour, label=said,
                     linewidth=1)
    axes[2].set_title("score of the known signs\nat each start of a period")
    axes[2].set_xlabel("start, s")
    axes[2].legend()
    save(figure, "sound")


if __name__ == "__main__":
    main()
