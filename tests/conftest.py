# SPDX-License-Identifier: Apache-2.0
"""Under CI a skipped test fails the run: every independent reader is installed there, or the check would be empty."""

from __future__ import annotations

import datetime
import itertools
import os
import signal
from collections.abc import Iterator
from pathlib import Path

import pytest

import labelkit.provenance
from labelkit import threads
from tests.log.server import postgresql_is_installed, postgresql_server
from tests.media import photo, saved

if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:  # as a shell sets it for what runs in the background
    signal.signal(signal.SIGINT, signal.default_int_handler)
if os.environ.get("PYTEST_XDIST_WORKER"):  # side by side: reading on every core, they wait for each other at work
    os.environ.setdefault(threads.OF_LIBRARIES, "1")

_SCHEMAS = itertools.count()


@pytest.hookimpl(trylast=True)
def pytest_sessionfinish(session: pytest.Session, exitstatus: int) -> None:
    reporter = session.config.pluginmanager.get_plugin("terminalreporter")
    if os.environ.get("CI") and reporter and reporter.stats.get("skipped") and exitstatus == pytest.ExitCode.OK:
        reporter.write_line("tests were skipped, which CI does not allow", red=True)
        session.exitstatus = pytest.ExitCode.TESTS_FAILED


@pytest.fixture(autouse=True)
def shipped_trust_list(monkeypatch: pytest.MonkeyPatch, tmp_path_factory: pytest.TempPathFactory) -> None:
    """The trust list that the machine's user may have put in the place of the shipped one is not used."""
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path_factory.getbasetemp() / "nothing"))


@pytest.fixture(scope="session")
def keys(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with signer.pem and anchors.pem."""
    folder = tmp_path_factory.mktemp("keys")
    labelkit.provenance.keygen(folder, "Acme Imaging", now=datetime.datetime.now(datetime.UTC))
    return folder


@pytest.fixture(scope="session")
def signer(keys: Path) -> labelkit.Signer:
    return labelkit.Signer.load(keys / "signer.pem")


@pytest.fixture(scope="session")
def anchors(keys: Path) -> labelkit.TrustList:
    return labelkit.TrustList.load(keys / "anchors.pem")


@pytest.fixture
def source(tmp_path: Path) -> Path:
    """A JPEG in a folder of its own."""
    path = tmp_path / "in" / "picture.jpg"
    path.parent.mkdir()
    path.write_bytes(saved(photo(), "JPEG", quality=92))
    return path


@pytest.fixture(scope="session")
def postgresql() -> Iterator[str]:
    """The DSN of a PostgreSQL server of our own."""
    pytest.importorskip("psycopg", reason="psycopg is not installed")
    if not postgresql_is_installed():
        pytest.skip("no PostgreSQL server is installed")
    with postgresql_server() as dsn:
        yield dsn


@pytest.fixture
def empty_schema(postgresql: str) -> str:
    """The DSN of a schema of that server in which nothing is."""
    import psycopg

    name = f"test_{next(_SCHEMAS)}"
    with psycopg.connect(postgresql, autocommit=True) as connection:
        connection.execute(f"CREATE SCHEMA {name}")
    return f"{postgresql}&options=-csearch_path%3D{name}"
