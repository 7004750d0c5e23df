# SPDX-License-Identifier: Apache-2.0
"""Say what a detector decided, as the finding of Layer.WATERMARK."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from typing import TypeVar

from labelkit.codec.samples import Samples
from labelkit.errors import HostTooSmall
from labelkit.evidence import AudioGeometry, ImageGeometry, SoundtrackMark, WatermarkEvidence
from labelkit.key import Key
from labelkit.messages import Message
from labelkit.payload import Payload
from labelkit.report import Finding, Layer, Status
from labelkit.watermark.candidates import Candidates
from labelkit.watermark.carriers import detect, detect_soundtrack
from labelkit.watermark.detection import Detection

D = TypeVar("D", SoundtrackMark, WatermarkEvidence)


def find(samples: Samples, key: Key | None = None, *, effort: str = "normal",
         candidates: Candidates | None = None) -> Finding:
    """What the detector decided, as a finding of Layer.WATERMARK.

    key         None is the public key
    effort      "fast", "normal" or "deep"
    candidates  payloads of which one is expected, looked for where no mark can be read
    Of a film the finding is that of its picture, or of its sound track where the sound alone has a payload. The
    evidence's `soundtrack` is the decision on the sound track. Raises InvalidArgument.
    """
    key = Key.of(key)
    try:
        found = detect(samples, key, effort=effort, candidates=candidates)
    except HostTooSmall as error:
        return Finding(Layer.WATERMARK, Status.ABSENT, Message("no watermark: {reason}", reason=error.message))
    evidence = _decided(WatermarkEvidence, found, key_id=key.id, key_is_public=key.is_public)
    status, summary = _judged(found, key, candidates)
    others = found.geometry.also if isinstance(found.geometry, AudioGeometry | ImageGeometry) else None
    if others:
        summary = Message("{first}; it also carries {others} of the same key", first=summary, others=", ".join(others))
    payload = found.payload
    heard = detect_soundtrack(samples, key, effort=effort, candidates=candidates)
    if heard:
        mark = _decided(SoundtrackMark, heard, payload=heard.payload.hex if heard.payload else None)
        evidence = dataclasses.replace(evidence, soundtrack=mark)
        comparison = compare_soundtrack(found, heard)
        if comparison and payload is None and (heard.payload or not found.found):
            (status, _), summary, payload = _judged(heard, key, candidates), comparison, heard.payload
        elif comparison:
            summary = Message("{picture}; {sound}", picture=summary, sound=comparison)
    return Finding(Layer.WATERMARK, status, summary, payload=payload, evidence=evidence)


def nowhere(holds_media: bool) -> Finding:
    """The finding for a file that is not made of samples, such as a document, which may hold media of its own."""
    missed = (Message("the pictures, sound or films that the document holds"),) if holds_media else ()
    return Finding(Layer.WATERMARK, Status.ABSENT, Message("no watermark: the file is not made of samples, which alone "
                                                           "can carry one"), missed=missed)


def _decided(kind: Callable[..., D], found: Detection, **more: object) -> D:
    """A decision as evidence of a `kind`, with `more` of its fields."""
    return kind(found=found.found, presence_only=found.presence_only, score=float(found.score), geometry=found.geometry,
                false_positive_rate=float(found.false_positive_rate), effort=found.effort, candidates=found.candidates,
                **more)


def _judged(found: Detection, key: Key, candidates: Candidates | None) -> tuple[Status, Message]:
    if not found.found:
        facts = {"score": f"{found.score:.1f}", "effort": found.effort}
        return Status.ABSENT, (
            Message("no watermark of the public key, score {score} at effort {effort}", **facts) if key.is_public else
            Message("no watermark of this key, score {score} at effort {effort}", **facts))
    rate = f"{found.false_positive_rate:.0e}"
    if found.presence_only:
        return Status.VALID, (
            Message("presence only: the mark of the public key, which anybody can write with, is there without an id, "
                    "false-positive rate {rate}", rate=rate) if key.is_public else
            Message("presence only: the mark of this key is there without an id, false-positive rate {rate}",
                    rate=rate))
    if found.payload is None:
        return Status.INVALID, (
            Message("a mark of the public key is there, but its id cannot be read, false-positive rate {rate}",
                    rate=rate) if key.is_public else
            Message("a mark of this key is there, but its id cannot be read, false-positive rate {rate}", rate=rate))
    if not found.payload.is_known:
        return Status.INVALID, Message("id {id} is of version {version} and kind {kind}, which this labelkit does not "
                                       "know", id=found.payload.hex, version=found.payload.version,
                                       kind=found.payload.kind)
    if found.candidates and candidates:
        return Status.VALID, _among_candidates(found.payload, rate, key, candidates)
    if key.is_public:
        return Status.VALID, Message("id {id}, false-positive rate {rate}, by the public key, which anybody can write "
                                     "with", id=found.payload.hex, rate=rate)
    return Status.VALID, Message("id {id}, false-positive rate {rate}", id=found.payload.hex, rate=rate)


def _among_candidates(payload: Payload, rate: str, key: Key, candidates: Candidates) -> Message:
    """Of a payload that was not read: that of the candidates it is this one."""
    facts = {"id": payload.hex, "rate": rate, "count": len(candidates)}
    if candidates.named:
        return (Message("a mark that cannot be read matches id {id}, which the file's own label names, false-positive "
                        "rate {rate}, by the public key, which anybody can write with", **facts) if key.is_public else
                Message("a mark that cannot be read matches id {id}, which the file's own label names, false-positive "
                        "rate {rate}", **facts))
    return (Message("a mark that cannot be read matches id {id}, looked for among {count}, false-positive rate "
                    "{rate}, by the public key, which anybody can write with", **facts) if key.is_public else
            Message("a mark that cannot be read matches id {id}, looked for among {count}, false-positive rate {rate}",
                    **facts))


def compare_soundtrack(picture: Detection, sound: Detection) -> Message | None:
    """What a mark in the sound track says beside the decision on the picture; None where the sound is unmarked."""
    if not sound.found:
        return None
    if sound.payload is None:
        return _told_without_id(picture)
    if picture.payload is None and picture.found:
        return Message("the sound track carries id {id}, the picture a mark that cannot be read", id=sound.payload.hex)
    if picture.payload is None:
        return Message("the sound track carries id {id} and the picture no mark of the same key: it was replaced, or "
                       "the sound alone was marked", id=sound.payload.hex)
    if picture.payload == sound.payload:
        return Message("the sound track carries the same")
    return Message("the sound track carries id {id}: picture and sound come from different content",
                   id=sound.payload.hex)


def _told_without_id(picture: Detection) -> Message:
    """The same of a mark in the sound track that carries presence alone, or an id that cannot be read."""
    if picture.found:
        return Message("the sound track carries a mark without an id")
    return Message("the sound track carries a mark without an id and the picture no mark of the same key: it was "
                   "replaced, or the sound alone was marked")
