# SPDX-License-Identifier: Apache-2.0
"""Every built page in Chromium, on a phone and on a desktop, light and dark: WCAG 2.1 AA as far as axe-core sees.

`make test-docs` builds the pages, fetches axe-core and runs this; it is apart because it opens every page four times.
"""

from __future__ import annotations

import json
from collections.abc import Iterator

import pytest

from tests.docs.pages import ROOT
from tests.page import chromium
from tests.page.axe import RULES
from tests.page.chromium import Page, Server

BUILT, AXE = ROOT / "build" / "docs", ROOT / "build" / "page" / "axe.min.js"
PAGES = sorted(path.relative_to(BUILT).as_posix() for path in BUILT.rglob("*.html"))
WIDTHS = (390, 1280)


@pytest.fixture(scope="module")
def page() -> Iterator[Page]:
    if chromium.PROGRAM is None or not AXE.is_file() or not PAGES:
        pytest.skip("Chromium, the built pages or axe-core are missing: make test-docs")
    with chromium.browser() as opened:
        yield opened


@pytest.fixture(scope="module")
def served() -> Iterator[Server]:
    with Server(BUILT) as server:
        yield server


def faults(page: Page) -> list[str]:
    """What axe-core finds on the page as it is shown."""
    if not page.run("!!window.axe"):
        page.run(AXE.read_text("utf-8") + "; 0")
    found = page.run(f"axe.run(document, {{runOnly: {json.dumps(RULES)}, resultTypes: ['violations']}}).then((all) => "
                     "all.violations.map((one) => one.id + ': ' + one.nodes.map((node) => node.html.slice(0, 200))"
                     ".slice(0, 3).join(' ')))")
    assert isinstance(found, list)
    return found


@pytest.mark.parametrize("name", PAGES)
def test_a_page_is_accessible_and_does_not_scroll_sideways(page: Page, served: Server, name: str) -> None:
    page.open(served.url + name)
    found = []
    for width in WIDTHS:
        for dark in (False, True):
            page.look(width, 900, dark=dark)
            wide = [] if page.run("document.documentElement.scrollWidth <= innerWidth") else ["wider than the window"]
            found += [f"{width} pixels, {'dark' if dark else 'light'}: {fault}" for fault in [*faults(page), *wide]]
    assert found == []


def test_the_negative_twin_faults_are_noticed(page: Page, served: Server) -> None:
    page.open(served.url + "index.html")
    page.run("document.querySelector('article').insertAdjacentHTML('afterbegin', '<img src=\"_static/none.png\"><p "
             "style=\"color: #ccc; background: #fff\">Hardly to be read</p><button></button><p style=\"width: "
             "9000px\">x</p>'); 0")
    assert page.run("document.documentElement.scrollWidth > innerWidth")
    assert {fault.partition(":")[0] for fault in faults(page)} == {"image-alt", "color-contrast", "button-name"}
