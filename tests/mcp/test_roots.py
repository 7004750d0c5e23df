# SPDX-License-Identifier: Apache-2.0
"""Which files the tools may open: what is under the folders, wherever links and dots lead."""

from __future__ import annotations

import os

import pytest

from labelkit.errors import InvalidArgument, OutputFailed
from labelkit.mcp import Roots


@pytest.fixture
def world(tmp_path):
    """A granted folder with a file and a folder, and one beside it with a secret."""
    for name in ("granted/inner", "granted-not", "outside"):
        (tmp_path / name).mkdir(parents=True)
    for name in ("granted/cat.png", "granted/inner/dog.png", "granted-not/cat.png", "outside/secret.png"):
        (tmp_path / name).write_bytes(b"x")
    return tmp_path


@pytest.fixture
def roots(world):
    return Roots([world / "granted"])


@pytest.mark.parametrize("name", ["cat.png", "inner/dog.png", "inner/../cat.png", "./cat.png"])
def test_files_under_the_folder_are_found(roots, world, name):
    assert roots.existing(name) == roots.existing(str(world / "granted" / name)) == os.path.realpath(
        world / "granted" / name)


@pytest.mark.parametrize("name", ["../outside/secret.png", "inner/../../outside/secret.png", "../granted-not/cat.png",
                                  "/etc/passwd", "../granted", "..", "/"])
def test_files_outside_are_refused_whether_or_not_they_are_there(roots, world, name):
    with pytest.raises(InvalidArgument, match="not in a folder that is granted|no plain file") as refused:
        roots.existing(name)
    with pytest.raises(InvalidArgument) as absent:
        roots.existing("../outside/none.png")
    if "plain" not in str(refused.value):
        assert str(absent.value).partition(" is not ")[2] == str(refused.value).partition(" is not ")[2]


def test_links_are_followed_before_they_are_judged(roots, world):
    (world / "granted" / "good").symlink_to(world / "granted" / "inner" / "dog.png")
    (world / "granted" / "bad").symlink_to(world / "outside" / "secret.png")
    (world / "granted" / "folder").symlink_to(world / "outside")
    (world / "granted" / "around").symlink_to("around")
    assert roots.existing("good").endswith("dog.png")
    for name in ("bad", "folder/secret.png", "around", "inner/../folder/../outside/secret.png"):
        with pytest.raises(InvalidArgument):
            roots.existing(name)
    for name in ("folder/new.png", "folder/../new.png"):
        with pytest.raises(InvalidArgument):
            roots.new(name)


def test_a_sidecar_does_not_lead_out(roots, world):
    (world / "granted" / "cat.png.c2pa").symlink_to(world / "granted" / "inner" / "dog.png")
    assert roots.existing("cat.png")
    (world / "granted" / "inner" / "dog.png.c2pa").symlink_to(world / "outside" / "secret.png")
    with pytest.raises(InvalidArgument, match="not in a folder"):
        roots.existing("inner/dog.png")
    (world / "granted" / "cat.png.c2pa").unlink()
    os.mkfifo(world / "granted" / "cat.png.c2pa")  # to open it would wait for ever
    with pytest.raises(InvalidArgument, match="no plain file"):
        roots.existing("cat.png")


@pytest.mark.parametrize("name", ["https://example.com/cat.png", "file:///etc/passwd", "s3://bucket/cat.png"])
def test_urls_are_refused(roots, name):
    for take in (roots.existing, roots.new):
        with pytest.raises(InvalidArgument, match="is a URL"):
            take(name)


@pytest.mark.parametrize("name", ["", "a\0b", "a" * 5000, "inner", "none.png"])
def test_what_is_no_file_is_refused(roots, name):
    with pytest.raises(InvalidArgument):
        roots.existing(name)


def test_new_files_have_a_place_under_the_folder_and_nothing_in_it(roots, world):
    assert roots.new("new.png") == os.path.realpath(world / "granted") + "/new.png"
    assert roots.new("inner/new.png").endswith("/granted/inner/new.png")
    (world / "granted" / "link.png").symlink_to(world / "outside" / "new.png")
    (world / "granted" / "beside.mkv.c2pa").write_bytes(b"x")
    for name in ("cat.png", "inner", "link.png", "beside.mkv"):
        with pytest.raises(OutputFailed, match="exists and is kept"):
            roots.new(name)
    for name in ("../new.png", "../outside/new.png", "inner/..", "inner/", "/tmp/new.png", "inner/../../new.png"):
        with pytest.raises(InvalidArgument):
            roots.new(name)


def test_a_client_can_narrow_the_folders_and_not_widen_them(world):
    def uri(name: str) -> str:
        return (world / name).as_uri()

    narrow = Roots([world / "granted"], [uri("granted/inner"), uri("outside")])
    assert narrow.existing("dog.png") and narrow.existing(str(world / "granted/inner/dog.png"))
    for name in ("granted/cat.png", "outside/secret.png"):
        with pytest.raises(InvalidArgument):
            narrow.existing(str(world / name))
    alone = Roots([], [uri("outside")])
    assert alone.existing("secret.png")
    for granted in ([], ["https://example.com/"], ["file://elsewhere/"], None):
        with pytest.raises(InvalidArgument, match="no folder is granted"):
            Roots([], granted).existing(str(world / "granted/cat.png"))
    with pytest.raises(InvalidArgument, match="no folder is granted"):  # it has taken the last one back
        Roots([world / "granted"], []).existing("cat.png")


def test_a_folder_that_is_none_is_refused(world):
    with pytest.raises(InvalidArgument, match="is no folder"):
        Roots([world / "granted" / "cat.png"])
