# SPDX-License-Identifier: Apache-2.0
"""Small files for the tests, made here, and readers of their structure that share no code with the library."""

from __future__ import annotations

import functools
import io
import json
import shutil
import struct
import subprocess
import tempfile
import zlib
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from labelkit import metadata
from labelkit.label import Kind, Label
from labelkit.report import Status

LABEL = Label(Kind.GENERATED, "001191440300708461136T1XGW3", "2026-000017")
OTHER = Label(Kind.GENERATED, "001191110102MACQD9K64010000", "cc75f5e99aae4210", reserved_code1='{"a":"b"}')

XMP_PACKET = (
    '<?xpacket begin="\ufeff" id="W5M0MpCehiHzreSzNTczkc9d"?><x:xmpmeta xmlns:x="adobe:ns:meta/">'
    '<rdf:RDF xmlns:rdf="http://www.w3.org/1999/02/22-rdf-syntax-ns#">'
    '<rdf:Description rdf:about="" xmlns:dc="http://purl.org/dc/elements/1.1/" dc:format="image/png">'
    '<dc:title><rdf:Alt><rdf:li xml:lang="x-default">山 &amp; 水</rdf:li></rdf:Alt></dc:title>'
    "</rdf:Description></rdf:RDF></x:xmpmeta>" + " " * 100 + '<?xpacket end="w"?>').encode()


@functools.cache
def pixels(mode: str = "RGB") -> Image.Image:
    """A picture of 64 x 48 with structure in every channel."""
    y, x = np.mgrid[0:48, 0:64]
    planes = [(x * 4) % 256, (y * 5) % 256, (x * y) % 256, 255 - x * 3]
    return Image.fromarray(np.stack(planes[:len(mode)], axis=-1).astype(np.uint8), mode)


def picture(kind: str, mode: str = "RGB", **options: object) -> bytes:
    """The picture as Pillow writes it."""
    out = io.BytesIO()
    pixels(mode).save(out, kind, **options)
    return out.getvalue()


def decoded(data: bytes) -> np.ndarray:
    """Every frame's pixels as Pillow decodes them."""
    image = Image.open(io.BytesIO(data))
    frames = []
    for index in range(getattr(image, "n_frames", 1)):
        image.seek(index)
        frames.append(np.asarray(image.convert("RGBA")))
    return np.stack(frames)


def segment(marker: int, body: bytes) -> bytes:
    """A JPEG marker segment."""
    return struct.pack(">BBH", 0xFF, marker, len(body) + 2) + body


def jpeg_with(*segments: bytes, **options: object) -> bytes:
    """A JPEG with segments after its JFIF header."""
    data = picture("JPEG", **options)
    return data[:20] + b"".join(segments) + data[20:]


def jpeg_segments(data: bytes) -> list[bytes]:
    """The segments up to the first scan, and the rest as the last item."""
    parts, at = [], 2
    while data[at + 1] != 0xDA:
        length = 2 + int.from_bytes(data[at + 2:at + 4], "big")
        parts.append(data[at:at + length])
        at += length
    return [*parts, data[at:]]


def chunk(kind: bytes, body: bytes) -> bytes:
    """A PNG chunk."""
    return struct.pack(">I", len(body)) + kind + body + struct.pack(">I", zlib.crc32(kind + body))


def png_with(*chunks: bytes, at_end: bool = False, **options: object) -> bytes:
    """A PNG with chunks after IHDR, or before IEND."""
    data = picture("PNG", **options)
    cut = len(data) - 12 if at_end else 33
    return data[:cut] + b"".join(chunks) + data[cut:]


def png_chunks(data: bytes) -> list[bytes]:
    """The chunks as they stand; a wrong CRC is an error."""
    parts, at = [], 8
    while at < len(data):
        length = int.from_bytes(data[at:at + 4], "big")
        part = data[at:at + 12 + length]
        assert zlib.crc32(part[4:-4]) == int.from_bytes(part[-4:], "big")
        parts.append(part)
        at += len(part)
    return parts


def riff_chunks(data: bytes) -> list[bytes]:
    """The chunks of a RIFF file without padding bytes; a wrong RIFF size is an error."""
    assert int.from_bytes(data[4:8], "little") == len(data) - 8
    parts, at = [], 12
    while at < len(data):
        length = int.from_bytes(data[at + 4:at + 8], "little")
        parts.append(data[at:at + 8 + length])
        at += 8 + length + length % 2
    assert at == len(data)
    return parts


def riff_with(data: bytes, *chunks: tuple[bytes, bytes]) -> bytes:
    """A RIFF file with chunks added at its end."""
    body = data[8:] + b"".join(
        kind + struct.pack("<I", len(text)) + text + b"\0" * (len(text) % 2) for kind, text in chunks)
    return b"RIFF" + struct.pack("<I", len(body)) + body


def exif(description: bytes = b"", comment: bytes = b"", software: bytes = b"", order: str = "<",
         artist: bytes = b"") -> bytes:
    """A TIFF structure with ImageDescription, Software, Artist, and UserComment in an Exif directory."""
    mark = b"II*\0" if order == "<" else b"MM\0*"
    texts = [(0x010E, 2, description), (0x0131, 2, software), (0x013B, 2, artist)]
    first = [entry for entry in texts if entry[2]]
    count = len(first) + 1
    heap_at = 8 + 2 + 12 * count + 4 + 2 + 12 + 4
    heap, rows = b"", []

    def row(tag: int, kind: int, text: bytes) -> bytes:
        nonlocal heap
        if len(text) <= 4:
            return struct.pack(order + "HHI", tag, kind, len(text)) + text.ljust(4, b"\0")
        offset = heap_at + len(heap)
        heap += text
        return struct.pack(order + "HHII", tag, kind, len(text), offset)

    rows = [row(*entry) for entry in first]
    rows.append(struct.pack(order + "HHII", 0x8769, 4, 1, 8 + 2 + 12 * count + 4))
    sub = struct.pack(order + "H", 1) + row(0x9286, 7, comment or b"\0" * 8) + b"\0" * 4
    return mark + struct.pack(order + "IH", 8, count) + b"".join(rows) + b"\0" * 4 + sub + heap


