# SPDX-License-Identifier: Apache-2.0
"""The audio watermark measured: fidelity, recovery under attack, false positives, speed.

    python -m benchmarks.audio_robustness --clips FOLDER                    # every table
    python -m benchmarks.audio_robustness --clips FOLDER --only recovery --seconds 10 --groups codec noise
    python -m benchmarks.audio_robustness --clips FOLDER --attacks other_attacks.py
    python -m benchmarks.audio_robustness --clips FOLDER --robustness hard --strength 0.7    # what "everyday" replaces

A clip is any file that soundfile reads; without --clips those of samples/ are used. An attack module has
`names()` and `apply(name, x, rate, seed=, host=) -> (y, rate)`. Recovery means all 64 bits right, at the default effort
unless --effort says another. ODG is that of peaq.py, of the mean of the channels. PESQ
needs the package `pesq`, which is optional.
"""

from __future__ import annotations

import argparse
import importlib.util
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from types import ModuleType

import numpy as np

from benchmarks.peaq import RATE as PEAQ_RATE, difference_grade
from labelkit.choices import ROBUSTNESS
from labelkit.codec.resample import Resampler
from labelkit.errors import HostTooSmall
from labelkit.payload import Payload
from labelkit.watermark import audio

_HERE = Path(__file__).parent
Clip = tuple[str, np.ndarray, int]  # name, float32 [frames] or [frames, channels], rate in Hz


def main() -> None:
    args = _arguments()
    spec = importlib.util.spec_from_file_location("attacks", args.attacks)
    attacks = importlib.util.module_from_spec(spec)
    sys.modules["attacks"] = attacks
    spec.loader.exec_module(attacks)
    clips = list(read_clips(args.clips))
    wanted = args.names or [n for g in args.groups or [None] for n in (attacks.names(g) if g else attacks.names())]
    settings = {"strength": args.strength, "robustness": args.robustness}
    tables: dict[str, Callable[[], None]] = {
        "fidelity": lambda: fidelity(clips, args.seconds, settings),
        "recovery": lambda: recovery(clips, attacks, wanted, args.seconds, settings, args.effort),
        "false-positives": lambda: false_positives(clips, attacks, wanted, args.seconds),
        "speed": lambda: speed(clips)}
    for table in args.only:
        tables[table]()


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    tables = ("fidelity", "recovery", "false-positives", "speed")
    parser.add_argument("--clips", type=Path, default=_HERE.parent / "samples")
    parser.add_argument("--attacks", type=Path, default=_HERE / "audio_attacks.py")
    parser.add_argument("--only", nargs="+", choices=tables, default=tables)
    parser.add_argument("--seconds", type=float, default=10.0, help="of each clip, from its second 2 on")
    parser.add_argument("--strength", type=float, default=1.0)
    parser.add_argument("--robustness", choices=ROBUSTNESS, default=ROBUSTNESS[0])
    parser.add_argument("--effort", choices=("fast", "normal", "deep"), default="normal", help="of the recovery")
    parser.add_argument("--groups", nargs="+", help="groups of attacks")
    parser.add_argument("--names", nargs="+", help="single attacks")
    return parser.parse_args()


def read_clips(folder: Path) -> Iterator[Clip]:
    """Every sound of a folder that soundfile reads."""
    import soundfile
    for path in sorted(folder.iterdir()):
        if path.suffix.lower() in (".wav", ".flac", ".ogg", ".opus", ".mp3"):
            samples, rate = soundfile.read(path, dtype="float32")
            yield path.stem, samples, rate


def cut(x: np.ndarray, rate: int, seconds: float) -> np.ndarray:
    """So many seconds of a clip, from its second 2 on where it is long enough."""
    start = 2 * rate if len(x) >= (seconds + 2) * rate else 0
    return x[start : start + int(seconds * rate)]


