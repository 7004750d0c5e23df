# SPDX-License-Identifier: Apache-2.0
"""The label in HTML: one meta element in front, and the rest as it was."""

import html.parser
import re

import pytest

from labelkit import container, metadata
from labelkit.errors import UnsupportedFormat
from labelkit.report import Status
from tests.files import LABEL, OTHER, one_label

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
    assert [found.value for found in metadata.read(page).evidence.traces] == ["ChatGPT"]


@pytest.mark.parametrize("page", [b"<p>x</p>", b"text", b"<!doctype svg>", b"<" * 9000, b"<!--" * 4000, b"<?x" * 4000,
                                  b"<!---->" * 2000])
def test_what_is_no_html_is_refused(page):
    with pytest.raises(UnsupportedFormat):
        container.sniff(page)


@pytest.mark.parametrize("page", [
    "<title>x</title><p>text", "<!-- made by hand -->\n<p>text</p>", "<body><h1>x</h1></body>",
    "<meta charset=utf-8><p>x", "<div>text</div>", "<script>var a = '<p>'</script>"])
def test_html_may_leave_out_its_head(page, tmp_path):
    path = tmp_path / "page.html"
    path.write_text(page)
    assert container.sniff(path).name == "html"
    metadata.write_file(path, path, LABEL)
    found = metadata.read(path)
    assert (found.status, found.label, found.evidence.duplicates) == (Status.VALID, LABEL, 0)
    written = path.read_text()
    metadata.write_file(path, path, LABEL)
    assert path.read_text() == written and re.sub("<meta name=\"AIGC\"[^>]*>", "", written) == page


def test_text_that_begins_like_html_under_another_name_is_none(tmp_path):
    for name in ("readme.md", "notes.txt"):
        path = tmp_path / name
        path.write_text('<p align="center">logo</p>\n\n# Title\n')
        assert container.sniff(path).name == ("markdown" if name.endswith(".md") else "txt")
    path = tmp_path / "page.html"
    for data in (b"<note><to>x</to></note>", b"<abbr>x</abbr>", b"< p>"):
        path.write_bytes(data)
        with pytest.raises(UnsupportedFormat):
            container.sniff(path)
