# SPDX-License-Identifier: Apache-2.0
"""The HTML page: nothing from a file becomes markup, nothing is loaded, both languages and every picture have words."""

from __future__ import annotations

import base64
import hashlib
import io
import json
import math
import re
import shutil
import subprocess
from html.parser import HTMLParser
from pathlib import Path

import numpy as np
import pytest
from fontTools.ttLib import TTFont
from PIL import Image

import labelkit
from labelkit.compliance import Outcome, Result
from labelkit.evidence import Json, LabelCarrier, ManifestEvidence, MetadataEvidence
from labelkit.explicit.rules import contrast
from labelkit.label import Kind, Label
from labelkit.messages import Message
from labelkit.page import demo, markup, render
from labelkit.page.image_preview import AMPLIFIED, ImagePreview
from labelkit.page.render import Exhibit, page, report_page
from labelkit.report import Finding, Layer, Report, Status
from tests.page import chromium

HOSTILE = '</dd></main><script>alert(1)</script><img src=x onerror="alert(2)"> \' " & \u202e \x1b[2J \udc80'


class Reader(HTMLParser):
    """The tags with their attributes, and the text, as a browser would take them."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.text = ""
        self.feed(text)

    def handle_starttag(self, tag: str, attributes: list) -> None:
        self.tags.append((tag, dict(attributes)))

    def handle_data(self, data: str) -> None:
        self.text += data

    def injected(self) -> list[str]:
        """Tags that the page never uses, event handlers, and addresses outside the page."""
        wrong = [tag for tag, _ in self.tags if tag in ("script", "iframe", "object", "embed", "form", "base", "link")]
        for tag, attributes in self.tags:
            wrong += [f"{tag} {name}" for name in attributes if name.startswith("on")]
            wrong += [f"{tag} {value}" for name, value in attributes.items()
                      if name in ("src", "href") and not re.match("data:(image|audio|video)/|#", str(value))]
        return wrong


def png(pixels: np.ndarray) -> bytes:
    file = io.BytesIO()
    Image.fromarray(pixels).save(file, "PNG")
    return file.getvalue()


def picture(value: int = 90, size: tuple[int, int] = (64, 96)) -> np.ndarray:
    return np.full((*size, 3), value, np.uint8)


def report(name: str = "a.png", said: str = "all well", evidence: ManifestEvidence | MetadataEvidence | None = None,
           status: Status = Status.VALID) -> Report:
    label = Label(Kind.GENERATED, "producer", "1")
    findings = {layer: Finding(layer, status, Message("{said}", said=said), evidence=evidence) for layer in Layer}
    findings[Layer.METADATA] = Finding(Layer.METADATA, status, Message("{said}", said=said), label=label)
    return Report.of(name, findings)


def manifest(explicit: Json, text: str = "") -> ManifestEvidence:
    """The evidence of a manifest that holds any JSON, and a text wherever it can hold one."""
    return ManifestEvidence(
        state="Valid", codes=(text,), intact=True, trusted=False, digital_source_type=text, generator=text,
        created=text, claim_generator=text, title=text, soft_bindings=(), aigc={text or "Label": text},
        explicit=explicit, signer=text, issuer=text, not_after=text, algorithm=text, time_stamp=None, manifests=1,
        warnings=(), ai_generated=True)


def carrier(offset_bytes: int) -> MetadataEvidence:
    """The evidence of metadata with one carrier."""
    one = LabelCarrier(slot="iTXt AIGC", home=True, offset_bytes=offset_bytes, length_bytes=9)
    return MetadataEvidence(format="png", family="image", carriers=(one,), duplicates=0, disagreements=(),
                            producer=None, signatures={}, traces=(), unread=())


@pytest.mark.parametrize("make", [
    lambda: page([Exhibit(HOSTILE, report(HOSTILE, HOSTILE, manifest(
        {HOSTILE: HOSTILE, "nested": [{"x": HOSTILE}]}, HOSTILE)))]),
    lambda: page([Exhibit(HOSTILE, report(), png(picture()), png(picture(91)))]),
    lambda: report_page(HOSTILE, {HOSTILE: HOSTILE}, report(HOSTILE, HOSTILE, manifest({HOSTILE: [HOSTILE]}, HOSTILE))),
], ids=["texts", "picture names", "report"])
def test_nothing_from_a_file_becomes_markup(make):
    read = Reader(make())
    assert read.injected() == []
    assert "<script>alert(1)</script>" in read.text or any("<script>" in str(a.get("alt")) for _, a in read.tags)
    assert "\x1b" not in read.text and "\u202e" not in read.text
    make().encode("utf-8")


def test_the_check_for_injection_can_fail():
    """The negative twin: unescaped, the same text is found out."""
    text = page([Exhibit("name", report())]).replace("<main>", f"<main>{HOSTILE}")
    assert {"script", "img onerror", "img x"} <= set(Reader(text).injected())


def test_page_forbids_loading_and_scripts():
    policy = [a["content"] for tag, a in Reader(page([])).tags if tag == "meta" and "http-equiv" in a]
    assert policy == ["default-src 'none'; img-src data:; media-src data:; font-src data:; style-src 'unsafe-inline'"]


@pytest.mark.parametrize(("language", "checked"), [("en", "en"), ("zh-CN", "zh")])
def test_both_languages_are_there_and_one_is_chosen(language, checked):
    read = Reader(page([Exhibit("a.png", report())], language=language))
    assert "confirmed AI-generated" in read.text and "属于人工智能生成合成内容" in read.text
    assert [a["id"] for tag, a in read.tags if tag == "input" and "checked" in a] == [checked]
    assert [a["lang"] for tag, a in read.tags if tag == "html"] == [language]
    spans = [a["lang"] for tag, a in read.tags if tag == "span" and "lang" in a]
    assert spans.count("en") == spans.count("zh-CN") > 20


def test_every_text_of_the_page_has_its_chinese():
    """Only what comes from files may be the same in both languages."""
    text = page([Exhibit("a.png", report(), png(picture()), png(picture(91)))])
    pairs = re.findall(r'<span lang="en">(.*?)</span><span lang="zh-CN">(.*?)</span>', text)
    assert {english for english, chinese in pairs if english == chinese} <= {"all well"}


def test_every_picture_has_alternative_text_and_is_in_the_page():
    read = Reader(page([Exhibit("a.png", report(), png(picture()), png(picture(91)))]))
    pictures = [a for tag, a in read.tags if tag == "img"]
    assert len(pictures) == 3
    assert all(a["alt"].endswith("a.png") and a["src"].startswith("data:image/") for a in pictures)


def test_statuses_are_told_by_words_not_by_colour_alone():
    for status, word in ((Status.VALID, "valid"), (Status.INVALID, "invalid"), (Status.ABSENT, "absent")):
        assert word in Reader(page([Exhibit("a", report(status=status))])).text


def test_colours_meet_aa_in_both_schemes():
    css = (Path(render.__file__).parent / "style.css").read_text("utf-8")
    light, dark = (dict(re.findall(r"--([a-z-]+): (#[0-9a-f]{6})", block)) for block in css.split("@media", 2)[:2])
    pairs = [("text", "page"), ("text", "card"), ("soft", "page"), ("soft", "card"), ("link", "card"),
             ("good", "good-bg"), ("bad", "bad-bg"), ("mute", "mute-bg"), ("warn", "warn-bg"), ("card", "text")]
    for scheme in (light, dark):
        for ink, ground in pairs:
            colours = [tuple(bytes.fromhex(scheme[name][1:])) for name in (ink, ground)]
            assert contrast(*colours) >= 4.5, (ink, ground)


def test_report_page_names_the_digest_and_opens_the_evidence():
    facts = {"SHA-256": hashlib.sha256(b"abc").hexdigest(), "bytes": 3}
    text = report_page("a.png", facts, report(evidence=carrier(33)))
    assert "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad" in text
    assert "<details open>" in text and "offset_bytes" in text
    assert "<details open>" not in page([Exhibit("a.png", report(evidence=carrier(33)))])
    assert "SHA-256" not in report_page("a.png", {}, report())


def test_evidence_is_cut_at_its_bounds():
    deep = inner = {}
    for _ in range(2000):
        inner["x"] = inner = {}
    evidence = {"deep": deep, "long": "y" * 10**6, "many": [{"k": i} for i in range(10**4)]}
    text = page([Exhibit("a", report(evidence=manifest(evidence)))])
    assert len(text) < len(page([Exhibit("a", report())])) + 20_000
    assert "y" * markup.MAX_VALUE in text and "y" * (markup.MAX_VALUE + 1) not in text


def test_difference_is_amplified_around_grey():
    host = picture(90)
    marked = host.copy()
    marked[10:20, 10:20] += 3
    shown = ImagePreview.of(png(host), png(marked), None)
    difference = np.asarray(Image.open(io.BytesIO(shown.difference[1])).convert("RGB")).astype(int)
    assert abs(difference[14, 14] - (128 + 3 * AMPLIFIED)).max() <= 6
    assert abs(difference[50, 80] - 128).max() <= 6
    assert shown.psnr_db == pytest.approx(10 * math.log10(255**2 / (9 * 100 / (64 * 96))))


def test_psnr_leaves_the_explicit_label_out():
    host = picture(90, (200, 300))
    marked = host.copy()
    marked[150:170, 200:280] = 255
    assert ImagePreview.of(png(host), png(marked), (200, 150, 80, 20)).psnr_db == math.inf
    assert ImagePreview.of(png(host), png(marked), None).psnr_db < 30


def test_a_changed_size_is_said_and_undecodable_bytes_leave_the_report():
    larger = page([Exhibit("a", report(), png(picture()), png(picture(size=(80, 96))))])
    assert "no difference to show" in larger and larger.count("<img") == 2
    broken = page([Exhibit("a", report(), b"junk", b"junk")])
    assert "<img" not in broken and "Why this verdict" in broken


@pytest.mark.parametrize("shape", [(64, 96), (64, 96, 4)])
def test_grey_and_transparent_pictures_are_shown(shape):
    shown = ImagePreview.of(png(np.zeros(shape, np.uint8)), png(np.zeros(shape, np.uint8)), None)
    assert (shown.height, shown.width) == (64, 96) and shown.psnr_db == math.inf


def test_a_large_file_is_shown_as_a_smaller_copy():
    noise = np.random.default_rng(1).integers(0, 256, (1200, 1800, 3), dtype=np.uint8)
    shown = ImagePreview.of(png(noise), png(noise), None)
    assert shown.before[0] == "image/webp" and len(shown.before[1]) < len(png(noise)) / 2
    assert Image.open(io.BytesIO(shown.before[1])).size[0] <= 1600


def test_png_is_shown_as_smaller_webp_of_the_same_pixels():
    pixels = np.random.default_rng(3).integers(0, 256, (64, 64, 4), dtype=np.uint8)
    pixels[:, :32] = (90, 91, 92, 0)
    kind, data = ImagePreview.of(png(pixels), png(pixels), None).before
    assert kind == "image/webp" and len(data) < len(png(pixels))
    assert np.array_equal(np.asarray(Image.open(io.BytesIO(data))), pixels)
    deep = io.BytesIO()
    Image.fromarray(np.full((64, 96), 40_000, np.uint16)).save(deep, "PNG")
    assert ImagePreview.of(deep.getvalue(), deep.getvalue(), None).before == ("image/png", deep.getvalue())


def labelled_folder(folder: Path) -> Path:
    """sources/a.png and labelled/a.png below `folder`, and a file that is no medium."""
    noise = np.random.default_rng(2).integers(60, 200, (256, 320, 3), dtype=np.uint8)
    for name in ("sources", "labelled"):
        (folder / name).mkdir()
    (folder / "sources" / "a.png").write_bytes(png(noise))
    (folder / "labelled" / "notes.log").write_text("no picture")
    plan = labelkit.Plan(watermark=None)
    labelkit.embed(folder / "sources" / "a.png", folder / "labelled" / "a.png",
                   labelkit.Label(kind=labelkit.Kind.GENERATED, content_producer="maker", produce_id="7"), plan=plan)
    return folder


def test_demo_page_is_written_from_two_folders(tmp_path, capsys):
    folder = labelled_folder(tmp_path)
    target = tmp_path / "index.html"
    assert demo.main([str(folder / "sources"), str(folder / "labelled"), str(target), "--lang", "zh-CN"]) == 0
    text = target.read_text("utf-8")
    assert text.count("<article") == 1 and text.count("<img") == 3 and "maker" in text
    assert capsys.readouterr().out.strip() == str(target)


def test_demo_page_that_cannot_be_written_is_an_error(tmp_path, capsys):
    folder = labelled_folder(tmp_path)
    assert demo.main([str(folder / "sources"), str(folder / "labelled"), str(tmp_path / "no" / "index.html")]) == 2
    assert "cannot be written" in capsys.readouterr().err


def browsed(folder: Path, *words: str) -> bytes:
    """What headless Chromium prints, its profile in `folder`; skips the test where there is none."""
    if not chromium.PROGRAM:
        pytest.skip("chromium is missing")
    return subprocess.run([chromium.PROGRAM, "--headless", "--no-sandbox", "--disable-gpu", "--no-first-run",
                           "--disable-sync", "--disable-background-networking", f"--user-data-dir={folder / 'profile'}",
                           *words], capture_output=True, check=True).stdout


def test_a_browser_shows_the_page(tmp_path):
    target = tmp_path / "page.html"
    target.write_text(page([Exhibit(HOSTILE, report(said=HOSTILE), png(picture()), png(picture(91)))]), "utf-8")
    read = Reader(browsed(tmp_path, "--dump-dom", f"file://{target}").decode("utf-8"))
    assert read.injected() == [] and [tag for tag, _ in read.tags].count("img") == 3


def characters_of_the_pages() -> set[str]:
    """The Chinese characters and signs in all messages, which a page may show."""
    folder = Path(labelkit.__file__).parent / "locale" / "zh_CN"
    return {character for file in folder.glob("*.json") for text in json.loads(file.read_text("utf-8")).values()
            for character in text if ord(character) >= 0x2E80}


def test_the_pages_carry_a_font_for_their_chinese():
    """A machine without one shows boxes. A few characters of new messages may wait for the next font."""
    text = report_page("a.png", {}, report())
    found = re.search(r"@font-face \{[^}]*url\(data:font/woff;base64,([^)]*)\)", text)
    has = set(map(chr, TTFont(io.BytesIO(base64.b64decode(found[1]))).getBestCmap()))
    wanted = characters_of_the_pages()
    assert len(wanted - has) <= len(wanted) / 50, "python labelkit/page/make_font.py: " + "".join(sorted(wanted - has))
    assert "鼠" not in has or "鼠" in wanted, "and not a font of everything"
    assert "font-src data:" in text and len(found[1]) < 400_000
    source = text[text.index("@font-face"):found.end()]
    assert source.rindex('local("') < source.index("url("), "the system's own come first"


MISSING = "\U000f1234\U000f1235"  # characters that no font has
_BOX = ("<script>addEventListener('load', () => { const seen = [], walk = document.createTreeWalker(document.body, 4);"
        "while (walk.nextNode()) { const node = walk.currentNode, style = getComputedStyle(node.parentElement);"
        "if (node.parentElement.closest('script, style')) continue; for (let i = 0; i < node.length; i++) {"
        "const code = node.data.charCodeAt(i); if (code < 0x4e00 || code > 0x9fff) continue;"
        "const range = document.createRange(); range.setStart(node, i); range.setEnd(node, i + 1);"
        "const width = range.getBoundingClientRect().width; if (width) seen.push(Math.abs(width /"
        "parseFloat(style.fontSize) - 1) < .1 ? 1 : 0); } } document.body.dataset.seen = seen.join('') })</script>")


def chromium_shows(folder: Path, text: str, *options: str) -> bytes:
    """What headless Chromium prints for a page, as wide as a telephone."""
    (folder / "page.html").write_text(text, "utf-8")
    return browsed(folder, "--window-size=500,900", *options, f"file://{folder / 'page.html'}")


def has_chinese_font() -> bool:
    listing = shutil.which("fc-list")
    return not listing or bool(subprocess.run([listing, ":charset=4e2d"], capture_output=True, check=True).stdout)


@pytest.mark.parametrize("language", ["en", "zh-CN"])
def test_no_chinese_text_is_shown_as_boxes(language, tmp_path):
    """Every Chinese character is as wide as it is high; the boxes for missing ones are narrower."""
    text = page([Exhibit("a.png", report(), png(picture()), png(picture(91)))], language=language)
    text = text.replace("default-src 'none'", "default-src 'none'; script-src 'unsafe-inline'")

    def wide(text: str) -> str:
        shown = chromium_shows(tmp_path, text.replace("</body>", f"{_BOX}</body>"), "--dump-dom").decode()
        return re.search(r'data-seen="([01]*)"', shown)[1]
    seen = wide(text)
    assert len(seen) >= (2 if language == "en" else 100) and "0" not in seen
    if not has_chinese_font():
        assert "1" not in wide(text.replace("@font-face", "@font-nothing"))


def test_the_language_button_is_drawn_in_its_characters(tmp_path):
    """Boxes look like those of characters that no font has."""
    text = page([Exhibit("a.png", report(), png(picture()), png(picture(91)))])

    def pixels(text: str) -> np.ndarray:
        chromium_shows(tmp_path, text, f"--screenshot={tmp_path / 'shot.png'}")
        return np.asarray(Image.open(tmp_path / "shot.png").convert("L"))

    def boxed(text: str) -> str:
        return text.replace('<label for="zh">中文', f'<label for="zh">{MISSING}')

    def changed(text: str) -> int:  # a busy browser draws a rounded corner a little differently
        return np.count_nonzero(np.abs(pixels(text).astype(int) - pixels(boxed(text))) > 64)
    assert (drawn := changed(text)) > 50
    if not has_chinese_font():
        assert changed(text.replace("@font-face", "@font-nothing")) < drawn / 4


def test_the_summary_names_its_layers_where_its_head_is_hidden():
    """On a narrow screen each row is a card, and each cell states its column in the language that is shown."""
    text = page([Exhibit("a.png", report(), png(picture()), png(picture(91)))])
    cells = re.findall(r'<td data-en="([^"]*)" data-zh="([^"]*)">', text)
    assert [english for english, _ in cells] == [
        "Verdict", "Explicit label", "Watermark", "Metadata", "Provenance (C2PA)"]
    assert [chinese for _, chinese in cells] == ["结论", "显式标识", "数字水印", "元数据标识", "来源清单（C2PA）"]


@pytest.mark.parametrize(("width", "narrow"), [(390, True), (1200, False)])
def test_a_telephone_shows_every_layer(width, narrow, tmp_path):
    """No part of the page is wider than the screen, and the columns become lines."""
    text = page([Exhibit("a-rather-long-name-of-a-picture.png", report(), png(picture()), png(picture(91)))])
    policy = re.search(r'<meta http-equiv="Content-Security-Policy"[^>]*>', text).group()
    measure = (f"<iframe id=f style='width:{width}px;height:800px;border:0'></iframe><script>"
               "f.srcdoc = atob(document.body.dataset.page); f.onload = () => { const d = f.contentDocument;"
               "const cells = [...d.querySelectorAll('.summary td')].map(c => c.getBoundingClientRect());"
               "document.body.dataset.seen = [d.documentElement.scrollWidth <= innerWidth && "
               f"d.documentElement.scrollWidth <= {width}, cells.every(c => c.right <= {width} && c.width > 0),"
               "new Set(cells.map(c => Math.round(c.left))).size == 1].join(' ') }</script>")
    inner = base64.b64encode(text.replace(policy, "").encode("ascii", "xmlcharrefreplace")).decode()
    (tmp_path / "outer.html").write_text(f'<body style="margin:0" data-page="{inner}">{measure}', "utf-8")
    shown = browsed(tmp_path, "--dump-dom", f"--window-size={width + 40},900",
                    f"file://{tmp_path / 'outer.html'}").decode("utf-8")
    seen = re.search(r'data-seen="([^"]*)"', shown)[1].split()
    assert seen == ["true", "true", "true" if narrow else "false"]


def rule(outcome: Outcome, name: str = "x") -> Result:
    return Result(name, Message("File"), Message("Rule"), Message("Found"), outcome)


@pytest.mark.parametrize(("outcomes", "said"), [
    ([Outcome.PASS, Outcome.PASS], "Compliant: all 2 rules pass"),
    ([Outcome.PASS, Outcome.CANNOT_TELL], "Open: no rule fails, 1 of 2 need a person"),
    ([Outcome.FAIL, Outcome.CANNOT_TELL, Outcome.PASS], "Not compliant: 1 of 3 rules fail")])
def test_the_report_begins_with_what_it_comes_to(outcomes, said):
    assert said in Reader(report_page("a.png", {}, report(), [rule(outcome) for outcome in outcomes])).text


def test_whether_an_absent_watermark_matters_is_said():
    text = "No watermark was found. That breaks no rule"
    absent = report(status=Status.ABSENT)
    assert text in Reader(report_page("a.png", {}, absent, [rule(Outcome.PASS)])).text
    assert text not in Reader(report_page("a.png", {}, absent, [rule(Outcome.CANNOT_TELL, "watermark")])).text
    assert text not in Reader(report_page("a.png", {}, report(), [rule(Outcome.PASS)])).text
