# SPDX-License-Identifier: Apache-2.0
"""Sweep one tuned constant: what a mark survives and what it costs, for each value, on samples/ or media of your own.

    python -m benchmarks.tuning HIGH_RMS [--values 0.4 0.55 0.7] [--beside NAME=VALUE] [--pictures FOLDER]

Each value runs in a process of its own, in which the constant has it from the start, so that what is derived from it
follows. Pictures and sound are marked at robustness "hard", because "everyday" would spend more where a constant spends
less, but for constants that decide at "everyday" alone: those of margin.py, and what the table below says. The score of
pictures is that of the whole pattern where the word is known (`known.known_scores`), of which a word needs about 12.7.
Sound and films have the score of their detector, 0 where nothing was read. Films are marked as by default: the one of
the folder, and four of `video_films`. `searching` measures what searches and small hosts have.
"""

from __future__ import annotations

import ast
import importlib.abc
import importlib.machinery
import io
import json
import subprocess
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from types import CodeType, ModuleType

import numpy as np

ROOT = Path(__file__).parent.parent
IMAGE, AUDIO, VIDEO = (f"labelkit.watermark.{kind}" for kind in ("image", "audio", "video"))
SPEECH = "labelkit.explicit.audio.speech_matching"
FILMS, FRAMES = ("zoom-boat", "zoom-cat", "sky", "shapes"), 48
MIXED, SMOOTH = ("dark-night", "tilt-rocket"), ("zoom-boat", "sky", "shapes")


@dataclass(frozen=True)
class Sweep:
    """A constant: its module, the values that are tried unless others are given, and its name there.

    search      the measure of `searching`, `set_right` or `listening` that shows what it decides; "" where those of
                this file do
    robustness  at which it decides, where that is not the one of its kind: see the top of this file
    films       of `video_films`, beside those of the folder
    """

    module: str
    values: tuple[float, ...]
    constant: str = ""
    search: str = ""
    robustness: str = ""
    films: tuple[str, ...] = FILMS


