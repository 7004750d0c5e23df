# SPDX-License-Identifier: Apache-2.0
"""Opus in Ogg as it comes, page by page (RFC 7845): one stream of one or two channels."""

from __future__ import annotations

import struct
from collections.abc import Callable
from typing import TYPE_CHECKING

from labelkit.codec.live import Head, PacketDecoder, PacketEncoder, joined
from labelkit.codec.live_ogg import LAST, OggDecoder, PageWriter, fitting, opening
from labelkit.codec.samples import Waveform
from labelkit.errors import MalformedFile

if TYPE_CHECKING:
    from av import AudioStream, Packet

RATES = (8_000, 12_000, 16_000, 24_000, 48_000)
"""Hz that an encoder of Opus takes."""
BITRATE = 48_000
"""Bits a second for a channel where nothing is asked."""
_CLOCK = 48_000  # of granule positions, and of decoders
_LEAST, _MOST = 48_000, 256_000  # bits a second for a channel; the least as in the sound of films


def head(data: bytes) -> Head | None:
    """What the first bytes tell, the first page of sound with them; None while they are too few.

    The bitrate is the mean of what came, within 48 and 256 kbit/s a channel: Opus does not tell its own.
    Raises MalformedFile for what is no Opus, has more than two channels, or comments of more than MAX_HEAD bytes.
    """
    if len(data) > 36 and data[28:36] != b"OpusHead":  # behind a page of one packet
        raise MalformedFile("Opus of one or two channels is wanted")
    found = opening(data, 2)
    if found is None:
        return None
    first, comments = found.packets
    if first[:8] != b"OpusHead" or len(first) < 19 or first[18] or first[9] not in (1, 2) or \
            comments[:8] != b"OpusTags":
        raise MalformedFile("Opus of one or two channels is wanted")
    channels = first[9]
    bitrate = 8 * (found.stop - found.start) * _CLOCK // found.granule if found.granule else 0
    bitrate = min(max(bitrate, _LEAST * channels), _MOST * channels)
    return Head(_CLOCK, channels, bitrate, found.start, first + comments, found.serial)


class Decoder(OggDecoder):
    """Bytes of Ogg Opus behind its head to samples of 48 kHz."""

    def __init__(self, head: Head) -> None:
        skipped, = struct.unpack_from("<H", head.tags, 10)
        super().__init__(head, PacketDecoder("opus", "opus", _CLOCK, head.channels, head.tags[:19]), skipped)


class Encoder:
    """Samples to pages of Ogg Opus, one or more for each push that has something ready.

    head  as of a source, whose comments are kept; without `tags` that of a new stream
    """

    def __init__(self, head: Head) -> None:
        self._source, self._packets, self._pages = head, PacketEncoder("libopus", "flt", head), PageWriter(head.serial)
        own = bytes(self._packets.context.extradata or b"")
        self._skip, = struct.unpack_from("<H", own, 10)
        rate = head.tags[12:16] or struct.pack("<I", head.rate)
        self._opus_head = own[:12] + rate + own[16:]
        self._comments = head.tags[head.tags.index(b"OpusTags"):] if head.tags else \
            b"OpusTags" + struct.pack("<I8sI", 8, b"labelkit", 0)
        self._granule = 0
        self._waiting: list[bytes] = []

    def head(self, write: Callable[[bytes], bytes]) -> bytes:
        """The pages of head and comments, as `write` makes them of those of the source."""
        return self._pages.head(self._opus_head, [self._comments], write)

    def push(self, samples: Waveform) -> bytes:
        """The pages that are ready; one packet stays back, which the end may need."""
        return self._paged(self._packets.encode(samples), is_end=False)

    def finish(self) -> bytes:
        """The rest, and the mark of the end."""
        return self._paged(self._packets.encode(None), is_end=True)

    def heard(self) -> Waveform:
        """The last seconds, as they are decoded."""
        decoder = PacketDecoder("opus", "opus", _CLOCK, self._source.channels, self._opus_head)
        parts = [part for packet in self._packets.recent for part in decoder.packet(packet)]
        return joined(parts, self._source.channels)

    def _paged(self, packets: list[Packet[AudioStream]], *, is_end: bool) -> bytes:
        self._waiting += [bytes(packet) for packet in packets]
        made, length = [], self._packets.context.frame_size * _CLOCK // self._source.rate
        kept = 0 if is_end else 1
        while len(self._waiting) > kept:
            count = fitting(self._waiting[:len(self._waiting) - kept])
            now, self._waiting = self._waiting[:count], self._waiting[count:]
            self._granule += count * length
            is_last = is_end and not self._waiting
            end = self._skip + self._packets.count * _CLOCK // self._source.rate
            made.append(self._pages.made(LAST if is_last else 0,
                                         min(self._granule, end) if is_last else self._granule, now))
        if is_end and not made:
            made.append(self._pages.made(LAST, 0, []))
        return b"".join(made)
