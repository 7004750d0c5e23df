# SPDX-License-Identifier: Apache-2.0
"""The extension for AUTOMATIC1111 and Forge, over a fake of their documented hooks."""

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


class Host:
    """`modules` of the web UI, and its way from a sampled picture to a file."""

    def __init__(self, monkeypatch, *, has_late_hook: bool) -> None:
        self.saved, self.settings, self.options = [], [], {"labelkit_producer": "acme"}
        names = ["title", "show", "postprocess_image"] + ["postprocess_image_after_composite"] * has_late_hook
        base = type("Script", (), {name: lambda self, *args: None for name in names})
        modules = {
            "scripts": types.SimpleNamespace(Script=base, AlwaysVisible=object()),
            "script_callbacks": types.SimpleNamespace(on_image_saved=self.saved.append,
                                                      on_ui_settings=self.settings.append),
            "shared": types.SimpleNamespace(OptionInfo=lambda *told, **more: told, opts=types.SimpleNamespace(
                data=self.options, add_option=lambda name, info: self.options.setdefault(name, info[0])))}
        package = types.ModuleType("modules")
        for name, module in modules.items():
            setattr(package, name, module)
            monkeypatch.setitem(sys.modules, f"modules.{name}", module)
        monkeypatch.setitem(sys.modules, "modules", package)
        self.script = runpy.run_path(str(SCRIPT))["LabelScript"]()

    def make(self, path: Path, **options) -> Image.Image:
        """The picture of the gallery and the API; its file is at `path`."""
        pp = types.SimpleNamespace(image=Image.fromarray(photo()))
        self.script.postprocess_image(None, pp)
        if hasattr(self.script, "postprocess_image_after_composite"):
            self.script.postprocess_image_after_composite(None, pp)
        self.save(pp.image, path, **options)
        return pp.image

    def save(self, image: Image.Image, path: Path, **options) -> None:
        image.save(path, **options)
        for callback in self.saved:
            callback(types.SimpleNamespace(image=image, p=None, filename=str(path), pnginfo={}))


@pytest.mark.parametrize("has_late_hook", [True, False])
def test_every_picture_and_its_file_are_labelled_alike(monkeypatch, tmp_path, keys, anchors, has_late_hook):
    monkeypatch.setenv("LABELKIT_SIGNER", str(keys / "signer.pem"))
    host, texts = Host(monkeypatch, has_late_hook=has_late_hook), PngInfo()
    texts.add_text("parameters", "a cat, Steps: 20")
    shown = host.make(tmp_path / "00001.png", pnginfo=texts)
    report = lk.verify(tmp_path / "00001.png", trust=anchors)
    assert {finding.status for finding in report} == {lk.Status.VALID} and not report.doubts
    assert lk.verify(shown)[WATERMARK].payload == report[WATERMARK].payload
    with Image.open(tmp_path / "00001.png") as saved:
        assert saved.text["parameters"] == "a cat, Steps: 20"
    assert lk.verify(Image.fromarray(photo()))[WATERMARK].status is lk.Status.ABSENT


def test_a_grid_is_labelled_as_a_whole(monkeypatch, tmp_path):
    host = Host(monkeypatch, has_late_hook=True)
    shown = host.make(tmp_path / "00001.jpg", quality=90)
    grid = Image.new("RGB", (2 * shown.width, shown.height))
    grid.paste(shown, (0, 0))
    grid.paste(shown, (shown.width, 0))
    host.save(grid, tmp_path / "grid.png")
    for name in ("00001.jpg", "grid.png"):
        report = lk.verify(tmp_path / name)
        assert report.verdict is lk.Verdict.CONFIRMED and report[EXPLICIT].status is lk.Status.VALID


def test_without_a_producer_no_picture_is_made(monkeypatch, tmp_path):
    host = Host(monkeypatch, has_late_hook=True)
    host.options.clear()
    monkeypatch.delenv("LABELKIT_PRODUCER", raising=False)
    with pytest.raises(lk.LabelkitError):
        host.make(tmp_path / "00001.png")
    assert list(tmp_path.iterdir()) == []
    host.settings[0]()
    assert host.options == {"labelkit_producer": ""}
