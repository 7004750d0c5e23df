# SPDX-License-Identifier: Apache-2.0
"""The explicit label in PDF: text drawn on a page in an update, read back by PDFium and by other hands."""

import io
import re
import subprocess
import zlib

import numpy as np
import pytest
from PIL import Image, ImageFont

import labelkit as lk
from labelkit.codec import text as texts
from labelkit.codec.text import pdfium
from labelkit.errors import HostTooSmall, LabelkitError, LimitExceeded, MalformedFile, UnsupportedFormat
from labelkit.explicit.image import raster
from labelkit.languages import LANGUAGES
from tests import files
from tests.explicit.test_office import LABEL, explicit

HELVETICA = b"<< /Type /Font /Subtype /Type1 /BaseFont /Helvetica /Encoding /WinAnsiEncoding >>"
A4 = b"/MediaBox [0 0 595 842]"


def document(objects: dict[int, bytes], *, trailer: bytes = b"") -> bytes:
    """A file of these objects; 1 is the catalogue."""
    out, rows = bytearray(b"%PDF-1.7\n"), [b"0000000000 65535 f\r\n"]
    size = max(objects) + 1
    for number in range(1, size):
        if number in objects:
            rows.append(b"%010d 00000 n\r\n" % len(out))
            out += b"%d 0 obj\n%s\nendobj\n" % (number, objects[number])
        else:
            rows.append(b"0000000000 00000 f\r\n")
    start = len(out)
    out += b"xref\n0 %d\n" % size + b"".join(rows)
    return bytes(out + b"trailer\n<< /Size %d /Root 1 0 R %s >>\nstartxref\n%d\n%%%%EOF\n" % (size, trailer, start))


def stream(data: bytes, entries: bytes = b"") -> bytes:
    return b"<< /Length %d %s >>\nstream\n%s\nendstream" % (len(data), entries, data)


def lines(*rows: str, size: float = 12, left: float = 72, top: float = 700) -> bytes:
    """Text of a page, a line below the other."""
    return b"BT /F1 %g Tf %g %g Td %g TL\n" % (size, left, top, 1.3 * size) + b"".join(
        b"(%s) Tj T*\n" % row.replace("(", "").replace(")", "").encode("cp1252") for row in rows) + b"ET\n"


BODY = [f"Line {one} of a report about sales in the third quarter of the year." for one in range(12)]


def pages(*contents: bytes, page: bytes = A4, catalogue: bytes = b"", more: dict[int, bytes] | None = None) -> bytes:
    """Pages of such contents; their resources are inherited."""
    kids = b" ".join(b"%d 0 R" % (10 + 2 * one) for one in range(len(contents)))
    objects = {1: b"<< /Type /Catalog /Pages 2 0 R %s >>" % catalogue, 3: HELVETICA,
               2: b"<< /Type /Pages /Kids [%s] /Count %d /Resources << /Font << /F1 3 0 R >> >> >>" % (
                   kids, len(contents))}
    for at, content in enumerate(contents):
        objects[10 + 2 * at] = b"<< /Type /Page /Parent 2 0 R %s /Contents %d 0 R >>" % (page, 11 + 2 * at)
        objects[11 + 2 * at] = stream(content)
    return document({**objects, **(more or {})})


def tagged(parents: bytes, more: dict[int, bytes] | None = None, *, root: bytes = b"/K [31 0 R]",
           page: bytes = b"/StructParents 0") -> bytes:
    content = b"/P << /MCID 0 >> BDC\n" + lines(*BODY) + b"EMC\n"
    return pages(content, page=A4 + page, catalogue=b"/MarkInfo << /Marked true >> /StructTreeRoot 30 0 R", more={
        30: b"<< /Type /StructTreeRoot %s /ParentTree 33 0 R >>" % root,
        31: b"<< /Type /StructElem /S /Document /P 30 0 R /K 32 0 R >>",
        32: b"<< /Type /StructElem /S /P /P 31 0 R /Pg 10 0 R /K 0 >>", 33: parents, **(more or {})})


def labelled(data: bytes, **explicit: str) -> bytes:
    return lk.embed(data, label=LABEL, plan=lk.Plan(explicit=lk.Explicit(**explicit)))


