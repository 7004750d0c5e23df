# SPDX-License-Identifier: Apache-2.0
"""labelkit's audio watermark beside those that PyPI has with all they need (extra `peers`), on the same clips, mono.

    python -m benchmarks.audio_peers --clips FOLDER                          # every table
    python -m benchmarks.audio_peers --clips FOLDER --only quality --systems labelkit unmarked

labelkit    64 bits: right means all 64; found at effort "normal"
perth       resemble-perth, presence alone: its own rounding at 0.5. Needs torchaudio and setuptools < 81; beside a
            torch without CUDA, torchaudio's compiled parts (torchaudio/lib/*.so) must be deleted
voicesign   presence of an identity: its own threshold
patchwork   the-a-files, PatchworkMultilayerMethod, 16 bits; it has no verdict, only the bits that it reads
unmarked    the clip itself: what each measure gives where nothing was changed
A system that cannot be imported is named and left out. Quality: SNR in dB; PESQ-WB of speech (package `pesq`); ViSQOL
of speech in speech mode at 16 kHz and of other sound in audio mode at 48 kHz (package `visqol-python[lattice]`); the
ODG of PEAQ, basic version, by benchmarks/peaq.py.
"""

from __future__ import annotations

import argparse
import importlib
import io
import re
import sys
from collections import defaultdict
from collections.abc import Iterator
from pathlib import Path

import numpy as np

from benchmarks import audio_attacks as attacks
from benchmarks.audio_robustness import Clip, cpu_seconds, cut, pesq_wb, read_clips, resampled, snr_db
from benchmarks.peaq import difference_grade
from labelkit.errors import LabelkitError
from labelkit.payload import Payload
from labelkit.watermark import audio


class Refused(Exception):
    """The system does not take this clip."""


class Labelkit:
    name, bits = "labelkit", 64

    def embed(self, x: np.ndarray, rate: int, message: int) -> np.ndarray:
        try:
            return audio.embed(x, rate, Payload.from_int(message), robustness="hard")
        except LabelkitError as error:
            raise Refused(str(error)) from error

    def detect(self, x: np.ndarray, rate: int, effort: str) -> int | None:
        found = audio.detect(x, rate, effort=effort)
        return int(found.payload) if found.payload else None


class Perth:
    name, bits = "perth", 0

    def __init__(self) -> None:
        import torch
        module = importlib.import_module("perth.perth_net.perth_net_implicit.perth_watermarker")
        torch.set_num_threads(1)
        self.marker = module.PerthImplicitWatermarker()

    def embed(self, x: np.ndarray, rate: int, message: int) -> np.ndarray:
        return np.resize(self.marker.apply_watermark(x, sample_rate=rate), len(x)).astype(np.float32)

    def detect(self, x: np.ndarray, rate: int, effort: str) -> int | None:
        return 0 if self.marker.get_watermark(x, sample_rate=rate) >= 0.5 else None


class Voicesign:
    name, bits = "voicesign", 0

    def __init__(self) -> None:
        import voicesign
        self.package = voicesign

    def embed(self, x: np.ndarray, rate: int, message: int) -> np.ndarray:
        import soundfile
        signed = self.package.sign(self._wave(x, rate), identity="somebody", salt="a secret")
        return soundfile.read(io.BytesIO(signed), dtype="float32")[0]

    def detect(self, x: np.ndarray, rate: int, effort: str) -> int | None:
        said = self.package.verify(self._wave(x, rate), identity="somebody", salt="a secret")
        return 0 if said["detected"] else None

    @staticmethod
    def _wave(x: np.ndarray, rate: int) -> bytes:
        import soundfile
        out = io.BytesIO()
        soundfile.write(out, np.clip(x, -1, 1), rate, format="WAV", subtype="PCM_16")
        return out.getvalue()