SWEEPS = {
    "HIGH_RMS": Sweep(f"{IMAGE}.tile", (0.35, 0.45, 0.55, 0.7)),
    "LOW_BAND": Sweep(f"{IMAGE}.tile", (0.07, 0.1, 0.14, 0.2)),
    "LOW_LIMIT": Sweep(f"{IMAGE}.tile", (24.0, 30.0, 34.0)),
    "SYNC_SHARE": Sweep(f"{IMAGE}.tile", (0.1, 0.15, 0.2, 0.3)),
    "GAIN_SLOPE": Sweep(f"{IMAGE}.gain", (72, 144, 288)),
    "GAIN_TOP": Sweep(f"{IMAGE}.gain", (80, 115, 150)),
    "NOISE": Sweep(f"{IMAGE}.pixels", (9, 25, 64)),
    "NOISE_FACTOR": Sweep(f"{IMAGE}.pixels", (2, 4, 8, 1000)),
    "MAX_MAGNITUDE": Sweep(f"{IMAGE}.matcher", (1.0, 1.5, 2.5)),
    "CODEC_RESERVE": Sweep(f"{IMAGE}.margin", (1.25, 1.55, 1.8), search="reposted"),
    "PLAIN_RESERVE": Sweep(f"{IMAGE}.margin", (1.2, 1.4, 1.6)),
    "LEAST": Sweep(f"{IMAGE}.margin", (0.25, 0.6, 0.7), "_LEAST", "reposted"),
    "FLAT_WORTH": Sweep(f"{IMAGE}.margin", (1.0, 1.15, 1.3), "_FLAT_WORTH"),
    "SMOOTH_GAIN": Sweep(f"{IMAGE}.gain", (35, 50, 70), "_SMOOTH_GAIN"),
    "MSE_BUDGET": Sweep(f"{IMAGE}.gain", (2.8, 3.9, 5.5), "_MSE_BUDGET"),
    "HOPELESS": Sweep(f"{IMAGE}.margin", (0.3, 0.6, 0.9)),
    "MOSTLY_WHITE": Sweep(f"{IMAGE}.margin", (2.0, 3.3, 5.0)),
    "MIN_TEXTURED_CELLS": Sweep(f"{IMAGE}.gain", (16, 64, 256), "_MIN_TEXTURED_CELLS", "sparse"),
    "RELIABLE_CELLS": Sweep(f"{IMAGE}.gain", (576, 1024, 2304, 4096), search="sparse"),
    "MIN_SIDE": Sweep(f"{IMAGE}.pixels", (64, 96, 128, 192), search="small"),
    "MIN_SCORE": Sweep(f"{IMAGE}.matcher", (3.5, 4.5, 5.5), search="moved"),
    "MIN_LATTICE_SCORE": Sweep(f"{IMAGE}.lattice", (2.0, 3.0, 4.5), search="moved"),
    "MAX_POWER": Sweep(f"{IMAGE}.lattice", (3.0, 6.0, 12.0), "_MAX_POWER", "moved"),
    "RING_WIDTH": Sweep(f"{IMAGE}.lattice", (8, 16, 32), "_RING_WIDTH", "moved"),
    "LATTICE_BAND": Sweep(f"{IMAGE}.lattice", (0.14, 0.2, 0.28), "LOW_BAND", "moved"),
    "CLEAR_SCORE": Sweep(f"{IMAGE}.matcher", (6.0, 7.5, 9.0), search="decoyed"),
    "MAX_DECOYS": Sweep(f"{IMAGE}.matcher", (0, 3, 7, 15), search="decoyed"),
    "MIN_UPRIGHT": Sweep(f"{IMAGE}.matcher", (3.5, 4.0, 4.5), "_MIN_UPRIGHT", "weak"),
    "MOST_UPRIGHT": Sweep(f"{IMAGE}.matcher", (0, 2, 6), "_MOST_UPRIGHT", "weak"),
    "INK_REACH": Sweep(f"{IMAGE}.pixels", (2, 5, 9), search="inked"),
    "CODED_INK_REACH": Sweep(f"{IMAGE}.pixels", (5, 9, 13), search="inked"),
    "MIN_ALONE": Sweep(f"{IMAGE}.matcher", (4.5, 5.5, 9.0), "_MIN_ALONE", "subtracted"),
    "BEST_PERIODS": Sweep(f"{IMAGE}.search", (0, 2, 4), "_BEST_PERIODS", "subtracted"),
    "BEST_LATTICES": Sweep(f"{IMAGE}.search", (0, 3, 6), "_BEST_LATTICES", "subtracted"),
    "MIN_OTHER": Sweep(f"{IMAGE}.matcher", (4.5, 5.0, 6.0), "_MIN_OTHER", "collaged"),
    "MOST_OTHERS": Sweep(f"{IMAGE}.matcher", (3, 11, 20), "_MOST_OTHERS", "collaged"),
    "CLEAR_LATTICE": Sweep(f"{IMAGE}.search", (5.0, 10.0, 20.0), "_CLEAR_LATTICE", "collaged"),
    "SPACING_STEP": Sweep(f"{IMAGE}.spacing", (0.02, 0.03, 0.06), "_STEP", "shrunk"),
    "KEPT_SPACINGS": Sweep(f"{IMAGE}.spacing", (1, 3), "_KEPT", "shrunk"),
    "LARGEST": Sweep(f"{IMAGE}.spacing", (1000, 2560, 5000), "_LARGEST", "spaced"),
    "MOST_SPACING": Sweep(f"{IMAGE}.spacing", (1.2, 1.6, 2.0, 2.5), "_MOST", "spaced"),
    "TILT_STEP": Sweep(f"{IMAGE}.perspective", (0.014, 0.02, 0.03), "STEP", "aslant"),
    "CLEAR_TILT": Sweep(f"{IMAGE}.perspective", (6.0, 8.0, 12.0), "CLEAR_SCORE", "aslant"),
    "LIKELY_PATTERN": Sweep(f"{IMAGE}.perspective", (5.0, 5.6, 6.5), "_LIKELY_PATTERN", "aslant"),
    "KEPT_WAVES": Sweep(f"{IMAGE}.waves", (24, 48, 96), "_KEPT", "waved"),
    "NEAR_WAVES": Sweep(f"{IMAGE}.waves", (1, 3, 6), "_NEAR", "waved"),
    "MOST_PAIRS": Sweep(f"{IMAGE}.waves", (3, 8, 16), "_MOST_PAIRS", "waved"),
    "CLEAR_PAIR": Sweep(f"{IMAGE}.waves", (5.5, 6.5, 8.0), "_CLEAR", "waved"),
    "USUAL_WAVE": Sweep(f"{IMAGE}.waves", (2.5, 4.0, 5.5), "_USUAL", "waved"),
    "LENS_STEP": Sweep(f"{IMAGE}.lens", (0.0025, 0.005, 0.01), "_STEP", "bulged"),
    "CLEAR_EDGE": Sweep(f"{IMAGE}.frame", (4.0, 8.0, 16.0), "_STEP", "framed"),
    "LEAST_LINE": Sweep(f"{IMAGE}.frame", (0.25, 0.4, 0.6), "_LEAST_LINE", "framed"),
    "RATIO_STEP": Sweep(f"{IMAGE}.frame", (0.0025, 0.005, 0.01), "_RATIO_STEP", "framed"),
    "MIN_PEAK": Sweep(f"{IMAGE}.expected", (1.8, 2.5, 3.5), "_MIN_PEAK", "listed"),
    "BELOW_BAR": Sweep(f"{IMAGE}.expected", (1.0, 1.8, 2.6), "_BELOW_BAR", "listed"),
    "MOST": Sweep(f"{IMAGE}.expected", (32, 128, 512), "_MOST", "listed"),
    "DEPTH": Sweep(f"{AUDIO}.difference", (0.27, 0.38, 0.54)),
    "TILT": Sweep(f"{AUDIO}.difference", (0.0, 0.1, 0.2)),
    "WIDEBAND_SHARE": Sweep(f"{AUDIO}.difference", (0.3, 0.43, 0.6)),
    "SPECTRAL_LIMIT": Sweep(f"{AUDIO}.difference", (0.42, 0.6, 0.85)),
    "ENERGY_LIMIT": Sweep(f"{AUDIO}.difference", (0.11, 0.16, 0.23)),
    "SLOPE": Sweep(f"{AUDIO}.difference", (0.0, 0.3, 0.6), robustness="everyday"),
    "CLEAR_SHARE": Sweep(f"{AUDIO}.difference", (0.4, 0.6, 1.0), robustness="everyday"),
    "POWER": Sweep(f"{AUDIO}.margin", (1.4, 1.75, 2.1), "_POWER"),
    "USUAL_RESERVE": Sweep(f"{AUDIO}.margin", (1.1, 1.25, 1.3, 1.6), "_USUAL_RESERVE"),
    "READ": Sweep(f"{AUDIO}.margin", (0.18, 0.255, 0.36), "_READ"),
    "LIGHT": Sweep(f"{AUDIO}.margin", (0.18, 0.25, 0.35), "_LIGHT"),
    "RESERVE": Sweep(f"{AUDIO}.margin", (1.0, 1.15, 1.3), "_RESERVE"),
    "HEARD": Sweep(f"{AUDIO}.margin", (0.06, 0.115, 0.12, 0.24), "_HEARD"),
    "USUAL_MOST": Sweep(f"{AUDIO}.margin", (0.8, 1.1, 1.5), "_USUAL_MOST"),
    "USUAL_HEARD": Sweep(f"{AUDIO}.margin", (1.1, 1.4, 1.6, 2.3), "_USUAL_HEARD"),
    "PRESENCE_SCORE": Sweep(f"{AUDIO}.presence", (4.5, 5.5, 6.5), "_MIN_SCORE", "short"),
    "COLOUR": Sweep(f"{AUDIO}.character", (1.0, 2.0, 4.0), "_COLOUR", "changing"),
    "MOVEMENT": Sweep(f"{AUDIO}.character", (0.5, 1.0, 2.0), "_MOVEMENT", "changing"),
    "QUIET": Sweep(f"{AUDIO}.character", (5.0, 10.0, 20.0), "_QUIET", "changing"),
    "LEAST_SHARE": Sweep(f"{AUDIO}.character", (0.02, 0.0625, 0.25), "_LEAST_SHARE", "changing"),
    "FIRST_LOOKS": Sweep(f"{AUDIO}.listener", (2, 4, 8), "_FIRST", "changing"),
    "MOST_LOOKS": Sweep(f"{AUDIO}.listener", (8, 32, 64), "_LONGEST", "changing"),
    "MEAN_OF": Sweep(f"{AUDIO}.listener", (1, 4, 16), "_MEAN_OF", "changing"),
    "LITTLE": Sweep(f"{AUDIO}.listener", (0.1, 0.223, 0.45), "_LITTLE", "changing"),
    "HIGHER": Sweep(f"{AUDIO}.listener", (1.0, 1.5, 2.5), "_HIGHER", "changing"),
    "HIGHEST": Sweep(f"{AUDIO}.listener", (2.0, 4.0, 8.0), "_HIGHEST", "changing"),
    "ODD": Sweep(f"{AUDIO}.listener", (2, 3, 5), "_ODD", "changing"),
    "ODD_AND_QUIET": Sweep(f"{AUDIO}.listener", (3, 9, 15), "_ODD_AND_QUIET", "changing"),
    "UNHEARD": Sweep(f"{AUDIO}.listener", (0.8, 1.2, 1.8), search="streamed"),
    "STREAM_S": Sweep(f"{AUDIO}.listener", (6.0, 10.0, 16.0), search="streamed"),
    "SILENT": Sweep(f"{AUDIO}.listener", (-41.0, -36.0, -28.0, -20.0, -14.0), "_SILENT", "quieted"),
    "LEAST_DEVIATION": Sweep(f"{AUDIO}.margin", (0.25, 1.0, 4.0), "_LEAST_DEVIATION", "divided"),
    "ABSENT": Sweep(SPEECH, (0.25, 0.5, 1.0), "_ABSENT", "spoken"),
    "MOST_ABSENT": Sweep(SPEECH, (0.05, 0.1, 0.2), "_MOST_ABSENT", "spoken"),
    "COARSE": Sweep(SPEECH, (0.35, 0.45, 0.6), "_COARSE", "spoken"),
    "MIN_WHOLE": Sweep(SPEECH, (0.6, 0.7, 0.8), "_MIN_WHOLE", "spoken"),
    "MIN_PART": Sweep(SPEECH, (0.6, 0.7, 0.8), "_MIN_PART", "spoken"),
    "PAUSE": Sweep(SPEECH, (0.05, 0.1, 0.2), "_PAUSE", "spoken"),
    "SLACK": Sweep(SPEECH, (1, 3, 6), "_SLACK", "spoken"),
    "LEAST_COVERED": Sweep(SPEECH, (0.45, 0.55, 0.65), "_LEAST_COVERED", "spoken"),
    "LOUD_SHARE": Sweep(SPEECH, (0.5, 0.65, 0.8), "_LOUD", "spoken"),
    "QUIET_SHARE": Sweep(SPEECH, (0.15, 0.25, 0.35), "_QUIET", "spoken"),
    "LOW_SHARE": Sweep(SPEECH, (0.25, 0.35, 0.5), "_LOW", "spoken"),
    "AMPLITUDE": Sweep(f"{VIDEO}.marker", (0.6, 0.8, 1.0), "_AMPLITUDE"),
    "SMOOTH_AMPLITUDE": Sweep(f"{VIDEO}.marker", (0.6, 0.78, 1.0), "_SMOOTH_AMPLITUDE"),
    "MIXED_AMPLITUDE": Sweep(f"{VIDEO}.marker", (0.8, 1.0, 1.2), "_MIXED_AMPLITUDE", films=MIXED),
    "MIXED_FLOOR": Sweep(f"{VIDEO}.marker", (2.2, 2.9, 3.8), "_MIXED_FLOOR", films=MIXED),
    "SMOOTH_FLOOR": Sweep(f"{VIDEO}.marker", (3.8, 4.95, 6.0), "_SMOOTH_FLOOR", films=SMOOTH),
    "PARTLY_SMOOTH": Sweep(f"{VIDEO}.marker", (0.15, 0.3, 0.5), "_PARTLY_SMOOTH", films=MIXED),
    "CHANGED": Sweep(f"{VIDEO}.changes", (0.25, 0.5, 4.0), "_CHANGED", films=SMOOTH),
    "BETTER": Sweep(f"{VIDEO}.camera", (0.95, 0.985, 1.0), "_BETTER"),
    "EXPLAINED": Sweep(f"{VIDEO}.camera", (0.2, 0.35, 0.6), "_EXPLAINED"),
    "MIN_MOTION_GAIN": Sweep(f"{VIDEO}.marker", (0.5, 0.75, 1.0), "_MIN_MOTION_GAIN", robustness="hard"),
    "MOTION_LEVELS": Sweep(f"{VIDEO}.marker", (0.5, 1.0, 2.0), "_MOTION_LEVELS", robustness="hard"),
    "MOSTLY_SMOOTH": Sweep(f"{VIDEO}.marker", (0.8, 0.85, 0.92), "_MOSTLY_SMOOTH"),
    "MIN_SIZE_FACTOR": Sweep(f"{VIDEO}.marker", (0.6, 0.8, 0.9), "_MIN_SIZE_FACTOR"),
    "FILM_SMOOTH_GAIN": Sweep(f"{VIDEO}.marker", (36, 39, 50), "_SMOOTH_GAIN"),
    "PATHS": Sweep(f"{VIDEO}.accumulator", (8, 32, 128), "_PATHS"),
    "KEY_WEIGHT": Sweep(f"{VIDEO}.sums", (1, 3, 6), "_KEY_WEIGHT", "weighed"),
    "FILM_NOISE": Sweep(f"{VIDEO}.accumulator", (1, 4, 25), "_NOISE"),
}


