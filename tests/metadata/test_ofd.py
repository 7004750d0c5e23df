# SPDX-License-Identifier: Apache-2.0
"""OFD and XMind: the label stands in the metadata of the archive, and every other member keeps its bytes."""

import io
import json
import zipfile
from xml.etree import ElementTree

import pytest

import labelkit as lk
from labelkit import container, metadata
from labelkit.errors import LabelkitError, MalformedFile, UnsupportedFormat
from labelkit.report import Status
from tests.explicit.test_office import members, packed
from tests.files import LABEL, OTHER

OFD = "http://www.ofdspec.org/2016"
CUSTOM = '<ofd:CustomDatas><ofd:CustomData Name="template">1 &amp; 2</ofd:CustomData></ofd:CustomDatas>'
MAP = '{"creator": {"name":"Vana","version":"24.1"}, "activeSheetId":"a" }'


def ofd(custom: str = CUSTOM, signatures: str = "", space: str = f' xmlns:ofd="{OFD}"') -> bytes:
    root = (f'<?xml version="1.0" encoding="UTF-8"?>\n<ofd:OFD{space} Version="1.0" DocType="OFD"><ofd:DocBody><ofd:'
            f"DocInfo><ofd:DocID>0</ofd:DocID>{custom}</ofd:DocInfo><ofd:DocRoot>Doc_0/Document.xml</ofd:DocRoot>"
            f"{signatures}</ofd:DocBody></ofd:OFD>")
    root = root if space else root.replace("ofd:", "")
    return packed({"OFD.xml": root, "Doc_0/Document.xml": "<Document/>"})


def xmind(text: str = MAP) -> bytes:
    return packed({"content.json": '[{"id":"a","rootTopic":{"title":"山"}}]', "metadata.json": text,
                   "manifest.json": "{}"})


def fields(data: bytes) -> dict[str, object]:
    """The metadata as another hand reads them."""
    with zipfile.ZipFile(io.BytesIO(data)) as archive:
        assert archive.testzip() is None
        if "metadata.json" in archive.namelist():
            return json.loads(archive.read("metadata.json"))
        found = ElementTree.fromstring(archive.read("OFD.xml"))
    path = ".//{%s}DocInfo/{%s}CustomDatas/{%s}CustomData" % ((OFD,) * 3) if found.tag[0] == "{" else (
        ".//DocInfo/CustomDatas/CustomData")
    return {one.get("Name"): one.text for one in found.iterfind(path)}


@pytest.mark.parametrize(("make", "changed"), [
    (ofd, "OFD.xml"), (lambda: ofd(""), "OFD.xml"), (lambda: ofd("<ofd:CustomDatas/>"), "OFD.xml"),
    (lambda: ofd("", space=""), "OFD.xml"), (xmind, "metadata.json"), (lambda: xmind("{}"), "metadata.json")])
def test_the_label_reads_back_and_the_rest_stays(make, changed):
    before = make()
    assert metadata.read(before).status is Status.ABSENT
    after = metadata.write(before, LABEL)
    assert container.sniff(after).name == ("ofd" if changed == "OFD.xml" else "xmind")
    assert metadata.read(after).label == LABEL and metadata.write(after, LABEL) == after
    assert fields(metadata.write(metadata.write(before, OTHER), LABEL)) == {**fields(before), "AIGC": LABEL.to_json()}
    one, other = members(before), members(after)
    assert {name for name in other if one.get(name) != other[name]} == {changed}
    assert lk.verify(after).verdict is lk.Verdict.CONFIRMED


def test_a_label_of_others_gets_the_new_ones_place():
    text = json.dumps(OTHER.to_json(wrapped=True))
    before = xmind(MAP[:-1] + f', "docAIGC": {text}' + "}")
    assert metadata.read(before).label == OTHER
    assert fields(metadata.write(before, LABEL)) == {**json.loads(MAP), "AIGC": LABEL.to_json()}
    before = ofd(CUSTOM.replace("template", "docAIGC").replace("1 &amp; 2", OTHER.to_json()))
    assert metadata.read(before).label == OTHER
    assert fields(metadata.write(before, LABEL)) == {"AIGC": LABEL.to_json()}


def test_signed_and_broken_files_are_refused():
    with pytest.raises(UnsupportedFormat, match="signed"):
        metadata.write(ofd(signatures="<ofd:Signatures>Doc_0/Signs/Signatures.xml</ofd:Signatures>"), LABEL)
    for data in (xmind("[]"), xmind('{"a":1,}'), ofd().replace(b"OFD.xml", b"OFD.xmI"), packed({"OFD.xml": "<OFD/>"})):
        with pytest.raises((MalformedFile, UnsupportedFormat)):
            metadata.write(data, LABEL)
    for whole in (ofd(), xmind()):
        for cut in range(0, len(whole), 7):
            for broken in (whole[:cut], whole[:cut] + b"\xff\0{" + whole[cut + 3:]):
                try:
                    metadata.write(broken, LABEL)
                except LabelkitError:
                    pass
