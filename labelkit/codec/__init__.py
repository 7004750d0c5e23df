# SPDX-License-Identifier: Apache-2.0
"""Encoded bytes <-> samples: `decode`, `encode`. The bytes choose the codec, never a file's name.

A codec is a module with decode(data, format, name, max_pixels) -> Samples and encode(samples) -> bytes; that of
pictures takes `luma` too. Those of sound and films decode from a Reader.
"""

from __future__ import annotations

import importlib
from collections.abc import Callable
from pathlib import Path
from types import ModuleType
from typing import TYPE_CHECKING

from labelkit import container
from labelkit.codec import text
from labelkit.codec.samples import AudioSamples, AudioStream, ImageSamples, Samples, TextSamples, VideoSamples
from labelkit.container import Format, Reader
from labelkit.errors import UnsupportedFormat

if TYPE_CHECKING:
    from labelkit.codec.transcode import Progress
    from labelkit.plan import Quality

MAX_PIXELS = 1 << 27
"""Bound of one file's pixels over all its frames, of a film those of one frame, unless the caller gives another:
134 megapixels."""
MAX_BYTES = 1 << 30
"""Bound of the encoded bytes that are read whole to be decoded."""

SOUND = ("wav", "flac", "ogg", "opus", "mp3", "m4a")
NEW = ("jpeg", "png", "webp", "avif", "tiff", *SOUND)
"""The formats that samples which came from no file can be encoded to, pictures and sound."""

_FAMILIES = {"image": "labelkit.codec.image", "audio": "labelkit.codec.audio", "video": "labelkit.codec.video",
             "document": "labelkit.codec.text"}
_KINDS = {ImageSamples: "image", AudioSamples: "audio", AudioStream: "audio", TextSamples: "document"}
_DRAWN = ("svg",)  # pictures that are drawn by their text


def decode(source: bytes | Reader, *, max_pixels: int = MAX_PIXELS, like: Samples | None = None,
           luma: bool = False) -> Samples:
    """The samples in an encoded file.

    like  what it was encoded from, where that is known: the black bars of a film are then where they were
    luma  their luma is all that is wanted: a JPEG may come without its colours, which takes half the time and a third
          of the memory. Such samples are not to be encoded

    Raises UnsupportedFormat for a format without samples that can be decoded, before anything but the head is read;
    MalformedFile or TruncatedFile for broken bytes; LimitExceeded above `max_pixels` over all frames, or MAX_BYTES.
    A film, and sound of minutes (an AudioStream), is read from `source` as it is asked for: a Reader must stay open as
    long.
    """
    with container.opened(source) as reader:
        format = container.sniff(reader)
        codec = _codec(format, reader.name)
        if format.family == "video":
            film: Samples = codec.decode(reader, format.name, reader.name, max_pixels, like)
            return film
        if format.family == "audio":
            sound: Samples = codec.decode(reader, format.name, reader.name, max_pixels)
            return sound
        grey = {"luma": True} if luma and format.family == "image" and format.name not in _DRAWN else {}
        samples: Samples = codec.decode(reader.whole(MAX_BYTES), format.name, reader.name, max_pixels, **grey)
        return samples


def has_samples(reader: Reader) -> bool:
    """Whether a file of this format is made of samples, decodable here or not: a document and an SVG are not."""
    format = container.sniff(reader)
    return has_signal(format)


def luma_of_own(reader: Reader) -> Samples | None:
    """The luma of a JPEG that was encoded here, as a grey picture; it takes less time than the colours.

    None for other files, and where `decode` is to read it.
    """
    if container.sniff(reader).name != "jpeg":
        return None
    luma: Samples | None = _module("image").luma_of_own(reader.whole(MAX_BYTES))
    return luma


def encode(samples: Samples) -> bytes:
    """A file of the format, quality and metadata that `samples` were decoded from."""
    encoded: bytes = _module(_KINDS[type(samples)]).encode(samples)
    return encoded


def encode_new(samples: Samples, format: str, quality: Quality | None = None) -> bytes:
    """A file, in one of the formats NEW, of samples that came from no file; no metadata but a picture's profile.

    quality  its `percent` is that of lossy pictures. Raises UnsupportedFormat for samples that the format cannot hold.
    """
    encoded: bytes = _module(_KINDS[type(samples)]).encode_new(samples, format, quality.percent if quality else None)
    return encoded


def encode_new_file(samples: Samples, target: Path, format: str) -> None:
    """`encode_new` of sound into a new file, block by block."""
    _module("audio").encode_new_file(samples, target, format)


def is_decodable(format: Format) -> bool:
    """Whether there is a codec for a format: of documents only some have text that is read."""
    return format.family in _FAMILIES and (format.family != "document" or format.name in text.MODULES)


def has_signal(format: Format) -> bool:
    """Whether a file of this format has samples in which a watermark can be; documents and drawings have none."""
    return format.family != "document" and format.name not in _DRAWN


def is_streamed(reader: Reader) -> bool:
    """Whether a file's samples are never held together, so that it goes from file to file: films, and long sound."""
    format = container.sniff(reader)
    if format.family != "audio":
        return format.family == "video"
    is_long: bool = _module("audio").is_long(reader, format.name)
    return is_long


def is_encoded_once(samples: Samples) -> bool:
    """Whether they take too long to be encoded again, with a stronger mark, where the first is lost: films."""
    return isinstance(samples, VideoSamples)


def seconds(reader: Reader) -> float | None:
    """How long a file's sound or film is, as it states itself; None for other media and where it does not.

    Raises what `decode` raises; of a film one frame is decoded, of sound nothing.
    """
    format = container.sniff(reader)
    if format.family == "audio":
        stated: float | None = _module("audio").seconds(reader, format.name)
        return stated
    if format.family != "video":
        return None
    film = decode(reader)
    return film.seconds if isinstance(film, VideoSamples) else None


def encode_file(samples: Samples, target: Path, quality: Quality | None = None,
                report: Callable[[Progress], None] | None = None) -> None:
    """`encode` into a new file, of films with `quality`; `report` is called as a film progresses."""
    if isinstance(samples, VideoSamples):
        from labelkit.codec import transcode
        transcode.encode(samples, target, quality, report)
    elif isinstance(samples, AudioStream):
        from labelkit.codec import audio
        audio.encode_file(samples, target)
    else:
        target.write_bytes(encode(samples))


def _codec(format: Format, name: str) -> ModuleType:
    if not is_decodable(format):
        raise UnsupportedFormat("{where}: {format} is a document, in which there is no picture, sound or film to look "
                                "at or to mark", where=name, format=format.name,
                                hint="leave the signal layers out of the plan")
    return _module("document" if format.name in _DRAWN else format.family)


def _module(family: str) -> ModuleType:
    return importlib.import_module(_FAMILIES[family])