class _Changed(importlib.abc.MetaPathFinder, importlib.machinery.SourceFileLoader):
    """Imports one module with other values of some of its constants."""

    def __init__(self, module: str, values: dict[str, float]) -> None:
        super().__init__(module, str(ROOT.joinpath(*module.split(".")).with_suffix(".py")))
        self.values = values

    def find_spec(self, name: str, path: Sequence[str] | None, target: ModuleType | None = None,
                  ) -> importlib.machinery.ModuleSpec | None:
        return importlib.machinery.ModuleSpec(name, self, origin=self.path) if name == self.name else None

    def get_code(self, fullname: str) -> CodeType:
        source = self.get_data(self.path).decode()
        for name, value in self.values.items():
            source = changed(source, name, value)
        return compile(source, self.path, "exec")


def changed(source: str, name: str, value: float) -> str:
    """The source of a module in which a constant has another value; raises LookupError where it has none."""
    node = _value(source, name)
    lines = source.splitlines(keepends=True)
    line = lines[node.lineno - 1].encode()
    lines[node.lineno - 1] = (line[: node.col_offset] + repr(value).encode() + line[node.end_col_offset :]).decode()
    return "".join(lines)


def _value(source: str, name: str) -> ast.expr:
    """What stands behind a constant of a module, alone or in a row of several; raises LookupError."""
    for one in ast.parse(source).body:
        for target in one.targets if isinstance(one, ast.Assign) else ():
            if isinstance(target, ast.Name) and target.id == name:
                return one.value
            if isinstance(target, ast.Tuple) and isinstance(one.value, ast.Tuple):
                for element, value in zip(target.elts, one.value.elts, strict=True):
                    if isinstance(element, ast.Name) and element.id == name:
                        return value
    raise LookupError(f"there is no constant {name}")


