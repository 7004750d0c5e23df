# SPDX-License-Identifier: Apache-2.0
"""USDZ: the label is a layer of its own, and OpenUSD reads it, the scene and the package as before."""

from __future__ import annotations

import io
import zipfile
from pathlib import Path

import pytest

import labelkit as lk
from labelkit import container, metadata
from labelkit.container.usdz import _aligned
from labelkit.errors import LabelkitError, UnsupportedFormat
from tests.files import LABEL, OTHER

pxr = pytest.importorskip("pxr")

TEXT = """#usda 1.0
(
    defaultPrim = "Root"
    customLayerData = {
        string creator = "a tool"
        %s
    }
    metersPerUnit = 1
    upAxis = "Y"
)

def Xform "Root" (customData = { string AIGC = "no label" })
{
    def Cube "Cube" {}
}
"""


def usdz(members: dict[str, bytes], method: int = zipfile.ZIP_STORED) -> bytes:
    """A package as OpenUSD writes one: stored, and aligned to 64 bytes."""
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w", method) as package:
        for name, body in members.items():
            entry = zipfile.ZipInfo(name)
            entry.compress_type = method
            header = _aligned(b"PK\3\4" + bytes(22) + len(name).to_bytes(2, "little") + b"\0\0" + name.encode(),
                              out.tell())
            entry.extra = header[30 + len(name):]
            package.writestr(entry, body)
    return out.getvalue()


def scene(extra: str = "", picture: bytes = b"\x89PNG" + bytes(500)) -> bytes:
    return usdz({"scene.usda": (TEXT % extra).encode(), "textures/a.png": picture})


def crate(tmp_path: Path) -> bytes:
    from pxr import Usd, UsdGeom, UsdUtils

    stage = Usd.Stage.CreateNew(str(tmp_path / "s.usdc"))
    UsdGeom.Cube.Define(stage, "/Root/Cube")
    stage.SetDefaultPrim(stage.GetPrimAtPath("/Root"))
    UsdGeom.SetStageUpAxis(stage, "Y")
    UsdGeom.SetStageMetersPerUnit(stage, 1)
    stage.GetRootLayer().Save()
    UsdUtils.CreateNewUsdzPackage(str(tmp_path / "s.usdc"), str(tmp_path / "s.usdz"))
    return (tmp_path / "s.usdz").read_bytes()


def judged(data: bytes, tmp_path: Path) -> dict[str, object]:
    """The custom data of the label's layer, as OpenUSD reads it, of a package in which it finds no fault."""
    from pxr import Sdf, Usd, UsdValidation

    path = tmp_path / f"{len(data)}.usdz"
    path.write_bytes(data)
    stage = Usd.Stage.Open(str(path))
    assert [str(one.GetPath()) for one in stage.Traverse()] == ["/Root", "/Root/Cube"]
    package = Sdf.ZipFile.Open(str(path))
    assert all(package.GetFileInfo(name).dataOffset % 64 == 0 for name in package.GetFileNames())
    checks = UsdValidation.ValidationContext(UsdValidation.ValidationRegistry().GetOrLoadAllValidators())
    assert [one.GetName() for one in checks.Validate(stage) if "Texture" not in one.GetName()] == []
    layer = Sdf.Layer.FindOrOpen(f"{path}[AIGC.usda]")
    return dict(layer.customLayerData) if layer else {}


@pytest.mark.parametrize("is_binary", [True, False])
def test_the_label_is_a_layer_and_every_other_member_stays(is_binary, tmp_path):
    before = crate(tmp_path) if is_binary else scene()
    assert container.sniff(before).name == "usdz" and metadata.read(before).label is None
    assert judged(before, tmp_path) == {}
    after = metadata.write(before, LABEL)
    assert metadata.read(after).label == LABEL and judged(after, tmp_path) == {"AIGC": LABEL.to_json()}
    assert metadata.write(after, LABEL) == after
    old, new = (zipfile.ZipFile(io.BytesIO(data)) for data in (before, after))
    assert all(new.read(name) == old.read(name) for name in old.namelist()) and new.testzip() is None
    assert new.namelist() == [*old.namelist(), "AIGC.usda"] and after.startswith(before[:old.start_dir])
    assert lk.verify(after).verdict is lk.Verdict.CONFIRMED


