# SPDX-License-Identifier: Apache-2.0
"""What is left of a mark in sound whose id cannot be read, and what could still say that it is there.

    python -m benchmarks.sound_presence --clips FOLDER [--seconds 15] [--names amr_nb rerecord ...]
    python -m benchmarks.sound_presence --clips FOLDER --shares 0 0.3 0.42 [--narrow] [--strength 1.1]
    python -m benchmarks.sound_presence --clips FOLDER --slow --names amr_nb

The first prints for each attack, clip by clip, the deviations that the whole pattern has at its place, those of its 96
known signs alone, and by how many nats either passes the bar of 1e-9, all places counted (no more than the 20.7 of the
bar can be missing). Then it counts how many are read; found where the file's own label names the id, with a key that is
not public, so that it counts 2^20 times; found where it is the only one looked for; would be found by the known signs.

The second lays a mark of presence over the mark, with so much of its depth (with --narrow only below 3.4 kHz): a layer
that says no more than that it is there. It prints its deviations if its signs never repeated, which is the most that a
layer of this strength can have, beside the ODG of both. Without a layer, --strength tells what the mark itself makes of
the same grade. Everything is marked as by default.

The third tells whether slower chips would help: the noise of a chip in the unmarked clips after each attack, times the
root of its length, for halves of 96 ms as they are and of longer ones, as a factor; of the attacked sound, and of what
the attack changed alone.
"""

from __future__ import annotations

import argparse
import math
from pathlib import Path

import numpy as np

from benchmarks import audio_attacks
from benchmarks.audio_robustness import cut, odg, read_clips
from labelkit.codec.resample import Resampler
from labelkit.key import Key
from labelkit.payload import Payload
from labelkit.watermark import Candidates, audio
from labelkit.watermark.audio import margin
from labelkit.watermark.audio.difference import DifferenceMaker
from labelkit.watermark.audio.pattern import EDGES, FRAME, PAIRS, RATE, Pattern, pattern
from labelkit.watermark.audio.significance import LOG_PAYLOADS, log_false_positive_rate, score
from labelkit.watermark.audio.synchronizer import STARTS, STEP_S, Replay, Spectrum, band_levels, fold, row_scores

NAMES = ("amr_nb", "opus_voice_12k", "rerecord", "white_10", "babble_10")
LOG_TRIED = math.log(2 * 1.1 * STARTS)  # a payload or presence, the share of the plain search, places
_LOG_BAR = math.log(1e-9)
_PRESENCE, _SHORT = 7.2, 8.5  # deviations that presence needs in 960 places, and a word of 16 bits
_HALVES = (6, 12, 30, 62)  # frames of 16 ms: those of a chip are 6
_MOST_LATE = 8  # frames by which a codec may delay its sound
_ABOVE = EDGES[:-1] >= 3_400 * FRAME / RATE  # bands that telephones do not keep
_NARROW = int(np.count_nonzero(EDGES[1:] < 3_400 * FRAME / RATE)) // 2


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--clips", type=Path, required=True)
    parser.add_argument("--seconds", type=float, default=15.0, help="of each clip that lasts as long")
    parser.add_argument("--names", nargs="+", default=NAMES, help="attacks")
    parser.add_argument("--shares", nargs="+", type=float, help="of the mark's depth that a layer gets")
    parser.add_argument("--narrow", action="store_true", help="the layer only below 3.4 kHz")
    parser.add_argument("--strength", type=float, default=1.0, help="of the mark under a layer")
    parser.add_argument("--slow", action="store_true", help="noise of slower chips")
    options = parser.parse_args()
    clips = [clip for clip in read_clips(options.clips) if len(clip[1]) >= (options.seconds - 0.2) * clip[2]]
    if options.slow:
        slower(clips, options)
    elif options.shares:
        layers(clips, options)
    else:
        left(clips, options)


def at_rate(samples: np.ndarray, rate: int) -> np.ndarray:
    """float32 [n]: the mean of the channels at 16 kHz."""
    mono = samples if samples.ndim == 1 else samples.mean(1)
    resampler = Resampler(rate, RATE, 1)
    padded = np.concatenate([mono, np.zeros(resampler.lookahead + 1)])[None].astype(np.float32)
    return resampler.push(padded)[0]


def chips_of(samples: np.ndarray, rate: int) -> np.ndarray:
    """float32 [rows, 38]: the chips of the mean of the channels."""
    return Spectrum.of(at_rate(samples, rate)).chips(Replay())


def place(chips: np.ndarray, keyed: Pattern, payload: Payload) -> np.ndarray:
    """int64 [rows]: the straight path at which the known word stands out most."""
    hit, var = row_scores(chips, keyed.chips(payload))
    return np.full(len(hit), int((hit.sum(0) / np.sqrt(var.sum(0) + 1e-9)).argmax()))


def _counts(folded: np.ndarray, signs: np.ndarray, log_words: float) -> tuple[float, float]:
    """Deviations of the chips that have a sign, and the natural log of the false positive rate over the bar's."""
    kept = signs != 0
    part, own = folded[kept][None], signs[kept][None]
    return score(part, own), log_false_positive_rate(part, own, log_words + LOG_TRIED) - _LOG_BAR


