# SPDX-License-Identifier: Apache-2.0
"""Nodes for ComfyUI: Label Image, Audio and Video, Save Labelled ..., Verify Label; examples/comfyui is the pack.

Each node is described once, in NODES, and offered in both forms: V3 (`comfy_entrypoint`, with comfy_api.latest) and V1
(`NODE_CLASS_MAPPINGS`). The label's producer may be left to the server: LABELKIT_PRODUCER. Keys are no inputs of nodes,
which anybody who may send a workflow can set: LABELKIT_KEY and LABELKIT_SIGNER name the server's files.
"""

from __future__ import annotations

import dataclasses
import importlib
import io as files
import json
import os
import uuid
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import numpy as np

from labelkit import pipeline, tensors
from labelkit.choices import CORNERS
from labelkit.errors import InvalidArgument
from labelkit.integrations import batches
from labelkit.integrations.films import write_film
from labelkit.key import Key
from labelkit.label import Kind, Label
from labelkit.plan import Explicit, Plan, Watermark
from labelkit.report import Layer, Status

CATEGORY = "AI labels"
_HIDDEN = {"prompt": "PROMPT", "extra_pnginfo": "EXTRA_PNGINFO"}


@dataclasses.dataclass(frozen=True)
class Input:
    """An input: its type as ComfyUI names it, or the choices of a list; None as default for what must be connected."""

    name: str
    type: str | tuple[str, ...]
    default: str | bool | None = None
    tooltip: str = ""
    optional: bool = False


@dataclasses.dataclass(frozen=True)
class Node:
    """A node: `run` takes the inputs by name and returns the outputs, and for the front end what was saved."""

    id: str
    title: str
    inputs: tuple[Input, ...]
    outputs: tuple[tuple[str, str], ...]
    run: Callable[..., tuple[tuple[Any, ...], dict[str, Any] | None]]

    @property
    def saves(self) -> bool:
        """Whether it ends a workflow."""
        return not self.outputs


def label_image(image: Any, **said: Any) -> tuple[tuple[Any, ...], None]:
    """IMAGE, float [n, height, width, channels]: each picture with explicit label and watermark, and the produce id."""
    labels = _labels(said, len(image))
    return (batches.label_pictures(image, labels, _plan(said, signed=False), _key()), said["produce_id"]), None


def label_audio(audio: Mapping[str, Any], **said: Any) -> tuple[tuple[Any, ...], None]:
    """AUDIO, a dictionary of waveform [n, channels, frames] and sample_rate: each clip with its audible label."""
    labels, clips = _labels(said, len(audio["waveform"])), list(audio["waveform"])
    made = [pipeline.embed(clip, label=label, plan=_plan(said, signed=False), key=_key(), rate=audio["sample_rate"])
            for clip, label in zip(clips, labels, strict=True)]
    return ({**audio, "waveform": batches.like(audio["waveform"], made)}, said["produce_id"]), None


def label_video(video: Any, **said: Any) -> tuple[tuple[Any, ...], None]:
    """VIDEO: the frames with explicit label and watermark; its sound stays as it is."""
    parts = video.get_components()
    [label] = _labels(said, 1)
    frames = batches.label_frames(parts.images, label, _plan(said, signed=False), _key(), float(parts.frame_rate))
    try:
        kind = importlib.import_module("comfy_api.latest").InputImpl.VideoFromComponents
    except (ImportError, AttributeError):  # before V3
        kind = importlib.import_module("comfy_api.input_impl").VideoFromComponents
    return (kind(dataclasses.replace(parts, images=frames)), said["produce_id"]), None


def save_image(image: Any, filename_prefix: str, format: str, prompt: Any = None, extra_pnginfo: Any = None,
               **said: Any) -> tuple[tuple[()], dict[str, Any]]:
    """Write each picture with every layer; a PNG also holds the workflow, as ComfyUI's own do."""
    place, saved = _Place(filename_prefix, image.shape[2], image.shape[1]), []
    for number, (picture, label) in enumerate(zip(image, _labels(said, len(image)), strict=True)):
        source = _png(picture, prompt, extra_pnginfo) if format == "png" else picture
        path, told = place.file(number, format)
        pipeline.embed(source, path, label, plan=_plan(said), key=_key())
        saved.append(told)
    return (), {"images": saved}


def save_audio(audio: Mapping[str, Any], filename_prefix: str, format: str, prompt: Any = None,
               extra_pnginfo: Any = None, **said: Any) -> tuple[tuple[()], dict[str, Any]]:
    """Write each clip with every layer."""
    place, saved = _Place(filename_prefix), []
    labels = _labels(said, len(audio["waveform"]))
    for number, (clip, label) in enumerate(zip(audio["waveform"], labels, strict=True)):
        path, told = place.file(number, format)
        pipeline.embed(clip, path, label, plan=_plan(said), key=_key(), rate=audio["sample_rate"])
        saved.append(told)
    return (), {"audio": saved}


