# SPDX-License-Identifier: Apache-2.0
"""glTF 2.0 and GLB: the label is AIGC in asset.extras (glTF 2.0, 3.1 and 3.2). No guide names a place for it.

Every other character of the scene stays, and so do its buffers.
"""

from __future__ import annotations

import functools
import json
import re
import struct
from dataclasses import dataclass

from labelkit.container import jsontext
from labelkit.container.base import TEXT, Changes, Format, Layout, Patch, Reader, Slot
from labelkit.container.jsontext import Object
from labelkit.errors import UnsupportedFormat
from labelkit.messages import Message

FORMATS = (Format("glb", "model/gltf-binary", "document", TEXT), Format("gltf", "model/gltf+json", "document", TEXT))

_PROBE = 1 << 16
_ASSET = re.compile(rb'"asset"\s*+:\s*+\{(?:(?!"asset").){0,4096}?"version"\s*+:\s*+"2\.', re.DOTALL)
_HEADER, _JSON = 20, b"JSON"  # bytes in front of the scene of a GLB


@dataclass(slots=True)
class Scene:
    """The JSON of a scene, where it lies in the file, and the object of its asset's extras if there is one."""

    text: str
    start: int
    stop: int
    extras: Object | None


def sniff(reader: Reader, head: bytes) -> Format | None:
    """GLB by its first bytes; glTF where an object holds an asset of version 2."""
    if head[:8] == b"glTF\2\0\0\0" and head[16:20] == _JSON:
        return FORMATS[0]
    if head.lstrip(b"\xef\xbb\xbf \t\r\n")[:1] != b"{" or not _ASSET.search(reader.head(_PROBE)):
        return None
    return FORMATS[1]


def scan(reader: Reader, found: Format) -> Layout[Scene, None]:
    """The members of the asset's extras; raises MalformedFile, TruncatedFile, LimitExceeded."""
    start, stop = 0, reader.size
    if found.name == "glb":
        length, = struct.unpack("<I", reader.at(12, 4, "scene"))
        start, stop = _HEADER, _HEADER + length
    try:
        text = reader.at(start, stop - start, "scene").decode("utf-8")
        _, extras = _parsed(text)
    except (UnicodeDecodeError, jsontext.NoObject, KeyError) as error:
        raise reader.malformed("glTF", start, Message("the scene is no JSON object with an asset")) from error
    layout: Layout[Scene, None] = Layout(found, [], Scene(text, start, stop, extras))
    for name, one in extras.members.items() if extras else ():
        body = one.value if isinstance(one.value, str) else json.dumps(one.value, ensure_ascii=False)
        layout.slots.append(Slot(TEXT, "extras", start + len(text[:one.start].encode()),
                                 len(text[one.start:one.stop].encode()),
                                 functools.partial(str.encode, body, "utf-8", "replace"), None, name))
    return layout


def patches(reader: Reader, layout: Layout[Scene, None], changes: Changes[None],
            fresh: bytes | None) -> list[Patch]:
    """The patches for the scene and, in a GLB, for the lengths in front of it."""
    scene = layout.state
    if not changes and fresh is None:
        return []
    values = {slot.key: None if body is None else body.decode() for slot, body in changes.items()}
    text = scene.extras.edited(scene.text, values) if scene.extras else scene.text
    if fresh is not None:
        text = jsontext.changed(text, [_added(reader, *_parsed(text), fresh.decode())])
    return rewritten(reader, layout, text)


def binary_at(reader: Reader, layout: Layout[Scene, None]) -> tuple[int, int] | None:
    """Where the buffer of a GLB starts and stops; None where there is none behind its scene."""
    at = layout.state.stop + 8
    if layout.format.name != "glb" or at > reader.size:
        return None
    length, kind = struct.unpack("<I4s", reader.at(at - 8, 8, "scene"))
    return (at, at + length) if kind == b"BIN\0" and at + length <= reader.size else None


def rewritten(reader: Reader, layout: Layout[Scene, None], text: str, binary: bytes = b"") -> list[Patch]:
    """The patches that give a file another scene, and its buffer more behind its end, which is a multiple of 4 bytes
    long; raises LimitExceeded."""
    scene, new = layout.state, text.encode()
    if layout.format.name == "gltf":
        return [(scene.start, scene.stop, new)]
    new = new.rstrip(b" ")
    new += b" " * (-len(new) % 4)
    total = reader.size + len(new) + len(binary) - (scene.stop - scene.start)
    if total > 0xFFFFFFFF:
        raise reader.too_big("GLB", 0xFFFFFFFF, total)
    done = [(8, 16, struct.pack("<II", total, len(new))), (scene.start, scene.stop, new)]
    held = binary_at(reader, layout) if binary else None
    if held:
        length = held[1] - held[0] + len(binary)
        done += [(scene.stop, scene.stop + 4, struct.pack("<I", length)), (held[1], held[1], binary)]
    return done


def _parsed(text: str) -> tuple[Object, Object | None]:
    """The asset of a scene, and its extras where they are an object; raises NoObject, KeyError."""
    root = jsontext.object_at(text, 1 if text.startswith("\ufeff") else 0)
    asset = jsontext.object_at(text, root.members["asset"].value_at)
    held = asset.members.get("extras")
    return asset, jsontext.object_at(text, held.value_at) if held and isinstance(held.value, dict) else None


def _added(reader: Reader, asset: Object, extras: Object | None, body: str) -> tuple[int, int, str]:
    if extras:
        return extras.adding("AIGC", body)
    if "extras" in asset.members:
        raise UnsupportedFormat("{where}: asset.extras is no object, so that no label has a place in it",
                                where=reader.name)
    return asset.adding("extras", {"AIGC": body})