def read_by_others(data: bytes, tmp_path, *options: str) -> list[str]:
    """The lines that poppler finds, after qpdf had no complaint."""
    (tmp_path / "a.pdf").write_bytes(data)
    checked = files.tool("qpdf", "--check", str(tmp_path / "a.pdf"))
    assert "No syntax or stream encoding errors" in checked
    text = files.tool("pdftotext", *options, str(tmp_path / "a.pdf"), "-")
    return [" ".join(line.split()) for line in re.split(r"[\n\f]", text) if line.strip()]


def scan() -> bytes:
    out = io.BytesIO()
    Image.new("RGB", (300, 400), (40, 60, 90)).save(out, "PDF")
    return out.getvalue()


KINDS = {"plain": pages(lines(*BODY)), "scan": scan(), "pages": pages(*[lines(*BODY)] * 3),
         "unbalanced": pages(b"q 0.1 0 0 0.1 300 300 cm q\n" + lines(*BODY)),
         **{f"turned {turn}": pages(lines(*BODY), page=b"/MediaBox [10 20 610 420] /CropBox [20 40 620 410] /Rotate %d"
                                    % turn) for turn in (90, -90)},
         "tagged": tagged(b"<< /Nums [0 [32 0 R]] >>"),
         "tagged deep": tagged(b"<< /Kids [34 0 R] >>", {34: b"<< /Limits [0 0] /Nums [0 35 0 R] >>", 35: b"[32 0 R]"}),
         "tagged without a number": tagged(b"<< /Kids [34 0 R] >>", {34: b"<< /Limits [5 5] /Nums [5 32 0 R] >>"},
                                           page=b"")}


@pytest.mark.parametrize(("kind", "style", "shown"), [*((kind, "text", "AI生成") for kind in KINDS),
                                                       ("plain", "icon", "AI"), ("tagged", "icon", "AI")])
def test_the_label_is_drawn_in_an_update_and_read_by_others(kind, style, shown, tmp_path):
    before = KINDS[kind]
    after = labelled(before, style=style)
    assert after.startswith(before)
    found = explicit(after)
    assert found.status is lk.Status.VALID and found.evidence.place == "start" and found.evidence.text == shown
    if kind in ("plain", "tagged"):
        assert explicit(before).status is lk.Status.ABSENT
        assert labelled(after, style=style) == after, "it stands there already"
    one, other = read_by_others(before, tmp_path), read_by_others(after, tmp_path)
    assert shown in other and sorted(other) == sorted([*one, shown])


def picture(data: bytes, number: int = 0) -> np.ndarray:
    return next(pdfium.look(data, "x", [number])).pixels.astype(int)


@pytest.mark.parametrize("turn", [0, 90, 180, 270])
def test_the_label_is_upright_at_the_top_whichever_way_the_page_is_turned(turn, tmp_path):
    before = pages(b"", page=b"/MediaBox [10 20 610 420] /Rotate %d" % turn)
    blank, after = picture(before), labelled(before)
    changed = np.argwhere(blank - picture(after) > 60)
    height, width = blank.shape
    (top, left), (bottom, right) = changed.min(0), changed.max(0)
    assert bottom < 0.15 * height and left > 0.7 * width, "at the top right"
    assert 2 < (right - left) / (bottom - top) < 5, "a line that runs from left to right"
    assert read_by_others(after, tmp_path, "-layout") == ["AI生成"]


def test_places_and_what_there_is_no_room_for(tmp_path):
    three = KINDS["pages"]
    for place in ("middle", "end", "both"):
        after = labelled(three, place=place)
        (tmp_path / "a.pdf").write_bytes(after)
        shown = files.tool("pdftotext", str(tmp_path / "a.pdf"), "-").split("\f")
        assert ["AI生成" in one for one in shown[:3]] == [place == "both", place == "middle", place in ("end", "both")]
        assert explicit(after).evidence.place == {"both": "start"}.get(place, place)
    assert labelled(after, place="end") == after
    with pytest.raises(HostTooSmall, match="three pages"):
        labelled(KINDS["plain"], place="middle")
    with pytest.raises(HostTooSmall, match="no room"):
        labelled(pages(lines("x"), page=b"/MediaBox [0 0 20 20]"))
    with pytest.raises(UnsupportedFormat, match="tagged"):
        labelled(pages(*[b""] * 3, catalogue=b"/StructTreeRoot 30 0 R", more={30: b"<< /K [] /ParentTree 31 0 R >>"}),
                 place="middle")