def resampled(x: np.ndarray, rate: int, wanted: int) -> np.ndarray:
    """float32 [frames] at another rate, of the same length in time."""
    flushing = np.zeros(rate // 10, np.float32)  # more than the converter looks ahead
    rows = np.concatenate([x, flushing])[None].astype(np.float32)
    return Resampler(rate, wanted, 1).push(rows)[0][: len(x) * wanted // rate]


def snr_db(host: np.ndarray, marked: np.ndarray) -> float:
    """Signal-to-noise ratio of the host over the change."""
    noise = np.square(marked[: len(host)].astype(np.float64) - host).sum()
    return float(10 * np.log10(np.square(host, dtype=np.float64).sum() / max(noise, 1e-20)))


def cpu_seconds(job: Callable[[], object]) -> float:
    """CPU time of the fastest of three runs."""
    times = []
    for _ in range(3):
        start = time.process_time()
        job()
        times.append(time.process_time() - start)
    return min(times)


def _marked(clips: list[Clip], seconds: float,
            settings: dict[str, object]) -> Iterator[tuple[int, str, np.ndarray, np.ndarray, int, Payload]]:
    for index, (name, whole, rate) in enumerate(clips):
        host = cut(whole, rate, seconds)
        payload = Payload.from_int(int(np.random.default_rng(index).integers(1 << 63)))
        try:
            yield index, name, host, audio.embed(host, rate, payload, **settings), rate, payload
        except HostTooSmall as error:
            print(f"  {name}: {error}")


def fidelity(clips: list[Clip], seconds: float, settings: dict[str, object]) -> None:
    """SNR, ODG and, where the package is there, PESQ-WB of each marked clip."""
    print(f"fidelity, {_stated(settings)}, {seconds:g} s\n  {'clip':28s} {'SNR dB':>7s} {'ODG':>7s} {'PESQ-WB':>8s}")
    rows = []
    for _, name, host, marked, rate, _ in _marked(clips, seconds, settings):
        rows.append((snr_db(host, marked), odg(host, marked, rate), pesq_wb(host, marked, rate)))
        print("  {:28s} {:7.1f} {:7.2f} {:8.2f}".format(name, *rows[-1]))
    if rows:
        print("  {:28s} {:7.1f} {:7.2f} {:8.2f}".format("mean", *np.nanmean(rows, axis=0)))


def _stated(settings: dict[str, object]) -> str:
    return ", ".join(f"{name} {value}" for name, value in settings.items())


def odg(host: np.ndarray, marked: np.ndarray, rate: int) -> float:
    """The objective difference grade of PEAQ, basic version; NaN for silence."""
    return difference_grade(*(resampled(x if x.ndim == 1 else x.mean(1), rate, PEAQ_RATE).astype(np.float64)
                              for x in (host, marked)))


def pesq_wb(host: np.ndarray, marked: np.ndarray, rate: int) -> float:
    """PESQ-WB, or NaN where the package `pesq` is not installed."""
    try:
        from pesq import pesq
    except ImportError:
        return float("nan")

    def narrow(x: np.ndarray) -> np.ndarray:
        mono = x if x.ndim == 1 else x.mean(1)
        return Resampler(rate, 16_000, 1).push(np.ascontiguousarray(mono[None], np.float32))[0]
    return float(pesq(16_000, narrow(host), narrow(marked), "wb"))


def recovery(clips: list[Clip], attacks: ModuleType, wanted: list[str], seconds: float,
             settings: dict[str, object], effort: str) -> None:
    """For each attack the share of clips whose 64 bits come back, the weakest score among them, and what is missed."""
    print(f"recovery, {_stated(settings)}, effort {effort}, {seconds:g} s, all 64 bits")
    hits: dict[str, list[tuple[bool, float, str]]] = {name: [] for name in wanted}
    for index, clip, host, marked, rate, payload in _marked(clips, seconds, settings):
        for name in wanted:
            table = getattr(attacks, "ATTACKS", {})
            if name in table and hasattr(table[name], "applies") and not table[name].applies(marked, rate):
                continue
            attacked, now = attacks.apply(name, marked, rate, seed=index, host=host)
            found = audio.detect(np.ascontiguousarray(attacked, np.float32), now, effort=effort)
            hits[name].append((found.payload == payload, found.score, clip))
    for name, row in hits.items():
        if row:
            right = [score for ok, score, _ in row if ok]
            missed = ", ".join(clip for ok, _, clip in row if not ok)
            print(f"  {name:22s} {len(right):3d}/{len(row):<3d} {len(right) / len(row):5.0%}  "
                  f"lowest score {min(right, default=0):5.1f}{missed and '  missed ' + missed}")
    everything = [ok for row in hits.values() for ok, *_ in row]
    print(f"  all {np.mean(everything):.1%} of {len(everything)}")


def false_positives(clips: list[Clip], attacks: ModuleType, wanted: list[str], seconds: float) -> None:
    """Unmarked clips under every attack at every effort; the count must be zero."""
    minutes, count, trials, top = 0.0, 0, 0, 0.0
    for index, (_, whole, rate) in enumerate(clips):
        host = cut(whole, rate, seconds)
        for name in wanted:
            attacked, now = attacks.apply(name, host, rate, seed=index, host=host)
            for effort in ("fast", "normal", "deep"):
                found = audio.detect(np.ascontiguousarray(attacked, np.float32), now, effort=effort)
                minutes, trials = minutes + len(attacked) / now / 60, trials + 1
                count, top = count + found.found, max(top, 0.0 if found.found else found.score)
    print(f"false positives: {count} in {trials} trials, {minutes:.0f} minutes; highest score of known chips {top:.1f}")


def speed(clips: list[Clip]) -> None:
    """CPU time of one thread, beside NumPy's FFT over the same samples as a reference for this machine."""
    print("speed, times real time, CPU time, 48 kHz mono, 60 s")
    name, x, rate = max(clips, key=lambda clip: len(clip[1]))
    host = resampled(np.resize(x if x.ndim == 1 else x.mean(1), 60 * rate).astype(np.float32), rate, 48_000)
    payload = Payload.from_int(1)
    marked = audio.embed(host, 48_000, payload)
    seconds = len(host) / 48_000
    jobs = {"reference: 1,024-point FFTs, half overlap": lambda: [np.fft.rfft(host[i : i + 1024])
                                                                 for i in range(0, len(host) - 1024, 512)],
            "embed": lambda: audio.embed(host, 48_000, payload)}
    for effort in ("fast", "normal", "deep"):
        jobs |= {f"detect {effort}, marked": lambda e=effort: audio.detect(marked, 48_000, effort=e),
                 f"detect {effort}, unmarked": lambda e=effort: audio.detect(host, 48_000, effort=e)}
    for label, job in jobs.items():
        print(f"  {label:42s} {seconds / cpu_seconds(job):7.0f}")
    assert audio.detect(marked, 48_000).payload == payload, name


if __name__ == "__main__":
    main()
