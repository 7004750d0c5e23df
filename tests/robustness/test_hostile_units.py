# SPDX-License-Identifier: Apache-2.0
"""Ten hostile files of each format that the other tests here have few of: what they cost, and what is said."""

import pytest

import labelkit as lk
from benchmarks import hostile_units
from benchmarks.structure import MAIL, RTF
from labelkit.errors import LabelkitError
from tests.cost import within
from tests.robustness.test_containers import HOSTS

FORMATS = ("bigtiff", "jp2", "jxl", "aiff", "aac", "gltf", "glb", "ofd", "xmind", "odt", "epub", "caf",
           "usdz", "pptx", "xlsx", "ods", "odp")
WORDS = {"eml": MAIL, "rtf": RTF}
LAYERS = lk.Layer.EXPLICIT, lk.Layer.METADATA, lk.Layer.PROVENANCE


@pytest.mark.parametrize("name", [*FORMATS, *WORDS])
def test_hostile_files_cost_little_and_end_in_a_report_or_our_error(name, monkeypatch):
    monkeypatch.setattr(hostile_units, "MOST", 1 << 18)  # the benchmark makes them eight times as large
    host = WORDS.get(name) or HOSTS[name]()
    positive = lk.Verdict.SUSPECTED if name in WORDS else lk.Verdict.CONFIRMED
    assert lk.verify(host, layers=LAYERS, effort="fast").verdict is positive
    said = set()

    def once(data: bytes) -> None:
        try:
            said.add(lk.verify(data, layers=LAYERS, effort="fast").verdict)
        except LabelkitError as error:
            said.add(type(error))

    for what, data in hostile_units.files(name, host):
        assert within(lambda data=data: once(data), 2 * max(1.0, len(data) / 1e6)), what
    assert positive in said and len(said) > 1, "some of them keep their label, and not all"