def tool(name: str, *arguments: str, data: bytes | None = None) -> str:
    """What an installed program prints; skips the test where it is not installed."""
    path = shutil.which(name)
    if path is None:
        pytest.skip(f"{name} is not installed")
    done = subprocess.run([path, *arguments], input=data, capture_output=True, timeout=600, check=True)
    return done.stdout.decode(errors="replace")


@functools.cache
def decoys_before_a_label() -> bytes:
    """A PNG whose label stands behind compressed packets that use up what is unpacked of one file."""
    def packed(packet: bytes) -> bytes:
        return chunk(b"iTXt", b"XML:com.adobe.xmp\0\1\0\0\0" + zlib.compress(packet))
    label = f'<x xmlns:TC260="http://www.tc260.org.cn/ns/AIGC/1.0/" TC260:AIGC=\'{LABEL.to_json()}\'/>'
    decoy = packed(b"<x>" + b" " * ((16 << 20) - 7) + b"</x>")
    return png_with(*[decoy] * 8, packed(label.encode()))


def exiftool_label(data: bytes) -> str:
    """The XMP label as exiftool reads it."""
    return tool("exiftool", "-b", "-XMP-TC260:Aigc", "-", data=data)


@functools.cache
def tone() -> np.ndarray:
    """Half a second of sound, float64 [frames, 2], 48 kHz."""
    t = np.arange(24_000) / 48_000
    return np.stack([np.sin(2760 * t), np.sin(t * 1100) * t], axis=1) * 0.4


@functools.cache
def sound(kind: str, subtype: str | None = None) -> bytes:
    """The sound as libsndfile writes it: WAV, RF64, FLAC, OGG (VORBIS or OPUS), MP3."""
    soundfile = pytest.importorskip("soundfile")
    out = io.BytesIO()
    soundfile.write(out, tone(), 48_000, format=kind, subtype=subtype)
    return out.getvalue()


@functools.cache
def movie(kind: str, options: tuple[tuple[str, str], ...] = (), video: str = "mpeg4", audio: str = "aac",
          metadata: tuple[tuple[str, str], ...] = ()) -> bytes:
    """Ten frames of 64 x 48 and the sound, as ffmpeg's muxer `kind` writes them; an empty codec leaves a stream out."""
    av = pytest.importorskip("av")
    path = Path(tempfile.mkdtemp()) / f"film.{kind}"  # faststart opens its file a second time
    with av.open(str(path), "w", format=kind, options=dict(options)) as container:
        container.metadata.update(dict(metadata))
        streams = []
        if video:
            stream = container.add_stream(video, rate=20)
            stream.width, stream.height, stream.pix_fmt = 64, 48, "yuv420p"
            frames = [av.VideoFrame.from_image(pixels().rotate(9 * index)) for index in range(10)]
            for index, frame in enumerate(frames):
                frame.pts = index
            streams.append((stream, frames))
        if audio:
            stream = container.add_stream(audio, rate=48_000)
            frame = av.AudioFrame.from_ndarray(tone().T.astype(np.float32).copy(), "fltp", "stereo")
            frame.sample_rate, frame.pts = 48_000, 0
            streams.append((stream, [frame]))
        for stream, frames in streams:
            for frame in [*frames, None]:
                container.mux(stream.encode(frame))
    data = path.read_bytes()
    shutil.rmtree(path.parent)
    return data


def packets(data: bytes) -> list[tuple]:
    """Every packet of a sound or film as ffmpeg reads it: stream, times and bytes."""
    av = pytest.importorskip("av")
    with av.open(io.BytesIO(data)) as container:
        found = [(packet.stream_index, packet.pts, packet.dts, bytes(packet)) for packet in container.demux()
                 if packet.size]
    assert found
    return found


def ffprobe_labels(data: bytes, suffix: str, folder: object) -> list[str]:
    """The AIGC values that ffprobe reads, of the file and of its streams."""
    path = folder / f"file{suffix}"
    path.write_bytes(data)
    text = tool("ffprobe", "-v", "error", "-show_entries", "format_tags:stream_tags", "-of", "json", str(path))
    shown = json.loads(text)
    tags = [shown.get("format", {}).get("tags", {}), *(stream.get("tags", {}) for stream in shown.get("streams", []))]
    return [value for part in tags for name, value in part.items() if name.upper() == "AIGC"]


def one_label(data: bytes) -> bool:
    """Whether the file holds LABEL, and no other label."""
    finding = metadata.read(data)
    return (finding.status, finding.label, finding.evidence.duplicates) == (Status.VALID, LABEL, 0)


def relabelled(data: bytes) -> bytes:
    """A file that OTHER labelled with LABEL in its place, and no trace of the old label."""
    assert (metadata.read(data).status, metadata.read(data).label) == (Status.VALID, OTHER)
    out = metadata.write(data, LABEL)
    assert one_label(out)
    assert OTHER.produce_id.encode() not in out
    return out
