# SPDX-License-Identifier: Apache-2.0
"""Rows for engines: small pictures, one of which is none."""

from __future__ import annotations

import pyarrow as pa

import labelkit as lk
from labelkit.batch import Labels
from tests.media import photo, saved

PLAIN = lk.Plan(explicit=None, watermark=None)
BAD = 7


def table(count: int = 24) -> pa.Table:
    pictures = [saved(photo(96, 128, seed), "JPEG", quality=90) for seed in range(4)]
    return pa.table({"key": [f"k{row}" for row in range(count)],
                     "bytes": [b"bad" if row == BAD else pictures[row % 4] for row in range(count)],
                     "caption": [f"words {row}" for row in range(count)]})


def expected(rows: pa.Table) -> list[dict[str, object]]:
    """What every engine must give: the rows of an undisturbed call, in order of key."""
    return ordered(Labels("acme", plan=PLAIN, id_column="key")(rows).to_pylist())


def ordered(rows: list[dict[str, object]]) -> list[dict[str, object]]:
    return sorted(rows, key=lambda row: row["key"])


def check_verdicts(rows: list[dict[str, object]]) -> None:
    """Labelled rows are confirmed, the one that failed has an error."""
    for row in rows:
        failed = row["key"] == f"k{BAD}"
        assert (row["verdict"], row["meets"]) == ((None, None) if failed else ("confirmed", True))
        assert (row["error"] is not None) is failed
