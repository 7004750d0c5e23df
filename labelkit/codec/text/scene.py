# SPDX-License-Identifier: Apache-2.0
"""glTF and GLB: the label is a sign in the start scene (GB 45438-2025, 5.5), a rectangle with the words as its texture.

Viewers that frame a scene themselves look at it from the front (+Z, glTF 2.0, 3.4): the sign stands below it there.
Those that show it through one of its cameras see another at the lower edge, which moves with the camera. The words take
5 % of the height of either view. They emit light, so that they are read in the dark.
"""

from __future__ import annotations

import base64
import hashlib
import io
import json
import math
import struct
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import numpy.typing as npt

from labelkit.codec.samples import Block, Typeface, Words
from labelkit.codec.text import outlines
from labelkit.container import gltf, join, jsontext
from labelkit.container.base import Layout, Reader, splice
from labelkit.errors import HostTooSmall, InvalidLabel, LimitExceeded, MalformedFile

_NAME = "AIGC label: "
_EM_PX, _LINE, _PAD = 96, 1.3, 0.35  # of the texture; the height of the sign in ems, and what is left around the words
_SHARE, _MARGIN = 0.09, 0.03  # of the height of a camera's view: the sign, and how far it is from the edge
_BELOW, _GAP = 0.13, 0.02  # of the diagonal of a scene: the height of the sign, and how far below the scene it stands
_MAX_NODES, _MAX_PRIMITIVES, _MAX_CAMERAS, _MAX_SIGNS = 100_000, 100_000, 16, 64
_MOST = 1e15  # of a number that can be reckoned with
_MAX_TEXTURE, _MAX_IMAGE = 4096 ** 2, 8 << 20  # pixels; bytes of its file
_PIXELS = 64 << 20  # decoded for a scene, and as many more for each MB of it: 0.6 s
_VIEW = 720, 1280  # pixels of the view in which a sign is looked at

Numbers = npt.NDArray[np.float64]


