# SPDX-License-Identifier: Apache-2.0
"""The bounds-checked reader, edit lists and atomic saving."""

import gc
import io
import os

import pytest

import labelkit as lk
from labelkit import container, metadata
from labelkit.container import base, output
from labelkit.errors import InvalidArgument, LimitExceeded, OutputFailed, TruncatedFile
from tests import files
from tests.media import LABEL, photo, saved


def test_taking_what_is_there():
    reader = base.Reader.of(b"abcdef")
    assert reader.at(1, 3) == b"bcd"
    assert reader.take(2) == b"ef"


@pytest.mark.parametrize(("offset", "count"), [(0, 7), (6, 1), (3, -1)])
def test_taking_more_is_refused(offset, count):
    with pytest.raises(TruncatedFile):
        base.Reader.of(b"abcdef").at(offset, count)


@pytest.mark.parametrize("offset", [-1, 7, 1 << 70])
def test_seeking_outside_is_refused(offset):
    with pytest.raises(TruncatedFile):
        base.Reader.of(b"abcdef").seek(offset)


def test_taking_above_the_limit_is_refused():
    with pytest.raises(LimitExceeded):
        base.Reader.of(b"abcdef").at(0, 6, limit=5)


def test_splice_keeps_what_is_not_patched():
    data = bytes(range(20))
    segments = base.splice(20, [(10, 12, b"new"), (0, 0, b"first"), (20, 20, b"last")])
    assert output.join(base.Reader.of(data), segments) == b"first" + data[:10] + b"new" + data[12:] + b"last"


@pytest.mark.parametrize("patches", [[(0, 5, b""), (4, 6, b"")], [(18, 21, b"")], [(5, 4, b"")]])
def test_overlapping_patches_are_refused(patches):
    with pytest.raises(InvalidArgument):
        base.splice(20, patches)


@pytest.mark.parametrize("kind", ["path", "bytes", "bytearray", "stream", "file"])
def test_every_kind_of_source_reads_alike(kind, tmp_path):
    path = tmp_path / "data.bin"
    path.write_bytes(b"content")
    sources = {"path": path, "bytes": b"content", "bytearray": bytearray(b"content"), "stream": io.BytesIO(b"content")}
    source = sources.get(kind) or open(path, "rb")
    with base.opened(source) as reader:
        assert output.join(reader, [(0, 3), b"-", (3, 7)]) == b"con-tent"


@pytest.mark.parametrize("source", [None, 5, "no such file", "", "a\0b", ".", io.StringIO("text")])
def test_what_is_no_source_is_refused(source):
    with pytest.raises(InvalidArgument), base.opened(source) as reader:
        reader.head(1)


def test_a_pipe_is_refused():
    receiving, sending = os.pipe()
    os.write(sending, b"x" * 100)
    os.close(sending)
    with open(receiving, "rb") as pipe, pytest.raises(InvalidArgument), base.opened(pipe):
        pass


def test_a_body_of_a_closed_file_is_refused(tmp_path):
    (tmp_path / "a.png").write_bytes(files.png_with(files.chunk(b"tEXt", b"AIGC\0x")))
    slot = container.slots(tmp_path / "a.png")[0]
    with pytest.raises(InvalidArgument):
        slot.load()


def test_saving_over_the_source_and_with_its_permissions(tmp_path):
    path = tmp_path / "data.bin"
    path.write_bytes(b"x" * 3_000_000)
    os.chmod(path, 0o640)
    with container.opened(path) as reader:
        output.save(reader, [b"head", (0, 3_000_000), b"tail"], path)
    assert path.read_bytes() == b"head" + b"x" * 3_000_000 + b"tail"
    assert path.stat().st_mode & 0o777 == 0o640
    assert os.listdir(tmp_path) == ["data.bin"]


