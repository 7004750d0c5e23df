# SPDX-License-Identifier: Apache-2.0
"""Files that the verify page must judge as labelkit does natively: labelled and not, whole and broken, hostile ones."""

from __future__ import annotations

import random
from collections.abc import Iterator
from pathlib import Path

import numpy as np
from PIL import Image

import labelkit as lk
from tests import files, films, sounds
from tests.files import LABEL
from tests.media import photo, saved

BARE = lk.Plan(explicit=None, watermark=None, provenance=None)


def made(folder: Path, signer: lk.Signer) -> Iterator[Path]:
    """The files, written into `folder`, about 30 kB to 1 MB each."""
    signed = lk.Plan(provenance=signer)
    for name, data in {**_pictures(signed), **_sounds(signed), **_documents(), **_hostile()}.items():
        (folder / name).write_bytes(data)
        yield folder / name
    yield from _films(folder, signed)


def _pictures(signed: lk.Plan) -> dict[str, bytes]:
    host = photo(480, 640)
    plain = {"plain.png": saved(host, "PNG"), "plain.jpg": saved(host, "JPEG", quality=90),
             "flat.png": saved(np.full((300, 400, 3), 128, np.uint8), "PNG"),
             "small.png": files.picture("PNG"), "grey.jpg": saved(host[..., 0], "JPEG", quality=80)}
    whole = {f"labelled.{ending}": lk.embed(saved(host, kind, **how), None, LABEL, plan=signed)
             for ending, kind, how in (("png", "PNG", {}), ("jpg", "JPEG", {"quality": 85}),
                                       ("webp", "WEBP", {"quality": 90}), ("gif", "GIF", {}), ("tiff", "TIFF", {}))}
    pixels = Image.fromarray(lk.embed(host, label=LABEL))
    return {**plain, **whole,
            "screenshot.jpg": saved(pixels, "JPEG", quality=70),
            "scaled.jpg": saved(pixels.resize((512, 384), Image.Resampling.BICUBIC), "JPEG", quality=85),
            "cropped.png": saved(pixels.crop((80, 60, 600, 440)), "PNG"),
            "metadata.png": lk.embed(saved(host, "PNG"), None, LABEL, plan=BARE),
            "broken-manifest.png": _flipped(whole["labelled.png"], -1000)}


def _sounds(signed: lk.Plan) -> dict[str, bytes]:
    wave = sounds.wave_bytes(sounds.music(15, 44_100), 44_100)
    return {"plain.wav": wave, "labelled.wav": lk.embed(wave, None, LABEL, plan=signed),
            "labelled.flac": lk.embed(sounds.speech(12), None, LABEL, rate=16_000, format="flac"),
            "labelled.mp3": lk.embed(sounds.music(12, 48_000), None, LABEL, rate=48_000, format="mp3"),
            "labelled.ogg": lk.embed(sounds.music(12, 44_100), None, LABEL, rate=44_100, format="ogg"),
            "plain.mp3": files.sound("MP3"), "short.wav": files.sound("WAV")}


def _documents() -> dict[str, bytes]:
    texts = {"text.md": b"---\ntitle: a text\n---\nof two lines\n", "drawing.svg": b'<svg xmlns="http://www.w3.org/2000/svg"/>',
             "page.html": b"<!DOCTYPE html><html><head><title>t</title></head><body>x</body></html>"}
    return {**texts, **{f"labelled-{name}": lk.embed(data, None, LABEL, plan=BARE) for name, data in texts.items()}}


def _hostile() -> dict[str, bytes]:
    labelled = lk.embed(files.picture("PNG"), None, LABEL, plan=BARE)
    return {"cut.png": labelled[: len(labelled) // 2], "noise.bin": random.Random(1).randbytes(4000), "empty.png": b"",
            "cut.jpg": files.picture("JPEG")[:300], "decoys.png": files.decoys_before_a_label(),
            "flipped.png": _flipped(labelled, 60), "cut.wav": files.sound("WAV")[:100],
            "text-as.png": b"this is not a picture"}


def _films(folder: Path, signed: lk.Plan) -> Iterator[Path]:
    plain = films.film(folder / "plain.mp4", size=(640, 480), count=75)
    yield plain
    yield lk.embed(plain, folder / "labelled.mp4", LABEL, plan=signed)
    yield lk.embed(films.film(folder / "host.webm", codec="libvpx-vp9", size=(480, 360), count=50),
                   folder / "labelled.webm", LABEL)


def _flipped(data: bytes, at: int) -> bytes:
    changed = bytearray(data)
    changed[at] ^= 0x55
    return bytes(changed)


def mutated(data: bytes, seed: int) -> bytes:
    """The data with a few bytes changed, taken out or repeated."""
    chance = random.Random(seed)
    changed = bytearray(data)
    for _ in range(chance.randint(1, 4)):
        at = chance.randrange(len(changed))
        stop = at + chance.randint(1, 60)
        changed[at:stop] = chance.choice([b"", bytes([chance.randrange(256)]), changed[at:stop] * 2])
    return bytes(changed)
