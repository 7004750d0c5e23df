# SPDX-License-Identifier: Apache-2.0
"""Documents <-> their text: a module for each kind, with read(data, name) -> (blocks, source).

`decode` gives the text as a reader sees it; `encode` writes the file with the words of a label in it and every other
byte as it was.
"""

from __future__ import annotations

import importlib

from labelkit.codec.samples import Described, PartlyRead, Pictured, TextSamples

MODULES = {"txt": "plain", "markdown": "markdown", "html": "html", "srt": "subtitles", "vtt": "subtitles",
           "ass": "subtitles", "json": "chat", "jsonl": "chat", "docx": "office", "odt": "office",
           "epub": "epub", "pptx": "slides", "xlsx": "sheets", "eml": "mail", "rtf": "rtf",
           "pdf": "pdf", "xmind": "mindmap", "ofd": "ofd", "glb": "scene",
           "gltf": "scene", "svg": "drawing"}
"""The module that reads each format."""
_DRAWN = ("pdf", "ofd", "glb", "gltf")  # words are drawn on pages
_SHAPED = ("pdf", "glb", "gltf")  # and here those too that must be shaped
_OUTLINED = ("svg",)  # and here where a font of ours has them
IN_MEMORY = ("txt", "markdown", "html", "srt", "vtt", "ass", "json", "jsonl")
"""The formats of texts that can be strings."""


def decode(data: bytes, format: str, name: str, _max_pixels: int = 0) -> TextSamples:
    """The text of a document; raises UnsupportedFormat, MalformedFile, LimitExceeded."""
    blocks, source = importlib.import_module(f"labelkit.codec.text.{MODULES[format]}").read(data, name)
    return TextSamples(tuple(blocks), source, is_drawn=format in _DRAWN, can_shape=format in _SHAPED,
                       is_outlined=format in _OUTLINED,
                       pictures=source.pictures if isinstance(source, Pictured) else None,
                       missed=source.missed if isinstance(source, PartlyRead) else (),
                       described=source.described if isinstance(source, Described) else ())


def encode(samples: TextSamples) -> bytes:
    """The document with the words of `samples` in it; raises HostTooSmall where a place is not to be had."""
    return samples.source.labelled(samples.words)
