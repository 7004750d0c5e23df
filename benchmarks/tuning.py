# SPDX-License-Identifier: Apache-2.0
"""What pictures need and what they get, as Markdown: the figures behind `labelkit/watermark/image/margin.py`.

    python -m benchmarks.tuning [--pictures FOLDER ...] [--longest 768] [--strength 1] [--needs] [--metrics]
    python -m benchmarks.tuning NAME [--values V ...] [--beside NAME=V ...] [--pictures FOLDER]     # see sweeps.py

Each picture is marked as `embed` marks it by default and taken through the class `everyday`. With --needs the least
amplitude at which each transformation is survived is measured too, from 1 down in steps of a quarter of an octave: the
constants of margin.py were chosen so that "spent" is above both columns of needs wherever these are below 1, by as
little as one set of constants allows. With --metrics SSIMULACRA2 and Butteraugli are run (Debian: libjxl-devtools) and
files are encoded, at the default and at "hard".
"""

from __future__ import annotations

import argparse
import io
import subprocess
import tempfile
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pillow_heif
from PIL import Image

from benchmarks import image_attacks, sweeps
from benchmarks.image_robustness import pictures
from labelkit.payload import Payload
from labelkit.watermark import image
from labelkit.watermark.image import gain, margin, tile

Picture = np.ndarray
PAYLOAD = Payload.from_int(0x5A3C91D277AA0F13)
LEVELS = [2 ** (-k / 4) for k in range(9)]
pillow_heif.register_heif_opener()


def _coded(format: str, **options: object) -> Callable[[Picture], Picture]:
    def change(rgb: Picture) -> Picture:
        out = io.BytesIO()
        Image.fromarray(np.ascontiguousarray(rgb)).save(out, format, **options)
        return np.asarray(Image.open(out).convert("RGB"))
    return change


def _scaled(factor: float, how: Image.Resampling = Image.Resampling.BICUBIC) -> Callable[[Picture], Picture]:
    return lambda rgb: np.asarray(Image.fromarray(np.ascontiguousarray(rgb)).resize(
        (round(rgb.shape[1] * factor), round(rgb.shape[0] * factor)), how))


def _cut(x: float, y: float, area: float = 0.25) -> Callable[[Picture], Picture]:
    def change(rgb: Picture) -> Picture:
        height, width = (round(side * area**0.5) for side in rgb.shape[:2])
        top, left = round((rgb.shape[0] - height) * y), round((rgb.shape[1] - width) * x)
        return np.ascontiguousarray(rgb[top : top + height, left : left + width])
    return change


def _feed(rgb: Picture) -> Picture:
    picture = Image.fromarray(rgb)
    picture.thumbnail((1080, 1080), Image.Resampling.LANCZOS)
    return _coded("JPEG", quality=70)(np.asarray(picture))


