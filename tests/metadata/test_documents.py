# SPDX-License-Identifier: Apache-2.0
"""The label in OOXML documents, HTML and Markdown: members, elements and lines of others stay."""

import html.parser
import io
import json
import struct
import xml.etree.ElementTree as ElementTree
import zipfile

import pytest

from labelkit import container, metadata
from labelkit.errors import LimitExceeded, MalformedFile, UnsupportedFormat
from labelkit.label import FIELDS, Kind, Label
from labelkit.report import Status
from tests import files
from tests.files import LABEL, OTHER

TYPES = ('<?xml version="1.0"?><Types xmlns="http://schemas.openxmlformats.org/package/2006/content-types">'
         '<Default Extension="xml" ContentType="application/xml"/></Types>')
RELATIONS = ('<Relationships xmlns="http://schemas.openxmlformats.org/package/2006/relationships">'
             '<Relationship Id="rId1" Type="x" Target="word/document.xml"/></Relationships>')
CUSTOM = ('<Properties xmlns="http://schemas.openxmlformats.org/officeDocument/2006/custom-properties" xmlns:vt="http://'
          'schemas.openxmlformats.org/officeDocument/2006/docPropsVTypes">{}</Properties>')
VT = "{http://schemas.openxmlformats.org/officeDocument/2006/docPropsVTypes}lpwstr"


def custom_property(name: str, value: str, pid: int = 2) -> str:
    return (f'<property fmtid="{{D5CDD505-2E9C-101B-9397-08002B2CF9AE}}" pid="{pid}" name="{name}">'
            f"<vt:lpwstr>{html.escape(value)}</vt:lpwstr></property>")


def document(custom: str | None = None, *, folder: str = "word", comment: bytes = b"",
             more: dict | None = None) -> bytes:
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("[Content_Types].xml", TYPES)
        archive.writestr("_rels/.rels", RELATIONS)
        archive.writestr(f"{folder}/document.xml", "<a>" + "text " * 99 + "</a>")
        if custom is not None:
            archive.writestr("docProps/custom.xml", custom)
        for name, data in (more or {}).items():
            archive.writestr(name, data)
        archive.writestr("picture.png", files.picture("PNG"), zipfile.ZIP_STORED)
        archive.comment = comment
    return out.getvalue()


DOCUMENTS = {
    "plain": document(),
    "with comment": document(comment=b"made by hand"),
    "other property": document(CUSTOM.format(custom_property("Owner", "someone", 7))),
    "label": document(CUSTOM.format(custom_property("Owner", "someone") + custom_property("AIGC", OTHER.to_json(), 3))),
    "two labels": document(CUSTOM.format(custom_property("AIGC", OTHER.to_json()) + custom_property(
        "aigc", OTHER.to_json(wrapped=True), 3))),
    "empty properties": document(CUSTOM.format("").replace("></Properties>", "/>")),
}


def opened(data: bytes) -> zipfile.ZipFile:
    archive = zipfile.ZipFile(io.BytesIO(data))
    assert archive.testzip() is None
    return archive


def one_label(data: bytes) -> bool:
    finding = metadata.read(data)
    return (finding.status, finding.label, finding.evidence["duplicates"]) == (Status.VALID, LABEL, 0)


@pytest.mark.parametrize("name", DOCUMENTS)
def test_the_property_is_there_once_and_registered(name):
    out = metadata.write(DOCUMENTS[name], LABEL)
    assert one_label(out) and metadata.write(out, LABEL) == out
    archive = opened(out)
    root = ElementTree.fromstring(archive.read("docProps/custom.xml"))
    properties = {element.get("name"): element for element in root}
    assert properties["AIGC"].find(VT).text == LABEL.to_json()
    assert properties["AIGC"].get("fmtid") == "{D5CDD505-2E9C-101B-9397-08002B2CF9AE}"
    numbers = [int(element.get("pid")) for element in root]
    assert len(set(numbers)) == len(numbers) and min(numbers) >= 2
    assert ("Owner" in properties) == (b"Owner" in opened(DOCUMENTS[name]).read("docProps/custom.xml")
                                       if "docProps/custom.xml" in opened(DOCUMENTS[name]).namelist() else False)
    assert b'PartName="/docProps/custom.xml"' in archive.read("[Content_Types].xml")
    rows = [element.get("Id") for element in ElementTree.fromstring(archive.read("_rels/.rels"))]
    assert len(rows) == len(set(rows)) == 2


