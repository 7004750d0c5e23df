# SPDX-License-Identifier: Apache-2.0
"""Decide whether a film carries a mark of a key, and from when to when.

    fast    up to four frames, each searched alone and added up, at the scale of the film
    normal  up to 16 frames, in groups of neighbours, all together, and the first key frame alone, at every scale; that
            frame at any angle and aspect too
    deep    the whole film in windows of two seconds, lattices at any angle

Every search counts in the stated false-positive rate.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from labelkit.codec.samples import VideoSamples
from labelkit.errors import InvalidArgument
from labelkit.key import Key
from labelkit.plan import check_effort
from labelkit.watermark.candidates import AnyCandidates
from labelkit.watermark.detection import Detection
from labelkit.watermark.video.accumulator import FilmAccumulator
from labelkit.watermark.video.localisation import with_spans
from labelkit.watermark.video.sampling import AnyFrame, FilmSampler, FrameSampler, SequenceSampler, StreamSampler


def detect(samples: VideoSamples, key: Key | None = None, *, effort: str = "normal",
           candidates: AnyCandidates | None = None) -> Detection:
    """Whether a mark of `key` is in the film, which, and from when to when.

    key         None is the public key
    effort      "fast", "normal" or "deep"
    candidates  payloads of which one is expected: where no mark can be read, these are looked for
    Where a mark was decoded, `geometry` is a `FilmGeometry`; at effort "fast" its times cover only the frames that were
    read. Raises InvalidArgument for other arguments and for a film without frames.
    """
    return _detect(FilmSampler(samples), Key.of(key), effort, candidates)


def detect_frames(frames: Iterable[AnyFrame], key: Key | None = None, *, rate: float = 25.0,
                  effort: str = "normal", candidates: AnyCandidates | None = None) -> Detection:
    """The same for frames in memory.

    frames  arrays as for `image.detect` or `Frame`s of planes, all of one size: a sequence of any length, or an
            iterator, which is read until the decision is made
    rate    frames a second
    """
    sampler = SequenceSampler(frames, rate) if isinstance(frames, Sequence) else StreamSampler(frames, rate)
    return _detect(sampler, Key.of(key), effort, candidates)


def _detect(sampler: FrameSampler, key: Key, effort: str, candidates: AnyCandidates | None) -> Detection:
    check_effort(effort)
    accumulator = FilmAccumulator(key, effort, candidates)
    for group in sampler.groups(effort):
        found = accumulator.add_group(group)
        if found:
            return with_spans(found, accumulator, sampler, key)
    if not accumulator.total.count:
        raise InvalidArgument("there are no frames to search")
    found = accumulator.among_candidates()
    return with_spans(found, accumulator, sampler, key) if found else accumulator.undecoded()
