# SPDX-License-Identifier: Apache-2.0
"""The explicit label in OFD: words in a layer of their own on a page, in a font that is in the archive."""

import io
from xml.etree import ElementTree

import pytest

import labelkit as lk
from labelkit import compliance, metadata
from labelkit.errors import HostTooSmall, LabelkitError, UnsupportedFormat
from labelkit.report import Status
from tests.explicit.test_office import members, packed
from tests.files import LABEL

OFD = "http://www.ofdspec.org/2016"
IN_OFD = "{" + OFD + "}"


def text(number: int, words: str, x: float, y: float, size: float = 4.0, **more: str) -> str:
    extra = "".join(f' {name}="{value}"' for name, value in more.items())
    return (f'<ofd:TextObject ID="{number}" Boundary="{x} {y} {len(words) * size} {size * 1.2}" Font="3" Size="{size}"'
            f'{extra}><ofd:TextCode X="0" Y="{size}" DeltaX="g {len(words) - 1} {size}">{words}</ofd:TextCode>'
            "</ofd:TextObject>")


def ofd(*pages: str, signatures: str = "", box: str = "0 0 210 297") -> bytes:
    head = f'<?xml version="1.0" encoding="UTF-8"?>\n<ofd:{{}} xmlns:ofd="{OFD}"'
    listed = "".join(f'<ofd:Page ID="{10 + one}" BaseLoc="Pages/Page_{one}/Content.xml"/>' for one in range(len(pages)))
    return packed({
        "OFD.xml": head.format("OFD") + ' Version="1.0" DocType="OFD"><ofd:DocBody><ofd:DocInfo><ofd:DocID>0'
        f"</ofd:DocID></ofd:DocInfo><ofd:DocRoot>Doc_0/Document.xml</ofd:DocRoot>{signatures}</ofd:DocBody></ofd:OFD>",
        "Doc_0/Document.xml": head.format("Document") + "><ofd:CommonData><ofd:MaxUnitID>90</ofd:MaxUnitID>"
        f"<ofd:PageArea><ofd:PhysicalBox>{box}</ofd:PhysicalBox></ofd:PageArea><ofd:PublicRes>PublicRes.xml</ofd:PublicRes>"
        f"</ofd:CommonData><ofd:Pages>{listed}</ofd:Pages></ofd:Document>",
        "Doc_0/PublicRes.xml": head.format("Res") + ' BaseLoc="Res"><ofd:Fonts><ofd:Font ID="3" FontName="宋体"/>'
        "</ofd:Fonts></ofd:Res>",
        **{f"Doc_0/Pages/Page_{one}/Content.xml": head.format("Page") + ">" + (
            f'<ofd:Content><ofd:Layer ID="{30 + one}">{page}</ofd:Layer></ofd:Content>' if page else "") + "</ofd:Page>"
           for one, page in enumerate(pages)}})


def labelled(data: bytes, **settings: object) -> bytes:
    return lk.embed(data, label=LABEL, plan=lk.Plan(explicit=lk.Explicit(**settings), watermark=None))


def explicit(data: bytes) -> lk.Finding:
    return lk.verify(data)[lk.Layer.EXPLICIT]


def shown(data: bytes, page: int) -> list[tuple[str, list[float]]]:
    """The texts of a page and their boxes, as another hand reads them."""
    root = ElementTree.fromstring(members(data)[f"Doc_0/Pages/Page_{page}/Content.xml"])
    return [("".join(one.itertext()).strip(), [float(x) for x in one.get("Boundary").split()])
            for one in root.iter(IN_OFD + "TextObject")]


BODY = text(40, "山高月小水落石出", 30, 60) + text(41, "清风徐来水波不兴", 30, 68)


def test_the_words_stand_on_the_page_in_a_font_of_the_archive_and_the_rest_stays():
    from fontTools.ttLib import TTFont

    before = ofd(BODY, BODY)
    assert explicit(before).status is Status.ABSENT
    after = labelled(before, place="both")
    for page, low in ((0, 0.0), (1, 280.0)):
        (words, (x, y, width, height)), = [one for one in shown(after, page) if one not in shown(before, page)]
        assert words == "AI生成" and x + width < 210 and low < y < y + height < low + 30
    found = explicit(after)
    assert found.status is Status.VALID and found.evidence.place == "start"
    assert metadata.read(after).label == LABEL
    held = members(after)
    old = members(before)
    changed = {name for name in old if held[name] != old[name]}
    assert changed == {"OFD.xml", "Doc_0/Document.xml", "Doc_0/PublicRes.xml",
                       "Doc_0/Pages/Page_0/Content.xml", "Doc_0/Pages/Page_1/Content.xml"}
    document = ElementTree.fromstring(held["Doc_0/Document.xml"])
    numbers = [int(value) for name in held if name.endswith(".xml")
               for one in ElementTree.fromstring(held[name]).iter() if one.tag != IN_OFD + "Page"
               for value in [one.get("ID")] if value and int(value) > 90]
    assert len(set(numbers)) == len(numbers) == 8, "every new object has a number of its own"
    assert int(document.find(f".//{IN_OFD}MaxUnitID").text) >= max(numbers)
    fonts = ElementTree.fromstring(held["Doc_0/PublicRes.xml"])
    files = [one.text for one in fonts.iter(IN_OFD + "FontFile")]
    assert len(files) == 2
    for file in files:
        font = TTFont(io.BytesIO(held[f"Doc_0/{fonts.get('BaseLoc')}/{file}"]))
        assert set(map(chr, font.getBestCmap())) == set("AI生成")
    assert labelled(after, place="both") == after, "what is there is not put there again"
    passed = {one.rule for one in compliance.check(lk.verify(after)) if one.outcome is compliance.Outcome.PASS}
    assert "explicit-label" in passed