def test_the_label_keeps_clear_of_what_is_there():
    """At the top right where that is blank, else to the left, and on a ground of its own where nothing is."""
    right = b"0 g 400 780 180 50 re f\n"
    for content, side in ((lines(*BODY), "right"), (lines(*BODY) + right, "left")):
        before = picture(pages(content))
        changed = np.argwhere(before - picture(labelled(pages(content))) > 60)
        assert (changed[:, 1].min() > before.shape[1] / 2) == (side == "right")
        assert before[tuple(changed.T)].min() > 235, "only paper is written on"
    dark = pages(b"0.2 0.1 0.3 rg 0 0 595 842 re f\n")
    after = picture(labelled(dark))
    top = after[:60]
    assert (top > 250).sum() > 300 and (top < 30).sum() > 30, "dark letters on a light ground"


def test_the_tag_is_a_paragraph_before_all_others(tmp_path):
    for kind in ("tagged deep", "tagged without a number"):
        (tmp_path / "a.pdf").write_bytes(labelled(KINDS[kind], place="both"))
        shown = files.tool("pdfinfo", "-struct-text", str(tmp_path / "a.pdf"))
        assert [one[:6].strip() for one in re.findall(r'"(.*)"', shown)] == ["AI生成", "Line 0", "AI生成"]


@pytest.fixture(scope="module")
def printed(tmp_path_factory) -> bytes:
    """What a browser prints: tagged, compressed, fonts of its own."""
    folder = tmp_path_factory.mktemp("printed")
    (folder / "a.html").write_text("<html lang=en><title>t</title><h1>Report</h1><p>Sales grew by a tenth.</p>"
                                   "<p style='page-break-before: always'>The second page.</p></html>")
    subprocess.run(["chromium", "--headless", "--no-sandbox", "--disable-gpu", "--no-pdf-header-footer",
                    f"--print-to-pdf={folder}/a.pdf", f"{folder}/a.html"], check=True, capture_output=True, timeout=60)
    return (folder / "a.pdf").read_bytes()


def test_what_a_browser_prints(printed, tmp_path):
    after = labelled(printed, place="both")
    assert explicit(printed).status is lk.Status.ABSENT and explicit(after).status is lk.Status.VALID
    assert read_by_others(after, tmp_path).count("AI生成") == 2
    shown = files.tool("pdfinfo", "-struct-text", str(tmp_path / "a.pdf"))
    assert re.findall(r'"(.*)"', shown) == ["AI生成", "Report", "Sales grew by a tenth.", "The second page.", "AI生成"]
    packed = tmp_path / "packed.pdf"
    files.tool("qpdf", "--object-streams=generate", str(tmp_path / "a.pdf"), str(packed))
    assert explicit(packed.read_bytes()).status is lk.Status.VALID, "whoever wrote the file"
    (tmp_path / "b.pdf").write_bytes(printed)
    files.tool("qpdf", "--object-streams=generate", str(tmp_path / "b.pdf"), str(packed))
    assert read_by_others(labelled(packed.read_bytes()), tmp_path).count("AI生成") == 1


LABELLED = [
    pages(lines("AI-generated", top=800) + lines(*BODY)), pages(lines(*BODY) + lines("[AI]", top=30, left=500)),
    pages(lines(*BODY), lines("AI generated", size=9, top=20, left=40) + lines(*BODY), lines(*BODY)),
    pages(lines("This article was written with the help of", "artificial intelligence.", *BODY)),
    pages(lines("Report", top=800) + lines("AI-generated", top=800, left=480) + lines(*BODY)),
    pages(lines(*BODY), page=A4 + b" /Annots [<< /Subtype /FreeText /Rect [400 800 590 830] /DA (/Helv 9 Tf) /F 4 "
          b"/Contents (AI-generated) >>]")]
