# SPDX-License-Identifier: Apache-2.0
"""The verify page in Chromium: how soon it is ready and how long files take, and 100 files judged as natively.

    python -m benchmarks.verify_page FOLDER [--times] [--files N]

FOLDER is what `labelkit page` wrote. --times measures on an idle machine: each number is of one fresh browser, the
median of five, the worst beside it. --files compares that many files with native verification: those of the tests, and
copies of them with bytes changed, taken out and repeated.
"""

from __future__ import annotations

import argparse
import datetime
import statistics
import sys
import tempfile
import time
from pathlib import Path

import numpy as np
from PIL import Image

import labelkit as lk
from labelkit import provenance
from tests import sounds
from tests.files import LABEL
from tests.media import saved
from tests.page import chromium, verified_files
from tests.page.chromium import Page, Server, verified
from tests.page.in_chromium import differences, native

RUNS = 5


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("folder", type=Path)
    parser.add_argument("--times", action="store_true")
    parser.add_argument("--files", type=int, default=0)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as work, Server(options.folder) as server:
        if options.times:
            times(server, Path(work))
        if options.files and not compare(server, Path(work), options.files):
            sys.exit(1)


def times(server: Server, work: Path) -> None:
    """Print how long the page takes, in seconds."""
    files = _timed(work)
    rows: dict[str, list[float]] = {}
    for _ in range(RUNS):
        with chromium.browser() as page:
            start = time.perf_counter()
            page.open(server.url)
            chromium.wait_until_ready(page)
            rows.setdefault("ready", []).append(time.perf_counter() - start)
            rows.setdefault("first file", []).append(_seconds(page, files["labelled 1024 x 1024 JPEG"]))
            for name, file in files.items():
                rows.setdefault(name, []).append(_seconds(page, file))
    for name, seconds in rows.items():
        print(f"{name:<32} {statistics.median(seconds):6.2f} s, worst {max(seconds):.2f} s")


def _seconds(page: Page, file: Path) -> float:
    """From the choice of a file to its report, by the page's own clock."""
    page.run("""window.begun = 0; document.getElementById('files').addEventListener('change',
        () => { window.begun = performance.now(); }, { once: true, capture: true });
        new MutationObserver((_, watch) => { const last = [...document.querySelectorAll('article')].at(-1);
            if (window.begun && last.querySelector('.layers')) {
                window.ended = performance.now(); watch.disconnect(); } })
        .observe(document.getElementById('cards'), { childList: true, subtree: true }); 0""")
    verified(page, file)
    return float(str(page.run("(window.ended - window.begun) / 1000")))


def _timed(work: Path) -> dict[str, Path]:
    chance = np.random.default_rng(3)
    coarse = Image.fromarray(chance.integers(0, 256, (16, 16, 3), np.uint8))
    coarse = coarse.resize((1024, 1024), Image.Resampling.BICUBIC)
    host = np.clip(np.asarray(coarse) + chance.normal(0, 12, (1024, 1024, 1)), 0, 255).astype(np.uint8)
    plain = saved(host, "JPEG", quality=90)
    sound = sounds.wave_bytes(sounds.music(15, 44_100), 44_100)
    held = {"labelled 1024 x 1024 JPEG": ("labelled.jpg", lk.embed(plain, None, LABEL)),
            "unmarked 1024 x 1024 JPEG": ("plain.jpg", plain),
            "labelled 15 s of stereo sound": ("labelled.wav", lk.embed(sound, None, LABEL)),
            "unmarked 15 s of stereo sound": ("plain.wav", sound)}
    for file, data in held.values():
        (work / file).write_bytes(data)
    return {name: work / file for name, (file, _) in held.items()}


def compare(server: Server, work: Path, count: int) -> bool:
    """Print where the page and native verification differ, and return whether they are alike."""
    provenance.keygen(work, "Acme Imaging", now=datetime.datetime.now(datetime.UTC))
    folder = work / "files"
    folder.mkdir()
    files = list(verified_files.made(folder, lk.Signer.load(work / "signer.pem")))
    whole = [file for file in files if file.stat().st_size > 100]
    for seed in range(count - len(files)):
        source = whole[seed % len(whole)]
        files.append(folder / f"mutated-{seed}-{source.name}")
        files[-1].write_bytes(verified_files.mutated(source.read_bytes(), seed))
    wrong, verdicts = 0, dict[str, int]()
    with chromium.browser() as page:
        page.open(server.url)
        chromium.wait_until_ready(page)
        asked = len(server.asked)
        for file in files[:count]:
            want, got = native(file), verified(page, file)
            is_error = "error" in want and "error" in got and str(want["error"]) in str(got["error"])
            found = [] if is_error else list(differences(want, got))
            verdicts[str(want.get("verdict", "error"))] = verdicts.get(str(want.get("verdict", "error")), 0) + 1
            same = want.get("verdict") == got.get("verdict")
            wrong += bool(found)
            for line in found[:6]:
                print(f"{file.name}{'' if same else ' OTHER VERDICT'} {line[:200]}")
        print(f"{count - wrong} of {count} files alike, requests meanwhile: {len(server.asked) - asked}; {verdicts}")
    return not wrong


if __name__ == "__main__":
    main()