@pytest.mark.parametrize("name", DOCUMENTS)
def test_other_members_keep_their_bytes(name):
    before, after = opened(DOCUMENTS[name]), opened(metadata.write(DOCUMENTS[name], LABEL))
    changed = {"docProps/custom.xml", "[Content_Types].xml", "_rels/.rels"}
    for member in before.infolist():
        if member.filename not in changed:
            assert after.read(member.filename) == before.read(member.filename)
            assert after.getinfo(member.filename).compress_size == member.compress_size
    assert after.comment == before.comment
    assert [one for one in after.namelist() if one != "docProps/custom.xml"] == [
        one for one in before.namelist() if one != "docProps/custom.xml"]


@pytest.mark.parametrize("name", ["label", "two labels"])
def test_a_label_of_others_in_a_document_is_read(name):
    assert metadata.read(DOCUMENTS[name]).label == OTHER
    assert OTHER.produce_id not in opened(metadata.write(DOCUMENTS[name], LABEL)).read("docProps/custom.xml").decode()


@pytest.mark.parametrize(("folder", "name"), [("word", "docx"), ("xl", "xlsx"), ("ppt", "pptx")])
def test_documents_are_told_by_their_main_part(folder, name):
    assert container.sniff(document(folder=folder)).name == name


def test_exiftool_reads_the_property(tmp_path):
    (tmp_path / "a.docx").write_bytes(metadata.write(DOCUMENTS["plain"], LABEL))
    shown = files.tool("exiftool", "-b", "-AIGC", "-Warning", str(tmp_path / "a.docx"))
    if "Archive::Zip" in shown:
        pytest.skip("exiftool reads no archives without Archive::Zip")
    assert shown == LABEL.to_json()


def wide(data: bytes, *, rows: bool = True) -> bytes:
    """The archive in zip64 form: its end record, and the places and lengths in its directory where `rows`."""
    at = data.rindex(b"PK\5\6")
    count, length, start = struct.unpack("<10xHII", data[at:at + 20])
    directory, made = data[start:start + length], b""
    while directory:
        names, extras, comments = struct.unpack("<28xHHH", directory[:34])
        row, directory = directory[:46 + names + extras + comments], directory[46 + names + extras + comments:]
        if rows:
            packed, size, place = struct.unpack("<20xII14xI", row[:46])
            extra = struct.pack("<HHHHQQQ", 0x7855, 0, 1, 24, size, packed, place)
            row = (row[:20] + b"\xff" * 8 + row[28:30] + struct.pack("<H", len(extra)) + row[32:42] + b"\xff" * 4
                   + row[46:46 + names] + extra + row[46 + names + extras:])
        made += row
    end = struct.pack("<4sQHHIIQQQQ4sIQI", b"PK\6\6", 44, 45, 45, 0, 0, count, count, len(made), start, b"PK\6\7", 0,
                      start + len(made), 1)
    return data[:start] + made + end + b"PK\5\6" + bytes(4) + b"\xff" * 12 + data[at + 20:]


@pytest.mark.parametrize("rows", [True, False])
@pytest.mark.parametrize("name", DOCUMENTS)
def test_archives_in_zip64_form_keep_it(name, rows):
    host = wide(DOCUMENTS[name], rows=rows)
    assert [opened(host).read(one) for one in opened(host).namelist()]
    out = metadata.write(host, LABEL)
    assert one_label(out) and metadata.write(out, LABEL) == out
    assert b"PK\6\6" in out and out.endswith(opened(host).comment)
    before, after = opened(host), opened(out)
    assert after.testzip() is None
    for one in set(before.namelist()) - {"docProps/custom.xml", "[Content_Types].xml", "_rels/.rels"}:
        assert after.read(one) == before.read(one)
    assert ElementTree.fromstring(after.read("docProps/custom.xml")) is not None


