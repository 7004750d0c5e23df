# SPDX-License-Identifier: Apache-2.0
"""The explicit label in DOCX, PPTX, ODT and EPUB: the other members of the archive stay byte for byte."""

import io
import re
import zipfile

import pytest

import labelkit as lk
from labelkit import compliance, container
from labelkit.container import Reader
from labelkit.errors import HostTooSmall, LabelkitError, UnsupportedFormat

LABEL = lk.Label(lk.Kind.GENERATED, "acme", "1")
W = "http://schemas.openxmlformats.org/wordprocessingml/2006/main"
A = "http://schemas.openxmlformats.org/drawingml/2006/main"
P = "http://schemas.openxmlformats.org/presentationml/2006/main"
R = "http://schemas.openxmlformats.org/officeDocument/2006/relationships"
ODF = "urn:oasis:names:tc:opendocument:xmlns:"
XHTML = '<html xmlns="http://www.w3.org/1999/xhtml"><head><title>AI生成</title></head><body>{}</body></html>'
TYPES = {"[Content_Types].xml": '<Types xmlns="http://schemas.openxmlformats.org/package/2006/content-types"/>',
         "_rels/.rels": '<Relationships xmlns="http://schemas.openxmlformats.org/package/2006/relationships"/>'}


def packed(members: dict[str, str], mimetype: str = "") -> bytes:
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED) as archive:
        if mimetype:
            archive.writestr(zipfile.ZipInfo("mimetype"), mimetype)
        for name, text in members.items():
            archive.writestr(name, text)
    return out.getvalue()


def docx(*paragraphs: str, **parts: str) -> bytes:
    body = "".join(text if text.startswith("<") else f"<w:p><w:r><w:t>{text}</w:t></w:r></w:p>" for text in paragraphs)
    return packed({**TYPES, "word/document.xml": f'<w:document xmlns:w="{W}"><w:body>{body}<w:sectPr/></w:body>'
                   f'</w:document>', **{f"word/{name}.xml": text for name, text in parts.items()}})


def pptx(*slides: str, boxes: dict[int, tuple[str, int, int]] | None = None) -> bytes:
    def slide(number: int, text: str) -> str:
        box, x, y = (boxes or {}).get(number, ("", 0, 0))
        shape = (f'<p:sp><p:nvSpPr><p:cNvPr id="7" name="b"/><p:cNvSpPr txBox="1"/></p:nvSpPr><p:spPr><a:xfrm><a:off '
                 f'x="{x}" y="{y}"/><a:ext cx="900000" cy="300000"/></a:xfrm></p:spPr><p:txBody><a:p><a:r><a:t>{box}'
                 f"</a:t></a:r></a:p></p:txBody></p:sp>") if box else ""
        lines = "".join(f"<a:p><a:r><a:t>{line}</a:t></a:r></a:p>" for line in text.split("|"))
        return (f'<p:sld xmlns:p="{P}" xmlns:a="{A}"><p:cSld><p:spTree><p:sp><p:nvSpPr><p:cNvPr id="4" name="s"/>'
                f'</p:nvSpPr><p:txBody>{lines}</p:txBody></p:sp>{shape}</p:spTree></p:cSld></p:sld>')

    ids = "".join(f'<p:sldId id="{256 + one}" r:id="r{one}"/>' for one in range(len(slides)))
    relations = "".join(f'<Relationship Id="r{one}" Type="{R}/slide" Target="slides/slide{one}.xml"/>'
                        for one in range(len(slides)))
    return packed({**TYPES, "ppt/presentation.xml": f'<p:presentation xmlns:p="{P}" xmlns:r="{R}"><p:sldIdLst>{ids}'
                   '</p:sldIdLst><p:sldSz cx="9144000" cy="6858000"/></p:presentation>',
                   "ppt/_rels/presentation.xml.rels": f"<Relationships>{relations}</Relationships>",
                   **{f"ppt/slides/slide{one}.xml": slide(one, text) for one, text in enumerate(slides)}})


def odt(*paragraphs: str, more: dict[str, str] | None = None) -> bytes:
    body = "".join(text if text.startswith("<") else f"<text:p>{text}</text:p>" for text in paragraphs)
    return packed({"content.xml": f'<office:document-content xmlns:office="{ODF}office:1.0" xmlns:text="{ODF}text:1.0">'
                   f"<office:body><office:text>{body}</office:text></office:body></office:document-content>",
                   "meta.xml": f'<office:document-meta xmlns:office="{ODF}office:1.0"><office:meta/>'
                   "</office:document-meta>",
                   **(more or {})}, "application/vnd.oasis.opendocument.text")