def save_video(video: Any, filename_prefix: str, prompt: Any = None, extra_pnginfo: Any = None,
               **said: Any) -> tuple[tuple[()], dict[str, Any]]:
    """Write the film as MP4 with every layer, in one encode."""
    parts, [label] = video.get_components(), _labels(said, 1)
    sound = parts.audio or {}
    clip = sound["waveform"][0] if sound else None
    place = _Place(filename_prefix, parts.images.shape[2], parts.images.shape[1])
    path, told = place.file(0, "mp4")
    write_film(parts.images, path, label, fps=float(parts.frame_rate), plan=_plan(said), key=_key(), sound=clip,
               sound_rate=sound.get("sample_rate"))
    return (), {"images": [told], "animated": (True,)}


def verify_label(image: Any = None, audio: Mapping[str, Any] | None = None) -> tuple[tuple[str, bool], None]:
    """What the signal layers of pictures and clips say, as text; whether each has a valid watermark."""
    reports = [pipeline.verify(picture, key=_key()) for picture in (() if image is None else image)]
    if audio is not None:
        reports += [pipeline.verify(clip, key=_key(), rate=audio["sample_rate"]) for clip in audio["waveform"]]
    if not reports:
        raise InvalidArgument("an image or audio to verify is wanted")
    is_labelled = all(report[Layer.WATERMARK].status is Status.VALID for report in reports)
    return ("\n".join(map(str, reports)), is_labelled), None


_SAID = (
    Input("producer", "STRING", "", "name or code of your service; empty: LABELKIT_PRODUCER of the server"),
    Input("produce_id", "STRING", "", "the content's number at your service; empty: a new one"),
    Input("text", "STRING", "AI生成", "the label that people see"),
    Input("corner", CORNERS, "bottom-right"),
    Input("watermark", "BOOLEAN", True, "put the invisible watermark in, where there is room for it"))
_HEARD = _SAID[:2] + _SAID[4:]
_ON_DISC = Input("has_label", "BOOLEAN", False, "it comes from a Label node: write metadata and manifest alone")
NODES = (
    Node("LabelkitLabelImage", "Label Image", (Input("image", "IMAGE"), *_SAID),
         (("IMAGE", "image"), ("STRING", "produce_id")), label_image),
    Node("LabelkitLabelAudio", "Label Audio", (Input("audio", "AUDIO"), *_HEARD),
         (("AUDIO", "audio"), ("STRING", "produce_id")), label_audio),
    Node("LabelkitLabelVideo", "Label Video", (Input("video", "VIDEO"), *_SAID),
         (("VIDEO", "video"), ("STRING", "produce_id")), label_video),
    Node("LabelkitSaveImage", "Save Labelled Image", (
        Input("image", "IMAGE"), *_SAID, Input("filename_prefix", "STRING", "labelled"),
        Input("format", ("png", "jpg", "webp"), "png"), _ON_DISC), (), save_image),
    Node("LabelkitSaveAudio", "Save Labelled Audio", (
        Input("audio", "AUDIO"), *_HEARD, Input("filename_prefix", "STRING", "audio/labelled"),
        Input("format", ("flac", "mp3", "opus", "wav"), "flac"), _ON_DISC), (), save_audio),
    Node("LabelkitSaveVideo", "Save Labelled Video", (
        Input("video", "VIDEO"), *_SAID, Input("filename_prefix", "STRING", "video/labelled"), _ON_DISC),
        (), save_video),
    Node("LabelkitVerify", "Verify Label", (Input("image", "IMAGE", optional=True),
                                            Input("audio", "AUDIO", optional=True)),
         (("STRING", "report"), ("BOOLEAN", "is_labelled")), verify_label),
)


class _Place:
    """Where ComfyUI wants files of a prefix; it refuses one that leaves its output folder."""

    def __init__(self, prefix: str, width: int = 0, height: int = 0) -> None:
        paths = importlib.import_module("folder_paths")
        folder, self._name, self._count, self._below, _ = paths.get_save_image_path(
            prefix, paths.get_output_directory(), width, height)
        self._folder = Path(folder)

    def file(self, number: int, ending: str) -> tuple[Path, dict[str, str]]:
        """The path of one file of a batch, and its description for the front end."""
        name = f"{self._name.replace('%batch_num%', str(number))}_{self._count + number:05}_.{ending}"
        return self._folder / name, {"filename": name, "subfolder": self._below, "type": "output"}


def _labels(said: dict[str, Any], count: int) -> list[Label]:
    """A label for each item; sets the produce id that was left empty."""
    producer = said.get("producer") or os.environ.get("LABELKIT_PRODUCER")
    if not producer:
        raise InvalidArgument("a producer is wanted", hint="fill it in, or set LABELKIT_PRODUCER for the server")
    said["produce_id"] = said.get("produce_id") or str(uuid.uuid4())
    numbers = [said["produce_id"]] if count == 1 else [f"{said['produce_id']}-{index}" for index in range(count)]
    return [Label(Kind.GENERATED, producer, number) for number in numbers]