@pytest.mark.parametrize("broken", [b"PK\6\6", b"PK\6\7"])
def test_a_broken_zip64_end_is_refused(broken):
    with pytest.raises(MalformedFile):
        metadata.write(wide(document()).replace(broken, b"PK\6\0"), LABEL)


@pytest.mark.parametrize("grows", [False, True])
def test_a_document_past_4_gb_is_written_by_seeking(grows, tmp_path):
    """Its media are a hole; where it `grows`, it has no zip64 form before."""
    plain, path = document(more={"word/media/film.bin": b"x"}), tmp_path / "a.docx"
    cut = opened(plain).getinfo("picture.png").header_offset
    at = plain.rindex(b"PK\5\6")
    count, length, start = struct.unpack("<10xHII", plain[at:at + 20])
    hole = (1 << 32) - 300 - start if grows else 5 << 30
    directory = plain[start:start + length]
    row = directory.rindex(b"PK\1\2")
    if grows:
        directory = directory[:row + 42] + struct.pack("<I", cut + hole) + directory[row + 46:]
        end = plain[at:at + 16] + struct.pack("<I", start + hole) + plain[at + 20:]
    else:
        extra = struct.pack("<HHQ", 1, 8, cut + hole)
        names = len("picture.png")
        directory = (directory[:row + 30] + struct.pack("<H", 12) + directory[row + 32:row + 42] + b"\xff" * 4
                     + directory[row + 46:row + 46 + names] + extra)
        end = struct.pack("<4sQHHIIQQQQ4sIQI", b"PK\6\6", 44, 45, 45, 0, 0, count, count, len(directory), start + hole,
                          b"PK\6\7", 0, start + hole + len(directory), 1) + plain[at:at + 12] + b"\xff" * 8 + b"\0\0"
    with open(path, "wb") as file:
        file.write(plain[:cut])
        file.seek(hole, io.SEEK_CUR)
        file.write(plain[cut:start] + directory + end)
    metadata.write_file(path, path, LABEL)
    assert metadata.read(path).label == LABEL and path.stat().st_size > 1 << 32
    with zipfile.ZipFile(path) as archive:
        assert archive.read("picture.png") == files.picture("PNG")
        assert LABEL.produce_id in archive.read("docProps/custom.xml").decode()
        assert archive.getinfo("docProps/custom.xml").header_offset > (1 << 32 if not grows else 0)
    metadata.write_file(path, path, OTHER)
    assert metadata.read(path).label == OTHER


def test_another_archive_is_no_document():
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w") as archive:
        archive.writestr("a.txt", "x")
    with pytest.raises(UnsupportedFormat):
        container.sniff(out.getvalue())


def test_a_signed_document_is_not_broken():
    with pytest.raises(UnsupportedFormat, match="signed"):
        metadata.write(document(more={"_xmlsignatures/sig1.xml": "<a/>"}), LABEL)


def test_a_member_that_unpacks_without_end_is_bounded():
    with pytest.raises(LimitExceeded):
        metadata.read(document("<a>" + " " * (20 << 20) + "</a>"))


def test_entities_in_a_document_are_refused():
    with pytest.raises(MalformedFile):
        metadata.read(document('<!DOCTYPE a [<!ENTITY b "c">]><a>&b;</a>'))


def test_a_row_that_the_directory_cuts_off_is_refused():
    """Found by fuzzing."""
    data = document()
    end = data.rindex(b"PK\5\6")
    count, length = struct.unpack("<10xHI", data[end:end + 16])
    counted = data[end:end + 8] + struct.pack("<HHI", count + 1, count + 1, length + 6) + data[end + 16:]
    for cut in (b"PK\1\2\0\0", b"PK\1\2" + bytes(40)):
        longer = counted[:12] + struct.pack("<I", length + len(cut)) + counted[16:]
        with pytest.raises(MalformedFile, match="a row of it is broken"):
            metadata.inspect(data[:end] + cut + longer)
    assert metadata.read(data).label is None