def _covered(rgb: Picture) -> Picture:
    out, (height, width) = rgb.copy(), rgb.shape[:2]
    out[height // 4 : height // 4 + height // 2, width // 3 : width // 3 + width // 2] = 127
    return out


def _curve(factor: float, middle: float) -> Callable[[Picture], Picture]:
    table = np.clip(np.rint(middle + factor * (np.arange(256) - middle)), 0, 255).astype(np.uint8)
    return lambda rgb: table[rgb]


CODECS: dict[str, Callable[[Picture], Picture]] = {
    "JPEG 50": _coded("JPEG", quality=50), "WebP 80": _coded("WEBP", quality=80, method=4),
    "AVIF 60": _coded("AVIF", quality=60, speed=8), "HEIC 50": _coded("HEIF", quality=50),
    "screenshot": lambda rgb: _coded("JPEG", quality=80)(_scaled(0.8, Image.Resampling.BILINEAR)(rgb)[3:-3, 3:-3]),
    "two feeds": lambda rgb: _feed(_feed(rgb))}
OTHERS: dict[str, Callable[[Picture], Picture]] = {
    "scale 0.5": _scaled(0.5), "scale 0.35": _scaled(0.35), "crop, middle": _cut(0.5, 0.5),
    "crop, aside": _cut(0.8, 0.15), "mirror": lambda rgb: np.ascontiguousarray(rgb[:, ::-1]),
    "brightness 1.4": _curve(1.4, 0), "contrast 1.5": _curve(1.5, 128), "darker": _curve(0.6, 0),
    "hue": lambda rgb: image_attacks.apply("hue_25", rgb), "covered 25 %": _covered}
EVERYDAY = CODECS | OTHERS


def survivors(marked: Picture) -> dict[str, bool]:
    """Of each transformation of the class whether the payload is read after it, at effort "normal"."""
    return {name: image.detect(change(marked)).payload == PAYLOAD for name, change in EVERYDAY.items()}


def needs(host: Picture) -> dict[str, float]:
    """The least amplitude down to which each transformation is survived; 2 where 1 does not do."""
    least, open_ = dict.fromkeys(EVERYDAY, 2.0), dict(EVERYDAY)
    for level in LEVELS:
        marked = image.embed(host, PAYLOAD, strength=level, robustness="hard")
        for name in list(open_):
            if image.detect(open_[name](marked)).payload == PAYLOAD:
                least[name] = level
            else:
                del open_[name]
    return least


def spent(host: Picture) -> margin.Spending:
    """What `embed` spends on a picture by default."""
    activity = gain.activity(host)
    grid, flat_gain = gain.adapted(host, activity)
    return margin.spending(host, activity, grid, flat_gain, tile.period(host.shape[1], host.shape[0]))


def seen(host: Picture, marked: Picture) -> tuple[float, float, float]:
    """SSIMULACRA2, Butteraugli's 3-norm and PSNR in dB."""
    with tempfile.TemporaryDirectory() as folder:
        paths = [f"{folder}/host.png", f"{folder}/marked.png"]
        for path, picture in zip(paths, (host, marked), strict=True):
            Image.fromarray(picture).save(path, compress_level=1)
        run = [subprocess.run([tool, *paths], capture_output=True, text=True, check=True).stdout
               for tool in ("ssimulacra2", "butteraugli_main")]
    from benchmarks.fidelity import psnr  # of the extra `bench`, which the tests of this module do without

    return float(run[0].split()[0]), float(run[1].split("3-norm:")[1].split()[0]), psnr(host, marked)


def growth(host: Picture, marked: Picture) -> list[float]:
    """By how many per cent files grow: JPEG 85, WebP 80, AVIF 60, PNG."""
    def size(rgb: Picture, format: str, **options: object) -> int:
        out = io.BytesIO()
        Image.fromarray(rgb).save(out, format, **options)
        return out.tell()
    kinds = [("JPEG", {"quality": 85}), ("WEBP", {"quality": 80}), ("AVIF", {"quality": 60, "speed": 8}), ("PNG", {})]
    return [100 * (size(marked, kind, **how) / size(host, kind, **how) - 1) for kind, how in kinds]


def _row(name: str, host: Picture, options: argparse.Namespace) -> list[str]:
    marked = image.embed(host, PAYLOAD, strength=options.strength)
    spending, read = spent(host), survivors(marked)
    cells = [name, f"{spending.amplitude * options.strength:.2f}{'' if spending.on_flat else ', not on flat'}",
             ", ".join(name for name, ok in read.items() if not ok) or "all"]
    lost = [name for name, ok in read.items() if not ok]
    if lost:
        hard = image.embed(host, PAYLOAD, robustness="hard")
        regained = [name for name in lost if image.detect(EVERYDAY[name](hard)).payload == PAYLOAD]
        cells[2] = f"not {cells[2]}; of these, at hard: {', '.join(regained) or 'none'}"
    if options.needs:
        least = needs(host)
        cells += [f"{max(least[name] for name in CODECS):.2f}", f"{max(least[name] for name in OTHERS):.2f}"]
    if options.metrics:
        for picture in (marked, image.embed(host, PAYLOAD, robustness="hard")):
            one, two, three = seen(host, picture)
            cells += [f"{one:.1f}, {two:.2f}, {three:.1f}", ", ".join(f"{g:+.1f}" for g in growth(host, picture))]
    return cells


def _number(text: str) -> float:
    """A whole number where the text is one: kernels take some constants as such."""
    return int(text) if text.lstrip("-").isdecimal() else float(text)


def main(arguments: list[str] | None = None) -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("name", nargs="?", choices=sweeps.SWEEPS, metavar="NAME", help=", ".join(sweeps.SWEEPS))
    parser.add_argument("--values", type=_number, nargs="+", help="of the constant")
    parser.add_argument("--beside", nargs="+", default=[], metavar="NAME=VALUE",
                        help="values of other constants of the same module")
    parser.add_argument("--pictures", type=Path, nargs="+", default=[Path(__file__).parent.parent / "samples"])
    parser.add_argument("--longest", type=int, default=768)
    parser.add_argument("--strength", type=float, default=1, help="of the mark at the default")
    parser.add_argument("--needs", action="store_true")
    parser.add_argument("--metrics", action="store_true")
    options = parser.parse_args(arguments)
    if options.name:
        values = options.values or sweeps.SWEEPS[options.name].values
        beside = {name: _number(value) for name, _, value in (one.partition("=") for one in options.beside)}
        print("\n\n".join(sweeps.table(options.name, values, folder, beside) for folder in options.pictures))
        return
    titles = ["picture", "spent", "read"]
    titles += ["codecs need", "others need"] if options.needs else []
    for kind in ("everyday", "hard") if options.metrics else ():
        titles += [f"{kind}: SSIMULACRA2, Butteraugli, PSNR", f"{kind}: growth %, JPEG 85, WebP 80, AVIF 60, PNG"]
    print("| " + " | ".join(titles) + " |\n|" + "---|" * len(titles))
    for folder in options.pictures:
        for name, host in pictures(folder, options.longest):
            print("| " + " | ".join(_row(name, host, options)) + " |", flush=True)


if __name__ == "__main__":
    main()