def ods(*cells: str) -> bytes:
    rows = "".join(f"<table:table-row><table:table-cell><text:p>{text}</text:p></table:table-cell></table:table-row>"
                   for text in cells)
    return _oasis("spreadsheet", f'<table:table xmlns:table="{ODF}table:1.0" table:name="a">{rows}</table:table>')


def odp(*slides: str) -> bytes:
    pages = "".join(f"<draw:page><draw:frame><draw:text-box><text:p>{text}</text:p></draw:text-box></draw:frame>"
                    "</draw:page>" for text in slides)
    return _oasis("presentation", pages.replace("<draw:page>", f'<draw:page xmlns:draw="{ODF}drawing:1.0">'))


def _oasis(kind: str, body: str) -> bytes:
    return packed({"content.xml": f'<office:document-content xmlns:office="{ODF}office:1.0" xmlns:text="{ODF}text:1.0">'
                   f"<office:body><office:{kind}>{body}</office:{kind}></office:body></office:document-content>",
                   "meta.xml": f'<office:document-meta xmlns:office="{ODF}office:1.0"><office:meta/>'
                   "</office:document-meta>"}, f"application/vnd.oasis.opendocument.{kind}")


def epub(*chapters: str) -> bytes:
    names = [f"c{one} x.xhtml" for one in range(len(chapters))]
    items = "".join(f'<item id="i{one}" href="c{one}%20x.xhtml"/>' for one in range(len(chapters)))
    spine = "".join(f'<itemref idref="i{one}"/>' for one in range(len(chapters)))
    return packed({"META-INF/container.xml": '<container><rootfiles><rootfile full-path="O/p.opf"/></rootfiles>'
                   "</container>",
                   "O/p.opf": f'<package xmlns="http://www.idpf.org/2007/opf"><metadata></metadata><manifest>{items}'
                   f"</manifest><spine>{spine}</spine></package>",
                   **{f"O/{name}": XHTML.format(text) for name, text in zip(names, chapters, strict=True)}},
                  "application/epub+zip")


FILES = {"docx": docx("One", "Two", "Three"), "odt": odt("One", "Two", "Three"),
         "pptx": pptx("One|b|c|d|e", "Two|b|c|d|e", "Three|b|c|d|e"),
         "epub": epub("<p>One</p><p>a</p><p>b</p><p>c</p>", "<h1>Two</h1><p>b</p>", "<p>Three</p>")}


def explicit(data: bytes) -> lk.Finding:
    return lk.verify(data)[lk.Layer.EXPLICIT]


def members(data: bytes) -> dict[str, bytes]:
    with zipfile.ZipFile(io.BytesIO(data)) as archive:
        assert archive.testzip() is None
        return {name: archive.read(name) for name in archive.namelist()}


@pytest.mark.parametrize("style", ["text", "icon"])
@pytest.mark.parametrize("place", ["start", "middle", "end"])
@pytest.mark.parametrize("kind", FILES)
def test_words_are_added_and_found_and_the_rest_stays(kind, place, style):
    before, plan = FILES[kind], lk.Plan(explicit=lk.Explicit(place=place, style=style))
    assert container.sniff(before).name == kind and explicit(before).status is lk.Status.ABSENT
    after = lk.embed(before, label=LABEL, plan=plan)
    report = lk.verify(after)
    assert report.verdict is lk.Verdict.CONFIRMED and report.explicit.place == place
    one, other = members(before), members(after)
    fields = {"docProps/custom.xml", "[Content_Types].xml", "_rels/.rels", "meta.xml", "O/p.opf"}
    changed = [name for name in one if one[name] != other[name] and name not in fields]
    assert len(changed) == 1 and set(other) - set(one) <= fields
    old, new = one[changed[0]].decode(), other[changed[0]].decode()
    start = next(at for at, (a, b) in enumerate(zip(old, new, strict=False)) if a != b)
    assert any(old[at:] == new[at + len(new) - len(old):] and old[:at] == new[:at] for at in range(start + 1))
    assert lk.embed(after, label=LABEL, plan=plan) == after, "it stands there already"
    assert [str(result.clause) for result in compliance.check(report)][0] == "GB 45438-2025 5.1"


@pytest.mark.parametrize("data", [
    docx("AI生成", "text"), docx("text", "本文由AI生成"),
    docx("text", header1=f'<w:hdr xmlns:w="{W}"><w:p><w:r><w:t>AI生成</w:t></w:r></w:p></w:hdr>'),
    docx("<w:p><w:r><w:t>A</w:t></w:r><w:r><w:t>I生成</w:t></w:r></w:p>", "x"),
    odt("AI生成", "text"), odt("text", "本文由AI生成"),
    odt("<text:p>本文由<text:span>AI</text:span>生成</text:p>", "x"),
    pptx("a|b", "c", "d", "e|f|g|h|i", boxes={1: ("AI生成", 8_000_000, 6_400_000)}),
    epub("<p>本书由AI生成</p><p>x</p>"),
    pptx("本演示文稿由AI生成|b")])