def test_a_document_without_resources_gets_a_list_of_them():
    held = {name: one.decode() for name, one in members(ofd(BODY)).items()}
    del held["Doc_0/PublicRes.xml"]
    after = members(labelled(packed(held)))
    named = ElementTree.fromstring(after["Doc_0/Document.xml"]).find(f".//{IN_OFD}DocumentRes").text
    fonts = ElementTree.fromstring(after[f"Doc_0/{named}"])
    assert f"Doc_0/{fonts.get('BaseLoc')}/{fonts.find(f'.//{IN_OFD}FontFile').text}" in after


def test_places_marks_and_pages_without_content():
    three = ofd(BODY, "", BODY)
    assert shown(labelled(three, place="middle"), 1)[0][0] == "【AI生成】"
    assert explicit(labelled(three, place="middle")).evidence.place == "middle"
    with pytest.raises(HostTooSmall):
        labelled(ofd(BODY), place="middle")
    assert explicit(labelled(ofd(""), place="both")).status is Status.VALID
    assert explicit(labelled(ofd(BODY), style="icon")).evidence.wording == "mark"
    assert explicit(labelled(ofd(BODY), language="de")).evidence.language == "de"
    with pytest.raises(UnsupportedFormat, match="shaped"):
        labelled(ofd(BODY), language="ar")
    with pytest.raises(HostTooSmall):
        labelled(ofd(BODY, box="0 0 12 9"))


@pytest.mark.parametrize("page, is_label", [
    (text(50, "本文由人工智能生成", 30, 15) + BODY, True),
    (BODY + text(50, "AI生成", 170, 285), True),
    (text(50, "AI生成内容的法律问题", 30, 15, 9) + BODY, False),
    (BODY + text(50, "AI生成", 170, 285, Visible="false"), False),
    (BODY + text(50, "AI生成", 170, 285, Alpha="0"), False),
    (BODY + text(50, "非AI生成", 170, 285), False)])
def test_labels_of_others_are_found_where_they_are_seen(page, is_label):
    assert (explicit(ofd(page)).status is Status.VALID) is is_label


def test_signed_and_broken_documents_are_refused():
    with pytest.raises(UnsupportedFormat, match="signed"):
        labelled(ofd(BODY, signatures="<ofd:Signatures>Doc_0/Signs/Signatures.xml</ofd:Signatures>"))
    with pytest.raises(LabelkitError):
        labelled(ofd())
    whole = ofd(BODY)
    for cut in range(0, len(whole), 97):
        for broken in (whole[:cut], whole[:cut] + b"\xff\0<" + whole[cut + 3:]):
            try:
                labelled(broken)
            except LabelkitError:
                pass


def test_a_font_goes_nowhere_outside_of_the_archive():
    held = {name: one.decode() for name, one in members(ofd(BODY)).items()}
    held["Doc_0/PublicRes.xml"] = held["Doc_0/PublicRes.xml"].replace('BaseLoc="Res"', 'BaseLoc="../../../etc"')
    with pytest.raises(LabelkitError):
        labelled(packed(held))


@pytest.mark.parametrize("listed", ["<ofd:Fonts/></ofd:Res>", "</ofd:Res>", None])
def test_two_labels_name_their_fonts_in_a_list_without_any(listed):
    held = {name: one.decode() for name, one in members(ofd(BODY, BODY)).items()}
    head = held["Doc_0/PublicRes.xml"].partition("<ofd:Fonts>")[0]
    held["Doc_0/PublicRes.xml"] = head + listed if listed else head[:-1] + "/>"
    made = members(labelled(packed(held), place="both"))
    names = [one.text for one in ElementTree.fromstring(made["Doc_0/PublicRes.xml"]).iter(IN_OFD + "FontFile")]
    assert len(names) == 2 and all(f"Doc_0/Res/{name}" in made for name in names)
