# SPDX-License-Identifier: Apache-2.0
"""MP3 as it comes, frame by frame. What is encoded has a constant bitrate and begins with no frame of information."""

from __future__ import annotations

from collections.abc import Callable, Iterator

from labelkit.codec.backends import SOUND, translated
from labelkit.codec.live import Head, PacketDecoder, PacketEncoder, joined
from labelkit.codec.live_tags import end_of_tags
from labelkit.codec.samples import Waveform
from labelkit.container import mp3
from labelkit.errors import MalformedFile

RATES = (8_000, 11_025, 12_000, 16_000, 22_050, 24_000, 32_000, 44_100, 48_000)
"""Hz that MP3 has."""
BITRATE = 64_000
"""Bits a second for a channel where nothing is asked."""
_QUIET = b"\xff\xfb\x90\xc4" + bytes(413)  # a frame of 128 kbit/s at 44.1 kHz, for writers of tags
_INFORMATION = (b"Xing", b"Info", b"VBRI")  # what a frame holds that is no sound


def head(data: bytes) -> Head | None:
    """What the first bytes tell, None while they are too few.

    The bitrate is the highest of the frames that came: of constant bitrate, it is that of all.
    Raises MalformedFile for what is no MP3, has tags of more than MAX_HEAD bytes, or a manifest in them.
    """
    stop = end_of_tags(data)
    if stop is None:
        return None
    start = at = stop
    bitrate, first = 0, None
    while at + 4 <= len(data):
        frame = mp3.frame_head(data[at:at + 4])
        if frame is None or not frame.is_layer_3:
            if first is not None and at > start:
                break  # what follows the first frames is for the decoder to judge
            raise MalformedFile("MP3 begins otherwise")
        if at + frame.length + 4 > len(data):
            break
        if at == start and _is_information(data[at:at + frame.length]):
            start = at + frame.length
        else:
            first, bitrate = first or frame, max(bitrate, frame.bitrate)
        at += frame.length
    return Head(first.rate, first.channels, bitrate, start, data[:stop]) if first else None


def _is_information(frame: bytes) -> bool:
    return any(name in frame[4:48] for name in _INFORMATION)


class Decoder:
    """Bytes of MP3 behind its head to samples."""

    def __init__(self, head: Head) -> None:
        self._packets = PacketDecoder("mp3float", "mp3", head.rate, head.channels)

    def push(self, data: bytes) -> Iterator[Waveform]:
        """The samples that are ready, at most a frame behind the bytes."""
        with translated("stream", SOUND):
            packets = self._packets.context.parse(data)
        for packet in packets:
            yield from self._packets.decode(packet)

    def finish(self) -> Iterator[Waveform]:
        """The rest."""
        yield from self.push(b"")
        yield from self._packets.decode(None)


class Encoder:
    """Samples to frames of MP3; `head` as of a source, of whose tags the first bytes are."""

    def __init__(self, head: Head) -> None:
        self._source, self._packets = head, PacketEncoder("libmp3lame", "fltp", head)

    def head(self, write: Callable[[bytes], bytes]) -> bytes:
        """The tags, as `write` makes them of an MP3 with those of the source."""
        return write(self._source.tags + _QUIET).removesuffix(_QUIET)

    def push(self, samples: Waveform) -> bytes:
        """The frames that are ready."""
        return b"".join(map(bytes, self._packets.encode(samples)))

    def finish(self) -> bytes:
        """The rest."""
        return b"".join(map(bytes, self._packets.encode(None)))

    def heard(self) -> Waveform:
        """The last seconds, as they are decoded."""
        decoder = Decoder(self._source)
        parts = [*decoder.push(b"".join(self._packets.recent)), *decoder.finish()]
        return joined(parts, self._source.channels)