def test_a_label_in_the_scene_s_own_layer_is_read_and_gives_way(tmp_path):
    escaped = OTHER.to_json().replace("\\", "\\\\")
    quoted = escaped.replace('"', '\\"')
    for stated in (f'string AIGC = "{quoted}"', f"string AIGC = '''{escaped}'''"):
        before = scene(stated)
        assert metadata.read(before).label == OTHER
        after = metadata.write(before, LABEL)
        assert metadata.read(after).label == LABEL and len(metadata.read(after).evidence.carriers) == 1
        judged(after, tmp_path)
        names = zipfile.ZipFile(io.BytesIO(after))
        assert b'creator = "a tool"' in names.read("scene.usda") and names.testzip() is None
        assert names.read("textures/a.png") == zipfile.ZipFile(io.BytesIO(before)).read("textures/a.png")


def test_a_scene_has_no_text_so_that_the_words_are_refused_with_the_way_out():
    with pytest.raises(UnsupportedFormat) as refused:
        lk.embed(scene(), label=LABEL)
    assert "leave the signal layers out" in str(refused.value.hint)
    report = lk.verify(scene())
    assert report.verdict is lk.Verdict.UNDETERMINED, "a texture was not looked at"
    assert report[lk.Layer.METADATA].status is lk.Status.ABSENT


def test_what_is_no_package_of_usd_or_broken_is_told():
    with pytest.raises(UnsupportedFormat, match="packed or encrypted"):
        metadata.write(usdz({"a.usda": b"#usda 1.0\n", "b.usda": b"#usda 1.0\n"}).replace(
            b"PK\3\4\x14\0\0\0\0\0", b"PK\3\4\x14\0\1\0\0\0"), LABEL)
    assert zipfile.ZipFile(io.BytesIO(scene())).testzip() is None
    whole = scene(f"string AIGC = '{OTHER.to_json()}'")
    for cut in range(30, len(whole), 13):
        for broken in (whole[:cut], whole[:cut] + b"\xff" + whole[cut + 1:]):
            try:
                metadata.write(broken, LABEL)
            except LabelkitError:
                pass


def test_more_layers_than_are_looked_into_are_said(monkeypatch):
    monkeypatch.setattr("labelkit.container.usdz._MAX_LAYERS", 2)
    layers = {f"{one}.usda": b"#usda 1.0\n(\n)\n" for one in "abc"}
    for names, verdict in (("ab", lk.Verdict.NONE), ("abc", lk.Verdict.UNDETERMINED)):
        report = lk.verify(usdz({f"{one}.usda": layers[f"{one}.usda"] for one in names}), layers=[
            lk.Layer.METADATA, lk.Layer.PROVENANCE])
        assert report.verdict is verdict


STATED = 'string AIGC = "{}"'.format(LABEL.to_json().replace('"', '\\"'))
LAYERS = {
    "its own": f"(\n customLayerData = {{ {STATED} }}\n)",
    "behind others": f'(\n doc = "a (b" # (\n customLayerData = {{\n dictionary a = {{ int b = 1 }}\n {STATED};\n '
                     'string c = "d"\n }\n)',
    "a comment": f"(\n # customLayerData = {{ {STATED} }}\n)",
    "a text": f"(\n doc = '''customLayerData = {{ {STATED} }}'''\n)",
    "a dictionary in it": f"(\n customLayerData = {{ dictionary examples = {{ {STATED} }} }}\n)",
    "another dictionary": f"(\n renderSettings = {{ {STATED} }}\n)",
    "a relation": f"(\n)\nrel a = <b> (customLayerData = {{ {STATED} }})",
    "a text without end": f'(\n doc = """ \n customLayerData = {{ {STATED} }}\n)', "none": "()"}


@pytest.mark.parametrize("place", LAYERS)
def test_a_label_is_what_the_layer_says_of_itself(place):
    """Not what a comment, a text, an example or a prim holds."""
    data = usdz({"a.usda": f"#usda 1.0\n{LAYERS[place]}\n".encode()})
    found = metadata.read(data)
    assert found.label == (LABEL if place in ("its own", "behind others") else None)
    again = metadata.write(data, OTHER)
    assert metadata.read(again).label == OTHER
