# SPDX-License-Identifier: Apache-2.0
"""The explicit label in XLSX: a cell of its own, every other cell, formula and member as it was."""

import io
import zipfile
from xml.etree import ElementTree

import pytest

import labelkit as lk
from labelkit import container
from labelkit.codec import text as texts
from labelkit.errors import HostTooSmall, LabelkitError, LimitExceeded, UnsupportedFormat
from tests.explicit.test_office import LABEL, TYPES, A, R, explicit, members, packed

S = "http://schemas.openxmlformats.org/spreadsheetml/2006/main"
TABLE = [["Name", "Price", "Sum"], ["a", 1, "=SUM(B:B)"], ["b", 2, "=COUNTA(A:A)"], ["c", 3, "=SUM($B2:$C3)"],
         ["d", 4, 5]]
SHARED = f'<sst xmlns="{S}"><si><r><t>AI</t></r><r><t>生成</t></r><rPh><t>x</t></rPh></si></sst>'


def cell(value: object) -> str:
    if value == "shared":
        return '<c t="s"><v>0</v></c>'
    if isinstance(value, str) and value.startswith("="):
        return f"<c><f>{value[1:]}</f><v>7</v></c>"
    if isinstance(value, str):
        return f'<c t="inlineStr"><is><t>{value}</t></is></c>' if value else "<c/>"
    return f"<c><v>{value}</v></c>"


def sheet(rows: list[list[object]], before: str = "", after: str = "", row: str = "") -> str:
    data = "".join(f'<row r="{at}" spans="1:3" {row}>{"".join(map(cell, one))}</row>'
                   for at, one in enumerate(rows, 1) if one)
    return f'<worksheet xmlns="{S}"><dimension ref="A1"/>{before}<sheetData>{data}</sheetData>{after}</worksheet>'


def xlsx(*sheets: str, state: str = "", more: dict[str, str] | None = None) -> bytes:
    names = "".join(f'<sheet name="s{one}" sheetId="{one + 1}" {state if one else ""} r:id="r{one}"/>'
                    for one in range(len(sheets)))
    relations = "".join(f'<Relationship Id="r{one}" Target="worksheets/sheet{one}.xml"/>' for one in range(len(sheets)))
    return packed({**TYPES, "xl/workbook.xml": f'<workbook xmlns="{S}" xmlns:r="{R}"><sheets>{names}</sheets>'
                   "</workbook>",
                   "xl/_rels/workbook.xml.rels": f"<Relationships>{relations}</Relationships>",
                   "xl/sharedStrings.xml": SHARED,
                   **{f"xl/worksheets/sheet{one}.xml": text for one, text in enumerate(sheets)}, **(more or {})})


def cells(data: bytes, number: int = 0) -> dict[str, str]:
    """What another reader finds in the cells that say where they are."""
    with zipfile.ZipFile(io.BytesIO(data)) as archive:
        root = ElementTree.fromstring(archive.read(f"xl/worksheets/sheet{number}.xml"))
    return {one.attrib["r"]: "".join(one.itertext()) for one in root.iter(f"{{{S}}}c") if "r" in one.attrib}


def labelled(data: bytes, **explicit: str) -> bytes:
    return lk.embed(data, label=LABEL, plan=lk.Plan(explicit=lk.Explicit(**explicit)))


@pytest.mark.parametrize(("place", "at"), [("start", "E1"), ("middle", "E3"), ("end", "E7")])
@pytest.mark.parametrize(("style", "shown"), [("text", "AI生成"), ("icon", "[AI]")])
def test_the_label_stands_beside_the_table_and_the_rest_stays(place, at, style, shown):
    before = xlsx(sheet(TABLE))
    assert container.sniff(before).name == "xlsx" and explicit(before).status is lk.Status.ABSENT
    after = labelled(before, place=place, style=style)
    assert cells(after) == {at: "【AI生成】" if (place, style) == ("middle", "text") else shown}
    report = lk.verify(after)
    assert report.verdict is lk.Verdict.CONFIRMED and report.explicit.place == place
    assert labelled(after, place=place, style=style) == after, "it stands there already"
    one, other = members(before), members(after)
    assert {name for name in one if one[name] != other[name]} <= {
        "xl/worksheets/sheet0.xml", "[Content_Types].xml", "_rels/.rels"}
    old, new = (ElementTree.fromstring(parts["xl/worksheets/sheet0.xml"]) for parts in (one, other))
    assert new.find(f"{{{S}}}dimension").attrib["ref"] == f"A1:{at}"
    assert bare(new) == bare(old)


