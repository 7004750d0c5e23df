# SPDX-License-Identifier: Apache-2.0
"""Vorbis in Ogg as it comes, page by page (Vorbis I, appendix A): decoded by PyAV, encoded by libsndfile.

libsndfile writes pages of 4 kB or 255 packets, for which a listener waits: 0.5 s at 64 kbit/s, more in silence.
"""

from __future__ import annotations

import collections
import io
import struct
from collections.abc import Callable
from typing import TYPE_CHECKING

from labelkit.codec.audio_encoding import nominal_bitrate, refuse_vorbis_rate, vorbis_level
from labelkit.codec.backends import SOUND, libsndfile, translated
from labelkit.codec.live import RECENT_S, Head, PacketDecoder, joined
from labelkit.codec.live_ogg import OggDecoder, Packets, PageWriter, opening, page_of
from labelkit.codec.samples import BLOCK, Waveform
from labelkit.errors import MalformedFile

if TYPE_CHECKING:
    from _typeshed import ReadableBuffer

RATES = (8_000, 11_025, 12_000, 16_000, 22_050, 24_000, 32_000, 44_100, 48_000, 88_200, 96_000)
"""Hz that labelkit encodes Vorbis at, when it begins a stream."""
BITRATE = 64_000
"""Bits a second for a channel where nothing is asked."""
_HEADERS = 3
_STARTS = (b"\x01vorbis", b"\x03vorbis", b"\x05vorbis")


def head(data: bytes) -> Head | None:
    """What the first bytes tell, the first page of sound with them; None while they are too few.

    The bitrate is the nominal one, or the mean of what came where none is told. Raises MalformedFile for what is no
    Vorbis, has more than two channels, or headers of more than MAX_HEAD bytes.
    """
    found = opening(data, _HEADERS)
    if found is None:
        return None
    first = found.packets[0]
    if len(first) != 30 or first[11] not in (1, 2) or any(
            not packet.startswith(start) for packet, start in zip(found.packets, _STARTS, strict=True)):
        raise MalformedFile("Vorbis of one or two channels is wanted")
    rate, = struct.unpack_from("<I", first, 12)
    mean = 8 * (found.stop - found.start) * rate // found.granule if found.granule > 0 else BITRATE * first[11]
    return Head(rate, first[11], nominal_bitrate(first) or mean, found.start, _extradata(found.packets), found.serial)


def _extradata(packets: tuple[bytes, ...]) -> bytes:
    """The headers in one, each but the last behind its length, as FFmpeg takes them."""
    lengths = b"".join(b"\xff" * (len(packet) // 255) + bytes([len(packet) % 255]) for packet in packets[:-1])
    return bytes([len(packets) - 1]) + lengths + b"".join(packets)


def _comments(extradata: bytes) -> bytes:
    """The second of the headers."""
    end = next(at for at in range(2, len(extradata)) if extradata[at] != 255) + 1
    start = end + extradata[1]  # the first has 30 bytes
    return extradata[start:start + sum(extradata[2:end])]


class Decoder(OggDecoder):
    """Bytes of Ogg Vorbis behind its headers to samples."""

    def __init__(self, head: Head) -> None:
        super().__init__(head, PacketDecoder("vorbis", "ogg", head.rate, head.channels, head.tags))


class _Sink(io.RawIOBase):
    """A file that libsndfile writes to; `take` gives what it wrote."""

    def __init__(self) -> None:
        self._made, self._size = bytearray(), 0

    def writable(self) -> bool:
        return True

    def seekable(self) -> bool:
        return True

    def write(self, data: ReadableBuffer, /) -> int:
        made = bytes(data)
        self._made += made
        self._size += len(made)
        return len(made)

    def seek(self, offset: int, whence: int = io.SEEK_SET, /) -> int:
        return self._size  # Ogg is written from the start to the end

    def tell(self) -> int:
        return self._size

    def take(self) -> bytes:
        made = bytes(self._made)
        self._made.clear()
        return made


class Encoder:
    """Samples to pages of Ogg Vorbis; `head` as of a source, whose comments are kept.

    Raises UnsupportedFormat for a rate that libvorbis does not take.
    """

    def __init__(self, head: Head) -> None:
        soundfile = libsndfile("stream", "ogg")
        refuse_vorbis_rate(head.rate)
        self._source, self._sink, self._pages = head, _Sink(), PageWriter(head.serial)
        with translated("stream", SOUND):
            level = vorbis_level(head.bitrate, head.rate, head.channels)
            self._file = soundfile.SoundFile(self._sink, "w", head.rate, head.channels, "VORBIS", format="OGG",
                                             compression_level=level)
        self._write: Callable[[bytes], bytes] = bytes
        self._data, self._packets, self._headers = b"", Packets(), list[bytes]()
        self._recent: collections.deque[tuple[int, list[bytes]]] = collections.deque()

    def head(self, write: Callable[[bytes], bytes]) -> bytes:
        """Nothing: libsndfile writes the headers, which `write` is for, with the first samples."""
        self._write = write
        return b""

    def push(self, samples: Waveform) -> bytes:
        """The pages that are ready."""
        with translated("stream", SOUND):
            for at in range(0, len(samples), BLOCK):  # libsndfile 1.2 overflows its stack on long writes of Vorbis
                self._file.write(samples[at:at + BLOCK])
        return self._paged(self._sink.take())

    def finish(self) -> bytes:
        """The rest, and the mark of the end."""
        with translated("stream", SOUND):
            self._file.close()
        return self._paged(self._sink.take())

    def heard(self) -> Waveform:
        """The last seconds, as they are decoded."""
        decoder = PacketDecoder("vorbis", "ogg", self._source.rate, self._source.channels,
                                _extradata(tuple(self._headers)))
        parts = [part for _, packets in self._recent for packet in packets for part in decoder.packet(packet)]
        return joined(parts, self._source.channels)[-int(RECENT_S * self._source.rate):]  # pages of silence are long

    def _paged(self, data: bytes) -> bytes:
        """The pages of libsndfile as those of the stream, with its number and the comments of the source."""
        self._data += data
        made = []
        while self._data and (page := page_of(self._data)) is not None:
            self._data = self._data[page.length:]
            packets = self._packets.take(page)
            if len(self._headers) < _HEADERS:
                self._headers += packets
                if len(self._headers) == _HEADERS:
                    comments = _comments(self._source.tags) if self._source.tags else self._headers[1]
                    made.append(self._pages.head(self._headers[0], [comments, self._headers[2]], self._write))
                continue
            made.append(self._pages.again(page))
            self._recent.append((page.granule, packets))
            while page.granule - self._recent[0][0] > RECENT_S * self._source.rate:
                self._recent.popleft()
        return b"".join(made)