@pytest.mark.parametrize("data", [document()[:-30], document()[:200], document().replace(b"PK\1\2", b"PK\1\3", 1),
                                  document(CUSTOM.format("")).replace(b"docProps/custom.xml", b"[Content_Types].xml")])
def test_broken_archives_are_refused(data):
    with pytest.raises((MalformedFile, UnsupportedFormat)):
        metadata.write(data, LABEL)


# HTML

QUOTED = html.escape(OTHER.to_json())
PAGES = {
    "plain": '<!DOCTYPE html><html><head><meta charset="utf-8"><title>t</title></head><body>x</body></html>',
    "no head": "<!doctype html><p>x",
    "only html": "<html lang=zh><body>x</body></html>",
    "xhtml": '<?xml version="1.0"?><!-- a --><!DOCTYPE html><html xmlns="x"><head><title>t</title></head></html>',
    "mark": "\ufeff<!DOCTYPE html><html><head></head></html>",
    "label": f'<!DOCTYPE html><head><meta name="AIGC" content="{QUOTED}"><title>t</title></head>',
    "single quotes": f"<!DOCTYPE html><head><META content='{OTHER.to_json()}' NAME=aigc /><title>t</title></head>",
    "two labels": f'<!DOCTYPE html><head><meta name="AIGC" content="{QUOTED}"><title>t</title><meta name="AIGC" content'
                  f'="{QUOTED}"></head>',
    "label in a script": f"<!DOCTYPE html><head><script>'<meta name=\"AIGC\" content=\"{QUOTED}\">'</script></head>",
    "label in a comment": f'<!DOCTYPE html><head><!-- <meta name="AIGC" content="{QUOTED}"> --></head>',
}


class Metas(html.parser.HTMLParser):
    """The named meta elements as the standard library's parser sees them."""

    def __init__(self, page: str) -> None:
        super().__init__()
        self.found: list[tuple[str, str]] = []
        self.feed(page)

    def handle_starttag(self, tag: str, attrs: list) -> None:
        if tag == "meta" and dict(attrs).get("name"):
            self.found.append((dict(attrs)["name"].upper(), dict(attrs)["content"]))

    handle_startendtag = handle_starttag


@pytest.mark.parametrize("name", PAGES)
def test_html_has_one_label_in_front_and_the_rest_as_it_was(name):
    page = PAGES[name]
    out = metadata.write(page.encode(), LABEL)
    assert one_label(out) and metadata.write(out, LABEL) == out
    assert Metas(out.decode()).found == [("AIGC", LABEL.to_json())]
    rest = out.decode()
    start = rest.index('<meta name="AIGC" content=\'')
    rest = rest[:start] + rest[rest.index("/>", start) + 2:]
    for old in (f'<meta name="AIGC" content="{QUOTED}">', f"<META content='{OTHER.to_json()}' NAME=aigc />"):
        page = page.replace(old, "") if "script" not in name and "comment" not in name else page
    assert rest == page


@pytest.mark.parametrize("name", ["label", "single quotes", "two labels"])
def test_a_label_of_others_in_html_is_read(name):
    assert metadata.read(PAGES[name].encode()).label == OTHER


@pytest.mark.parametrize("name", ["plain", "label in a script", "label in a comment"])
def test_html_that_only_mentions_a_label_has_none(name):
    assert metadata.read(PAGES[name].encode()).status is Status.ABSENT


def test_a_generator_named_in_html_is_a_trace():
    page = b'<!DOCTYPE html><head><meta name="generator" content="ChatGPT"></head>'
    assert [found["value"] for found in metadata.read(page).evidence["traces"]] == ["ChatGPT"]


@pytest.mark.parametrize("page", [b"<p>x</p>", b"text", b"<!doctype svg>", b"<" * 9000, b"<!--" * 4000, b"<?x" * 4000,
                                  b"<!---->" * 2000])
def test_what_is_no_html_is_refused(page):
    with pytest.raises(UnsupportedFormat):
        container.sniff(page)


# Markdown

def front(*lines: str) -> str:
    return "---\n" + "".join(line + "\n" for line in lines) + "---\n"


