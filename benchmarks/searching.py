# SPDX-License-Identifier: Apache-2.0
"""What the constants of searches and of small hosts decide, for `sweeps.py`: how many marks are found, at what work.

Pictures and sound are those of a folder, shortened, and marked at robustness "hard". Each measure gives
one row of a table: shares in per cent, means, and the CPU time of a search in vain.
"""

from __future__ import annotations

import io
import tempfile
import time
from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np
from PIL import Image, ImageDraw, ImageFont

from benchmarks import image_attacks
from benchmarks.image_robustness import pictures
from labelkit import codec, container
from labelkit.errors import HostTooSmall
from labelkit.key import Key
from labelkit.payload import Payload
from labelkit.watermark import Candidates, audio, image, video
from labelkit.watermark.image import matcher, tile

PAYLOAD = Payload.from_int(0x5A3C91D277AA0F13)
MOVED = ("turn_33_inside", "turn_7_jpeg_60", "aspect_0_85", "crop_25", "crop_scale_jpeg", "aslant_2", "scale_0_25",
         "jpeg_20")
LONGEST, _SHEET, _PART = 512, 768, 400  # pixels
_DECOYS, _DECOY_RMS = (0, 1, 3, 6, 9), 1.2  # patterns that are laid over, and the level of each in grey levels
_WORDS = "the mark of a page whose paper turns white is left in the ink of its letters".split()
_CLIP_S, _NOISES_DB = 2, (30, 15, 10)
_LOG = 100_000  # candidates


def moved(folder: Path, value: float) -> dict[str, float]:
    """How many words are read after changes of geometry and hard codecs, and what a search in vain takes."""
    read, vain = _searched(folder, LONGEST, image_attacks.apply, MOVED, "turn_33_inside")
    return read | {"all": float(np.mean(list(read.values())))} | vain


def _searched(folder: Path, longest: int, apply: Callable[[str, np.ndarray], np.ndarray], names: Sequence[str],
              of_unmarked: str) -> tuple[dict[str, float], dict[str, float]]:
    """The share of words that is read after each attack; the CPU time of a search in unmarked pictures after one."""
    read: dict[str, list[float]] = {name: [] for name in names}
    seconds = []
    for _, host in pictures(folder, longest):
        marked = image.embed(host, PAYLOAD, robustness="hard")
        for name in names:
            read[name].append(100.0 * (image.detect(apply(name, marked)).payload == PAYLOAD))
        start = time.process_time()
        assert not image.detect(apply(of_unmarked, host)).found
        seconds.append(time.process_time() - start)
    return ({name: float(np.mean(shares)) for name, shares in read.items()},
            {"CPU ms in vain": 1000 * float(np.mean(seconds))})


def decoyed(folder: Path, value: float) -> dict[str, float]:
    """How many words are read under so many synchronisation patterns without a word, and under another's mark; what a
    search in vain under six of them takes."""
    random, seconds = np.random.default_rng(1), []
    other = Payload.from_int(0x1234)
    read: dict[str, list[float]] = {f"{count} decoys": [] for count in _DECOYS} | {"both of two marks": []}
    for _, host in pictures(folder, LONGEST):
        marked = image.embed(host, PAYLOAD, robustness="hard")
        for count in _DECOYS:
            found = image.detect(_with_decoys(marked, count, random), effort="fast")
            read[f"{count} decoys"].append(100.0 * (found.payload == PAYLOAD))
        found = image.detect(image.embed(marked, other, robustness="hard"), effort="fast")
        named = {found.payload.hex, *found.geometry.also} if found.payload and found.geometry else set()
        read["both of two marks"].append(100.0 * (named == {PAYLOAD.hex, other.hex}))
        start = time.process_time()
        assert not image.detect(_with_decoys(host, 6, random), effort="fast").payload
        seconds.append(time.process_time() - start)
    return {name: float(np.mean(shares)) for name, shares in read.items()} | {
        "CPU ms in vain": 1000 * float(np.mean(seconds))}