def test_labels_of_other_hands_are_found(data):
    assert explicit(data).status is lk.Status.VALID


@pytest.mark.parametrize("data", [
    docx('<w:p><w:pPr><w:pStyle w:val="Heading1"/></w:pPr><w:r><w:t>AI生成</w:t></w:r></w:p>', "text"),
    docx("<w:p><w:r><w:rPr><w:vanish/></w:rPr><w:t>AI生成</w:t></w:r></w:p>", "text"),
    docx("<w:tbl><w:tr><w:tc><w:p><w:r><w:t>AI生成</w:t></w:r></w:p></w:tc></w:tr></w:tbl>", "text"),
    docx("非AI生成", "text"), odt("<text:h>AI生成</text:h>", "text"), odt("本文非AI生成", "text"),
    odt("<text:list><text:list-item><text:p>AI生成</text:p></text:list-item></text:list>", "text"),
    pptx("a|b|c|d|e", "f|g|h|i|j", "k|l|m|n|o", boxes={1: ("AI生成", 4_000_000, 3_000_000)}),
    epub("<h1>AI生成</h1><p>x</p>")])
def test_what_is_no_label_is_none(data):
    assert explicit(data).status is lk.Status.ABSENT


def test_a_signed_document_is_refused():
    assert lk.embed(odt("x", more={"META-INF/other.xml": "<a/>"}), label=LABEL)
    with pytest.raises(UnsupportedFormat, match="signed"):
        lk.embed(odt("x", more={"META-INF/documentsignatures.xml": "<a/>"}), label=LABEL)


def test_two_slides_have_no_middle():
    with pytest.raises(HostTooSmall, match="fewer than three"):
        lk.embed(pptx("a", "b"), label=LABEL, plan=lk.Plan(explicit=lk.Explicit(place="middle")))


@pytest.mark.parametrize("kind", FILES)
def test_broken_documents_raise_nothing_else(kind):
    data = FILES[kind]
    for cut in range(0, len(data), 97):
        for broken in (data[:cut], data[:cut] + b"\xff\0<" + data[cut + 3:]):
            for act in (lambda broken=broken: lk.embed(broken, label=LABEL), lambda broken=broken: lk.verify(broken)):
                try:
                    act()
                except LabelkitError:
                    pass


@pytest.mark.parametrize(("kind", "part"), [("odt", "meta.xml"), ("epub", "O/p.opf")])
def test_the_field_stands_where_its_format_keeps_such_fields(kind, part):
    after = members(lk.embed(FILES[kind], label=LABEL))[part].decode()
    assert len(re.findall("AIGC", after)) == 1
    again = lk.embed(Reader.of(lk.embed(FILES[kind], label=LABEL)), label=lk.Label(lk.Kind.GENERATED, "acme", "2"))
    assert lk.verify(again).label.produce_id == "2" and members(again)[part].decode().count("AIGC") == 1


def test_subtitles_take_their_manifest_beside_them(tmp_path):
    import datetime

    from labelkit import provenance
    (tmp_path / "keys").mkdir()
    provenance.keygen(tmp_path / "keys", "Acme", now=datetime.datetime.now(datetime.UTC))
    (tmp_path / "a.srt").write_text("1\n00:00:01,000 --> 00:00:02,000\ntext\n")
    plan = lk.Plan(provenance=lk.Signer.load(tmp_path / "keys" / "signer.pem"))
    lk.embed(tmp_path / "a.srt", tmp_path / "b.srt", LABEL, plan=plan)
    trust = lk.TrustList.load(tmp_path / "keys" / "anchors.pem")
    report = lk.verify(tmp_path / "b.srt", trust=trust)
    assert report.verdict is lk.Verdict.CONFIRMED and report.label == LABEL
    (tmp_path / "b.srt").write_text("1\n00:00:01,000 --> 00:00:02,000\nother\n", "utf-8")
    found = lk.verify(tmp_path / "b.srt", trust=trust)[lk.Layer.PROVENANCE]
    assert found.status is lk.Status.ABSENT and "before it was changed" in str(found.summary)
    with pytest.raises(LabelkitError, match="needs a path"):
        lk.embed("text", label=LABEL, plan=plan, format="srt")
