# SPDX-License-Identifier: Apache-2.0
"""Peak memory of embedding and verifying long sound, file to file, each in a process of its own.

    python -m benchmarks.sound_memory [--minutes 60] [--formats wav flac mp3 m4a ogg opus] [--interface api cli]

The memory is the largest resident set that the system counted for the process; beside it stands its ratio to the sound
as float32. Needs POSIX, and PyAV for M4A.
"""

from __future__ import annotations

import argparse
import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import numpy as np
import soundfile

from tests import sounds

RATE, CHANNELS = 48_000, 2
FORMATS = ("wav", "flac", "mp3", "m4a", "ogg", "opus")
PRODUCER = "001191440300708461136T1XGW3"
EMBED = f"""
import sys, labelkit as lk
lk.embed(sys.argv[1], sys.argv[2], lk.Label(lk.Kind.GENERATED, {PRODUCER!r}, "1"))
"""
VERIFY = """
import sys, labelkit as lk
lk.verify(sys.argv[1]).require(lk.Layer.WATERMARK, lk.Layer.EXPLICIT, lk.Layer.METADATA)
"""
PEAK = """
import resource, subprocess, sys
code = subprocess.run(sys.argv[1:], stdout=subprocess.DEVNULL).returncode
print(code, resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss)
"""


def write_programme(path: Path, minutes: float) -> None:
    """Speech over music, the same minute again and again, written block by block."""
    tile = (0.5 * sounds.music(60, RATE) + 0.4 * sounds.speech(60, RATE)[:, None]).astype(np.float32)
    if path.suffix == ".m4a":
        _write_m4a(path, tile, minutes)
        return
    form, subtype = {".mp3": ("MP3", None), ".ogg": ("OGG", "VORBIS"), ".opus": ("OGG", "OPUS")}.get(
        path.suffix, (path.suffix[1:].upper(), "PCM_16"))
    with soundfile.SoundFile(path, "w", RATE, CHANNELS, subtype, format=form) as file:
        for block in _blocks(tile, minutes):
            file.write(block)


def _blocks(tile: np.ndarray, minutes: float, size: int = 1 << 16):
    left = round(minutes * 60 * RATE)
    while left:
        for at in range(0, min(len(tile), left), size):
            yield tile[at : min(at + size, left)]
        left -= min(len(tile), left)


def _write_m4a(path: Path, tile: np.ndarray, minutes: float) -> None:
    import av

    with av.open(str(path), "w", format="ipod") as file:
        stream = file.add_stream("aac", rate=RATE, layout="stereo")
        stream.bit_rate, at = 160_000, 0
        for block in _blocks(tile, minutes, 1024):
            frame = av.AudioFrame.from_ndarray(np.ascontiguousarray(block.T), format="fltp", layout="stereo")
            frame.sample_rate, frame.pts = RATE, at
            file.mux(stream.encode(frame))
            at += len(block)
        file.mux(stream.encode(None))


def peak(command: list[str]) -> tuple[float, float]:
    """Megabytes (10^6) of the largest resident set, and seconds, of a command that must succeed."""
    start = time.perf_counter()
    out = subprocess.run([sys.executable, "-c", PEAK, *command], stdout=subprocess.PIPE, text=True, check=True,
                         env={**os.environ, "OMP_NUM_THREADS": "1"})
    code, size = map(int, out.stdout.split()[-2:])
    if code:
        raise SystemExit(f"{command[-1]}: exit code {code}")
    return size * (1 if sys.platform == "darwin" else 1024) / 1e6, time.perf_counter() - start


def commands(interface: str, source: Path, target: Path) -> dict[str, list[str]]:
    """The command of each verb."""
    if interface == "cli":
        cli = [sys.executable, "-m", "labelkit"]
        return {"embed": [*cli, "embed", str(source), "-o", str(target), "--producer", PRODUCER],
                "verify": [*cli, "verify", str(target)]}
    return {"embed": [sys.executable, "-c", EMBED, str(source), str(target)],
            "verify": [sys.executable, "-c", VERIFY, str(target)]}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--minutes", type=float, default=60.0)
    parser.add_argument("--formats", nargs="+", default=FORMATS, choices=FORMATS)
    parser.add_argument("--interface", nargs="+", default=("api", "cli"), choices=("api", "cli"))
    options = parser.parse_args()
    decoded = options.minutes * 60 * RATE * CHANNELS * 4 / 1e6
    print(f"{options.minutes:g} min of stereo at 48 kHz, {decoded:,.0f} MB as float32\n")
    print("| format | by | embed MB | of the sound | verify MB | of the sound | embed s | verify s |")
    print("|---|---|---:|---:|---:|---:|---:|---:|")
    for format in options.formats:
        with tempfile.TemporaryDirectory() as folder:
            source = Path(folder, f"source.{format}")
            write_programme(source, options.minutes)
            for interface in options.interface:
                target = Path(folder, f"{interface}.{format}")
                done = {verb: peak(line) for verb, line in commands(interface, source, target).items()}
                (embed, embed_s), (verify, verify_s) = done["embed"], done["verify"]
                print(f"| {format} | {interface} | {embed:.0f} | {embed / decoded:.2f} | {verify:.0f} | "
                      f"{verify / decoded:.2f} | {embed_s:.0f} | {verify_s:.0f} |", flush=True)


if __name__ == "__main__":
    main()
