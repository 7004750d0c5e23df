# SPDX-License-Identifier: Apache-2.0
"""Makes the bundled spoken labels with espeak-ng 1.52: 16 kHz, mono, silence cut off both ends.

    python -m labelkit.explicit.speech.make_speech

Chinese and English are WAV files of 16 bits; the others are mu-law codes (`recordings.expanded`), a byte a sample.

GB 45438-2025 5.3, note 4: normal speed is 120 to 160 characters a minute, so ten characters take 3.75 to 5 s.
The program is GPL; what it says is not.
"""

from __future__ import annotations

import io
import subprocess
import wave
from pathlib import Path

import numpy as np

from labelkit.explicit.audio.recordings import compressed
from labelkit.languages import LANGUAGES

VOICES = {"zh": ("cmn", 126), "en": ("en-us", 140), "de": ("de", 130), "fr": ("fr-fr", 130), "es": ("es", 130),
          "it": ("it", 130), "ko": ("ko", 120), "ja": ("ja", 150)}
"""The voice of each language, and its pace in words a minute as espeak-ng counts them."""
READ_AS = {"ja": "この おんせいわ えーあいに よって つくられました"}  # the voice reads no Chinese characters


def main() -> None:
    for name, (voice, pace) in VOICES.items():
        text = READ_AS.get(name, LANGUAGES[name].spoken)
        spoken = subprocess.run(["espeak-ng", "-v", voice, "-s", str(pace), "--stdout", text], capture_output=True,
                                check=True).stdout
        # the header of a stream does not know the length: everything after it is samples
        with wave.open(io.BytesIO(spoken)) as source:
            rate = source.getframerate()
        samples = np.frombuffer(spoken[44:], "<i2").astype(np.float64) / 32768
        loud = np.flatnonzero(np.abs(samples) > 0.01)
        samples = samples[max(0, loud[0] - rate // 50) : loud[-1] + rate // 50]
        count = round(len(samples) * 16_000 / rate)
        spectrum = np.fft.rfft(samples)[: count // 2 + 1]
        samples = np.fft.irfft(spectrum, count) * count / len(samples)
        samples *= 0.7 / np.abs(samples).max()
        print(f"{name}: {len(samples) / 16_000:.2f} s")
        if name not in ("zh", "en"):
            Path(__file__).with_name(f"{name}.ulaw").write_bytes(compressed(samples).tobytes())
            continue
        with wave.open(str(Path(__file__).with_name(f"{name}.wav")), "wb") as out:
            out.setnchannels(1)
            out.setsampwidth(2)
            out.setframerate(16_000)
            out.writeframes(np.rint(samples * 32767).astype("<i2").tobytes())


if __name__ == "__main__":
    main()
