# SPDX-License-Identifier: Apache-2.0
"""Encoded bytes <-> samples: `decode`, `encode`. The bytes choose the codec, never a file's name."""

from __future__ import annotations

import importlib
from types import ModuleType

from labelkit.codec.samples import AudioSamples, ImageSamples, Samples
from labelkit.container import sniff
from labelkit.errors import UnsupportedFormat

MAX_PIXELS = 1 << 27
"""Bound of one file's pixels over all its frames, unless the caller gives another: 134 megapixels."""

_FAMILIES = {"image": "labelkit.codec.image", "audio": "labelkit.codec.audio", "video": "labelkit.codec.video"}
_KINDS = {ImageSamples: "image", AudioSamples: "audio"}


def decode(data: bytes, name: str = "bytes", *, max_pixels: int = MAX_PIXELS) -> Samples:
    """The samples in an encoded file.

    Raises UnsupportedFormat for a format without samples that can be decoded, MalformedFile or
    TruncatedFile for broken bytes, LimitExceeded above `max_pixels` over all frames.
    """
    format = sniff(data)
    return _codec(format.family, format.name, name).decode(data, format.name, name, max_pixels)


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
