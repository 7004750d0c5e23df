# SPDX-License-Identifier: Apache-2.0
"""One medium under trial: marked once, then changed, and given to the detector."""

from __future__ import annotations

import hashlib
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

import numpy as np

from labelkit import codec
from labelkit.codec.samples import AudioSamples, ImageSamples
from labelkit.key import Key
from labelkit.payload import Payload, short_number
from labelkit.plan import Watermark
from labelkit.trials import fidelity, films, pictures, sounds
from labelkit.trials.media import Content, Film, Medium, Sound
from labelkit.trials.table import Group, Picture, Trial
from labelkit.watermark import carriers, video
from labelkit.watermark.detection import Detection

UNMARKED_TRIALS = {"image": ("unchanged", "noise-8", "jpeg-50", "screenshot", "crop-40", "scale-50", "turn-15"),
                   "audio": ("unchanged", "noise-20", "telephone", "mp3-64", "vorbis", "crop-40", "stretch-105"),
                   "video": ("unchanged", "h264-28", "mirror")}
"""What is done to unmarked media before the detector sees them: each is a chance of a false alarm."""
SEED = 1
_REPEATS = 3  # of a measurement of time; its median counts


@dataclass(frozen=True, slots=True)
class Settings:
    """What the operator marks and detects with."""

    key: Key
    plan: Watermark
    effort: str

    def digest(self, version: str) -> str:
        """16 hexadecimal digits that differ where anything differs that a measurement depends on."""
        parts = (version, self.key.id, self.plan.strength, self.plan.robustness, self.effort)
        return hashlib.sha256(repr(parts).encode()).hexdigest()[:16]


@dataclass(frozen=True, slots=True)
class Decision:
    """What the detector said once.

    step    "trial", "wrong key", "unmarked", "change" or "copy"
    trial   its name, which says what was done before
    found   whether it found a mark of the key
    right   whether it read the payload that was put in
    wrong   whether it read another
    noticed of a copy: whether the fingerprint in the label log tells it from the picture that was labelled
    """

    medium: str
    kind: str
    step: str
    trial: str
    group: str
    found: bool
    right: bool
    wrong: bool
    score: float
    noticed: bool | None = None


class Subject:
    """A medium, decoded and marked when that is first asked for; only one thread may use it."""

    def __init__(self, medium: Medium, settings: Settings) -> None:
        self.medium, self.settings = medium, settings
        self.payload = Payload(1, short_number("labelkit evidence", 24), short_number(medium.sha256, 35))
        self._host: Content | None = None
        self._marked: Content | None = None

    @property
    def host(self) -> Content:
        """The medium without a mark."""
        if self._host is None:
            self._host = self.medium.load()
        return self._host

    @property
    def marked(self) -> Content:
        """The medium with its mark; raises HostTooSmall."""
        if self._marked is None:
            self._marked = embedded(self.host, self.payload, self.settings.key, self.settings.plan)
        return self._marked

    def steps(self) -> Iterator[tuple[str, str]]:
        """(step, trial) of all that is decided on this medium alone."""
        yield from (("trial", trial.name) for trial in trials_of(self.medium.kind))
        yield "wrong key", "unchanged"
        known = {trial.name for trial in trials_of(self.medium.kind)}
        yield from (("unmarked", name) for name in UNMARKED_TRIALS[self.medium.kind] if name in known)
        yield "change", "another-mark"

    def decide(self, step: str, name: str) -> Decision:
        """Carry out a step. Raises what the trial, the encoder or the detector raises."""
        key, group = self.settings.key, Group.CHANGE
        if step == "change":
            other = embedded(self.marked, Payload(1, 1, 1), Key(b"labelkit evidence: the key of somebody else"),
                             self.settings.plan)
            found = detected(other, key, self.settings.effort)
        else:
            content = self.host if step == "unmarked" else self.marked
            group, tried = _tried(self.medium.kind, name, content)
            key = _other(key) if step == "wrong key" else key
            found = detected(tried, key, self.settings.effort)
        return self.decision(step, name, group, found)

    def decision(self, step: str, trial: str, group: Group, found: Detection, payload: Payload | None = None,
                 noticed: bool | None = None) -> Decision:
        """The detector's answer as a row; `payload` is that which was put in, if it is not the medium's own."""
        wanted = payload or self.payload
        right = found.found and found.payload == wanted
        return Decision(self.medium.name, self.medium.kind, step, trial, group.value, found.found, right,
                        found.found and found.payload is not None and not right, round(float(found.score), 2), noticed)

    def speed(self) -> dict[str, float]:
        """Seconds to mark and to detect, and how much there is: megapixels, or seconds of sound or film."""
        size = {"seconds": duration(self.host)} if self.medium.kind != "image" else {
            "megapixels": pixels(self.host) / 1e6}
        repeats = 1 if self.medium.kind == "video" else _REPEATS
        mark = _median_s(lambda: embedded(self.host, self.payload, self.settings.key, self.settings.plan), repeats)
        tried = films.encoded(self.marked) if isinstance(self.marked, Film) else self.marked
        detect = _median_s(lambda: detected(tried, self.settings.key, self.settings.effort), repeats)
        return {**size, "embed_s": mark, "detect_s": detect}

    def fidelity(self, tools: dict[str, str]) -> dict[str, float | None]:
        """How close the marked medium is; `tools` are those of `fidelity.available`."""
        before, after = self.host, self.marked
        if isinstance(before, Sound) and isinstance(after, Sound):
            facts: dict[str, float | None] = {"snr_db": fidelity.snr(before.samples, after.samples)}
            for name, measure in (("visqol", fidelity.visqol), ("peaq", fidelity.peaq)):
                if name in tools:
                    facts[name] = measure(tools[name], before.samples, after.samples, before.rate)
            return facts
        pairs = [(before, after)] if isinstance(before, np.ndarray) and isinstance(after, np.ndarray) else list(zip(
            before.frames[::8], after.frames[::8], strict=True)) if isinstance(before, Film) and isinstance(
                after, Film) else []
        facts = {"psnr_db": float(np.mean([fidelity.psnr(*pair) for pair in pairs])),
                 "ssim": float(np.mean([fidelity.ssim(*pair) for pair in pairs]))}
        if "ssimulacra2" in tools:
            facts["ssimulacra2"] = fidelity.ssimulacra2(tools["ssimulacra2"], *pairs[0])
        return facts


