# SPDX-License-Identifier: Apache-2.0
"""Sound that an ASGI app streams, labelled chunk by chunk: the audible label leaves with the first of them."""

from __future__ import annotations

import datetime
import hashlib
from dataclasses import dataclass
from typing import TYPE_CHECKING

from labelkit.codec.live import MAX_HEAD as MAX_HEAD
from labelkit.errors import InvalidArgument
from labelkit.integrations.sound_streams import CODED, BytesLabeller, Coded, Coding, Pcm, SoundFormat, wav_head
from labelkit.key import Key
from labelkit.label import Label
from labelkit.log_recorder import Audit, Recorder
from labelkit.plan import Plan

if TYPE_CHECKING:
    from labelkit.integrations.asgi_manifests import StreamManifest
    from labelkit.log import LabelLog

WAV = ("audio/wav", "audio/x-wav", "audio/wave", "audio/vnd.wave")
PCM = ("audio/pcm", "audio/x-pcm", "audio/l16")
_AAC = ("audio/aac", "audio/x-aac", "audio/aacp")  # in ADTS, in which a manifest has no place
_OGG = ("audio/ogg", "audio/opus", "audio/vorbis")
_TYPES = {"audio/mpeg": "mp3", "audio/mp3": "mp3", "audio/x-mp3": "mp3", "audio/flac": "flac", "audio/x-flac": "flac",
          **dict.fromkeys(_AAC, "aac"), **dict.fromkeys(_OGG, "opus")}
_MIMES = {"mp3": "audio/mpeg", "opus": "audio/ogg"}


@dataclass(frozen=True, slots=True)
class Beginning:
    """How sound is labelled whose first bytes came: its coding and media type, where it starts in them, and its length
    if they tell it."""

    coding: Coding
    mime: str
    start: int = 0
    length: int | None = None


def format_of(content_type: str, pcm: tuple[int, int] | None) -> SoundFormat | None:
    """The format of bare samples under a content type, None for other sound.

    pcm  rate and channels of audio/pcm whose type does not tell them
    Raises InvalidArgument where nothing tells them.
    """
    kind, *parameters = (part.strip().lower() for part in content_type.split(";"))
    if kind not in PCM:
        return None
    told = dict(part.partition("=")[::2] for part in parameters)
    rate, channels = pcm or (0, 1)
    try:
        rate, channels = int(told.get("rate", rate)), int(told.get("channels", channels if "rate" not in told else 1))
    except ValueError:
        rate = 0
    if rate <= 0:
        raise InvalidArgument("{type} without a rate cannot be labelled", type=repr(content_type)[:80],
                              hint="state it in the content type, or give pcm=(rate, channels)")
    return SoundFormat(rate, channels, ">i2" if kind == "audio/l16" else "<i2")  # RFC 2586: network order


def is_streamed(content_type: str, *, is_whole: bool, signs: bool) -> bool:
    """Whether a response may be sound that is labelled as it comes.

    is_whole  whether it is no stream: it is then better labelled as a file
    signs     whether it gets a manifest in a place of its own, which AAC needs
    """
    kind = _kind(content_type)
    return kind in PCM or kind in _AAC and signs or not is_whole and (kind in WAV or kind in _TYPES)


def begun(content_type: str, data: bytes, pcm: tuple[int, int] | None) -> Beginning | None:
    """How such sound is labelled, None while the first bytes, `data`, are too few to tell.

    Raises MalformedFile for what must be labelled as a whole, InvalidArgument for samples of an unknown rate.
    """
    format, kind, data = format_of(content_type, pcm), _kind(content_type), data[:MAX_HEAD]
    if format:
        return Beginning(Pcm(format), kind)
    if kind in WAV:
        wav = wav_head(data)
        return Beginning(Pcm(wav.format, wav=True), "audio/wav", wav.start, wav.length) if wav else None
    name = "ogg" if kind in _OGG and data[28:35] == b"\x01vorbis" else _TYPES[kind]
    head = CODED[name].head(data)
    return Beginning(Coded(name, head), _MIMES.get(name, f"audio/{name}"), head.start) if head else None


def _kind(content_type: str) -> str:
    return content_type.partition(";")[0].strip().lower()


def can_stream(plan: Plan, *, signs_at_end: bool) -> bool:
    """Whether the layers of a plan can be put on before the end of the sound is known.

    signs_at_end  whether there is a place for a manifest that is signed then
    """
    explicit = plan.explicit
    return (plan.provenance is None or signs_at_end) and plan.has_signal_layer and not (
        explicit and (explicit.place == "middle" or explicit.repeat_s))


class SoundStream:
    """One response of sound, labelled as it comes.

    log       gets a record before the first byte leaves, and one with the SHA-256 of the whole at the end
    manifest  is signed at the end, before the last byte leaves
    """

    def __init__(self, beginning: Beginning, label: Label, plan: Plan, key: Key, log: LabelLog | None,
                 manifest: StreamManifest | None = None) -> None:
        self._label, self._plan, self._log, self._digest = label, plan, log, hashlib.sha256()
        self.manifest = manifest
        self._skipped, self._left = beginning.start, beginning.length
        self._labeller = BytesLabeller(label, beginning.coding, plan=plan, key=key)

    def first(self, data: bytes) -> bytes:
        """What comes first: the label, and the sound of `data`, which is all that came so far."""
        made = self._labeller.start()
        self._record()
        return self._counted(made) + self.push(data[self._skipped:])

    def push(self, data: bytes) -> bytes:
        """What of the labelled sound is ready, perhaps nothing; what stands behind the sound of a WAV is dropped."""
        if self._left is not None:
            data = data[:self._left]
            self._left -= len(data)
        return self._counted(self._labeller.push(data))

    def finish(self) -> tuple[bytes, bool]:
        """The rest, and whether the watermark is read back from the end of it."""
        rest = self._counted(self._labeller.finish())
        if self.manifest:
            self.manifest.sign()
        self._record(self._digest.hexdigest())
        return rest, not self._plan.watermark or self._labeller.is_readable()

    def _counted(self, made: bytes) -> bytes:
        self._digest.update(made)
        if self.manifest:
            self.manifest.add(made)
        return made

    def _record(self, after: str | None = None) -> None:
        audit = Audit(self._log, datetime.datetime.now(datetime.UTC)) if self._log else None
        if recorder := Recorder.of(audit, self._label, self._plan, samples_only=False):
            recorder.record_stream(after)