def left(clips: list, options: argparse.Namespace) -> None:
    """What is left of each mark after each attack."""
    key, totals = Key(b"key of the benchmarks"), {}
    keyed = pattern(key)
    print(f"{'attack':15s} {'clip':26s} read  named  one id   whole pattern: deviations, nats to spare   known signs")
    for index, (clip, whole, rate) in enumerate(clips):
        host = cut(whole, rate, options.seconds)
        payload = Payload.from_int(int(np.random.default_rng(index).integers(1 << 63)))
        marked = audio.embed(host, rate, payload, key)
        for name in options.names:
            attacked, now = audio_attacks.apply(name, marked, rate, seed=index, host=host)
            attacked = np.ascontiguousarray(attacked, np.float32)
            read = audio.detect(attacked, now, key).payload == payload
            ways = Candidates.named_by_file([payload], key_is_public=False), Candidates.of([payload])
            named, one = (audio.detect(attacked, now, key, candidates=way).payload == payload for way in ways)
            chips = chips_of(attacked, now)
            folded = fold(chips, place(chips, keyed, payload))
            word, excess = _counts(folded, keyed.chips(payload), LOG_PAYLOADS)
            known, known_excess = _counts(folded, keyed.sync.astype(np.float32), 0.0)
            totals.setdefault(name, []).append((read, named, one, known_excess <= 0))
            print(f"{name:15s} {clip:26s} {'+' if read else '-':5s} {'+' if named else '-':6s} {'+' if one else '-':6s}"
                  f"   {word:5.1f} {-excess:6.1f}   {known:5.1f} {-known_excess:6.1f}", flush=True)
    for name, rows in totals.items():
        read, named, one, known = np.sum(rows, axis=0)
        print(f"{name:15s} of {len(rows)}: read {read}, named {named}, one id {one}, the known signs would do {known}")


def layers(clips: list, options: argparse.Namespace) -> None:
    """What a layer over each mark would have after each attack, and what it costs."""
    key = Key(b"key of the benchmarks")
    signs = pattern(key).chips(None)
    if options.narrow:
        signs = signs * (np.arange(PAIRS) < _NARROW)
    for share in options.shares:
        grades, rows = [], {name: [] for name in options.names}
        for index, (_, whole, rate) in enumerate(clips):
            host = cut(whole, rate, options.seconds)
            payload = Payload.from_int(int(np.random.default_rng(index).integers(1 << 63)))
            marked = audio.embed(host, rate, payload, key, strength=options.strength)
            if share:
                marked = marked + _layer(host, rate, key, share, options.narrow)
            grades.append(odg(host, marked, rate))
            for name in options.names:
                attacked, now = audio_attacks.apply(name, marked, rate, seed=index, host=host)
                attacked = np.ascontiguousarray(attacked, np.float32)
                chips = chips_of(attacked, now)
                path = place(chips, pattern(key), payload)
                hit, var = row_scores(chips, signs)
                layer = float(hit[:, path[0]].sum() / math.sqrt(float(var[:, path[0]].sum()) + 1e-9))
                rows[name].append((audio.detect(attacked, now, key).payload == payload, layer))
        print(f"share {share:g}{', below 3.4 kHz' if options.narrow else ''}: ODG {np.mean(grades):.3f}, worst "
              f"{min(grades):.2f}", flush=True)
        for name, row in rows.items():
            deviations = sorted(layer for _, layer in row)
            lost = [layer for read, layer in row if not read]
            print(f"  {name:15s} read {len(row) - len(lost):2d} of {len(row)}; the layer has {_PRESENCE} in "
                  f"{sum(one >= _PRESENCE for one in lost)} of those lost, {_SHORT} in "
                  f"{sum(one >= _SHORT for one in lost)}; all: "
                  + " ".join(f"{one:.1f}" for one in deviations), flush=True)


def _layer(host: np.ndarray, rate: int, key: Key, share: float, narrow: bool) -> np.ndarray:
    """The difference that a mark of presence makes, at this share of the depth that the host gets."""
    frames, channels = len(host), 1 if host.ndim == 1 else host.shape[1]
    maker = DifferenceMaker(rate, channels, None, key, share, margin.amplitude(host, rate))
    if narrow:
        maker._depths[_ABOVE] = 0
    tail = np.zeros((maker.delay, *host.shape[1:]), np.float32)
    return maker.push(np.concatenate([host, tail]).astype(np.float32))[:frames]


def slower(clips: list, options: argparse.Namespace) -> None:
    """How much more noise slower chips have at an equal energy of the mark, below 3.4 kHz."""
    for name in options.names:
        rows = []
        for index, (_, whole, rate) in enumerate(clips):
            host = cut(whole, rate, options.seconds)
            attacked, now = audio_attacks.apply(name, host, rate, seed=index, host=host)
            before, after = (band_levels(at_rate(x, hz))[:, : 2 * _NARROW] for x, hz in ((host, rate), (attacked, now)))
            frames = min(len(before), len(after)) - 2 * _MOST_LATE
            old = before[_MOST_LATE : _MOST_LATE + frames]
            new = max((after[late : late + frames] for late in range(2 * _MOST_LATE)),
                      key=lambda one, old=old: np.corrcoef(old.mean(1), one.mean(1))[0, 1])
            rows.append([[_noise(levels, half) for half in _HALVES] for levels in (np.clip(new, -30, None), new - old)])
        factors = np.median(np.array(rows) / np.array(rows)[:, :, :1], axis=0)
        halves = ", ".join(f"{1000 * STEP_S * half:.0f}" for half in _HALVES)
        print(f"{name}, {len(rows)} clips, halves of {halves} ms: attacked sound {np.round(factors[0], 2)}, "
              f"what the attack changed {np.round(factors[1], 2)}")


def _noise(levels: np.ndarray, half: int) -> float:
    """Deviation of chips of two halves of so many frames each, times the root of their length."""
    sums = np.cumsum(np.pad(levels[:, 0::2] - levels[:, 1::2], ((1, 0), (0, 0))), axis=0)
    means = (sums[half:] - sums[:-half]) / half
    return math.sqrt(float(np.median(np.square(means[:-half] - means[half:]))) * half)


if __name__ == "__main__":
    main()
