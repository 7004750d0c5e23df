# SPDX-License-Identifier: Apache-2.0
"""Sound that an ASGI app streams, labelled chunk by chunk: the audible label leaves with the first of them."""

from __future__ import annotations

from labelkit.errors import InvalidArgument, MalformedFile
from labelkit.integrations.sound_streams import MAX_HEAD as MAX_HEAD, BytesLabeller, SoundFormat, wav_head
from labelkit.key import Key
from labelkit.label import Label
from labelkit.plan import Plan

WAV = ("audio/wav", "audio/x-wav", "audio/wave", "audio/vnd.wave")
PCM = ("audio/pcm", "audio/x-pcm", "audio/l16")


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
    """Whether a response is sound that is labelled as it comes.

    is_whole  whether it is no stream: a WAV is then better labelled as a file
    """
    kind = _kind(content_type)
    return kind in PCM or kind in WAV and not is_whole


def is_begun(content_type: str, data: bytes) -> bool:
    """Whether the first bytes of such sound are enough to begin: those of samples are, and a WAV's with its whole head.

    Raises MalformedFile for a WAV that must be labelled as a whole.
    """
    return _kind(content_type) in PCM or wav_head(data) is not None


def _kind(content_type: str) -> str:
    return content_type.partition(";")[0].strip().lower()


def can_stream(plan: Plan) -> bool:
    """Whether the layers of a plan can be put on before the end of the sound is known."""
    explicit = plan.explicit
    return plan.provenance is None and plan.has_signal_layer and not (
        explicit and (explicit.place == "middle" or explicit.repeat_s))


class SoundStream:
    """One response of sound, labelled as it comes.

    format  of bare samples, None for a WAV, whose head tells it
    """

    def __init__(self, format: SoundFormat | None, plan: Plan, key: Key) -> None:
        self._format, self._plan, self._key = format, plan, key
        self._labeller: BytesLabeller | None = None
        self._left: int | None = None  # bytes of sound that are still to come, if the head tells

    def first(self, data: bytes, label: Label) -> bytes:
        """What comes first: the label, and the sound of `data`, which is all that came so far."""
        head = None if self._format else wav_head(data)
        if self._format is None and head is None:
            raise MalformedFile("a WAV whose sound cannot be labelled while it comes")
        format = head.format if head else self._format
        assert format is not None
        self._left = head.length if head else None
        self._labeller = BytesLabeller(label, format, wav=head is not None, plan=self._plan, key=self._key)
        return self._labeller.start() + self.push(data[head.start if head else 0:])

    def push(self, data: bytes) -> bytes:
        """What of the labelled sound is ready, perhaps nothing; what stands behind the sound of a WAV is dropped."""
        assert self._labeller is not None
        if self._left is not None:
            data = data[:self._left]
            self._left -= len(data)
        return self._labeller.push(data)

    def finish(self) -> tuple[bytes, bool]:
        """The rest, and whether the watermark is read back from the end of it."""
        assert self._labeller is not None
        rest = self._labeller.finish()
        return rest, not self._plan.watermark or self._labeller.is_readable()
