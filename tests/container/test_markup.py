# SPDX-License-Identifier: Apache-2.0
"""XML read for its places: what is found, and the collector as it was, whatever the document was."""

import gc

import pytest

from labelkit.container import markup
from labelkit.errors import LimitExceeded, MalformedFile

SHEET = b'<?xml version="1.0"?><a xmlns="urn:one"><b c="1">x<d/>y</b></a>'


@pytest.fixture(params=[True, False])
def collects(request):
    """The collector on, or off as some services keep it."""
    before = gc.isenabled()
    (gc.enable if request.param else gc.disable)()
    yield request.param
    (gc.enable if before else gc.disable)()


def test_the_collector_is_left_as_it_was(collects):
    assert [one.name for one in markup.parse(SHEET, "sheet")] == ["urn:one\na", "urn:one\nb", "urn:one\nd"]
    assert gc.isenabled() is collects


@pytest.mark.parametrize(
    "data,error",
    [
        (SHEET[:-1], MalformedFile),
        (b"", MalformedFile),
        (b'<!DOCTYPE a [<!ENTITY b "c">]><a>&b;</a>', MalformedFile),
        (b"<a>" + b"<b/>" * 200_001 + b"</a>", LimitExceeded),
        (b"<a>" * 1_001 + b"</a>" * 1_001, LimitExceeded),
    ],
)
def test_the_collector_is_left_as_it_was_where_nothing_can_be_read(data, error, collects):
    with pytest.raises(error, match="sheet"):
        markup.parse(data, "sheet")
    assert gc.isenabled() is collects


def test_places_are_those_of_the_tags():
    root, held, empty = markup.parse(SHEET, "sheet")
    assert (
        SHEET[held.start : held.body] == b'<b c="1">' and SHEET[held.end_tag : held.stop] == b"</b>" and not held.empty
    )
    assert SHEET[empty.start : empty.stop] == b"<d/>" and empty.empty and empty.parent is held and held.parent is root
    assert markup.text_of([root, held, empty], root) == "xy" and markup.text_of([root, held, empty], root, {1}) == ""