def _plan(said: Mapping[str, Any], *, signed: bool = True) -> Plan:
    from labelkit.provenance import Signer

    path = os.environ.get("LABELKIT_SIGNER") if signed else None
    is_done = said.get("has_label", False)
    explicit = Explicit(text=said.get("text") or "AI生成", corner=said.get("corner") or CORNERS[-1])
    watermark = Watermark(required=False) if said.get("watermark", True) else None
    return Plan(explicit=None if is_done else explicit, watermark=None if is_done else watermark,
                provenance=Signer.load(path) if path else None)


def _key() -> Key | None:
    path = os.environ.get("LABELKIT_KEY")
    return Key.load(path) if path else None


def _png(picture: Any, prompt: Any, extra_pnginfo: Any) -> bytes:
    """A PNG that holds the workflow in its texts."""
    from PIL import Image
    from PIL.PngImagePlugin import PngInfo

    texts, out = PngInfo(), files.BytesIO()
    for name, value in {"prompt": prompt, **(extra_pnginfo or {})}.items():
        if value is not None:
            texts.add_text(name, json.dumps(value))
    pixels = np.rint(np.clip(tensors.as_array(picture), 0, 1) * 255).astype(np.uint8)
    Image.fromarray(pixels).save(out, "PNG", pnginfo=texts, compress_level=1)
    return out.getvalue()


def _v1(node: Node) -> type:
    """The node as a class of V1."""
    def entry(one: Input) -> tuple[Any, dict[str, Any]]:
        told = {"tooltip": one.tooltip, **({} if one.default is None else {"default": one.default})}
        return (list(one.type) if isinstance(one.type, tuple) else one.type), told

    types: dict[str, dict[str, Any]] = {"required": {one.name: entry(one) for one in node.inputs if not one.optional}}
    if optional := {one.name: entry(one) for one in node.inputs if one.optional}:
        types["optional"] = optional
    if node.saves:
        types["hidden"] = _HIDDEN

    def execute(self: object, **inputs: Any) -> Any:
        result, ui = node.run(**inputs)
        return result if ui is None else {"ui": ui, "result": result}

    return type(node.id, (), {
        "INPUT_TYPES": classmethod(lambda cls: types), "RETURN_TYPES": tuple(kind for kind, _ in node.outputs),
        "RETURN_NAMES": tuple(name for _, name in node.outputs), "FUNCTION": "execute", "CATEGORY": CATEGORY,
        "OUTPUT_NODE": node.saves, "execute": execute, "DESCRIPTION": node.run.__doc__})


def _v3(node: Node, io: Any) -> type:
    """The node as a class of V3, over `comfy_api.latest.io`."""
    kinds = {"IMAGE": io.Image, "AUDIO": io.Audio, "VIDEO": io.Video, "STRING": io.String, "BOOLEAN": io.Boolean}

    def entry(one: Input) -> Any:
        told: dict[str, Any] = {"tooltip": one.tooltip, "optional": one.optional}
        if one.default is not None:
            told["default"] = one.default
        if isinstance(one.type, tuple):
            return io.Combo.Input(one.name, options=list(one.type), **told)
        return kinds[one.type].Input(one.name, **told)

    def define_schema(cls: Any, /) -> Any:
        return io.Schema(node_id=node.id, display_name=node.title, category=CATEGORY, is_output_node=node.saves,
                         description=node.run.__doc__ or "", inputs=[entry(one) for one in node.inputs],
                         outputs=[kinds[kind].Output(display_name=name) for kind, name in node.outputs],
                         hidden=[io.Hidden.prompt, io.Hidden.extra_pnginfo] if node.saves else [])

    def execute(cls: Any, /, **inputs: Any) -> Any:
        if node.saves and cls.hidden is not None:
            inputs = {**inputs, "prompt": cls.hidden.prompt, "extra_pnginfo": cls.hidden.extra_pnginfo}
        result, ui = node.run(**inputs)
        return io.NodeOutput(*result, ui=ui)

    return type(node.id, (io.ComfyNode,), {"define_schema": classmethod(define_schema),
                                           "execute": classmethod(execute)})


NODE_CLASS_MAPPINGS = {node.id: _v1(node) for node in NODES}
NODE_DISPLAY_NAME_MAPPINGS = {node.id: node.title for node in NODES}


async def comfy_entrypoint() -> Any:
    """The nodes in V3; raises ImportError where this ComfyUI has no comfy_api.latest."""
    latest = importlib.import_module("comfy_api.latest")
    made = [_v3(node, latest.io) for node in NODES]

    async def get_node_list(self: object) -> list[type]:
        return made

    return type("LabelkitExtension", (latest.ComfyExtension,), {"get_node_list": get_node_list})()
