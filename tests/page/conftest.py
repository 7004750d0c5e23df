# SPDX-License-Identifier: Apache-2.0
"""The verify page, built once from what `make page` left here, and open in one Chromium for all its tests."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

import labelkit
from labelkit.page import runtime, site as pages
from tests.page import chromium
from tests.page.chromium import Page, Server

KERNELS = Path(labelkit.__file__).parents[1] / "build" / "page" / pages.KERNELS


@pytest.fixture(scope="session")
def built(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of the page."""
    if not chromium.PROGRAM:
        pytest.skip("chromium is missing")
    if not KERNELS.is_file() or not all((runtime.cache_folder() / one.sha256).is_file() for one in runtime.files()):
        pytest.skip("the kernels as WebAssembly or the page's runtime are missing: make page")
    folder = tmp_path_factory.mktemp("page")
    pages.build(folder, kernels=KERNELS)
    return folder


@pytest.fixture(scope="session")
def served(built: Path) -> Iterator[Server]:
    with Server(built) as server:
        yield server


@pytest.fixture(scope="session")
def browser(served: Server) -> Iterator[Page]:
    """One Chromium."""
    with chromium.browser() as page:
        yield page


@pytest.fixture(scope="session")
def page(browser: Page, served: Server) -> Page:
    """The page in it, ready to verify."""
    browser.open(served.url)
    chromium.wait_until_ready(browser)
    return browser