@pytest.mark.parametrize("error", [OutputFailed("no"), OSError(28, "No space left on device"), KeyboardInterrupt()])
def test_what_fails_before_the_commit_leaves_the_target_as_it_was(error, tmp_path):
    path = tmp_path / "data.bin"
    path.write_bytes(b"before")
    with pytest.raises((OutputFailed, KeyboardInterrupt)) as raised, container.Transaction(path) as new:
        new.write("after", base.Reader.of(b"after"), [(0, 5)])
        raise error
    assert path.read_bytes() == b"before"
    assert os.listdir(tmp_path) == ["data.bin"]
    assert str(raised.value) == (f"{path} cannot be written: No space left on device"
                                 if isinstance(error, OSError) else str(error))


def test_an_error_over_a_stage_is_said_of_the_target_and_any_other_as_it_is(tmp_path):
    for where, wanted in ((None, "a temporary file"), (tmp_path / "out", tmp_path / "out")):
        with pytest.raises(OutputFailed) as raised, container.Transaction(where) as new:
            container.save(base.Reader.of(b"x"), [(0, 1)], new.stage("no") / "file")
        assert str(raised.value) == f"{wanted} cannot be written: No such file or directory"
        with pytest.raises(OutputFailed) as raised, container.Transaction(where) as new:
            new.stage("unused")
            container.save(base.Reader.of(b"x"), [(0, 1)], tmp_path / "no" / "file")
        assert str(raised.value) == f"{tmp_path / 'no' / 'file'} cannot be written: No such file or directory"
    assert os.listdir(tmp_path) == []


def test_a_manifest_is_put_beside_the_file_with_it(tmp_path):
    (tmp_path / "film.mkv").write_bytes(b"before")
    with container.Transaction(tmp_path / "film.mkv") as new:
        made, manifest = (new.write(name, base.Reader.of(name.encode()), [(0, 4)]) for name in ("film", "signed"))
        assert sorted(path.name for path in made.parent.iterdir()) == ["film", "lock", "signed"]
        assert made.parent.parent == tmp_path and made.parent.name.startswith(".labelkit-")
        new.commit(made, manifest)
    assert {path.name: path.read_bytes() for path in tmp_path.iterdir()} == {"film.mkv": b"film",
                                                                             "film.mkv.c2pa": b"sign"}


def test_a_transaction_in_which_nothing_is_made_touches_nothing(tmp_path):
    with container.Transaction(tmp_path / "no" / "file"):
        pass
    with container.Transaction() as new, pytest.raises(ValueError):
        new.commit(tmp_path)
    assert os.listdir(tmp_path) == []


def test_saving_into_a_missing_folder_is_an_error(tmp_path):
    with container.opened(b"after") as reader, pytest.raises(OutputFailed):
        output.save(reader, [(0, 5)], tmp_path / "no" / "file")