BLOCK = ["AIGC:", *(f"    {name}: '{value}'" for name, value in reversed(OTHER.fields().items()))]
TEXT = "\n# 标题\n\n---\n\ntext: 'x'\n"
NOTES = {
    "front matter": front("title: 山", "tags: [a, b]") + TEXT,
    "block": front(*BLOCK) + TEXT,
    "one line": front("AIGC: " + OTHER.to_json()) + TEXT,
    "quoted line": front("AIGC: '" + OTHER.to_json(wrapped=True) + "'") + TEXT,
    "folded": front("AIGC: |", "  " + OTHER.to_json()) + TEXT,
    "among others": front("title: 山", *BLOCK, "tags: [a, b]") + TEXT,
    "stacked": front(*BLOCK) + "\n" + front(*BLOCK) + front("AIGC: " + OTHER.to_json()) + TEXT,
    "mark": "\ufeff" + front(*BLOCK) + TEXT,
    "dots": "---\n" + "\n".join(BLOCK) + "\n...\n" + TEXT,
}
LABELLED_NOTES = [name for name in NOTES if name != "front matter"]


@pytest.mark.parametrize("name", NOTES)
@pytest.mark.parametrize("line_end", ["\n", "\r\n"])
def test_markdown_has_one_label_and_its_text_stays(name, line_end):
    note = NOTES[name].replace("\n", line_end)
    out = metadata.write(note.encode(), LABEL)
    assert one_label(out) and metadata.write(out, LABEL) == out
    assert out.decode().endswith(TEXT.replace("\n", line_end))
    assert OTHER.produce_id.encode() not in out
    for kept in ("title: 山" + line_end, "tags: [a, b]" + line_end):
        assert (kept in out.decode()) == (kept in note)
    assert out.decode().replace("\r\n", "").count("\n") == (0 if line_end == "\r\n" else out.count(b"\n"))


@pytest.mark.parametrize("name", LABELLED_NOTES)
def test_a_label_of_others_in_markdown_is_read(name):
    assert metadata.read(NOTES[name].encode()).label == OTHER


def test_the_label_stands_in_front_matter_as_the_guide_shows_it():
    out = metadata.write(NOTES["front matter"].encode(), LABEL).decode()
    lines = out.splitlines()
    assert lines[:2] == ["---", "AIGC:"]
    assert [line.split(":")[0].strip() for line in lines[2:9]] == list(FIELDS)
    assert lines[2] == "  Label: '1'"


def test_quotes_and_signed_data_survive_the_way_through_yaml():
    label = Label(Kind.GENERATED, "it's", "2", json.dumps({"SecurityData": "it's"}, separators=(",", ":")))
    assert metadata.read(metadata.write(NOTES["block"].encode(), label)).label == label


def test_text_is_markdown_where_its_name_says_so(tmp_path):
    for name, works in (("a.md", True), ("a.MARKDOWN", True), ("a.txt", False), ("a", False)):
        path = tmp_path / name
        path.write_text("# plain text, 文字\n", "utf-8")
        if works:
            metadata.write_file(path, path, LABEL)
            assert metadata.read(path).label == LABEL and path.read_text("utf-8").endswith("\n\n# plain text, 文字\n")
        else:
            with pytest.raises(UnsupportedFormat):
                metadata.write_file(path, path, LABEL)


@pytest.mark.parametrize("note", [b"---\nnot closed\n", b"---\n\0\n---\n", b"---\n\xff\xfe\n---\n",
                                  b"text\n---\nx\n---\n"])
def test_text_without_front_matter_is_not_told(note):
    with pytest.raises(UnsupportedFormat):
        container.sniff(note)


@pytest.mark.parametrize("first", ["  title: x", "\n\tContentPropagator: '1'", " \r\n  Label: '2'"])
def test_front_matter_that_would_run_into_the_label_is_refused(first):
    with pytest.raises(MalformedFile, match="indented"):
        metadata.write(front(first, "tags: x").encode(), LABEL)
    assert one_label(metadata.write(front("tags: x", first).encode(), LABEL))


def test_a_rule_behind_front_matter_is_text():
    note = front("title: x") + front("text: y")
    out = metadata.write(note.encode(), LABEL).decode()
    assert out.endswith(front("text: y"))
