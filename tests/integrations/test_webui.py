# SPDX-License-Identifier: Apache-2.0
"""The extension for AUTOMATIC1111, Forge and SD.Next, over fakes of their hooks, which log what a script raises."""

from __future__ import annotations

import runpy
import sys
import types
from pathlib import Path

import pytest
from PIL import Image
from PIL.PngImagePlugin import PngInfo

import labelkit as lk
from tests.media import photo

SCRIPT = Path(lk.__file__).parents[1] / "examples" / "webui" / "scripts" / "labelkit_labels.py"
EXPLICIT, WATERMARK = lk.Layer.EXPLICIT, lk.Layer.WATERMARK
OLD, NEW, NEXT = "postprocess_image", "postprocess_image_after_composite", "SD.Next"


class Host:
    """`modules` of a web UI, and its way from a sampled picture to a file."""

    def __init__(self, monkeypatch, kind: str) -> None:
        self.before, self.saved, self.settings, self.errors = [], [], [], []
        self.kind, self.options = kind, {"labelkit_producer": "acme"}
        names = ["title", "show", "postprocess", OLD] + [NEW] * (kind == NEW)
        base = type("Script", (), {name: lambda self, *args: None for name in names})
        modules = {
            "scripts": types.SimpleNamespace(Script=base, AlwaysVisible=object()),
            "script_callbacks": types.SimpleNamespace(
                on_image_saved=self.saved.append, on_ui_settings=self.settings.append,
                on_before_image_saved=self.before.append),
            "shared": types.SimpleNamespace(OptionInfo=lambda *told, **more: told, opts=types.SimpleNamespace(
                data=self.options, add_option=lambda name, info: self.options.setdefault(name, info[0])))}
        if kind == NEXT:
            modules["scripts_manager"] = modules["scripts"]
        package = types.ModuleType("modules")
        for name, module in modules.items():
            setattr(package, name, module)
            monkeypatch.setitem(sys.modules, f"modules.{name}", module)
        monkeypatch.setitem(sys.modules, "modules", package)
        self.script = runpy.run_path(str(SCRIPT))["LabelScript"]()

    def run(self, hook, *args) -> None:
        """A hook of a script, as all hosts run it."""
        try:
            hook(*args)
        except Exception as error:
            self.errors.append(error)

    def make(self, path: Path | None, **options) -> Image.Image:
        """The picture of the gallery and the API; its file is at `path`, None where samples are not saved."""
        pp = types.SimpleNamespace(image=Image.fromarray(photo()))
        self.run(self.script.postprocess_image, None, pp)
        if self.kind == NEW:
            self.run(self.script.postprocess_image_after_composite, None, pp)
        image = pp.image
        if self.kind == NEXT:  # grading, overlays and "resize after" come behind the hook
            image = image.resize((image.width * 3 // 4, image.height * 3 // 4))
        if path:
            self.save(image, path, **options)
        processed = types.SimpleNamespace(images=[image, "name.mp4"])
        self.run(self.script.postprocess, None, processed)
        return processed.images[0]

    def save(self, image: Image.Image, path: Path, **options) -> None:
        params = types.SimpleNamespace(image=image, p=None, filename=str(path), pnginfo={})
        for callback in self.before:
            self.run(callback, params)
        params.image.save(path, **options)
        for callback in self.saved:
            self.run(callback, params)


@pytest.mark.parametrize("kind", [OLD, NEW, NEXT])
def test_every_picture_and_its_file_are_labelled_alike(monkeypatch, tmp_path, keys, anchors, kind):
    monkeypatch.setenv("LABELKIT_SIGNER", str(keys / "signer.pem"))
    host, texts = Host(monkeypatch, kind), PngInfo()
    texts.add_text("parameters", "a cat, Steps: 20")
    shown = host.make(tmp_path / "00001.png", pnginfo=texts)
    report = lk.verify(tmp_path / "00001.png", trust=anchors)
    assert {finding.status for finding in report} == {lk.Status.VALID} and not report.doubts and not host.errors
    assert lk.verify(shown)[WATERMARK].payload == report[WATERMARK].payload
    with Image.open(tmp_path / "00001.png") as saved:
        assert saved.text["parameters"] == "a cat, Steps: 20" and saved.size == shown.size
    assert lk.verify(Image.fromarray(photo()))[WATERMARK].status is lk.Status.ABSENT


@pytest.mark.parametrize("kind", [NEW, NEXT])
def test_pictures_that_are_not_saved_are_labelled(monkeypatch, kind):
    shown = Host(monkeypatch, kind).make(None)
    report = lk.verify(shown)
    assert report[WATERMARK].status is report[EXPLICIT].status is lk.Status.VALID


@pytest.mark.parametrize("kind", [NEW, NEXT])
def test_a_grid_is_labelled_as_a_whole(monkeypatch, tmp_path, kind):
    host = Host(monkeypatch, kind)
    shown = host.make(tmp_path / "00001.jpg", quality=90)
    grid = Image.new("RGB", (2 * shown.width, shown.height))
    grid.paste(shown, (0, 0))
    grid.paste(shown, (shown.width, 0))
    host.save(grid, tmp_path / "grid.png")
    for name in ("00001.jpg", "grid.png"):
        report = lk.verify(tmp_path / name)
        assert report.verdict is lk.Verdict.CONFIRMED and report[EXPLICIT].status is lk.Status.VALID


@pytest.mark.parametrize("kind", [OLD, NEW, NEXT])
def test_without_a_producer_nobody_sees_a_picture(monkeypatch, tmp_path, kind):
    host = Host(monkeypatch, kind)
    host.options.clear()
    monkeypatch.delenv("LABELKIT_PRODUCER", raising=False)
    shown = host.make(tmp_path / "00001.png")
    assert shown.getextrema() == ((0, 0),) * 3 and list(tmp_path.iterdir()) == []
    assert host.errors and all(isinstance(error, lk.LabelkitError) for error in host.errors)
    host.settings[0]()
    assert host.options == {"labelkit_producer": ""}


def test_a_file_that_cannot_hold_the_label_is_removed(monkeypatch, tmp_path):
    host = Host(monkeypatch, NEXT)
    shown = host.make(tmp_path / "00001.bmp")
    assert list(tmp_path.iterdir()) == [] and isinstance(host.errors[0], lk.LabelkitError)
    assert lk.verify(shown)[WATERMARK].status is lk.Status.VALID