@pytest.mark.parametrize("shift", [0, 1, 4096])
def test_holes_stay_holes_and_bytes_stay_bytes(shift, tmp_path):
    source, target = tmp_path / "a", tmp_path / "b"
    size = 64 << 20
    with open(source, "wb") as file:
        file.write(b"head" * 3000)
        file.seek(size // 2 + 17)
        file.write(b"middle")
        file.truncate(size)
    with container.opened(source) as reader:
        output.save(reader, [b"x" * shift, (0, size)], target)
        assert reader.at(size // 2 + 17, 6) == b"middle"
    with open(target, "rb") as file:
        assert file.read(shift + 12_000) == b"x" * shift + b"head" * 3000
        file.seek(shift + size // 2)
        assert file.read(40) == bytes(17) + b"middle" + bytes(17)
    assert target.stat().st_size == size + shift
    assert target.stat().st_blocks <= source.stat().st_blocks + 64


def test_a_range_with_no_data_at_all(tmp_path):
    with open(tmp_path / "a", "wb") as file:
        file.truncate(100_000)
    with container.opened(tmp_path / "a") as reader:
        output.save(reader, [(0, 50_000), b"x", (60_000, 100_000)], tmp_path / "b")
    assert (tmp_path / "b").read_bytes() == bytes(50_000) + b"x" + bytes(40_000)


@pytest.mark.parametrize("missing", ["copy_file_range", "SEEK_DATA"])
def test_systems_without_kernel_copies_get_the_same_bytes(missing, tmp_path, monkeypatch):
    (tmp_path / "a").write_bytes(bytes(range(256)) * 9000)
    monkeypatch.delattr(os, missing)
    with container.opened(tmp_path / "a") as reader:
        output.save(reader, [(5, 2_000_000), b"x", (2_000_000, 2_304_000)], tmp_path / "b")
    assert (tmp_path / "b").read_bytes() == (bytes(range(256)) * 9000)[5:2_000_000] + b"x" + (
        bytes(range(256)) * 9000)[2_000_000:]


@pytest.fixture
def sniffs(monkeypatch) -> list[str]:
    """The names of the files whose format was told, each time that it was."""
    from labelkit.container import png

    counted, original = [], png.sniff
    monkeypatch.setattr(png, "sniff", lambda reader, head: counted.append(reader.name) or original(reader, head))
    return counted


def test_a_reader_is_told_its_format_once(sniffs):
    with container.opened(files.png_with()) as reader:
        assert [container.sniff(reader).name for _ in range(3)] == ["png"] * 3
        assert container.scan(reader).format is container.sniff(reader)
    assert sniffs == ["bytes"]
    container.sniff(files.png_with())  # other bytes are another file
    assert len(sniffs) == 2


def test_embed_tells_the_format_of_its_source_and_of_its_result_once(sniffs, tmp_path):
    source, target = tmp_path / "in.png", tmp_path / "out.png"
    source.write_bytes(saved(photo(), "PNG"))
    for plan in (lk.Plan(), lk.Plan(explicit=None, watermark=None)):
        lk.embed(source, target, LABEL, plan=plan)
        assert len(sniffs) == 2  # the second reads the written label back, as any verifier would
        sniffs.clear()
    lk.verify(target, layers=[lk.Layer.METADATA, lk.Layer.PROVENANCE, lk.Layer.WATERMARK])
    assert len(sniffs) == 1


@pytest.mark.skipif(not os.path.isdir("/proc/self/fd"), reason="needs a list of open files")
@pytest.mark.parametrize("plan", [lk.Plan(), lk.Plan(explicit=None, watermark=None)], ids=["all", "file side"])
def test_the_source_is_closed_before_it_is_replaced(plan, tmp_path, monkeypatch):
    """Windows replaces no file that is open."""
    path, open_then = tmp_path / "in.png", []
    path.write_bytes(saved(photo(), "PNG"))

    def replace(made: object, target: object, original=os.replace) -> None:
        names = [os.readlink(f"/proc/self/fd/{number}") for number in os.listdir("/proc/self/fd")
                 if os.path.exists(f"/proc/self/fd/{number}")]
        open_then.extend(name for name in names
                         if name.startswith(str(tmp_path)) and not name.endswith("/lock"))  # of the new folder
        original(made, target)

    monkeypatch.setattr(output.os, "replace", replace)
    before = path.read_bytes()
    lk.embed(path, path, LABEL, plan=plan, in_place=True)
    assert path.read_bytes() != before and open_then == []


@pytest.mark.parametrize("form", ["path", "bytes", "file"])
def test_a_file_that_was_looked_at_does_not_wait_for_the_garbage_collector(tmp_path, form):
    """Its slots hold the reader, and the reader the slots."""
    def readers() -> int:
        return sum(isinstance(one, base.Reader) for one in gc.get_objects())

    path, before = tmp_path / "a.png", readers()
    path.write_bytes(metadata.write(saved(photo(64, 64), "PNG"), LABEL))
    gc.disable()
    try:
        with open(path, "rb") as file:
            assert metadata.read({"path": path, "bytes": path.read_bytes(), "file": file}[form]).label == LABEL
        assert readers() == before
        with container.opened(path) as reader:
            assert container.scan(reader).slots and readers() == before + 1
    finally:
        gc.enable()
