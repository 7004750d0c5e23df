# SPDX-License-Identifier: Apache-2.0
"""How close a marked medium is to the unmarked one.

PSNR, SSIM (Wang et al. 2004) and SNR are computed here. SSIMULACRA2, ViSQOL and PEAQ are measured by programs of others
where they are on PATH: `ssimulacra2` (libjxl), `visqol` (Google), `peaq` (GstPEAQ). What is absent is not estimated.
"""

from __future__ import annotations

import re
import shutil
import subprocess
import tempfile
from collections.abc import Callable
from pathlib import Path

import numpy as np
import numpy.typing as npt
from PIL import Image

from labelkit.trials.table import Picture, Wave

TOOLS = {"ssimulacra2": "SSIMULACRA2", "visqol": "ViSQOL", "peaq": "PEAQ"}
"""Programs on PATH, and what they measure."""
_TIMEOUT_S = 120
_WINDOW = np.exp(-np.square(np.arange(-5, 6)) / (2 * 1.5**2))


def available() -> dict[str, str]:
    """The programs that were found: name and path."""
    return {name: path for name in TOOLS if (path := shutil.which(name))}


def psnr(before: Picture, after: Picture) -> float:
    """dB; infinite for equal pictures."""
    error = float(np.square(before.astype(np.float32) - after).mean())
    return float(10 * np.log10(255**2 / error)) if error else float("inf")


def ssim(before: Picture, after: Picture) -> float:
    """Of the luma, windows of 11 x 11 with a deviation of 1.5; 1 for equal pictures."""
    x, y = (picture @ np.array([0.299, 0.587, 0.114]) for picture in (before, after))
    mx, my = _smooth(x), _smooth(y)
    xx, yy, xy = _smooth(x * x) - mx * mx, _smooth(y * y) - my * my, _smooth(x * y) - mx * my
    c1, c2 = (0.01 * 255) ** 2, (0.03 * 255) ** 2
    values = (2 * mx * my + c1) * (2 * xy + c2) / ((mx * mx + my * my + c1) * (xx + yy + c2))
    return float(values.mean())


def _smooth(values: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
    for axis in (0, 1):
        padded = np.pad(values, [(5, 5) if one == axis else (0, 0) for one in (0, 1)], mode="reflect")
        size = values.shape[axis]
        values = np.sum([weight * np.take(padded, range(at, at + size), axis)
                         for at, weight in enumerate(_WINDOW / _WINDOW.sum())], axis=0)
    return values


def snr(before: Wave, after: Wave) -> float:
    """dB; infinite for equal sounds."""
    error = float(np.square(after.astype(np.float64) - before).sum())
    return float(10 * np.log10(max(float(np.square(before, dtype=np.float64).sum()), 1e-20) / error)) if error \
        else float("inf")


def ssimulacra2(program: str, before: Picture, after: Picture) -> float | None:
    """90 and more is "cannot be told apart" in a flicker test; None where the program gave no number."""
    def write(folder: Path) -> list[str]:
        names = []
        for name, picture in (("before.png", before), ("after.png", after)):
            Image.fromarray(picture).save(folder / name)
            names.append(str(folder / name))
        return [program, *names]
    return _number(write, r"(-?\d+(?:\.\d+)?)\s*$")


def visqol(program: str, before: Wave, after: Wave, rate: int) -> float | None:
    """MOS-LQO, 1 to 5, in audio mode at 48 kHz."""
    from labelkit.trials.acoustics import resized

    def write(folder: Path) -> list[str]:
        pair = [resized(x, round(len(x) * 48_000 / rate)) if rate != 48_000 else x for x in (before, after)]
        return [program, "--reference_file", _wav(folder / "before.wav", pair[0], 48_000),
                "--degraded_file", _wav(folder / "after.wav", pair[1], 48_000)]
    return _number(write, r"MOS-LQO:\s*(-?\d+(?:\.\d+)?)")


def peaq(program: str, before: Wave, after: Wave, rate: int) -> float | None:
    """Objective difference grade, 0 to -4."""
    def write(folder: Path) -> list[str]:
        return [program, _wav(folder / "before.wav", before, rate), _wav(folder / "after.wav", after, rate)]
    return _number(write, r"Difference Grade:\s*(-?\d+(?:\.\d+)?)")


def _wav(path: Path, samples: Wave, rate: int) -> str:
    import soundfile

    soundfile.write(path, np.clip(samples, -1, 1), rate, format="WAV", subtype="PCM_16")
    return str(path)


def _number(write: Callable[[Path], list[str]], pattern: str) -> float | None:
    """The number that a program prints about two files; None where it fails or takes too long."""
    with tempfile.TemporaryDirectory(prefix="labelkit-") as folder:
        try:
            done = subprocess.run(write(Path(folder)), capture_output=True, text=True, timeout=_TIMEOUT_S, check=False,
                                  stdin=subprocess.DEVNULL)
        except (OSError, subprocess.TimeoutExpired):
            return None
    found = re.search(pattern, done.stdout.strip(), re.MULTILINE) if done.returncode == 0 else None
    return float(found.group(1)) if found else None
