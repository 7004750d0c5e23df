# SPDX-License-Identifier: Apache-2.0
"""Where embed writes: files, folders, streams and disks that take nothing, and what is left behind then."""

import errno
import io
import os
import stat
import subprocess
import sys
from pathlib import Path

import pytest
from PIL import Image

import labelkit as lk
from labelkit import metadata
from labelkit.errors import InvalidArgument, OutputFailed
from tests.media import LABEL, photo, saved

FILE_SIDE = lk.Plan(explicit=None, watermark=None)


def test_the_source_itself_only_in_place(source, tmp_path):
    link = tmp_path / "link.jpg"
    link.symlink_to(source)
    for target in (source, link):
        with pytest.raises(InvalidArgument, match="same file"):
            lk.embed(source, target, LABEL)
    lk.embed(source, source, LABEL, in_place=True)
    assert metadata.read(source).label == LABEL


@pytest.mark.parametrize("plan", [lk.Plan(), FILE_SIDE])
def test_a_target_that_is_no_file_is_left_alone(source, tmp_path, plan):
    """To rename a result over a device or a pipe would take it away."""
    (tmp_path / "out").mkdir()
    pipe, plain = tmp_path / "out" / "pipe", tmp_path / "plain.jpg"
    os.mkfifo(pipe)
    for what in (source, Image.fromarray(photo())) if plan.has_signal_layer else (source,):
        with pytest.raises(OutputFailed, match="no plain file"):
            lk.embed(what, pipe, LABEL, plan=plan, **({"format": "png"} if what is not source else {}))
    assert pipe.is_fifo() and list(pipe.parent.iterdir()) == [pipe]
    plain.write_bytes(b"before")
    lk.embed(source, plain, LABEL, plan=plan)
    assert lk.verify(plain).verdict is lk.Verdict.CONFIRMED


@pytest.mark.parametrize("plan", [lk.Plan(), FILE_SIDE])
def test_a_private_source_gives_a_private_result(source, tmp_path, plan):
    before = os.umask(0o022)
    try:
        for mode, expected in ((0o600, 0o600), (0o640, 0o640), (0o644, 0o644), (0o666, 0o644), (0o400, 0o600)):
            source.chmod(mode)
            target = tmp_path / f"{mode:o}.jpg"
            lk.embed(source, target, LABEL, plan=plan)
            assert stat.S_IMODE(target.stat().st_mode) == expected
        source.chmod(0o600)
        with open(source, "rb") as file:
            lk.embed(file, tmp_path / "file.jpg", LABEL, plan=plan)
        lk.embed(source.read_bytes(), tmp_path / "bytes.jpg", LABEL, plan=plan)
        metadata.write_file(source, tmp_path / "metadata.jpg", LABEL)
    finally:
        os.umask(before)
    modes = {name: stat.S_IMODE((tmp_path / f"{name}.jpg").stat().st_mode) for name in ("file", "bytes", "metadata")}
    assert modes == {"file": 0o600, "bytes": 0o644, "metadata": 0o600}


def test_permissions_of_a_new_file_and_of_a_replaced_one(source, tmp_path, signer):
    target = tmp_path / "out.jpg"
    before = os.umask(0o027)
    try:
        lk.embed(source, target, LABEL)
    finally:
        os.umask(before)
    assert stat.S_IMODE(target.stat().st_mode) == 0o640
    for plan in (lk.Plan(), FILE_SIDE, lk.Plan(explicit=None, watermark=None, provenance=signer)):
        target.chmod(0o604)
        lk.embed(source, target, LABEL, plan=plan)
        assert stat.S_IMODE(target.stat().st_mode) == 0o604


@pytest.mark.parametrize("plan", [lk.Plan(), FILE_SIDE], ids=["all", "file side"])
def test_a_folder_that_is_missing_or_no_folder(source, tmp_path, plan):
    for target in (tmp_path / "missing" / "out.jpg", source / "out.jpg", tmp_path):
        with pytest.raises(OutputFailed):
            lk.embed(source, target, LABEL, plan=plan)
    assert sorted(path.name for path in tmp_path.rglob("*")) == ["in", "picture.jpg"]