PLAIN = [
    pages(lines("How AI-generated content changes painting", *BODY)),
    pages(lines("AI-generated", size=30) + lines(*BODY)),
    pages(lines(*BODY) + b"3 Tr\n" + lines("AI-generated", top=30)), pages(lines(*BODY, "1. AI-generated", *BODY)),
    pages(lines(*BODY) + lines("AI-generated", size=1, top=30)), pages(lines(*BODY) + lines("AI-generated", top=-90)),
    pages(lines("Not AI-generated", top=800) + lines(*BODY)),
    pages(lines(*BODY), page=A4 + b" /Annots [<< /Subtype /FreeText /Rect [400 800 590 830] /DA (/Helv 9 Tf) /F 2 "
          b"/Contents (AI-generated) >>]")]


@pytest.mark.parametrize("at", range(len(LABELLED)))
def test_labels_of_other_hands_are_found(at):
    assert explicit(LABELLED[at]).status is lk.Status.VALID


@pytest.mark.parametrize("at", range(len(PLAIN)))
def test_what_is_no_label_is_none(at):
    assert explicit(PLAIN[at]).status is lk.Status.ABSENT


def test_signed_and_encrypted_documents_are_refused():
    form = b"/AcroForm << /Fields [<< /FT /Sig /T (s) %s >>] /SigFlags 3 >>"
    with pytest.raises(UnsupportedFormat, match="signed"):
        labelled(pages(lines("x"), catalogue=form % b"/V << /Type /Sig >>"))
    assert explicit(labelled(pages(lines("x"), catalogue=form % b""))).status is lk.Status.VALID, "not signed yet"
    with pytest.raises(UnsupportedFormat, match="signed"):
        labelled(pages(lines("x"), catalogue=b"/Perms << /DocMDP << >> >>"))
    locked = KINDS["plain"].replace(b"/Root 1 0 R", b"/Root 1 0 R /Encrypt 99 0 R")
    with pytest.raises(LabelkitError):
        labelled(locked)


def test_a_font_of_ones_own(tmp_path):
    font = tmp_path / "a.ttf"
    font.write_bytes(ImageFont.load_default(20).path.getvalue())  # Pillow's own
    after = labelled(KINDS["plain"], words="eu-generated", font=str(font))
    assert "AI GENERATED" in read_by_others(after, tmp_path)
    assert "TrueType" in files.tool("pdffonts", str(tmp_path / "a.pdf"))


def test_without_pdfium_the_layer_is_not_looked_at(monkeypatch):
    monkeypatch.setattr("labelkit.codec.text.pdfium.find_spec", lambda name: None)
    found = explicit(KINDS["plain"])
    assert found.status is lk.Status.UNCHECKED and "cannot be looked at" in str(found.summary)
    with pytest.raises(UnsupportedFormat) as error:
        labelled(KINDS["plain"])
    assert 'pip install "aigc-labelkit[pdf]"' in str(error.value.hint)


def test_hostile_documents_end_in_bounded_time_and_memory(monkeypatch):
    """Text that unpacks to gigabytes, and pages that draw each other: the process ends, and says why."""
    packer = zlib.compressobj(9)
    packed = b"".join(packer.compress(b"BT /F1 9 Tf (AAAA) Tj ET\n" * 40_000) for _ in range(200)) + packer.flush()
    bomb = pages(b"").replace(stream(b""), stream(packed, b"/Filter /FlateDecode"))
    form = b"/Type /XObject /Subtype /Form /BBox [0 0 9 9] /Resources << /XObject << /X %d 0 R >> >>"
    forms = {40 + one: stream(b"/X Do " * 30, form % (41 + one)) for one in range(20)}
    more = {**forms, 60: stream(b"BT /F1 9 Tf (AAAA) Tj ET", form % 60)}
    loops = pages(b"/X Do", page=A4 + b" /Resources << /XObject << /X 40 0 R >> >>", more=more)
    monkeypatch.setattr(pdfium, "LIMITS", (256, 1))
    for data in (remade(bomb), loops):
        with pytest.raises(LimitExceeded, match="came to an end"):
            texts.decode(data, "pdf", "x")