class Patchwork:
    name, bits = "patchwork", 16

    def __init__(self) -> None:
        self.method = importlib.import_module("taf.methods.PatchworkMultilayerMethod").PatchworkMultilayerMethod

    def embed(self, x: np.ndarray, rate: int, message: int) -> np.ndarray:
        try:
            bits = [int(bit) for bit in f"{message:016b}"]
            return self.method(rate).encode(x.astype(np.float64), bits).astype(np.float32)
        except Exception as error:  # its errors have no common parent
            raise Refused(str(error)) from error

    def detect(self, x: np.ndarray, rate: int, effort: str) -> int | None:
        try:
            return int("".join(str(int(bit)) for bit in self.method(rate).decode(x.astype(np.float64), 16)), 2)
        except Exception:
            return None


class Unmarked:
    name, bits = "unmarked", 0

    def embed(self, x: np.ndarray, rate: int, message: int) -> np.ndarray:
        return x

    def detect(self, x: np.ndarray, rate: int, effort: str) -> int | None:
        return None


SYSTEMS = {system.name: system for system in (Labelkit, Perth, Voicesign, Patchwork, Unmarked)}
System = Labelkit | Perth | Voicesign | Patchwork | Unmarked


def main() -> None:
    tables = {"quality": quality, "recovery": recovery, "false-positives": false_positives, "speed": speed}
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--clips", type=Path, default=Path(__file__).parent.parent / "samples")
    parser.add_argument("--only", nargs="+", choices=tables, default=list(tables))
    parser.add_argument("--systems", nargs="+", choices=SYSTEMS, default=list(SYSTEMS)[:-1])
    parser.add_argument("--seconds", type=float, default=10.0, help="of each clip, from its second 2 on")
    parser.add_argument("--names", nargs="+", default=attacks.names(), help="attacks")
    parser.add_argument("--speech", default="^(sp_|tts_|speech)", help="pattern of the names of clips of speech")
    args = parser.parse_args()
    clips = []
    for name, x, rate in read_clips(args.clips):
        mono = x if x.ndim == 1 else x.mean(1)
        clips.append((name, np.ascontiguousarray(cut(mono, rate, args.seconds)), rate))
    systems = list(_systems(args.systems))
    for table in args.only:
        tables[table](systems, clips, args)


def _systems(names: list[str]) -> Iterator[System]:
    for name in names:
        try:
            yield SYSTEMS[name]()
        except Exception as error:  # a package that is missing, or that does not start
            print(f"{name}: left out, {type(error).__name__}: {error}")


def _message(system: System, index: int) -> int:
    return int(np.random.default_rng(index).integers(1 << min(system.bits, 63))) if system.bits else 0


def _marked(system: System, clips: list[Clip]) -> Iterator[tuple[int, str, np.ndarray, np.ndarray, int, int]]:
    for index, (name, host, rate) in enumerate(clips):
        message = _message(system, index)
        try:
            yield index, name, host, system.embed(host, rate, message), rate, message
        except Refused as error:
            print(f"  {system.name}, {name}: {error}")


def _table(title: str, head: list[str], rows: dict[str, list[str]]) -> None:
    print(f"\n{title}\n\n| | " + " | ".join(head) + " |\n" + "| --- " * (len(head) + 1) + "|")
    for name, cells in rows.items():
        print(f"| {name} | " + " | ".join(cells) + " |")


def _span(values: list[float], digits: int = 2) -> str:
    values = [value for value in values if np.isfinite(value)]
    return f"{np.mean(values):.{digits}f} ({min(values):.{digits}f})" if values else "-"


# ---- the tables

def quality(systems: list[System], clips: list[Clip], args: argparse.Namespace) -> None:
    """Mean (worst) of each measure."""
    rows = {}
    for system in systems:
        seen: dict[str, list[float]] = defaultdict(list)
        for _, name, host, marked, rate, _ in _marked(system, clips):
            speech = re.search(args.speech, name) is not None
            one = {"snr": snr_db(host, marked),
                   "speech" if speech else "other": _visqol(host, marked, rate, speech),
                   "odg": difference_grade(*(resampled(x, rate, 48_000) for x in (host, marked)))}
            if speech:
                one["pesq"] = pesq_wb(host, marked, rate)
            print(f"  {system.name:10s} {name:28s} " + "  ".join(f"{key} {value:.2f}" for key, value in one.items()))
            for key, value in one.items():
                seen[key].append(float(value))
        rows[system.name] = [_span(seen["snr"], 1), *(_span(seen[key]) for key in ("pesq", "speech", "other", "odg"))]
    _table(f"Quality on {args.seconds:g} s, mean (worst)", ["SNR dB", "PESQ-WB, speech", "ViSQOL, speech",
                                                          "ViSQOL, other", "PEAQ ODG"], rows)