def pictures(folder: Path, robustness: str) -> dict[str, float]:
    """What pictures of a folder pay and keep: the means of PSNR and of the score after each attack, and the least."""
    from PIL import Image

    from benchmarks.fidelity import psnr, ssim  # of the extra `bench`
    from benchmarks.image_robustness import pictures as found
    from labelkit.key import Key
    from labelkit.payload import Payload
    from labelkit.watermark import image
    from labelkit.watermark.image import known, tile

    payload, rows = Payload.from_int(0x5A3C91D277AA0F13), []
    for _, host in found(folder, 512):
        marked = image.embed(host, payload, robustness=robustness)
        row = {"PSNR": psnr(host, marked), "100 (1 - SSIM)": 100 * (1 - ssim(host, marked))}
        for name, format, quality in (("JPEG 50", "JPEG", 50), ("JPEG 30", "JPEG", 30), ("WebP 80", "WEBP", 80)):
            out = io.BytesIO()
            Image.fromarray(marked).save(out, format, quality=quality)
            sync, word = known.known_scores(np.asarray(Image.open(out).convert("RGB")), payload, Key.public())
            row[name] = tile.SYNC_SHARE**0.5 * sync + (1 - tile.SYNC_SHARE) ** 0.5 * word
        half = Image.fromarray(marked).resize((host.shape[1] // 2, host.shape[0] // 2), Image.Resampling.BICUBIC)
        row["read at half size, %"] = 100.0 * (image.detect(np.asarray(half)).payload == payload)
        rows.append(row)
    table = {name: float(np.mean([row[name] for row in rows])) for name in rows[0]}
    return table | {f"{name}, least": min(row[name] for row in rows) for name in ("PSNR", "JPEG 50", "WebP 80")}


def sounds(folder: Path, robustness: str) -> dict[str, float]:
    """The same of sound, of which ten seconds are taken: the means of SNR and of the detector's score."""
    import soundfile

    from labelkit.payload import Payload
    from labelkit.watermark import audio

    payload, rows = Payload.from_int(0x5A3C91D277AA0F13), []
    for path in sorted(path for ending in ("flac", "mp3", "wav") for path in folder.glob(f"*.{ending}")):
        samples, rate = soundfile.read(path, dtype="float32", always_2d=True)
        host = np.ascontiguousarray(samples[: 10 * rate, 0])
        marked = audio.embed(host, rate, payload, robustness=robustness)
        row = {"SNR": 10 * float(np.log10(np.sum(host**2) / np.sum((marked - host) ** 2)))}
        for name, db in (("untouched", None), ("white noise 20 dB", 20), ("white noise 10 dB", 10)):
            noise = np.random.default_rng(1).normal(0, 1, len(host)).astype(np.float32)
            share = 0 if db is None else float(np.sqrt(np.mean(host**2))) * 10 ** (-db / 20)
            found = audio.detect(marked + np.float32(share) * noise, rate)
            row[name] = found.score if found.payload == payload else 0.0
        rows.append(row)
    return {name: float(np.mean([row[name] for row in rows])) for name in rows[0]}


def films(folder: Path, robustness: str, made: Sequence[str]) -> dict[str, float]:
    """What films pay and keep: growth in per cent at crf 23, PSNR, and the detector's score; the means."""
    import tempfile

    from benchmarks.fidelity import psnr
    from benchmarks.video_fidelity import encoded, frames_of, marked
    from benchmarks.video_films import make
    from labelkit.payload import Payload
    from labelkit.watermark import video

    payload, rows = Payload.from_int(0x5A3C91D277AA0F13), []
    with tempfile.TemporaryDirectory() as work:
        given = sorted(folder.glob("*.mp4")) + [make(name, Path(work, f"{name}.mp4"), FRAMES) for name in made]
        for path in given:
            frames, out = frames_of(path, FRAMES), Path(work, "out.mkv")
            height = frames[0].shape[0] * 2 // 3
            copies = marked(frames, payload, 1.0, robustness)
            plain = encoded(frames, out, {"crf": "23"})
            row = {"growth at crf 23, %": 100 * (encoded(copies, out, {"crf": "23"}) / plain - 1),
                   "PSNR": float(np.mean([psnr(one[:height], two[:height])
                                          for one, two in zip(frames, copies, strict=True)]))}
            for crf in (23, 28, 32):
                encoded(copies, out, {"crf": str(crf)})
                found = video.detect_frames([frame[:height] for frame in frames_of(out, FRAMES)])
                row[f"crf {crf}"] = found.score if found.payload == payload else 0.0
            rows.append(row)
    return {name: float(np.mean([row[name] for row in rows])) for name in rows[0]} | {
        "growth, most": max(row["growth at crf 23, %"] for row in rows), "crf 28, least": min(
            row["crf 28"] for row in rows)}


def measured(name: str, value: float, folder: Path, beside: dict[str, float]) -> dict[str, float]:
    """What one value of a constant gives; in this process, whose labelkit must not have been imported yet.

    beside  values of other constants of the same module
    """
    module = SWEEPS[name].module
    given = {name: value} | beside
    sys.meta_path.insert(0, _Changed(module, {constant_of(one): value for one, value in given.items()}))
    if SWEEPS[name].search:
        from benchmarks import listening, searching, set_right

        search = SWEEPS[name].search
        return next(getattr(one, search) for one in (listening, searching, set_right) if hasattr(one, search))(
            folder, value)
    if module.startswith(VIDEO):
        return films(folder, SWEEPS[name].robustness or "everyday", SWEEPS[name].films)
    measure = sounds if module.startswith(AUDIO) else pictures
    return measure(folder, SWEEPS[name].robustness or ("everyday" if module.endswith(".margin") else "hard"))


def table(name: str, values: Sequence[float], folder: Path, beside: dict[str, float]) -> str:
    """The sweep as Markdown; the value in use is in bold. Other constants of the module have the values `beside`."""
    used, lines = current(source_of(name).read_text("utf-8"), constant_of(name)), []
    for value in values:
        code = f"from benchmarks import sweeps; sweeps.report({name!r}, {value!r}, {str(folder)!r}, {beside!r})"
        run = subprocess.run([sys.executable, "-c", code], cwd=ROOT, stdout=subprocess.PIPE, text=True, check=True)
        row = json.loads(run.stdout)
        if not lines:
            lines = [f"| {name} | {' | '.join(row)} |", "|---" * (len(row) + 1) + "|"]
        shown = f"**{value:g}**" if value == used else f"{value:g}"
        lines.append(f"| {shown} | {' | '.join(f'{one:.2f}' for one in row.values())} |")
    return "\n".join(lines)


def constant_of(name: str) -> str:
    """The name of a sweep's constant in its module."""
    return SWEEPS[name].constant or name


def source_of(name: str) -> Path:
    """The file of a constant's module."""
    return ROOT.joinpath(*SWEEPS[name].module.split(".")).with_suffix(".py")


def current(source: str, name: str) -> float:
    """The value of a constant in the source of a module."""
    return float(ast.literal_eval(_value(source, name)))


def report(name: str, value: float, folder: str, beside: dict[str, float]) -> None:
    """Print what `measured` gives as JSON."""
    print(json.dumps(measured(name, value, Path(folder), beside)))