def drawn_again(*times: int) -> bytes:
    """Pages that are one picture, drawn so many times on each."""
    picture = stream(zlib.compress(bytes(2000 * 2000), 9), b"/Subtype /Image /Width 2000 /Height 2000 "
                     b"/ColorSpace /DeviceGray /BitsPerComponent 8 /Filter /FlateDecode")
    kids = b" ".join(b"%d 0 R" % (10 + 2 * one) for one in range(len(times)))
    objects = {1: b"<< /Type /Catalog /Pages 2 0 R >>", 3: picture,
               2: b"<< /Type /Pages /Count %d /Kids [%s] >>" % (len(times), kids)}
    for one, count in enumerate(times):
        objects |= {10 + 2 * one: b"<< /Type /Page /Parent 2 0 R /MediaBox [0 0 595 842] /Contents %d 0 R "
                                  b"/Resources << /XObject << /I 3 0 R >> >> >>" % (11 + 2 * one),
                    11 + 2 * one: stream(b"q 595 0 0 842 0 0 cm /I Do Q " * count)}
    return document(objects)


def test_pages_that_take_too_long_to_look_at_end_those_before_them(monkeypatch):
    """All scans of a document share what is left of its time; what was seen in time counts."""
    monkeypatch.setattr(pdfium, "LIMITS", (2048, 1))
    assert len(list(texts.decode(drawn_again(1, 1), "pdf", "x").pictures())) == 2
    seen = texts.decode(drawn_again(1, 1000, 1), "pdf", "x").pictures()
    assert next(seen).shape == (1000, 707)
    with pytest.raises(LimitExceeded, match="came to an end"):
        next(seen)
    found = lk.verify(drawn_again(1, 1000), layers=[lk.Layer.EXPLICIT, lk.Layer.METADATA])
    assert found[lk.Layer.EXPLICIT].status is lk.Status.UNCHECKED


def remade(data: bytes) -> bytes:
    """The file with the places of its objects told anew."""
    objects = {int(one[1]): one[2] for one in re.finditer(rb"(\d+) 0 obj\n(.*?)\nendobj\n", data, re.DOTALL)}
    return document(objects)


def test_broken_documents_raise_nothing_else():
    data = tagged(b"<< /Nums [0 [32 0 R]] >>")
    for old, new in ((b"/Nums [0 [32 0 R]]", b"/Nums [0 32 0 R]"), (b"/ParentTree 33 0 R", b"/ParentTree 99 0 R"),
                     (b"/Kids [10 0 R]", b"/Kids [99 0 R]"), (b"/Pages 2 0 R", b"/Pages 9 0 R")):
        with pytest.raises((MalformedFile, LimitExceeded)):
            labelled(data.replace(old, new))
    for cut in range(9, len(data), 900):
        for broken in (data[:cut], data[:cut] + b"\xff\0<<" + data[cut + 4:]):
            try:
                labelled(broken)
            except LabelkitError:
                pass


def scanned(pixels: np.ndarray, *, pages_before: int = 0, margin: int = 60) -> bytes:
    """A PDF as scanners and Pillow make it: pages that are pictures, with paper around them."""
    paper = np.full((pixels.shape[0] + 2 * margin, pixels.shape[1] + 2 * margin), 255, np.uint8)
    paper[margin:-margin, margin:-margin] = pixels
    sheets = [Image.new("L", (600, 800), 200) for _ in range(pages_before)]
    out = io.BytesIO()
    first, *others = [*sheets, Image.fromarray(paper)]
    first.save(out, "PDF", save_all=True, append_images=others)
    return out.getvalue()


@pytest.mark.parametrize("language, before", [("zh", 9), ("de", 0), ("ar", 1)])
def test_a_label_in_a_scanned_page_is_found(language, before):
    plain = np.random.default_rng(1).integers(90, 130, (700, 900), np.uint8)
    drawn = np.asarray(lk.embed(Image.fromarray(np.dstack([plain] * 3)), label=LABEL, plan=lk.Plan(
        explicit=lk.Explicit(language=language), watermark=None, metadata=False)).convert("L"))
    finding = explicit(scanned(drawn, pages_before=before))
    assert finding.status is lk.Status.VALID and finding.evidence.language == (None if language == "zh" else language)
    assert explicit(scanned(plain, pages_before=before)).status is lk.Status.ABSENT


