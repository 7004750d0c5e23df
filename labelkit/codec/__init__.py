# SPDX-License-Identifier: Apache-2.0
"""Encoded bytes <-> samples: `decode`, `encode`. The bytes choose the codec, never a file's name.

A codec is a module with decode(data, format, name, max_pixels) -> Samples and encode(samples) -> bytes.
"""

from __future__ import annotations

import importlib
from collections.abc import Callable
from pathlib import Path
from types import ModuleType
from typing import TYPE_CHECKING

from labelkit import container
from labelkit.codec.samples import AudioSamples, ImageSamples, Samples, VideoSamples
from labelkit.container import Reader
from labelkit.errors import UnsupportedFormat

if TYPE_CHECKING:
    from labelkit.codec.transcode import Progress
    from labelkit.plan import Quality

MAX_PIXELS = 1 << 27
"""Bound of one file's pixels over all its frames, of a film those of one frame, unless the caller gives another:
134 megapixels."""
MAX_BYTES = 1 << 30
"""Bound of the encoded bytes that are read whole to be decoded."""

SOUND = ("wav", "flac", "ogg", "opus", "mp3")
NEW = ("jpeg", "png", "webp", "avif", "tiff", *SOUND)
"""The formats that samples which came from no file can be encoded to, pictures and sound."""

_FAMILIES = {"image": "labelkit.codec.image", "audio": "labelkit.codec.audio", "video": "labelkit.codec.video"}
_KINDS = {ImageSamples: "image", AudioSamples: "audio"}
_STREAMED = "video"


def decode(source: bytes | Reader, *, max_pixels: int = MAX_PIXELS) -> Samples:
    """The samples in an encoded file.

    Raises UnsupportedFormat for a format without samples that can be decoded, before anything but the head is read;
    MalformedFile or TruncatedFile for broken bytes; LimitExceeded above `max_pixels` over all frames, or MAX_BYTES.
    A film is read from `source` as its frames are asked for: a Reader must stay open as long.
    """
    with container.opened(source) as reader:
        format = container.sniff(reader)
        codec = _codec(format.family, format.name, reader.name)
        if format.family == _STREAMED:
            return codec.decode(reader, format.name, reader.name, max_pixels)
        data = bytes(reader.view) if reader.view is not None else reader.at(0, reader.size, "the file", MAX_BYTES)
        return codec.decode(data, format.name, reader.name, max_pixels)


def encode(samples: Samples) -> bytes:
    """A file of the format, quality and metadata that `samples` were decoded from."""
    family = _KINDS[type(samples)]
    return _codec(family, family, family).encode(samples)


def encode_new(samples: ImageSamples | AudioSamples, format: str, quality: Quality | None = None) -> bytes:
    """A file, in one of the formats NEW, of samples that came from no file; no metadata but a picture's profile.

    quality  its `percent` is that of lossy pictures. Raises UnsupportedFormat for samples that the format cannot hold.
    """
    family = _KINDS[type(samples)]
    return _codec(family, family, family).encode_new(samples, format, quality.percent if quality else None)


def is_streamed(reader: Reader) -> bool:
    """Whether a file's samples are never held together, so that it goes from file to file."""
    return container.sniff(reader).family == _STREAMED


def encode_file(samples: Samples, target: Path, quality: Quality | None = None,
                report: Callable[[Progress], None] | None = None) -> None:
    """`encode` into a new file, of films with `quality`; `report` is called as a film progresses."""
    if isinstance(samples, VideoSamples):
        from labelkit.codec import transcode
        transcode.encode(samples, target, quality, report)
    else:
        target.write_bytes(encode(samples))


def _codec(family: str, format: str, name: str) -> ModuleType:
    try:
        return importlib.import_module(_FAMILIES[family])
    except (KeyError, ImportError) as error:
        raise UnsupportedFormat("{where}: {format} files have no samples that this installation can decode",
                                where=name, format=format,
                                hint="label it with --layers metadata,provenance") from error