@dataclass(slots=True)
class _Document:
    """A scene's file, its JSON, what that holds, and its lists that were asked for."""

    reader: Reader
    layout: Layout[gltf.Scene, None]
    text: str
    root: jsontext.Object
    lists: dict[str, list[dict[str, Any]]] = field(default_factory=dict)

    def labelled(self, words: Sequence[Words]) -> bytes:
        """See `TextSource`; raises HostTooSmall for a file without a scene, InvalidLabel for the corner mark."""
        if not words or any(_list(self, "nodes")[index].get("name") == _NAME + words[0].text
                            for index in self.shown()):
            return self.reader.whole(self.reader.size)
        if words[0].mark:
            raise InvalidLabel("the corner mark AI is for texts: a scene wants words (GB 45438-2025 5.5)",
                               hint="write for example AI生成")
        if words[0].font is None:
            raise AssertionError("words that are drawn have a font")
        texture, aspect = _texture(words[0], words[0].font)
        scene = self._scene_at()
        counts = {name: len(_list(self, name)) for name in _ADDED}
        cameras = list(self._cameras())
        nodes = [{"name": _NAME + words[0].text, "mesh": counts["meshes"], **_standing(*self._box(), aspect)},
                 *({"name": _NAME + words[0].text, "mesh": counts["meshes"], **_in_view(camera, aspect)}
                   for _, camera in cameras)]
        held, binary = self._buffer(), b""
        added = {**_parts(counts, texture), "nodes": nodes}
        changes = []
        if held:
            place, length = held
            binary = _moved(added, texture, length)
            changes.append((place.value_at, place.stop, str(length + len(binary))))
        changes += [_appended(self.text, self.root, name, ones) for name, ones in added.items() if ones]
        changes.append(_appended(self.text, scene, "nodes", [counts["nodes"]]))
        places = jsontext.items_at(self.text, self.root.members["nodes"].value_at) if cameras else []
        changes += [_appended(self.text, jsontext.object_at(self.text, places[index]), "children",
                              [counts["nodes"] + 1 + number]) for number, (index, _) in enumerate(cameras)]
        text = jsontext.changed(self.text, changes)
        return join(self.reader, splice(self.reader.size, gltf.rewritten(self.reader, self.layout, text, binary)))

    def pictures(self) -> Iterator[npt.NDArray[np.uint8]]:
        """Each sign of the start scene, a textured rectangle, at the lower edge of a view in which it is as high as
        this module makes it. Raises LimitExceeded behind the last where others were too many or too large."""
        sources = dict.fromkeys(self._texture_of(primitive) for primitive, _ in self._primitives())
        sources.pop(-1, None)
        files, left_out = set[bytes](), max(0, len(sources) - _MAX_SIGNS)
        left = _PIXELS * (1 + self.reader.size / 1e6)
        for source in list(sources)[:_MAX_SIGNS // 2] + list(sources)[_MAX_SIGNS // 2:][-_MAX_SIGNS // 2:]:
            file = self._image(_at(_list(self, "images"), source))
            if (digest := hashlib.sha256(file).digest()) in files:
                continue
            files.add(digest)
            sign, pixels = _decoded(file, min(left, _MAX_TEXTURE))
            if sign is not None:
                left -= pixels
                yield _in_a_view(sign)
            elif pixels:
                left_out += 1
        if left_out:
            raise LimitExceeded("{where}: {count} pictures on rectangles were not looked at: they are too many or too "
                                "large for a file of its size", where=self.reader.name, count=left_out)

    def _buffer(self) -> tuple[jsontext.Member, int] | None:
        """The length of the buffer of a GLB as it is stated, and as it is; None where the scene has none."""
        place, buffers = gltf.binary_at(self.reader, self.layout), self.root.members.get("buffers")
        if place is None or buffers is None or not _list(self, "buffers") or "uri" in _list(self, "buffers")[0] or (
                not isinstance(_values(buffers)[0], dict)):
            return None
        first = jsontext.object_at(self.text, jsontext.items_at(self.text, buffers.value_at)[0])
        length = first.members.get("byteLength")
        return (length, place[1] - place[0]) if length and (place[1] - place[0]) % 4 == 0 else None

    def shown(self) -> list[int]:
        """The nodes of the start scene."""
        return [index for index, _ in self._walk()]

    def _walk(self) -> Iterator[tuple[int, Numbers]]:
        """The nodes of the start scene, with their matrices."""
        nodes = _list(self, "nodes")
        waiting = [(index, np.eye(4)) for index in _items(self._scene().get("nodes"), int)]
        done = set[int]()
        while waiting and len(done) < _MAX_NODES:
            index, around = waiting.pop()
            if index in done or not 0 <= index < len(nodes):
                continue
            done.add(index)
            matrix = around @ _matrix(nodes[index])
            if np.abs(matrix).max() < _MOST:
                yield index, matrix
                waiting += [(child, matrix) for child in _items(nodes[index].get("children"), int)]

    def _primitives(self) -> Iterator[tuple[dict[str, Any], Numbers]]:
        """What the nodes of the start scene show, the first of it, with their matrices."""
        nodes, meshes, left = _list(self, "nodes"), _list(self, "meshes"), _MAX_PRIMITIVES
        held: dict[int, list[dict[str, Any]]] = {}
        for index, matrix in self._walk():
            mesh = nodes[index].get("mesh")
            if isinstance(mesh, int) and mesh not in held:
                held[mesh] = _items(_at(meshes, mesh).get("primitives"))
            own = held[mesh][:left] if isinstance(mesh, int) else []
            yield from ((one, matrix) for one in own)
            left -= len(own)

    def _scene(self) -> dict[str, Any]:
        return _at(_list(self, "scenes"), self._scene_number())

    def _scene_number(self) -> int:
        stated = self.root.members.get("scene")
        return stated.value if stated and isinstance(stated.value, int) else 0

    def _scene_at(self) -> jsontext.Object:
        scenes = _values(self.root.members.get("scenes"))
        if not 0 <= self._scene_number() < len(scenes) or not isinstance(scenes[self._scene_number()], dict):
            raise HostTooSmall("the file has no scene in which a label could stand",
                               hint="write the metadata alone")
        places = jsontext.items_at(self.text, self.root.members["scenes"].value_at)
        return jsontext.object_at(self.text, places[self._scene_number()])

    def _cameras(self) -> Iterator[tuple[int, dict[str, Any]]]:
        """The nodes of the start scene that hold a camera, the first of them, and these cameras."""
        nodes, cameras = _list(self, "nodes"), _list(self, "cameras")
        found = [(index, _at(cameras, nodes[index].get("camera"))) for index in self.shown()]
        yield from [one for one in found if one[1].get("type") in ("perspective", "orthographic")][:_MAX_CAMERAS]

    def _box(self) -> tuple[Numbers, Numbers, float]:
        """The least and largest x, y and z of what the start scene shows, and the diagonal of a view of all of it, the
        signs before its cameras too."""
        accessors, corners = _list(self, "accessors"), list[Numbers]()
        for primitive, matrix in self._primitives():
            position = _at(accessors, _dict(primitive.get("attributes")).get("POSITION"))
            low, high = (_numbers(position.get(name), 3) for name in ("min", "max"))
            if low is not None and high is not None:
                kind = position.get("componentType") if position.get("normalized") else None
                box = np.array([[(low, high)[bits >> axis & 1][axis] for axis in range(3)] for bits in range(8)])
                box /= _WHOLE.get(kind, 1) if isinstance(kind, int) else 1
                corners.append((matrix @ np.c_[box, np.ones(8)].T).T[:, :3])
        points = np.concatenate(corners) if corners else np.zeros((1, 3))
        cameras = {index for index, _ in self._cameras()}
        whole = np.concatenate([points, *(matrix[None, :3, 3] for index, matrix in self._walk() if index in cameras)])
        if np.abs(whole).max() >= _MOST:
            return np.zeros(3), np.ones(3), 1.0
        return points.min(axis=0), points.max(axis=0), float(np.linalg.norm(np.ptp(whole, axis=0))) or 1.0

    def _texture_of(self, primitive: dict[str, Any]) -> int:
        """The picture on a rectangle; -1 for another shape and for one without."""
        position = _at(_list(self, "accessors"), _dict(primitive.get("attributes")).get("POSITION"))
        if position.get("count") != 4:
            return -1
        material = _at(_list(self, "materials"), primitive.get("material"))
        base = _dict(material.get("pbrMetallicRoughness")).get("baseColorTexture")
        for one in (material.get("emissiveTexture"), base):
            source = _at(_list(self, "textures"), _dict(one).get("index")).get("source")
            if isinstance(source, int):
                return source
        return -1

    def _image(self, image: dict[str, Any]) -> bytes:
        """The file of a picture that is held in the scene's own; nothing is fetched."""
        uri, view = image.get("uri"), _at(_list(self, "bufferViews"), image.get("bufferView"))
        if isinstance(uri, str):
            head, _, rest = uri.partition(",")
            if head.startswith("data:") and head.endswith(";base64") and len(rest) < 2 * _MAX_IMAGE:
                try:
                    return base64.b64decode(rest, validate=True)
                except ValueError:  # binascii.Error is one
                    pass
            return b""
        start, length = view.get("byteOffset", 0), view.get("byteLength", 0)
        place = gltf.binary_at(self.reader, self.layout)
        if place is None or view.get("buffer") != 0 or not isinstance(start, int) or not isinstance(length, int):
            return b""
        if not (0 < length < _MAX_IMAGE and 0 <= start <= place[1] - place[0] - length):
            return b""
        return self.reader.at(place[0] + start, length, "image")


_ADDED = ("buffers", "bufferViews", "accessors", "images", "samplers", "textures", "materials", "meshes", "nodes")
_WHOLE = {5120: 127, 5121: 255, 5122: 32767, 5123: 65535}  # what stands for 1 in whole numbers (3.11)


def read(data: bytes, name: str) -> tuple[Sequence[Block], _Document]:
    """A scene, which has signs and no text; raises MalformedFile and its children."""
    reader = Reader.of(data, name)
    found = gltf.sniff(reader, reader.head(192))
    if found is None:
        raise MalformedFile("{where}: there is no {part} in it", where=name, part="glTF")
    layout = gltf.scan(reader, found)
    text = layout.state.text
    return [], _Document(reader, layout, text, jsontext.object_at(text, 1 if text.startswith("\ufeff") else 0))


def _list(document: _Document, name: str) -> list[dict[str, Any]]:
    if name not in document.lists:
        document.lists[name] = [_dict(one) for one in _values(document.root.members.get(name))]
    return document.lists[name]


def _values(held: jsontext.Member | None) -> list[Any]:
    return held.value if held and isinstance(held.value, list) else []


def _dict(value: Any) -> dict[str, Any]:
    return value if isinstance(value, dict) else {}


def _items(value: Any, kind: type = dict) -> list[Any]:
    return [one for one in value if isinstance(one, kind)] if isinstance(value, list) else []


def _at(values: list[dict[str, Any]], index: Any) -> dict[str, Any]:
    return values[index] if isinstance(index, int) and 0 <= index < len(values) else {}


def _numbers(value: Any, count: int) -> Numbers | None:
    held = [_number(one) for one in value] if isinstance(value, list) and len(value) == count else [None]
    return np.array(held, np.float64) if None not in held else None


def _number(value: Any) -> float | None:
    """A number that can be reckoned with; None for another, and for what is none."""
    return float(value) if isinstance(value, int | float) and abs(value) < _MOST else None


def _matrix(node: dict[str, Any]) -> Numbers:
    """The matrix of a node (glTF 2.0, 3.5.3)."""
    whole = _numbers(node.get("matrix"), 16)
    if whole is not None:
        return whole.reshape(4, 4).T
    matrix = np.eye(4)
    turn = _numbers(node.get("rotation"), 4)
    x, y, z, w = turn if turn is not None else (0.0, 0.0, 0.0, 1.0)
    scale, move = (_numbers(node.get(name), 3) for name in ("scale", "translation"))
    matrix[:3, :3] = np.array([[1 - 2 * (y * y + z * z), 2 * (x * y - z * w), 2 * (x * z + y * w)],
                               [2 * (x * y + z * w), 1 - 2 * (x * x + z * z), 2 * (y * z - x * w)],
                               [2 * (x * z - y * w), 2 * (y * z + x * w), 1 - 2 * (x * x + y * y)]])
    matrix[:3, :3] *= scale if scale is not None else 1.0
    matrix[:3, 3] = move if move is not None else 0.0
    return matrix


def _appended(text: str, holder: jsontext.Object, name: str, values: Sequence[object]) -> tuple[int, int, str]:
    """The change that puts values at the end of an array of an object, which may be missing."""
    held = holder.members.get(name)
    if held is None or not isinstance(held.value, list):
        return holder.adding(name, list(values)) if held is None else (
            held.value_at, held.stop, json.dumps(list(values), ensure_ascii=False))
    written = json.dumps(list(values), ensure_ascii=False, separators=(",", ":"))[1:-1]
    return held.stop - 1, held.stop - 1, ("," if held.value else "") + written


def _standing(low: Numbers, high: Numbers, diagonal: float, aspect: float) -> dict[str, object]:
    """Where the sign stands: below the scene, at its front."""
    tall = _BELOW * diagonal
    x, y, z = (low[0] + high[0]) / 2, low[1] - _GAP * diagonal - tall / 2, high[2]
    return {"translation": [float(x), float(y), float(z)], "scale": [tall * aspect, tall, tall]}


def _in_view(camera: dict[str, Any], aspect: float) -> dict[str, object]:
    """Where the sign is before a camera, which looks along -Z: at the lower edge, as near as can be."""
    lens = _dict(camera.get(str(camera.get("type"))))
    near, far, view, half = (_number(lens.get(name)) for name in ("znear", "zfar", "yfov", "ymag"))
    if camera.get("type") == "perspective":
        away = 1.5 * (near or 0.01)
        away = min(away, (away / 1.5 + far) / 2) if far else away
        high = 2 * away * math.tan(min(max(view or 0.8, 1e-3), 3.1) / 2)
    else:
        away, high = (near or 0.0) + 0.01 * ((far or 1.0) - (near or 0.0)), 2 * abs(half or 1.0)
    tall = _SHARE * high
    return {"translation": [0.0, -high / 2 + tall / 2 + _MARGIN * high, -away], "scale": [tall * aspect, tall, 1.0]}


_CORNERS = struct.pack("<12f8f6H", -.5, -.5, 0, .5, -.5, 0, .5, .5, 0, -.5, .5, 0, 0, 1, 1, 1, 1, 0, 0, 0,
                       0, 1, 2, 0, 2, 3)
"""Places, then places in the texture, then two triangles."""


def _moved(added: dict[str, list[dict[str, object]]], texture: bytes, start: int) -> bytes:
    """Put what a sign holds behind the buffer of a GLB, `start` bytes long: these bytes."""
    corners = _CORNERS + bytes(-len(_CORNERS) % 4)
    added["buffers"] = []
    for view in added["bufferViews"]:
        view.update(buffer=0, byteOffset=start + int(str(view["byteOffset"])))
    added["bufferViews"].append({"buffer": 0, "byteOffset": start + len(corners), "byteLength": len(texture)})
    first = int(str(added["accessors"][0]["bufferView"]))
    added["images"] = [{"mimeType": "image/png", "bufferView": first + 3}]
    return corners + texture + bytes(-len(texture) % 4)


def _parts(counts: dict[str, int], texture: bytes) -> dict[str, list[dict[str, object]]]:
    """What a sign is made of, behind what the file holds already."""
    buffer, view, accessor = counts["buffers"], counts["bufferViews"], counts["accessors"]
    return {
        "buffers": [{"byteLength": len(_CORNERS), "uri": _data("application/octet-stream", _CORNERS)}],
        "bufferViews": [{"buffer": buffer, "byteOffset": start, "byteLength": length, "target": target}
                        for start, length, target in ((0, 48, 34962), (48, 32, 34962), (80, 12, 34963))],
        "accessors": [
            {"bufferView": view, "componentType": 5126, "count": 4, "type": "VEC3", "min": [-.5, -.5, 0],
             "max": [.5, .5, 0]},
            {"bufferView": view + 1, "componentType": 5126, "count": 4, "type": "VEC2"},
            {"bufferView": view + 2, "componentType": 5123, "count": 6, "type": "SCALAR"}],
        "images": [{"uri": _data("image/png", texture)}],
        "samplers": [{"magFilter": 9729, "minFilter": 9729, "wrapS": 33071, "wrapT": 33071}],
        "textures": [{"sampler": counts["samplers"], "source": counts["images"]}],
        "materials": [{"name": _NAME.strip(": "), "doubleSided": True, "emissiveFactor": [1, 1, 1],
                       "emissiveTexture": {"index": counts["textures"]}, "pbrMetallicRoughness": {
                           "baseColorFactor": [0, 0, 0, 1], "metallicFactor": 0, "roughnessFactor": 1}}],
        "meshes": [{"name": _NAME.strip(": "), "primitives": [{
            "attributes": {"POSITION": accessor, "TEXCOORD_0": accessor + 1}, "indices": accessor + 2,
            "material": counts["materials"]}]}]}


def _data(mime: str, data: bytes) -> str:
    return f"data:{mime};base64,{base64.b64encode(data).decode()}"


def _texture(words: Words, font: Typeface) -> tuple[bytes, float]:
    """White words on black as a PNG, and its width in heights."""
    from PIL import Image, ImageDraw

    text = words.text
    face, direction = outlines.opened(text, font, _EM_PX, shaped=words.shaped)
    left, top, right, bottom = face.getbbox(text, direction=direction)
    width, height = round(right - left + 2 * _PAD * _EM_PX), round(_LINE * _EM_PX)
    sign = Image.new("L", (width, height), 0)
    ImageDraw.Draw(sign).text(((width - left - right) / 2, (height - top - bottom) / 2), text, font=face, fill=255,
                              direction=direction)
    out = io.BytesIO()
    sign.save(out, "PNG", optimize=True)
    return out.getvalue(), width / height


def _decoded(data: bytes, most: float) -> tuple[npt.NDArray[np.uint8] | None, int]:
    """A PNG or JPEG in grey, and its pixels; None for one of more pixels than `most`, and none for other files."""
    from PIL import Image

    try:
        with Image.open(io.BytesIO(data), formats=("PNG", "JPEG")) as picture:
            pixels = picture.width * picture.height
            return np.asarray(picture.convert("L")) if pixels <= most else None, pixels
    except (OSError, ValueError, SyntaxError, Image.DecompressionBombError):  # Pillow raises these for broken files
        return None, 0


def _in_a_view(sign: npt.NDArray[np.uint8]) -> npt.NDArray[np.uint8]:
    """A view with a sign at its lower edge, as wide as it can be there."""
    from PIL import Image

    height, width = _VIEW
    tall = round(_SHARE * height)
    wide = min(max(round(sign.shape[1] * tall / sign.shape[0]), 1), width)
    view = np.full(_VIEW, 128, np.uint8)
    top, left = height - tall - round(_MARGIN * height), (width - wide) // 2
    small = Image.fromarray(sign).resize((wide, tall), Image.Resampling.LANCZOS)
    view[top:top + tall, left:left + wide] = np.asarray(small)
    return view