@pytest.mark.parametrize("language", ["ar", "he", "hi", "th"])
def test_words_that_must_be_shaped_are_seen_as_such_and_read_as_the_words(language, tmp_path):
    words = LANGUAGES[language].text
    before = pages(lines(*BODY)) if language != "hi" else KINDS["tagged"]
    after = labelled(before, language=language)
    assert after.startswith(before) and labelled(after, language=language) == after
    found = explicit(after)
    assert found.evidence.text == words and found.evidence.language == language
    assert explicit(labelled(before)).evidence.language is None
    said = next(line for line in read_by_others(after, tmp_path) if not line.isascii())
    assert sorted(re.sub(r"[\u202a-\u202e\s]", "", said)) == sorted(words.replace(" ", ""))
    files.tool("pdftoppm", "-r", "250", "-H", "240", "-gray", "-singlefile", str(tmp_path / "a.pdf"),
               str(tmp_path / "a"))
    part = np.asarray(Image.open(tmp_path / "a.pgm"))
    rows, columns = (np.flatnonzero((part < 128).any(axis=axis)) for axis in (1, 0))
    seen = 255 - part[rows[0]:rows[-1] + 1, columns[0]:columns[-1] + 1]
    ink = raster.render((words,), 60, "text", None).ink
    rows, columns = (np.flatnonzero((ink > 127).any(axis=axis)) for axis in (1, 0))
    ink = np.asarray(Image.fromarray(ink[rows[0]:rows[-1] + 1, columns[0]:columns[-1] + 1]).resize(seen.shape[::-1]))
    assert np.corrcoef(seen.ravel(), ink.ravel())[0, 1] > 0.85 > np.corrcoef(seen[:, ::-1].ravel(), ink.ravel())[0, 1]


def test_what_is_not_read_of_a_long_document_is_said(monkeypatch):
    """Its outer pages are read; a label between them may have been missed, one on them has not."""
    hidden = pages(*[lines(*BODY)] * 4, lines("AI-generated", top=800) + lines(*BODY), *[lines(*BODY)] * 4)
    last = pages(*[lines(*BODY)] * 8, lines(*BODY) + lines("[AI]", top=30, left=500))
    for name, most in (("_MAX_PAGES", 6), ("_MAX_CHARACTERS", 6 * len("".join(BODY)) - 99), ("_MAX_PAGES", 1000)):
        with monkeypatch.context() as patch:
            patch.setattr(pdfium, name, most)
            report = lk.verify(hidden, layers=[lk.Layer.EXPLICIT, lk.Layer.METADATA])
            at_the_end, plain = explicit(last), explicit(pages(lines(*BODY)))
        assert at_the_end.status is lk.Status.VALID and (plain.status, plain.missed) == (lk.Status.ABSENT, ())
        if most == 1000:
            assert report[lk.Layer.EXPLICIT].status is lk.Status.VALID and not report[lk.Layer.EXPLICIT].missed
            continue
        assert report.verdict is lk.Verdict.UNDETERMINED
        assert [str(what) for what in report[lk.Layer.EXPLICIT].missed] == ["of 9 pages, 6 were read"]


def test_scanned_pages_that_are_not_looked_at_are_said():
    plain = np.full((60, 80), 120, np.uint8)
    for count, said in ((6, []), (8, ["of 8 pages that are pictures, 6 were looked at"])):
        found = explicit(scanned(plain, pages_before=count - 1))
        assert (found.status, [str(what) for what in found.missed]) == (lk.Status.ABSENT, said)


def test_a_document_takes_its_seconds_in_all_and_no_more(monkeypatch):
    """Reading it and looking at it share them: what is left is less than a process takes to start."""
    data = drawn_again(1)
    assert len(list(pdfium.look(data, "x", [0], 1.0))) == 1
    with pytest.raises(LimitExceeded, match="came to an end"):
        list(pdfium.look(data, "x", [0], 0.1))
    monkeypatch.setattr(pdfium, "LIMITS", (2048, 0.05))  # of computing: it takes more to start
    with pytest.raises(LimitExceeded, match="came to an end"):
        pdfium.pages(data, "x")
