# SPDX-License-Identifier: Apache-2.0
"""What the constants of searches and of small hosts decide, for `sweeps.py`: how many marks are found, at what work.

Pictures are those of a folder, scaled down, and marked at robustness "hard". Each measure gives
one row of a table: shares in per cent, means, and the CPU time of a search in vain.
"""

from __future__ import annotations

import io
import time
from pathlib import Path

import numpy as np
from PIL import Image

from benchmarks import image_attacks
from benchmarks.image_robustness import pictures
from labelkit.errors import HostTooSmall
from labelkit.key import Key
from labelkit.payload import Payload
from labelkit.watermark import Candidates, image

PAYLOAD = Payload.from_int(0x5A3C91D277AA0F13)
MOVED = ("turn_33_inside", "turn_7_jpeg_60", "aspect_0_85", "crop_25", "crop_scale_jpeg", "aslant_2", "scale_0_25",
         "jpeg_20")
LONGEST, _SHEET = 512, 768  # pixels
_LOG = 100_000  # candidates


def moved(folder: Path, value: float) -> dict[str, float]:
    """How many words are read after changes of geometry and hard codecs, and what a search in vain takes."""
    read: dict[str, list[float]] = {name: [] for name in MOVED}
    seconds = []
    for _, host in pictures(folder, LONGEST):
        marked = image.embed(host, PAYLOAD, robustness="hard")
        for name in MOVED:
            read[name].append(100.0 * (image.detect(image_attacks.apply(name, marked)).payload == PAYLOAD))
        start = time.process_time()
        assert not image.detect(image_attacks.apply("turn_33_inside", host)).found
        seconds.append(time.process_time() - start)
    row = {name: float(np.mean(shares)) for name, shares in read.items()}
    return row | {"all": float(np.mean(list(row.values()))), "CPU ms in vain": 1000 * float(np.mean(seconds))}


def listed(folder: Path, value: float) -> dict[str, float]:
    """How many marks that hard codecs broke are found among 100,000 candidates, and what that search takes."""
    random, key = np.random.default_rng(1), Key(b"key of the benchmarks")
    words = random.integers(0, 1 << 35, _LOG, np.int64) | int(Payload(1, int(random.integers(1 << 24)), 0))
    log, seconds = Candidates.of(words), []
    found: dict[str, list[float]] = {}
    for _, host in pictures(folder, 2 * LONGEST):
        word = Payload.from_int(int(random.choice(words)))
        marked = image.embed(host, word, key, robustness="hard")
        for format, quality in (("JPEG", 15), ("JPEG", 10), ("WEBP", 35)):
            damaged = _coded(marked, format, quality)
            start = time.process_time()
            answer = image.detect(damaged, key, effort="fast", candidates=log).payload
            seconds.append(time.process_time() - start)
            assert answer in (None, word)
            found.setdefault(f"{format} {quality}", []).append(100.0 * (answer == word))
    return {name: float(np.mean(shares)) for name, shares in found.items()} | {
        "CPU ms": 1000 * float(np.mean(seconds))}


def sparse(folder: Path, value: float) -> dict[str, float]:
    """Of sheets that are grey but for about `value` cells of a picture: how many are refused, and how many are read."""
    side = round(8 * value**0.5)
    hosts = []
    for _, host in pictures(folder, 2 * LONGEST):
        sheet = np.full((_SHEET, _SHEET, 3), 200, np.uint8)
        top, left = ((whole - side) // 2 for whole in host.shape[:2])
        part = host[max(top, 0) : max(top, 0) + side, max(left, 0) : max(left, 0) + side]
        sheet[64 : 64 + part.shape[0], 64 : 64 + part.shape[1]] = part
        hosts.append(sheet)
    return _kept(hosts)


def small(folder: Path, value: float) -> dict[str, float]:
    """Of pictures whose shortest side has `value` pixels: how many are refused, and how many are read."""
    hosts = []
    for _, host in pictures(folder, 2 * LONGEST):
        factor = value / min(host.shape[:2])
        size = max(round(host.shape[1] * factor), int(value)), max(round(host.shape[0] * factor), int(value))
        hosts.append(np.asarray(Image.fromarray(host).resize(size, Image.Resampling.LANCZOS)))
    return _kept(hosts)


def _kept(hosts: list[np.ndarray]) -> dict[str, float]:
    row = {"refused, %": 0.0, "read, %": 0.0, "JPEG 75, %": 0.0, "JPEG 50, %": 0.0}
    for host in hosts:
        try:
            marked = image.embed(host, PAYLOAD, robustness="hard")
        except HostTooSmall:
            row["refused, %"] += 100 / len(hosts)
            continue
        for name, tried in (("read, %", marked), ("JPEG 75, %", _coded(marked, "JPEG", 75)),
                            ("JPEG 50, %", _coded(marked, "JPEG", 50))):
            row[name] += 100 / len(hosts) * (image.detect(tried).payload == PAYLOAD)
    return row


def _coded(rgb: np.ndarray, format: str, quality: int) -> np.ndarray:
    out = io.BytesIO()
    Image.fromarray(rgb).save(out, format, quality=quality)
    return np.asarray(Image.open(out).convert("RGB"))
