# SPDX-License-Identifier: Apache-2.0
"""Encoded bytes <-> samples: `decode`, `encode`. The bytes choose the codec, never a file's name.

A codec is a module with decode(data, format, name, max_pixels) -> Samples and encode(samples) -> bytes.
"""

from __future__ import annotations

import importlib
from types import ModuleType

from labelkit import container
from labelkit.codec.samples import AudioSamples, ImageSamples, Samples
from labelkit.container import Reader
from labelkit.errors import UnsupportedFormat

MAX_PIXELS = 1 << 27
"""Bound of one file's pixels over all its frames, unless the caller gives another: 134 megapixels."""
MAX_BYTES = 1 << 30
"""Bound of the encoded bytes that are read whole to be decoded."""

_FAMILIES = {"image": "labelkit.codec.image", "audio": "labelkit.codec.audio", "video": "labelkit.codec.video"}
_KINDS = {ImageSamples: "image", AudioSamples: "audio"}


def decode(source: bytes | Reader, *, max_pixels: int = MAX_PIXELS) -> Samples:
    """The samples in an encoded file.

    Raises UnsupportedFormat for a format without samples that can be decoded, before anything but the head is read;
    MalformedFile or TruncatedFile for broken bytes; LimitExceeded above `max_pixels` over all frames, or MAX_BYTES.
    """
    with container.opened(source) as reader:
        format = container.sniff(reader)
        codec = _codec(format.family, format.name, reader.name)
        data = bytes(reader.view) if reader.view is not None else reader.at(0, reader.size, "the file", MAX_BYTES)
        return codec.decode(data, format.name, reader.name, max_pixels)


def encode(samples: Samples) -> bytes:
    """A file of the format, quality and metadata that `samples` were decoded from."""
    family = _KINDS[type(samples)]
    return _codec(family, family, family).encode(samples)


def _codec(family: str, format: str, name: str) -> ModuleType:
    try:
        return importlib.import_module(_FAMILIES[family])
    except (KeyError, ImportError) as error:
        raise UnsupportedFormat("{where}: {format} files have no samples that this installation can decode",
                                where=name, format=format,
                                hint="label it with --layers metadata,provenance") from error
