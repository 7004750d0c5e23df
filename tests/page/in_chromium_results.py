# SPDX-License-Identifier: Apache-2.0
"""Signed results on the verify page in Chromium: whom it believes, about which file, and that it asks nobody.

`make test-page` runs it.
"""

from __future__ import annotations

import base64
import datetime
import json
from collections.abc import Iterator
from pathlib import Path

import pytest

import labelkit as lk
from labelkit import results
from labelkit.page import site as pages
from labelkit.results import Checked, Content, ResultSigner
from tests.media import LABEL, photo, saved
from tests.page import chromium
from tests.page.axe import RULES
from tests.page.chromium import Page, Server
from tests.page.conftest import KERNELS

AXE = KERNELS.with_name("axe.min.js")
CHECKED = Checked("normal", tuple(lk.Layer), "0123456789abcdef")
OWN, OTHER = (results.keygen() for _ in range(2))


@pytest.fixture(scope="module")
def site(built: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """A page whose operator has a key."""
    folder = tmp_path_factory.mktemp("site")
    (folder / "jwks.json").write_text(json.dumps(OWN[1]))
    pages.build(folder / "page", kernels=KERNELS, result_keys=folder / "jwks.json")
    with Server(folder / "page") as server:
        yield server


@pytest.fixture
def page(browser: Page, site: Server) -> Page:
    browser.open("about:blank")
    browser.console.clear()  # what axe made of an earlier page
    browser.open(site.url)
    chromium.wait_until_ready(browser)
    browser.run("document.getElementById('en').click()")
    return browser


@pytest.fixture(scope="module")
def picture(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("picture") / "cat.png"
    path.write_bytes(lk.embed(saved(photo(256, 256), "PNG"), label=LABEL))
    return path


def signed(pem: bytes, picture: Path) -> str:
    return ResultSigner(pem, url="https://labels.example/").sign(
        lk.verify(picture), Content.of(picture), CHECKED, datetime.datetime.now(datetime.UTC))


def shown(page: Page, path: Path, held: str) -> str:
    """What the card of a result says that is given to the page."""
    path.write_text(held)
    before = page.run("document.querySelectorAll('article.result dl').length")
    page.choose("#files", [path])
    page.wait(f"document.querySelectorAll('article.result dl').length > {before}")
    return said(page)


def said(page: Page) -> str:
    return page.run("[...document.querySelectorAll('article.result')].at(-1).innerText")


def test_a_result_of_the_operator_is_believed_and_compared(page, site, picture, tmp_path):
    asked, requested = len(site.asked), len(page.requests)
    text = shown(page, tmp_path / "cat.jws", signed(OWN[0], picture))
    assert "Signed result" in text and "of those who run this page" in text and OWN[1]["keys"][0]["kid"] in text
    assert "confirmed AI-generated" in text and "labels.example" in text and "drop it too" in text
    page.choose("#files", [picture])
    page.wait("document.querySelector('article.result').innerText.includes('which is that of: cat.png')")
    another = tmp_path / "another.png"
    another.write_bytes(saved(photo(64, 64, seed=3), "PNG"))
    text = shown(page, tmp_path / "another.jws", signed(OWN[0], another))
    assert "which is NOT that of a file here" in text
    assert site.asked[asked:] == []
    assert [one for one in page.requests[requested:] if not one.startswith(("blob:", "data:"))] == []
    page.run("document.getElementById('zh').click()")
    assert "本网页运营者的公钥" in said(page) and "与此处的文件均不一致" in said(page)
    assert page.console == []


def test_another_signer_is_believed_once_the_visitor_gives_the_keys(page, picture, tmp_path):
    line = json.dumps({"verdict": "x", "signed_result": signed(OTHER[0], picture)})
    text = shown(page, tmp_path / "result.json", line)
    assert "NOT to be believed" in text and "none of the keys here" in text
    (tmp_path / "jwks.json").write_text(json.dumps(OTHER[1]))
    page.choose("#files", [tmp_path / "jwks.json"])
    page.wait("document.querySelector('article.result').innerText.includes('from the file that you gave: jwks.json')")
    assert "Signed result" in said(page)


def test_what_was_changed_is_not_believed(page, picture, tmp_path):
    head, payload, signature = signed(OWN[0], picture).split(".")
    header = {"alg": "none", "kid": OWN[1]["keys"][0]["kid"], "typ": "labelkit-result+jws"}
    none = base64.urlsafe_b64encode(json.dumps(header).encode()).rstrip(b"=").decode()
    claims = json.loads(base64.urlsafe_b64decode(payload + "=="))
    claims["report"]["verdict"] = "none"
    changed = base64.urlsafe_b64encode(json.dumps(claims).encode()).rstrip(b"=").decode()
    for number, forged in enumerate((f"{head}.{changed}.{signature}", f"{none}.{payload}.", f"{none}.{changed}.")):
        text = shown(page, tmp_path / f"{number}.jws", forged)
        assert "NOT to be believed" in text and "the signature does not hold" in text
    more = base64.urlsafe_b64encode(json.dumps({**header, "jwk": OTHER[1]["keys"][0]}).encode()).rstrip(b"=").decode()
    assert "a form that is known" in shown(page, tmp_path / "jwk.jws", f"{more}.{payload}.{signature}")


def test_results_are_accessible(page, picture, tmp_path):
    if not AXE.is_file():
        pytest.skip("axe-core is missing: make build/page/axe.min.js")
    page.run(AXE.read_text("utf-8") + "; 0")
    for name, pem in (("own", OWN[0]), ("other", OTHER[0])):
        shown(page, tmp_path / f"{name}.jws", signed(pem, picture))
    for width, dark in ((390, False), (1280, True)):
        page.look(width, 900, dark=dark)
        found = page.run(f"axe.run(document, {{runOnly: {json.dumps(RULES)}}}).then((all) => all.violations.map("
                         "(one) => one.id + ': ' + one.nodes[0].html.slice(0, 200)))")
        fits = page.run("document.documentElement.scrollWidth <= innerWidth")
        assert found == [] and fits
    page.look(1280, 900)


def test_other_texts_are_files_as_before(page, tmp_path):
    (tmp_path / "plain.json").write_text('{"keys": "none", "text": "It rains."}')
    count = page.run("document.querySelectorAll('article').length")
    page.choose("#files", [tmp_path / "plain.json"])
    page.wait(f"document.querySelectorAll('article').length > {count}")
    assert page.run("document.querySelectorAll('article.result').length") == 0
