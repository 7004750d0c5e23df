# SPDX-License-Identifier: Apache-2.0
"""The files of a run and the places of their results: what is refused, and how little memory many of them take."""

from __future__ import annotations

import os
import tracemalloc
from pathlib import Path

import pytest

from labelkit.cli import files, targets
from labelkit.cli.files import Item
from labelkit.cli.targets import targets_of
from labelkit.errors import InvalidArgument


@pytest.mark.parametrize("path, relative, output, place", [
    ("in/sub/a.jpg", "sub/a.jpg", "out", "out/sub/a.jpg"), ("in/a.jpg", "a.jpg", "./out//x/", "out/x/a.jpg"),
    ("in/a.jpg", "a.jpg", ".", "a.jpg"), ("in/a.jpg", "a.jpg", "/", "/a.jpg"),
    ("s3://b/in/a//b.jpg", "a%2F%2Fb.jpg", "s3://b/out/", "s3://b/out/a%2F%2Fb.jpg"),
    ("-", "-", "out", "out/stdin")])
def test_a_result_lies_as_far_below_out_as_its_source_below_the_folder(path, relative, output, place, tmp_path,
                                                                       monkeypatch):
    monkeypatch.chdir(tmp_path)
    item = Item.at(path, relative, from_folder=True)
    assert item.relative == relative
    wanted = place if "://" in place else place.replace("/", os.sep)
    assert list(targets_of([item], output).items()) == [(item, wanted)]


def test_a_file_without_a_name_is_no_place_and_not_the_source():
    item = Item.at("picture", "picture")
    assert targets_of([item], "")[item] == ""


@pytest.mark.parametrize("name, relative", [("s3://b/x//y/./a.jpg", "x/y/a.jpg"), ("s3://b/a.jpg", "a.jpg"),
                                            ("./x//a.jpg", "x/a.jpg"), ("/x/a.jpg", "x/a.jpg")])
def test_listed_names_that_mean_one_place_are_one(name, relative):
    assert files._listed(name).relative == relative.replace("/", os.sep)


@pytest.mark.parametrize("number", [hash, lambda _: 0], ids=["hashes", "hashes that are all the same"])
def test_two_results_in_one_place_and_results_over_sources_are_refused(number, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(targets, "hash", number, raising=False)
    one, other, third = Item.at("x/a.jpg", "a.jpg"), Item.at("y/a.jpg", "a.jpg"), Item.at("y/b.jpg", "b.jpg")
    with pytest.raises(InvalidArgument, match=r"x/a\.jpg and y/a\.jpg would both be written to out/a\.jpg"):
        targets_of([one, third, other], "out")
    with pytest.raises(InvalidArgument, match=r"y/b\.jpg is a source of this run"):
        targets_of([one, third], "y")
    assert len(targets_of([one, third], "out")) == 2


def test_many_files_take_little_more_memory_than_their_paths():
    """Ten million took 22 GB with their places as text, and while their formats were asked for."""
    tracemalloc.start()
    try:
        items = [Item.at(f"in/{number:06d}.jpg", f"{number:06d}.jpg", from_folder=True) for number in range(4_000)]
        assert tracemalloc.get_traced_memory()[0] < 200 * len(items)
        held = tracemalloc.get_traced_memory()[0]
        places = targets_of(items, "out")
        assert tracemalloc.get_traced_memory()[0] - held < 16 * len(items)
    finally:
        tracemalloc.stop()
    assert places[items[7]] == str(Path("out/000007.jpg"))