def _with_decoys(rgb: np.ndarray, count: int, random: np.random.Generator) -> np.ndarray:
    """The picture under synchronisation patterns of the public key, each at a place of its own."""
    height, width = rgb.shape[:2]
    p, keyed = tile.period(width, height), tile.keyed_bins(Key.public())
    laid = np.zeros((p, p))
    for _ in range(count):
        across, down = random.uniform(0, 1, 2)
        spectrum = np.zeros((p, p), complex)
        spectrum[keyed.ky % p, keyed.kx % p] = keyed.phase * np.exp(-2j * np.pi * (across * keyed.kx + down * keyed.ky))
        pattern = np.fft.ifft2(spectrum).real
        laid += _DECOY_RMS * pattern / pattern.std()
    whole = np.tile(laid, (-(-height // p), -(-width // p)))[:height, :width, None]
    return np.clip(np.rint(rgb + whole), 0, 255).astype(np.uint8)


def short(folder: Path, value: float) -> dict[str, float]:
    """Of clips of two seconds that carry presence alone: how many are found in white noise of so many decibels below
    them, at what work; and what a search in vain takes."""
    import soundfile

    found: dict[str, list[float]] = {f"noise {db} dB": [] for db in _NOISES_DB}
    seconds: dict[bool, list[float]] = {True: [], False: []}
    random = np.random.default_rng(1)
    for path in sorted(path for ending in ("flac", "mp3", "wav") for path in folder.glob(f"*.{ending}")):
        samples, rate = soundfile.read(path, dtype="float32", always_2d=True)
        for at in range(0, len(samples) - _CLIP_S * rate + 1, _CLIP_S * rate):
            host = np.ascontiguousarray(samples[at : at + _CLIP_S * rate, 0])
            try:
                marked = audio.embed(host, rate, None)
            except HostTooSmall:
                continue
            for db in _NOISES_DB:
                level = np.float32(np.sqrt(np.mean(host**2)) * 10 ** (-db / 20))
                noise = level * random.normal(0, 1, len(host)).astype(np.float32)
                for is_marked, clip in ((True, marked), (False, host)):
                    start = time.process_time()
                    answer = audio.detect(clip + noise, rate).found
                    seconds[is_marked].append(time.process_time() - start)
                    assert is_marked or not answer
                    if is_marked:
                        found[f"noise {db} dB"].append(100.0 * answer)
    return {name: float(np.mean(shares)) for name, shares in found.items()} | {
        "CPU ms": 1000 * float(np.mean(seconds[True])), "CPU ms in vain": 1000 * float(np.mean(seconds[False]))}


def weighed(folder: Path, value: float) -> dict[str, float]:
    """The scores of films read from their files, where frames that are coded alone, one a second, are known as such."""
    from benchmarks.sweeps import FILMS, FRAMES
    from benchmarks.video_fidelity import encoded, frames_of, marked
    from benchmarks.video_films import make

    scores: dict[str, list[float]] = {}
    with tempfile.TemporaryDirectory() as work:
        for path in sorted(folder.glob("*.mp4")) + [make(name, Path(work, f"{name}.mp4"), FRAMES) for name in FILMS]:
            copies, out = marked(frames_of(path, FRAMES), PAYLOAD, 1.0, "everyday"), Path(work, "out.mkv")
            for crf in (23, 28, 32, 36):
                encoded(copies, out, {"crf": str(crf), "g": "24"})  # as streaming services cut
                with container.opened(out) as reader:
                    found = video.detect(codec.decode(reader))
                scores.setdefault(f"crf {crf}", []).append(found.score if found.payload == PAYLOAD else 0.0)
    return {name: float(np.mean(row)) for name, row in scores.items()} | {
        f"{name}, read %": 100.0 * float(np.mean(np.asarray(row) > 0)) for name, row in scores.items()}


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


def subtracted(folder: Path, value: float) -> dict[str, float]:
    """How many words are read where so many times the synchronisation pattern was subtracted, and what was done then;
    what a search takes in unmarked pictures from which it was subtracted."""
    from benchmarks.removal import SYNC_AMPLITUDE, Embedding

    attacks = (1, "none"), (1.25, "jpeg_60"), (1.25, "crop_70"), (1.25, "scale_0_8")
    key, seconds = Key(b"key of the benchmarks"), []
    pattern = SYNC_AMPLITUDE * tile.placed_phases(key, int(PAYLOAD))
    read: dict[str, list[float]] = {}
    for _, host in pictures(folder, LONGEST):
        marked = image.embed(host, PAYLOAD, key)
        way = Embedding.of(marked, "everyday")
        for amount, then in attacks:
            tried = image_attacks.apply(then, way.add(marked, np.float32(-amount) * pattern))
            found = image.detect(tried, key).payload
            assert found in (None, PAYLOAD)
            read.setdefault(f"{amount:g} times, {then}", []).append(100.0 * (found == PAYLOAD))
        start = time.process_time()
        assert not image.detect(way.add(host, -pattern), key).payload
        seconds.append(time.process_time() - start)
    return {name: float(np.mean(shares)) for name, shares in read.items()} | {
        "CPU ms in vain": 1000 * float(np.mean(seconds))}


def collaged(folder: Path, value: float) -> dict[str, float]:
    """How many of nine pictures of a collage are named, whole and after attacks; what a search in vain takes."""
    hosts = []
    for _, host in pictures(folder, 2 * LONGEST):
        factor = _PART / min(host.shape[:2])
        size = max(round(host.shape[1] * factor), _PART), max(round(host.shape[0] * factor), _PART)
        hosts.append(np.asarray(Image.fromarray(host).resize(size, Image.Resampling.LANCZOS))[:_PART, :_PART])
    hosts = (hosts * 9)[:9]
    words = [Payload(1, 12345, 1000 + number) for number in range(9)]
    marked = [image.embed(host, word, robustness="hard") for host, word in zip(hosts, words, strict=True)]
    named: dict[str, float] = {}
    for then in ("none", "jpeg_85", "jpeg_50", "scale_0_8", "mirror"):
        found = image.detect(image_attacks.apply(then, _collage(marked)))
        answers = {found.payload.hex, *(found.geometry.also or ())} if found.payload and found.geometry else set()
        assert answers <= {word.hex for word in words}
        named[f"{then}, of 9"] = float(len(answers))
    start = time.process_time()
    assert not image.detect(_collage(hosts)).found
    return named | {"CPU ms in vain": 1000 * (time.process_time() - start)}


def _collage(parts: list[np.ndarray]) -> np.ndarray:
    return np.concatenate([np.concatenate(parts[3 * row : 3 * row + 3], 1) for row in range(3)])


def shrunk(folder: Path, value: float) -> dict[str, float]:
    """How many words are read in parts of pictures that were shrunk and compressed, and in pictures that were shrunk,
    marked by default; what a search in vain takes."""
    read: dict[str, list[float]] = {}
    seconds = []
    for _, host in pictures(folder, 640):
        marked = image.embed(host, PAYLOAD)
        for name in ("repost", "crop_scale_jpeg", "scale_0_25"):
            found = image.detect(image_attacks.apply(name, marked)).payload
            read.setdefault(name, []).append(100.0 * (found == PAYLOAD))
        start = time.process_time()
        assert not image.detect(image_attacks.apply("repost", host)).found
        seconds.append(time.process_time() - start)
    return {name: float(np.mean(shares)) for name, shares in read.items()} | {
        "CPU ms in vain": 1000 * float(np.mean(seconds))}


def spaced(folder: Path, value: float) -> dict[str, float]:
    """How many words are read in whole pictures that were shrunk much, and in parts that were enlarged, marked at
    robustness "hard"; what a search in vain takes."""
    read: dict[str, list[float]] = {}
    seconds = []

    def resized(rgb: np.ndarray, factor: float) -> np.ndarray:
        size = round(rgb.shape[1] * factor), round(rgb.shape[0] * factor)
        return np.asarray(Image.fromarray(np.ascontiguousarray(rgb)).resize(size, Image.Resampling.LANCZOS))

    for _, host in pictures(folder, 0):
        marked, (height, width) = image.embed(host, PAYLOAD, robustness="hard"), host.shape[:2]
        part = marked[height // 4 : height // 4 + height // 2, width // 4 : width // 4 + width // 2]
        changed = {f"at {side} pixels": resized(marked, side / max(height, width)) for side in (360, 256)} | {
            f"a quarter at {factor}, JPEG 50": _coded(resized(part, factor), "JPEG", 50) for factor in (1.1, 1.5, 2)}
        for name, picture in changed.items():
            read.setdefault(name, []).append(100.0 * (image.detect(picture).payload == PAYLOAD))
        start = time.process_time()
        assert not image.detect(resized(host, 360 / max(height, width))).found
        seconds.append(time.process_time() - start)
    return {name: float(np.mean(shares)) for name, shares in read.items()} | {
        "CPU ms in vain": 1000 * float(np.mean(seconds))}


def reposted(folder: Path, value: float) -> dict[str, float]:
    """What pictures that are marked by default pay, in PSNR and SSIM, and how many words are read after what is harder
    than the class `everyday`."""
    from benchmarks.fidelity import psnr, ssim  # of the extra `bench`

    rows: dict[str, list[float]] = {}
    for _, host in pictures(folder, 960):
        marked = image.embed(host, PAYLOAD)
        paid = {"PSNR": psnr(host, marked), "100 (1 - SSIM)": 100 * (1 - ssim(host, marked))}
        read = {name: 100.0 * (image.detect(image_attacks.apply(name, marked)).payload == PAYLOAD)
                for name in ("repost", "crop_scale_jpeg", "turn_7_jpeg_60", "jpeg_20", "webp_50")}
        for name, one in (paid | read).items():
            rows.setdefault(name, []).append(one)
    return {name: float(np.mean(row)) for name, row in rows.items()}


def weak(folder: Path, value: float) -> dict[str, float]:
    """How many words are read in folded planes of noise that hold a tile so weak, in noise deviations a bin, upright
    among eight orientations; and what a plane without one takes. No pictures."""
    random, keyed = np.random.default_rng(1), tile.keyed_bins(Key.public())
    flat, textured = tile.patterns(Key.public(), int(PAYLOAD), tile.GRID, 1.0)
    pattern = flat / tile.FLAT_UNIT + textured / tile.PATTERN_UNIT * tile.HIGH_RMS
    read: dict[str, list[float]] = {}
    seconds = []
    for amplitude in (0.0, 0.11, 0.12, 0.13, 0.14):
        for _ in range(100):
            plane = random.standard_normal(pattern.shape) + amplitude * pattern / pattern.std()
            spectrum = tile.analyse(np.rint(1000 * plane).astype(np.int32))
            start = time.process_time()
            found = matcher.match(spectrum, keyed, matcher.Trials(), 8, upright=True)
            seconds.append(time.process_time() - start)
            assert found is None or amplitude and found.word == int(PAYLOAD)
            read.setdefault(f"{amplitude:g}", []).append(100.0 * (found is not None))
    return {name: float(np.mean(shares)) for name, shares in read.items() if name != "0"} | {
        "CPU ms in vain": 1000 * float(np.mean(seconds[:100]))}


def inked(folder: Path, value: float) -> dict[str, float]:
    """Of drawn pages of several inks and sizes, and of the folder's: how many are read when their paper turns white."""
    pages = [page(level, size) for level in (20, 60, 100) for size in (16, 28)]
    changes = {"brightness 1.4": lambda rgb: 1.4 * rgb, "contrast 1.5": lambda rgb: 128 + 1.5 * (rgb - 128.0)}
    read: dict[str, list[float]] = {}
    seconds = []
    for name, change in changes.items():
        for host in pages + [host for path, host in pictures(folder, 4 * LONGEST) if path.startswith("page")]:
            white, plain = (np.clip(np.rint(change(one)), 0, 255).astype(np.uint8)
                            for one in (image.embed(host, PAYLOAD), host))
            read.setdefault(name, []).append(100.0 * (image.detect(white).payload == PAYLOAD))
            read.setdefault(f"{name}, JPEG 80", []).append(
                100.0 * (image.detect(_coded(white, "JPEG", 80)).payload == PAYLOAD))
            start = time.process_time()
            assert not image.detect(plain).found
            seconds.append(time.process_time() - start)
    return {name: float(np.mean(shares)) for name, shares in read.items()} | {
        "CPU ms in vain": 1000 * float(np.mean(seconds))}


def page(level: int, size: int, height: int = 1000, width: int = 800) -> np.ndarray:
    """uint8 [height, width, 3]: lines of text of a grey level, `size` pixels high, on paper of 250."""
    sheet, font = Image.new("RGB", (width, height), (250, 250, 250)), ImageFont.load_default(size)
    pen = ImageDraw.Draw(sheet)
    for number, top in enumerate(range(40, height - 2 * size, 3 * size // 2)):
        line = " ".join(_WORDS[(7 * number + 5 * k) % len(_WORDS)] for k in range(12 * width // 10 // size))
        pen.text((40, top), line, fill=(level, level, level), font=font)
    return np.asarray(sheet)


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