@pytest.mark.parametrize("plan", ["Plan()", "Plan(explicit=None, watermark=None)",
                                  "Plan(explicit=None, watermark=None, provenance=signer)"])
def test_a_full_disk_leaves_nothing_behind(source, tmp_path, plan, keys):
    """In a process of its own, in which no file may grow past 4 kB: writes fail half way, as on a full disk."""
    target = tmp_path / "out.jpg"
    target.write_bytes(b"what was there before")
    code = ("import resource, signal, sys, labelkit as lk\n"
            "signal.signal(signal.SIGXFSZ, signal.SIG_IGN)\n"
            "label, signer = lk.Label(lk.Kind.GENERATED, 'acme', '1'), lk.Signer.load(sys.argv[3])\n"
            "resource.setrlimit(resource.RLIMIT_FSIZE, (4096, 4096))\n"
            f"try: lk.embed(sys.argv[1], sys.argv[2], label, plan=lk.{plan})\n"
            "except lk.LabelkitError as error: print(type(error).__name__, error)\n")
    done = subprocess.run([sys.executable, "-c", code, source, target, keys / "signer.pem"], capture_output=True,
                          text=True, timeout=600, cwd=Path(lk.__file__).parents[1])
    assert "Failed" in done.stdout and "File too large" in done.stdout, done.stdout + done.stderr
    assert target.read_bytes() == b"what was there before"
    assert sorted(path.name for path in tmp_path.iterdir()) == ["in", "out.jpg"]


def test_a_stream_that_breaks(source):
    class Broken(io.BytesIO):
        def write(self, _: bytes) -> int:
            raise OSError(errno.EPIPE, "Broken pipe")

    with pytest.raises(OutputFailed, match="Broken pipe"):
        lk.embed(source, Broken(), LABEL, plan=FILE_SIDE)


class Slow(io.RawIOBase):
    """A pipe or a socket: it takes a little at a time."""

    def __init__(self, told: bool) -> None:
        self.told, self.taken = told, b""

    def write(self, data) -> int | None:
        taken = bytes(data[:1000] if self.told else data)
        self.taken += taken
        return len(taken) if self.told else None


@pytest.mark.parametrize("told", [True, False])
def test_a_stream_that_takes_a_little_at_a_time_gets_all(source, told):
    for plan in (lk.Plan(), FILE_SIDE):
        slow = Slow(told)
        lk.embed(source, slow, LABEL, plan=plan)
        assert lk.verify(slow.taken).verdict is lk.Verdict.CONFIRMED
        assert Image.open(io.BytesIO(slow.taken)).load()


def test_a_target_that_takes_no_bytes_is_refused(source, tmp_path):
    closed = open(tmp_path / "closed", "wb")
    closed.close()
    with open(tmp_path / "text", "w") as text:
        for target in (3, text, closed, [], io.StringIO()):
            with pytest.raises(InvalidArgument, match="path or a binary file"):
                lk.embed(source, target, LABEL)
    with open(tmp_path / "bytes.jpg", "wb", buffering=0) as raw:
        lk.embed(source, raw, LABEL)
    assert lk.verify(tmp_path / "bytes.jpg").verdict is lk.Verdict.CONFIRMED


def test_names_of_all_sorts(tmp_path):
    data = saved(photo(), "PNG")
    for name in ("with space.png", "换 行\n.png", "图片.png", "-leading.png", "wrong.jpg", "no-ending",
                 "a" * 200 + ".png"):
        path = tmp_path / name
        path.write_bytes(data)
        lk.embed(path, tmp_path / f"o{name}", LABEL, plan=FILE_SIDE)
        assert metadata.read(tmp_path / f"o{name}").label == LABEL
