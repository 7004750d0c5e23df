# SPDX-License-Identifier: Apache-2.0
"""ZIP archives member by member: labels are read back, what is not media keeps its bytes, bombs are refused."""

from __future__ import annotations

import io
import struct
import zipfile
from pathlib import Path

import pytest

import labelkit as lk
from labelkit.batch import Labels, archives, datasets
from labelkit.errors import InvalidArgument, LabelkitError, LimitExceeded, MalformedFile, UnsupportedFormat
from tests.batch.test_datasets import LABELS, PICTURES
from tests.cli.conftest import run as run
from tests.explicit.test_office import odt

NESTED = "inner.zip"
WORDS = Labels("acme", plan=lk.Plan(watermark=None))


def packed(members: dict[str, bytes], path: Path, method: int = zipfile.ZIP_DEFLATED, comment: bytes = b"") -> Path:
    with zipfile.ZipFile(path, "w", method) as file:
        file.comment = comment
        for name, data in members.items():
            info = zipfile.ZipInfo(name, (2026, 5, 4, 3, 2, 0))
            info.compress_type, info.external_attr, info.comment = method, 0o640 << 16, b"about"
            file.writestr(info, data)
    return path


def members() -> dict[str, bytes]:
    inner = io.BytesIO()
    with zipfile.ZipFile(inner, "w") as file:
        file.writestr("a.jpg", PICTURES[0])
    return {"图/一.jpg": PICTURES[0], "report.odt": odt("Sales grew."), "notes.txt": b"It rains.\n",
            "data.json": b'{"a": 1}', "program.bin": bytes(5000), NESTED: inner.getvalue(), "empty/": b""}


def test_members_are_labelled_and_the_rest_keeps_its_bytes(tmp_path):
    before = packed(members(), tmp_path / "a.zip", comment=b"of the archive")
    done = datasets.embed(before, tmp_path / "b.zip", WORDS)
    assert done.media == 3 and not done.failures
    with zipfile.ZipFile(before) as one, zipfile.ZipFile(tmp_path / "b.zip") as other:
        assert other.testzip() is None and other.comment == one.comment and other.namelist() == one.namelist()
        for old, new in zip(one.infolist(), other.infolist(), strict=True):
            assert (new.date_time, new.external_attr, new.comment) == (old.date_time, old.external_attr, old.comment)
            same = one.read(old) == other.read(new)
            assert same == (old.filename not in ("图/一.jpg", "report.odt", "notes.txt"))
            assert (new.compress_size, new.compress_type) == (old.compress_size, old.compress_type) or not same
        assert "AI生成" in other.read("notes.txt").decode()
    found = dict(datasets.verify(tmp_path / "b.zip"))
    assert set(found) == {"图/一.jpg", "report.odt", "notes.txt"}, "each by its name; archives in it are not opened"
    assert all(one.explicit.text == "AI生成" for one in found.values())
    assert all(not one.explicit.text for one in dict(datasets.verify(before)).values())
    datasets.embed(before, tmp_path / "c.zip", WORDS)
    assert (tmp_path / "b.zip").read_bytes() == (tmp_path / "c.zip").read_bytes()


def test_chosen_members_and_those_that_fail(tmp_path):
    before = packed({**members(), "bad.jpg": b"no picture"}, tmp_path / "a.zip")
    done = datasets.embed(before, tmp_path / "b.zip", LABELS)
    assert list(done.failures) == ["notes.txt", "bad.jpg"], "metadata have no place in a text"
    with zipfile.ZipFile(tmp_path / "b.zip") as after:
        assert "bad.jpg" not in after.namelist() and after.testzip() is None
    done = datasets.embed(before, tmp_path / "c.zip", LABELS, media=["odt"])
    assert done.media == 1 and not done.failures
    with pytest.raises(InvalidArgument, match="ending"):
        datasets.embed(before, tmp_path / "c.tar", LABELS)


def test_large_members_go_through_files(tmp_path, monkeypatch):
    monkeypatch.setattr(archives, "_IN_MEMORY", 100)
    before = packed(members(), tmp_path / "a.zip", zipfile.ZIP_STORED)
    assert datasets.embed(before, tmp_path / "b.zip", LABELS, media=["jpg"]).media == 1
    found = dict(datasets.verify(tmp_path / "b.zip"))
    assert found["图/一.jpg"][lk.Layer.METADATA].status is lk.Status.VALID


def patched(path: Path, at: int, layout: str, value: int) -> Path:
    """The archive with a field of its first row of the directory changed."""
    data = bytearray(path.read_bytes())
    struct.pack_into(layout, data, data.index(b"PK\1\2") + at, value)
    path.write_bytes(data)
    return path


def test_hostile_archives_are_refused_and_nothing_is_written(tmp_path, monkeypatch):
    def embed(path: Path) -> None:
        datasets.embed(path, tmp_path / "out.zip", LABELS)

    def small() -> Path:
        return packed({"a.jpg": PICTURES[0] * 4}, tmp_path / "a.zip")

    monkeypatch.setattr(archives, "MAX_UNPACKED", 1 << 20)
    for make, error, words in (
            (lambda: packed({"a.bmp": bytes(40 << 20)}, tmp_path / "a.zip"), LimitExceeded, "unpack to more than"),
            (lambda: patched(small(), 24, "<I", 99), MalformedFile, "broken"),
            (lambda: patched(small(), 16, "<I", 99), MalformedFile, "broken"),
            (lambda: patched(small(), 8, "<H", 1), UnsupportedFormat, "encrypted"),
            (lambda: patched(small(), 10, "<H", 12), UnsupportedFormat, "packed otherwise"),
            (lambda: patched(small(), 20, "<I", 1 << 30), MalformedFile, "broken")):
        with pytest.raises(error, match=words):
            embed(make())
        assert not (tmp_path / "out.zip").exists()
    data = small().read_bytes()
    for cut in range(0, len(data), max(len(data) // 40, 1)):
        for broken in (data[:cut], data[:cut] + b"\xff\0PK" + data[cut + 4:]):
            (tmp_path / "a.zip").write_bytes(broken)
            try:
                for _ in datasets.verify(tmp_path / "a.zip"):
                    pass
            except LabelkitError:
                pass


def test_names_of_other_programs(tmp_path):
    """A name in GB 18030 without the mark of UTF-8, as Chinese Windows writes it, stays that."""
    path = packed({"aa.jpg": PICTURES[0], "bb.jpg": PICTURES[1]}, tmp_path / "a.zip")
    path.write_bytes(path.read_bytes().replace(b"aa.jpg", b"\xd5\xd5.jpg").replace(b"bb.jpg", b"\xce\xc4.jpg"))
    assert datasets.embed(path, tmp_path / "b.zip", LABELS).media == 2
    assert set(dict(datasets.verify(tmp_path / "b.zip"))) == {"照.jpg", "文.jpg"}
    assert (tmp_path / "b.zip").read_bytes().count(b"\xd5\xd5.jpg") == 2


def test_on_the_command_line(run, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    Path("in").mkdir()
    packed(members(), Path("in/a.zip"))
    code, out, err = run("embed", "in", "-o", "out", "--producer", "acme", "--layers", "explicit,metadata")
    assert code == 0 and "in/a.zip::notes.txt -> out/a.zip: labelled" in out, err
    code, out, _ = run("verify", "out/a.zip", "--require", "explicit")
    assert code == 0 and "out/a.zip::report.odt: CONFIRMED" in out
    assert run("verify", "in/a.zip", "--require", "explicit")[0] == 1
    assert run("propagate", "in/a.zip", "-o", "spread.zip", "--propagator", "them")[0] in (0, 1)