def bare(root: ElementTree.Element) -> bytes:
    """A sheet without the label, and without what is stated of its extent."""
    for row in root.iter(f"{{{S}}}row"):
        row.attrib.pop("spans", None)
        for one in [one for one in row if "r" in one.attrib]:
            row.remove(one)
    rows = root.find(f"{{{S}}}sheetData")
    for row in [row for row in rows if not len(row)]:
        rows.remove(row)
    root.find(f"{{{S}}}dimension").attrib.clear()
    return ElementTree.tostring(root)


def test_both_ends_of_a_workbook_are_those_of_its_first_and_last_shown_sheet():
    after = labelled(xlsx(sheet(TABLE), sheet([["x"]])), place="both")
    assert (cells(after), cells(after, 1)) == ({"E1": "AI生成"}, {"D3": "AI生成"}), "SUM(B:B), SUM($B2:$C3)"
    after = labelled(xlsx(sheet(TABLE), sheet([["x"]]), state='state="hidden"'), place="both")
    assert (cells(after), cells(after, 1)) == ({"E1": "AI生成", "E7": "AI生成"}, {})
    assert cells(labelled(xlsx(*[sheet(TABLE)] * 3), place="middle"), 1) == {"E1": "【AI生成】"}


def test_the_label_is_put_where_it_is_seen():
    hidden = '<cols><col min="5" max="6" hidden="1"/></cols>'
    assert cells(labelled(xlsx(sheet(TABLE, hidden)))) == {"G1": "AI生成"}
    assert cells(labelled(xlsx(sheet(TABLE, row='hidden="1"')))) == {"E6": "AI生成"}
    assert cells(labelled(xlsx(sheet([[]])))) == {"A1": "AI生成"}, "nothing else is on the sheet"
    merged = '<mergeCells><mergeCell ref="A1:F1"/></mergeCells>'
    assert cells(labelled(xlsx(sheet([["t"], ["a", "b"]], after=merged)))) == {"H1": "AI生成"}
    assert cells(labelled(xlsx(sheet([["a", "", "", "", ""], ["b", "c"]])))) == {"D1": "AI生成"}, "that cell was empty"


def test_no_formula_refers_to_the_label():
    wide = [["a", "=COUNTA(A1:$F9)"], ["LOG10(A1)", "=SUM(A:B)+LOG10(3)+E99"]]
    assert cells(labelled(xlsx(sheet(wide)))) == {"G1": "AI生成"}
    shared = sheet(wide).replace("<f>COUNTA(A1:$F9)", '<f t="shared" ref="B1:D2">COUNTA(A1:$F9)')
    assert cells(labelled(xlsx(shared))) == {"I1": "AI生成"}
    hidden = xlsx(sheet([["a"]]), sheet([["=COUNTA(s0!C:D)"]]), state='state="hidden"')
    assert cells(labelled(hidden)) == {"E1": "AI生成"}
    named = {"xl/workbook.xml": f'<workbook xmlns="{S}" xmlns:r="{R}"><sheets><sheet r:id="r0"/></sheets><definedNames>'
             "<definedName name='n'>s0!$A$1:$H$4</definedName></definedNames></workbook>"}
    assert cells(labelled(xlsx(sheet([["a"]]), more=named))) == {"I1": "AI生成"}


@pytest.mark.parametrize(("data", "match", "place"), [
    (xlsx(sheet([["a"] * 25])), "no cell beside it", "start"),
    (xlsx(sheet(TABLE, '<cols><col min="4" max="16384" hidden="1"/></cols>')), "no cell beside it", "start"),
    (xlsx(sheet([["a", "=COUNTA($1:2)"]])), "no formula refers", "start"),
    (xlsx(sheet(TABLE, '<sheetFormatPr zeroHeight="1"/>')), "hides the rows", "end"),
    (xlsx(sheet([["a"], ["b"]])), "no middle", "middle")])