def trials_of(kind: str) -> Sequence[Trial]:
    """The trials of a kind of media that this installation can run."""
    if kind == "image":
        return pictures.trials()
    return sounds.trials() if kind == "audio" else films.trials()


def _tried(kind: str, name: str, content: Content) -> tuple[Group, Content | bytes]:
    """What a trial makes of a medium; of a film a file."""
    if isinstance(content, Film):
        of_film = next(one for one in films.trials() if one.name == name)
        return of_film.group, films.apply(of_film, content)
    if isinstance(content, Sound):
        of_sound = next(one for one in sounds.trials() if one.name == name)
        return of_sound.group, Sound(sounds.apply(of_sound, content.samples, content.rate, SEED), content.rate)
    of_picture = next(one for one in pictures.trials() if one.name == name)
    return of_picture.group, pictures.apply(of_picture, content, SEED)


def embedded(content: Content, payload: Payload, key: Key, plan: Watermark) -> Content:
    """The medium with a mark, in memory. Raises HostTooSmall."""
    if isinstance(content, Film):
        return Film(tuple(video.mark_frames(content.frames, payload, key, strength=plan.strength,
                                            robustness=plan.robustness)), content.rate)
    if isinstance(content, Sound):
        sound = carriers.embed(AudioSamples(content.samples.copy(), content.rate), payload, key, plan)
        assert isinstance(sound, AudioSamples)
        return Sound(sound.samples, content.rate)
    picture = carriers.embed(ImageSamples((content.copy(),)), payload, key, plan)
    assert isinstance(picture, ImageSamples)
    marked: Picture = picture.frames[0].astype(np.uint8, copy=False)
    return marked


def detected(tried: Content | bytes, key: Key, effort: str) -> Detection:
    """The decision on a medium in memory, or on the file of a film; what is no file yet is encoded first."""
    if isinstance(tried, Film):
        tried = films.encoded(tried)
    if isinstance(tried, bytes):
        return carriers.detect(codec.decode(tried), key, effort=effort)
    if isinstance(tried, Sound):
        return carriers.detect(AudioSamples(tried.samples, tried.rate), key, effort=effort)
    return carriers.detect(ImageSamples((tried,)), key, effort=effort)


def _other(key: Key) -> Key:
    """A key that is not the operator's, the same at every call."""
    return Key(hashlib.sha256(b"labelkit evidence: not the key " + key.id.encode()).digest())


def pixels(content: Content) -> int:
    """Of a picture, or of one frame."""
    rgb = content.frames[0] if isinstance(content, Film) else content
    return 0 if isinstance(rgb, Sound) else rgb.shape[0] * rgb.shape[1]


def duration(content: Content) -> float:
    """Seconds."""
    if isinstance(content, Film):
        return float(len(content.frames) / content.rate)
    return len(content.samples) / content.rate if isinstance(content, Sound) else 0.0


def _median_s(work: Callable[[], object], repeats: int) -> float:
    times = []
    for _ in range(repeats):
        started = time.perf_counter()
        work()
        times.append(time.perf_counter() - started)
    return float(np.median(times))