def _visqol(host: np.ndarray, marked: np.ndarray, rate: int, speech: bool) -> float:
    try:
        from visqol import VisqolApi
    except ImportError:
        return float("nan")
    api, wanted = VisqolApi(), 16_000 if speech else 48_000
    api.create(mode="speech" if speech else "audio")
    pair = [resampled(x, rate, wanted).astype(np.float64) for x in (host, marked)]
    return float(api.measure_from_arrays(*pair, wanted).moslqo)


def recovery(systems: list[System], clips: list[Clip], args: argparse.Namespace) -> None:
    """Share of clips, by class of attacks and by attack."""
    hits: dict[str, dict[str, list[bool]]] = {name: defaultdict(list) for name in args.names}
    for system in systems:
        for index, _, host, marked, rate, message in _marked(system, clips):
            for name in args.names:
                attacked, now = attacks.apply(name, marked, rate, seed=index, host=host)
                read = system.detect(_flat(attacked), now, "normal")
                hits[name][system.name].append(read == message)
        print(f"  {system.name} done", file=sys.stderr)
    groups: dict[str, dict[str, list[bool]]] = defaultdict(lambda: defaultdict(list))
    for name, row in hits.items():
        for system, ok in row.items():
            groups[attacks.group_of(name)][system] += ok
            groups["all"][system] += ok
    groups["all"] = groups.pop("all")  # last
    head = [f"{system.name} ({system.bits} bits)" for system in systems]
    for title, table in (("class", groups), ("attack", hits)):
        _table(f"Recovered, by {title}, {args.seconds:g} s", head, {
            name: [f"{np.mean(row[system.name]):.0%} ({len(row[system.name])})" for system in systems]
            for name, row in table.items()})


def _flat(x: np.ndarray) -> np.ndarray:
    return np.ascontiguousarray(x.reshape(len(x), -1).mean(1), np.float32)


def false_positives(systems: list[System], clips: list[Clip], args: argparse.Namespace) -> None:
    """Unmarked clips under every attack that were said to be marked."""
    rows = {}
    for system in systems:
        if system.bits == 16:
            rows[system.name] = ["no verdict"]
            continue
        said, count = defaultdict(int), 0
        for index, (clip, host, rate) in enumerate(clips):
            for name in args.names:
                attacked, now = attacks.apply(name, host, rate, seed=index, host=host)
                said[clip] += system.detect(_flat(attacked), now, "normal") is not None
                count += 1
        worst = ", ".join(f"{clip} {times}" for clip, times in said.items() if times)
        rows[system.name] = [f"{sum(said.values())} of {count}" + (f": {worst}" if worst else "")]
    _table("False positives", ["unmarked sound said to be marked"], rows)


def speed(systems: list[System], clips: list[Clip], args: argparse.Namespace) -> None:
    """CPU time of one process, 48 kHz mono, 30 s: times real time; detection of marked and of unmarked sound."""
    _, x, rate = max(clips, key=lambda clip: len(clip[1]))
    host = resampled(np.resize(x, 30 * rate).astype(np.float32), rate, 48_000)
    rows = {}
    for system in systems:
        marked = system.embed(host, 48_000, _message(system, 0))
        jobs = [lambda s=system: s.embed(host, 48_000, _message(s, 0))]
        jobs += [lambda s=system, x=x: s.detect(x, 48_000, "normal") for x in (marked, host)]
        rows[system.name] = [f"{30 / cpu_seconds(job):.0f}" for job in jobs]
    _table("Speed, times real time", ["embed", "detect, marked", "detect, unmarked"], rows)


if __name__ == "__main__":
    main()