def test_where_nobody_would_see_it_the_label_is_refused(data, match, place):
    with pytest.raises(HostTooSmall, match=match):
        labelled(data, place=place)


def test_a_signed_workbook_is_refused():
    with pytest.raises(UnsupportedFormat, match="signed"):
        labelled(xlsx(sheet(TABLE), more={"_xmlsignatures/origin.sigs": ""}))


DRAWING = {
    "xl/worksheets/_rels/sheet0.xml.rels": '<Relationships><Relationship Id="d" Target="../drawings/drawing1.xml"/>'
    "</Relationships>",
    "xl/drawings/drawing1.xml": f'<d:wsDr xmlns:d="urn:d" xmlns:a="{A}"><d:sp><d:txBody><a:p><a:r><a:t>本表格由AI生成'
    "</a:t></a:r></a:p></d:txBody></d:sp></d:wsDr>"}


@pytest.mark.parametrize("data", [
    xlsx(sheet([["shared"], *TABLE])), xlsx(sheet([["本表格由AI生成"], *TABLE])), xlsx(sheet([*TABLE, [], ["AI生成"]])),
    xlsx(sheet(TABLE, after='<headerFooter><oddHeader>&amp;L&amp;D&amp;C&amp;"Arial,Bold"&amp;12AI生成</oddHeader>'
               "</headerFooter>")),
    xlsx(sheet(TABLE), more=DRAWING), xlsx(sheet([["Name", "", "AI-generated"], ["a"]]))])
def test_labels_of_other_hands_are_found(data):
    assert explicit(data).status is lk.Status.VALID


@pytest.mark.parametrize("data", [
    xlsx(sheet([["Name", "AI生成"], ["a", "x"]])), xlsx(sheet([["Name", "How"], ["a", "AI生成"], ["b", "AI生成"]])),
    xlsx(sheet([["a", "", "AI生成"], ["b", "c"]], row='hidden="1"')), xlsx(sheet([["非AI生成"], *TABLE])),
    xlsx(sheet(TABLE), sheet([["AI生成"]]), state='state="veryHidden"'),
    xlsx(sheet([["a", "", "AI生成"], ["b", "c"]], '<cols><col min="3" max="3" hidden="true"/></cols>'))])
def test_what_is_no_label_is_none(data):
    assert explicit(data).status is lk.Status.ABSENT


def test_broken_and_hostile_workbooks_raise_nothing_else():
    data = xlsx(sheet(TABLE), more=DRAWING)
    for cut in range(0, len(data), 199):
        for broken in (data[:cut], data[:cut] + b"\xff\0<" + data[cut + 3:]):
            try:
                labelled(broken)
            except LabelkitError:
                pass
    columns = '<cols><col min="1" max="9999999" hidden="1"/>' + '<col min="1" hidden="1"/>' * 999 + "</cols>"
    odd = ('<row r="0"><c r="A-1" t="s"><v>9999999999</v></c><c r="ZZZ9999999" t="s"><v>-1</v></c></row>')
    with pytest.raises(HostTooSmall):
        labelled(xlsx(sheet([], columns).replace("<sheetData>", "<sheetData>" + odd)))
    with pytest.raises(LimitExceeded, match="unpacks to more"):
        texts.decode(xlsx(sheet([[1] * 100_001])), "xlsx", "x")


def test_more_formulas_than_are_searched_are_refused_and_their_text_is_read(monkeypatch):
    monkeypatch.setattr("labelkit.codec.text.sheets._MAX_FORMULAS", 40)
    for terms, fits in ((9, True), (40, False)):
        data = xlsx(sheet([["AI生成"], ["a", "=" + "+".join(f"A{one}" for one in range(1, terms))]]))
        assert explicit(data).status is lk.Status.VALID
        if fits:
            assert explicit(labelled(data, text="AI合成")).status is lk.Status.VALID
        else:
            with pytest.raises(LimitExceeded, match="formulas"):
                labelled(data, text="AI合成")
