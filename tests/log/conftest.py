# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

import datetime
import sqlite3
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from labelkit.label import Kind, Label
from labelkit.log import Entry, LabelLog
from labelkit.payload import Payload
from labelkit.plan import Plan

NOW = datetime.datetime(2024, 11, 24, 8, 0, tzinfo=datetime.UTC)  # long past: records are not dated in the future


def entry(number: int = 1, **others: object) -> Entry:
    label = Label(Kind.GENERATED, "001191440300708461136T1XGW3", f"id-{number}")
    values = {"time": NOW, "label": label, "payload": Payload.of(label), "plan": Plan(), "sha256_before": f"{0:064x}",
              "sha256_after": f"{number:064x}", "fingerprint": (1 << 63) + number}
    return Entry(**{**values, **others})


@pytest.fixture(params=["sqlite", "postgresql"])
def target(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    """Where a new log can be: a path, and a DSN."""
    if request.param == "sqlite":
        return str(tmp_path / "labels.db")
    dsn: str = request.getfixturevalue("empty_schema")
    return dsn


@pytest.fixture
def log(target: str) -> Iterator[LabelLog]:
    with LabelLog(target) as log:
        yield log


@pytest.fixture
def sql(target: str) -> Callable[..., None]:
    """What somebody with the database and no scruples does; with their scruples, `triggers=True`."""
    def run(statement: str, *, triggers: bool = False) -> None:
        if target.startswith("postgresql"):
            import psycopg

            with psycopg.connect(target, autocommit=True) as connection:
                connection.execute(f"SET session_replication_role = {'origin' if triggers else 'replica'}")
                connection.execute(statement)
            return
        with sqlite3.connect(target) as connection:
            for name in () if triggers else ("labelkit_append_only", "labelkit_kept"):
                connection.execute(f"DROP TRIGGER IF EXISTS {name}")
            connection.execute(statement)
    return run
