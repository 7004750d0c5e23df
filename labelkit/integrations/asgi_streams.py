# SPDX-License-Identifier: Apache-2.0
"""Sound that an ASGI app streams, labelled chunk by chunk: the audible label leaves with the first of them."""

from __future__ import annotations

import datetime
import hashlib
from dataclasses import dataclass
from typing import TYPE_CHECKING

from labelkit.codec.live import MAX_HEAD as MAX_HEAD
from labelkit.errors import InvalidArgument
from labelkit.integrations.sound_streams import LOSSY, BytesLabeller, Coding, Lossy, Pcm, SoundFormat, wav_head
from labelkit.key import Key
from labelkit.label import Label
from labelkit.log_recorder import Audit, Recorder
from labelkit.plan import Plan

if TYPE_CHECKING:
    from labelkit.log import LabelLog

WAV = ("audio/wav", "audio/x-wav", "audio/wave", "audio/vnd.wave")
PCM = ("audio/pcm", "audio/x-pcm", "audio/l16")
_LOSSY_TYPES = {"audio/mpeg": "mp3", "audio/mp3": "mp3", "audio/x-mp3": "mp3", "audio/ogg": "opus",
                "audio/opus": "opus"}


@dataclass(frozen=True, slots=True)
class Beginning:
    """How sound is labelled whose first bytes came: its coding, where it starts in them, its length if they tell it."""

    coding: Coding
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


def is_streamed(content_type: str, *, is_whole: bool) -> bool:
    """Whether a response may be sound that is labelled as it comes.

    is_whole  whether it is no stream: sound in a format that tells its length is then better labelled as a file
    """
    kind = _kind(content_type)
    return kind in PCM or not is_whole and (kind in WAV or kind in _LOSSY_TYPES)


def begun(content_type: str, data: bytes, pcm: tuple[int, int] | None) -> Beginning | None:
    """How such sound is labelled, None while the first bytes, `data`, are too few to tell.

    Raises MalformedFile for what must be labelled as a whole, InvalidArgument for samples of an unknown rate.
    """
    format, kind, data = format_of(content_type, pcm), _kind(content_type), data[:MAX_HEAD]
    if format:
        return Beginning(Pcm(format))
    if kind in WAV:
        wav = wav_head(data)
        return Beginning(Pcm(wav.format, wav=True), wav.start, wav.length) if wav else None
    name = _LOSSY_TYPES[kind]
    head = LOSSY[name].head(data)
    return Beginning(Lossy(name, head), head.start) if head else None


def _kind(content_type: str) -> str:
    return content_type.partition(";")[0].strip().lower()


def can_stream(plan: Plan) -> bool:
    """Whether the layers of a plan can be put on before the end of the sound is known."""
    explicit = plan.explicit
    return plan.provenance is None and plan.has_signal_layer and not (
        explicit and (explicit.place == "middle" or explicit.repeat_s))


class SoundStream:
    """One response of sound, labelled as it comes.

    log  gets a record before the first byte leaves, and one with the SHA-256 of the whole at the end
    """

    def __init__(self, beginning: Beginning, label: Label, plan: Plan, key: Key, log: LabelLog | None) -> None:
        self._label, self._plan, self._log, self._digest = label, plan, log, hashlib.sha256()
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
        self._record(self._digest.hexdigest())
        return rest, not self._plan.watermark or self._labeller.is_readable()

    def _counted(self, made: bytes) -> bytes:
        self._digest.update(made)
        return made

    def _record(self, after: str | None = None) -> None:
        audit = Audit(self._log, datetime.datetime.now(datetime.UTC)) if self._log else None
        if recorder := Recorder.of(audit, self._label, self._plan, samples_only=False):
            recorder.record_stream(after)
