# SPDX-License-Identifier: Apache-2.0
"""The watermark: a label inside the signal. `embed` and `detect` on decoded media, whatever their modality.

The carriers for people who hold arrays are `labelkit.watermark.image`, `labelkit.watermark.audio` and
`labelkit.watermark.video`.
"""

from __future__ import annotations

import dataclasses
import importlib
from types import ModuleType

from labelkit import report
from labelkit.codec.samples import AudioSamples, ImageSamples, Samples, VideoSamples
from labelkit.errors import HostTooSmall, InvalidArgument, OutputFailed
from labelkit.key import Key
from labelkit.label import Label
from labelkit.messages import Message
from labelkit.plan import Plan, Watermark
from labelkit.watermark.detection import MAX_FALSE_POSITIVE_RATE, Detection
from labelkit.watermark.payload import Payload

__all__ = ["Detection", "Payload", "detect", "embed", "find", "listen"]

_CARRIERS = ("image", "audio", "video", "soundtrack")
_FRAMES_TRIED = 4  # of an animation, when nothing is found; every one adds to the false-positive rate


def __getattr__(name: str) -> object:
    if name in _CARRIERS:  # loaded when first used: `import labelkit` stays light
        return importlib.import_module(f"{__name__}.{name}")
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")


def payload_of(label: Label, plan: Plan) -> Payload | None:
    """What the watermark of a plan carries for a label; None where it carries presence alone, or there is none."""
    return Payload.of(label) if plan.watermark and not plan.watermark.presence_only else None


def embed(samples: Samples, payload: Payload | None, key: Key | None = None, plan: Watermark | None = None) -> Samples:
    """`samples` with `payload` in every frame, or None for presence alone; `key` None is the public key.

    Raises HostTooSmall; InvalidArgument for presence alone in anything but sound.

    Frames that are writable are marked in place: they are new by then, and a copy costs as much as a tenth of the mark.
    """
    strength = (plan or Watermark()).strength
    if payload is None and not isinstance(samples, AudioSamples):
        raise InvalidArgument("presence alone is carried by sound; pictures and films carry an id")
    if isinstance(samples, ImageSamples):
        image = importlib.import_module(f"{__name__}.image")
        return samples.map(lambda frame: image.embed(frame, payload, key, strength=strength,
                                                     out=frame if frame.flags.writeable else None))
    if isinstance(samples, VideoSamples):
        samples = importlib.import_module(f"{__name__}.video").embed(samples, payload, key, strength=strength)
        return _soundtrack().embed(samples, payload, key, strength=strength) if plan and plan.soundtrack else samples
    audio = importlib.import_module(f"{__name__}.audio")
    marked = audio.embed(samples.samples, samples.rate, payload, key, strength=strength)
    return dataclasses.replace(samples, samples=marked)


