# SPDX-License-Identifier: Apache-2.0
"""The sweeps of constants: each names one that there is, and a process gets what is derived from another value."""

from __future__ import annotations

import re
import subprocess
import sys

import pytest

from benchmarks import sweeps

DERIVED = """
import sys
from benchmarks import sweeps
sys.meta_path.insert(0, sweeps._Changed("labelkit.watermark.image.tile", {"HIGH_RMS": 1.0, "SYNC_SHARE": 0.3}))
from labelkit.watermark.image import gain, tile
print(tile.HIGH_RMS, gain.BASE_GAIN, tile.SYNC_SHARE)
"""


@pytest.mark.parametrize("name", sweeps.SWEEPS)
def test_a_constant_gets_another_value_and_nothing_else_changes(name: str) -> None:
    source, constant = sweeps.source_of(name).read_text("utf-8"), sweeps.constant_of(name)
    other = sweeps.changed(source, constant, 123.0)
    assert sweeps.current(source, constant) != 123.0 and sweeps.current(other, constant) == 123.0
    assert sweeps.current(source, constant) in sweeps.SWEEPS[name].values
    assert sum(one != two for one, two in zip(source.splitlines(), other.splitlines(), strict=True)) == 1


@pytest.mark.parametrize("name", sweeps.SWEEPS)
def test_a_constant_names_its_sweep_and_the_date_and_the_page_has_the_table(name: str) -> None:
    source = sweeps.source_of(name).read_text("utf-8")
    page = (sweeps.ROOT / "benchmarks" / "TUNING.md").read_text("utf-8")
    said = re.search(r"^# swept \d{4}-\d\d-\d\d, tables in benchmarks/TUNING\.md: ((?:.*\n# )*.*)", source,
                     re.MULTILINE)
    assert said and name in re.findall(r"\w+", said[1])
    tables, _, undecided = page.partition("that decide nothing here")
    shown = re.search(rf"^\| {name} \|.*\n\|[-|]+\n((?:\| .*\n)+)", tables, re.MULTILINE)
    used = f"| **{sweeps.current(source, sweeps.constant_of(name)):g}** |"
    assert used in shown[1] if shown else f"`{name}`" in undecided


def test_the_negative_twin_a_constant_that_is_not_there_is_refused() -> None:
    with pytest.raises(LookupError):
        sweeps.changed("HIGH = 1\n# RMS = 2\ndef made():\n    RMS = 3\n", "RMS", 1.0)


def test_what_is_derived_follows_in_a_process_of_its_own() -> None:
    run = subprocess.run([sys.executable, "-c", DERIVED], cwd=sweeps.ROOT, capture_output=True, text=True, check=True)
    from labelkit.watermark.image import gain, tile
    assert run.stdout.split() == ["1.0", "64", "0.3"]
    assert (tile.HIGH_RMS, gain.BASE_GAIN, tile.SYNC_SHARE) == (0.55, 35, 0.2)