def detect(samples: Samples, key: Key | None = None, *, effort: str = "normal") -> Detection:
    """The detector's decision; of an animation a few frames are tried, which the false-positive rate counts in.

    Of a film it is that on the picture; `listen` gives that on the sound.
    """
    if isinstance(samples, AudioSamples):
        audio = importlib.import_module(f"{__name__}.audio")
        return audio.detect(samples.samples, samples.rate, key, effort=effort)
    if isinstance(samples, VideoSamples):
        return importlib.import_module(f"{__name__}.video").detect(samples, key, effort=effort)
    image = importlib.import_module(f"{__name__}.image")
    step = max(1, -(-len(samples.frames) // _FRAMES_TRIED))
    best = None
    for tried, frame in enumerate(samples.frames[::step], start=1):
        found = image.detect(frame, key, effort=effort)
        rate = min(1.0, found.false_positive_rate * tried)
        if found.found and rate <= MAX_FALSE_POSITIVE_RATE:
            return dataclasses.replace(found, false_positive_rate=rate)
        if best is None or found.score > best.score:
            best = found
    return dataclasses.replace(best, found=False, payload=None, false_positive_rate=1.0)


def listen(samples: Samples, key: Key | None = None, *, effort: str = "normal") -> Detection | None:
    """The detector's decision on the sound track of a film, None where there is none; see `soundtrack.detect`."""
    return _soundtrack().detect(samples, key, effort=effort) if isinstance(samples, VideoSamples) else None


def confirm(found: Detection, payload: Payload | None, where: str) -> None:
    """Raise OutputFailed unless the mark that was put into a file was found, with its payload."""
    if not found.found or found.payload != payload:
        raise OutputFailed("{where}: the watermark does not read back from the labelled file: {got} for {wanted}",
                           where=where, got=found.payload.hex if found.payload else Message("nothing"),
                           wanted=payload.hex if payload else Message("presence"),
                           hint="raise the strength, or start from a file that is compressed less")


def find(samples: Samples, key: Key | None = None, *, effort: str = "normal") -> report.Finding:
    """What the detector decided, as a finding of Layer.WATERMARK; of a film on its picture, else on its sound track.

    evidence: found, presence_only, score, false_positive_rate, geometry, effort, key_id, key_is_public; and
    `soundtrack`, the same of the sound track of a film, with its payload.
    """
    key = Key.of(key)
    try:
        found = detect(samples, key, effort=effort)
    except HostTooSmall as error:
        return report.Finding(report.Layer.WATERMARK, report.Status.ABSENT,
                              Message("no watermark: {reason}", reason=error.message))
    evidence = {**_facts(found), "key_id": key.id, "key_is_public": key.is_public}
    status, summary = _judged(found, key)
    payload = found.payload
    heard = listen(samples, key, effort=effort)
    if heard:
        evidence["soundtrack"] = {**_facts(heard), "payload": heard.payload.hex if heard.payload else None}
        said = _soundtrack().told(found, heard)
        if said and payload is None:
            (status, _), summary, payload = _judged(heard, key), said, heard.payload
        elif said:
            summary = Message("{picture}; {sound}", picture=summary, sound=said)
    return report.Finding(report.Layer.WATERMARK, status, summary, payload=payload, evidence=evidence)


def _soundtrack() -> ModuleType:
    return importlib.import_module(f"{__name__}.soundtrack")


def _facts(found: Detection) -> dict[str, object]:
    return {"found": found.found, "presence_only": _is_presence(found), "score": float(found.score),
            "geometry": dict(found.geometry), "false_positive_rate": float(found.false_positive_rate),
            "effort": found.effort}


def _is_presence(found: Detection) -> bool:
    return found.geometry.get("presence_only", False)


def _judged(found: Detection, key: Key) -> tuple[report.Status, Message]:
    if not found.found:
        facts = {"score": f"{found.score:.1f}", "effort": found.effort}
        return report.Status.ABSENT, (
            Message("no watermark of the public key, score {score} at effort {effort}", **facts) if key.is_public else
            Message("no watermark of this key, score {score} at effort {effort}", **facts))
    rate = f"{found.false_positive_rate:.0e}"
    if _is_presence(found):
        return report.Status.VALID, (
            Message("presence only: the mark of the public key, which anybody can write with, is there without an id, "
                    "false-positive rate {rate}", rate=rate) if key.is_public else
            Message("presence only: the mark of this key is there without an id, false-positive rate {rate}",
                    rate=rate))
    if found.payload is None:
        return report.Status.INVALID, (
            Message("a mark of the public key is there, but its id cannot be read, false-positive rate {rate}",
                    rate=rate) if key.is_public else
            Message("a mark of this key is there, but its id cannot be read, false-positive rate {rate}", rate=rate))
    if not found.payload.is_known:
        return report.Status.INVALID, Message("id {id} is of version {version} and kind {kind}, which this labelkit "
                                              "does not know", id=found.payload.hex, version=found.payload.version,
                                              kind=found.payload.kind)
    if key.is_public:
        return report.Status.VALID, Message("id {id}, false-positive rate {rate}, by the public key, which anybody can "
                                            "write with", id=found.payload.hex, rate=rate)
    return report.Status.VALID, Message("id {id}, false-positive rate {rate}", id=found.payload.hex, rate=rate)
