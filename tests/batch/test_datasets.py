# SPDX-License-Identifier: Apache-2.0
"""Shards of datasets: what is no medium stays as it is, what fails is left out, what is cut off is said."""

from __future__ import annotations

import gzip
import io
import itertools
import random
import tarfile
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

import labelkit as lk
from labelkit import metadata
from labelkit.batch import Labels, datasets, tar
from labelkit.errors import (
    InvalidArgument,
    LabelkitError,
    LimitExceeded,
    MalformedFile,
    TruncatedFile,
    UnsupportedFormat,
)
from labelkit.unforeseen import UnforeseenError
from tests.media import photo, saved

PLAIN = lk.Plan(explicit=None, watermark=None)
LABELS = Labels("acme", plan=PLAIN)
FILE_SIDE = (lk.Layer.METADATA, lk.Layer.PROVENANCE)
PICTURES = [saved(photo(96, 128, seed), "JPEG", quality=90) for seed in range(4)]
LONG = "folder/" + "n" * 150 + "/中文"


def packed(members: list[tuple[str, bytes]], path: Path, *, format: int = tarfile.PAX_FORMAT) -> Path:
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode="w", format=format) as file:
        for number, (name, data) in enumerate(members):
            info = tarfile.TarInfo(name)
            info.size, info.mtime, info.mode, info.uname, info.uid = len(data), 1_700_000_000 + number, 0o640, "us", 77
            if format == tarfile.PAX_FORMAT:
                info.mtime += 0.25  # takes an extended header
            file.addfile(info, io.BytesIO(data))
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(gzip.compress(out.getvalue()) if path.name.endswith("gz") else out.getvalue())
    return path


def unpacked(path: Path) -> dict[str, bytes]:
    with tarfile.open(path) as file:
        return {one.name: file.extractfile(one).read() for one in file if one.isreg()}


def members(count: int = 3, prefix: str = "") -> list[tuple[str, bytes]]:
    return [one for number in range(count) for one in (
        (f"{prefix}{number:04d}.jpg", PICTURES[number % 4]), (f"{prefix}{number:04d}.json", b'{"a": 1}'),
        (f"{prefix}{number:04d}.txt", b"a caption"))]


@pytest.mark.parametrize("format", [tarfile.USTAR_FORMAT, tarfile.GNU_FORMAT, tarfile.PAX_FORMAT])
@pytest.mark.parametrize("ending", ["tar", "tar.gz"])
def test_keys_sidecars_order_and_headers_of_a_tar_stay(tmp_path, format, ending):
    prefix = "" if format == tarfile.USTAR_FORMAT else LONG
    source = packed(members(3, prefix), tmp_path / f"a.{ending}", format=format)
    target = tmp_path / "out" / f"b.{ending}"
    seen = []
    done = datasets.embed(source, target, LABELS, on_result=lambda name, result: seen.append(name))
    assert (done.media, done.failures) == (3, {}) and seen == [f"{prefix}{n:04d}.jpg" for n in range(3)]
    before, after = unpacked(source), unpacked(target)
    assert list(before) == list(after)
    assert [metadata.read(data).label is not None for name, data in after.items() if name.endswith("jpg")] == [True] * 3
    assert {n: d for n, d in before.items() if not n.endswith("jpg")} == {
        n: d for n, d in after.items() if not n.endswith("jpg")}
    with tarfile.open(source) as one, tarfile.open(target) as other:
        facts = [[(i.name, i.mode, i.mtime, i.uname, i.uid, i.type) for i in file] for file in (one, other)]
    assert facts[0] == facts[1]
    again = tmp_path / f"c.{ending}"
    datasets.embed(source, again, LABELS)
    assert again.read_bytes() == target.read_bytes(), "a repeated run gives the same bytes"
    reports = dict(datasets.verify(target))
    assert list(reports) == seen and all(one.verdict is lk.Verdict.CONFIRMED for one in reports.values())
    assert {one.verdict for _, one in datasets.verify(source)} == {lk.Verdict.NONE}


def test_what_is_no_file_stays_byte_for_byte(tmp_path):
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode="w") as file:
        for name, kind in (("d", tarfile.DIRTYPE), ("link.jpg", tarfile.SYMTYPE), ("hard.jpg", tarfile.LNKTYPE)):
            info = tarfile.TarInfo(name)
            info.type, info.linkname = kind, "" if kind == tarfile.DIRTYPE else "/etc/passwd"
            file.addfile(info)
    source = tmp_path / "a.tar"
    source.write_bytes(out.getvalue())
    datasets.embed(source, tmp_path / "b.tar", LABELS)
    assert (tmp_path / "b.tar").read_bytes() == source.read_bytes()


def test_a_sample_that_fails_is_left_out_with_its_sidecars(tmp_path):
    source = packed([*members(2), ("bad.jpg", b"no picture"), ("bad.txt", b"words"), ("ok.jpg", PICTURES[0])],
                    tmp_path / "a.tar")
    done = datasets.embed(source, tmp_path / "b.tar", LABELS)
    assert done.media == 3 and list(done.failures) == ["bad.jpg"]
    assert list(unpacked(tmp_path / "b.tar")) == [name for name, _ in members(2)] + ["ok.jpg"]


def test_an_error_names_its_medium(tmp_path):
    packed([("a/1.png", saved(photo(64, 64), "PNG")[:200])], tmp_path / "a.tar")
    done = datasets.embed(tmp_path / "a.tar", tmp_path / "b.tar", LABELS)
    assert str(done.failures["a/1.png"]).startswith("a/1.png: chunk ")


def test_what_shares_a_sample_with_a_failure_is_not_said_to_be_labelled(tmp_path):
    source = packed([("a.jpg", PICTURES[0]), ("a.png", b"bad"), ("b.jpg", PICTURES[1])], tmp_path / "a.tar")
    done = datasets.embed(source, tmp_path / "b.tar", LABELS)
    assert done.media == 1 and list(unpacked(tmp_path / "b.tar")) == ["b.jpg"]
    assert "because a.png of the same sample" in str(done.failures["a.jpg"]) and len(done.failures) == 2


def test_one_key_again_and_again_is_no_sample(tmp_path, monkeypatch):
    monkeypatch.setattr(tar, "MAX_MEMBERS", 3)
    source = packed([("a.txt", b"words")] * 10, tmp_path / "a.tar", format=tarfile.USTAR_FORMAT)
    with open(source, "rb") as file:
        assert [len(one.rest.members) for one in tar.TarReader(file, "a", lambda name: True, None)] == [3, 3, 3, 1]
    datasets.embed(source, tmp_path / "b.tar", LABELS)
    assert (tmp_path / "b.tar").read_bytes() == source.read_bytes()


def test_only_what_is_named_is_labelled(tmp_path):
    source = packed([("a.jpg", PICTURES[0]), ("a.seg.png", saved(photo(96, 128), "PNG")), ("a.cls", b"3")],
                    tmp_path / "a.tar")
    assert datasets.embed(source, tmp_path / "all.tar", LABELS).media == 2
    assert datasets.embed(source, tmp_path / "b.tar", LABELS, media=["jpg"]).media == 1
    after = unpacked(tmp_path / "b.tar")
    assert after["a.seg.png"] == saved(photo(96, 128), "PNG") and metadata.read(after["a.jpg"]).label


@pytest.mark.parametrize("ending", ["tar", "tar.gz", "parquet"])
def test_an_empty_shard_is_success(tmp_path, ending):
    source, target = tmp_path / f"a.{ending}", tmp_path / f"b.{ending}"
    if ending == "parquet":
        pq.write_table(pa.table({"image": pa.array([], pa.binary())}), source)
    else:
        packed([], source)
    assert datasets.embed(source, target, LABELS) == datasets.Done()
    assert list(datasets.verify(target)) == []


def cuts() -> list[tuple[int, int, str]]:
    """(bytes, whole samples, what the error says) of a shard that ends too early: samples of 3 members."""
    size = 512 + -(-len(PICTURES[0]) // 512) * 512
    return [(0, 0, "byte 0, without the mark"), (200, 0, "byte 200"), (700, 0, "within 0000.jpg"),
            (size, 0, "without the mark"), (size + 2048 + 700, 1, "within 0001.jpg"),
            (size + 2048 + 100, 0, "without the mark")]


@pytest.mark.parametrize(("at", "whole", "said"), cuts())
def test_a_shard_that_ends_too_early_is_said_to_and_not_taken_as_done(tmp_path, at, whole, said):
    source = packed(members(3), tmp_path / "a.tar", format=tarfile.USTAR_FORMAT)
    source.write_bytes(source.read_bytes()[:at])
    with pytest.raises(TruncatedFile, match=said) as caught:
        datasets.embed(source, tmp_path / "b.tar", LABELS)
    assert "nothing was written" in str(caught.value) and not (tmp_path / "b.tar").exists()
    assert [path.name for path in tmp_path.iterdir()] == ["a.tar"], "no temporary file stays"
    with pytest.raises(TruncatedFile, match=said) as caught:
        datasets.embed(source, tmp_path / "b.tar", LABELS, keep_truncated=True)
    assert ("they were worked on" in str(caught.value)) is bool(whole)
    assert len(unpacked(tmp_path / "b.tar")) == 3 * whole
    reports = []
    with pytest.raises(TruncatedFile, match=said):
        reports.extend(datasets.verify(source))
    assert len(reports) == whole


def test_a_lost_end_mark_alone_is_found(tmp_path):
    source = packed(members(2), tmp_path / "a.tar", format=tarfile.USTAR_FORMAT)
    source.write_bytes(source.read_bytes().rstrip(b"\0").ljust(8 * 512 * 40, b"\0")[:len(unpacked(source)) * 512
                       + sum(-(-len(data) // 512) * 512 for data in unpacked(source).values())])
    with pytest.raises(TruncatedFile, match="without the mark of its end; 1 samples before are whole, the last is 0"):
        datasets.embed(source, tmp_path / "b.tar", LABELS)


def test_gzip_that_ends_too_early(tmp_path):
    source = packed(members(8), tmp_path / "a.tar.gz")
    source.write_bytes(source.read_bytes()[:-2000])
    with pytest.raises(TruncatedFile, match="nothing was written"):
        datasets.embed(source, tmp_path / "b.tar.gz", LABELS)
    assert not (tmp_path / "b.tar.gz").exists()


def test_broken_and_odd_archives_are_refused(tmp_path):
    good = packed(members(2), tmp_path / "good.tar", format=tarfile.USTAR_FORMAT).read_bytes()
    size = 512 + -(-len(PICTURES[0]) // 512) * 512
    sparse = bytearray(good)
    sparse[156:157] = b"S"
    sparse[148:156] = b"%06o\0 " % (sum(sparse[:148]) + 8 * 32 + sum(sparse[156:512]))
    pax = bytearray(good[:512])
    pax[156:157], pax[124:136] = b"x", b"77777777777\0"
    pax[148:156] = b"%06o\0 " % (sum(pax[:148]) + 8 * 32 + sum(pax[156:512]))
    for name, data, kind in (("middle", good[:size] + b"?" * 512 + good[size + 512:], MalformedFile),
                             ("two", good + good, MalformedFile), ("noise", bytes(range(256)) * 9, MalformedFile),
                             ("sparse", bytes(sparse), UnsupportedFormat),
                             ("headers", bytes(pax) + good, LimitExceeded)):
        path = tmp_path / f"{name}.tar"
        path.write_bytes(data)
        with pytest.raises(kind):
            datasets.embed(path, tmp_path / "out.tar", LABELS)
        assert not (tmp_path / "out.tar").exists(), name


def test_large_members_do_not_stay_in_memory_or_on_disk(tmp_path, monkeypatch):
    monkeypatch.setattr(tar, "IN_MEMORY", 1000)
    source = packed([*members(3), ("0003.npy", bytes(5000))], tmp_path / "a.tar")
    assert datasets.embed(source, tmp_path / "b.tar", LABELS).media == 3
    monkeypatch.undo()
    datasets.embed(source, tmp_path / "c.tar", LABELS)
    assert (tmp_path / "b.tar").read_bytes() == (tmp_path / "c.tar").read_bytes()
    assert sorted(path.name for path in tmp_path.iterdir()) == ["a.tar", "b.tar", "c.tar"]


@pytest.mark.parametrize("retried", ["a.tar", "a.parquet"])
def test_only_what_failed_is_labelled_again(tmp_path, retried):
    make = packed if retried.endswith("tar") else rows
    good = [("0000.jpg", PICTURES[0]), ("0001.jpg", PICTURES[1]), ("0002.jpg", PICTURES[2])]
    source = make([good[0], ("0001.jpg", b"bad"), good[2]], tmp_path / retried)
    target, whole = tmp_path / f"out-{retried}", tmp_path / f"whole-{retried}"
    failed = list(datasets.embed(source, target, LABELS).failures)
    make(good, source)
    datasets.embed(source, whole, LABELS)
    worked = []

    def work(sample):
        worked.append(sample.key)
        return datasets.attempted_each(lambda one: LABELS.label(one.data))(sample)

    list(datasets.rewritten(str(source), str(target), work, datasets.on_threads(1), again=failed))
    assert [key for key in worked if key in ("0001", "row 1")] and len(failed) == 1
    assert target.read_bytes() == whole.read_bytes()


def rows(members: list[tuple[str, bytes]], path: Path) -> Path:
    names, data = zip(*members, strict=True)
    schema = pa.schema([pa.field("key", pa.string(), metadata={"k": "v"}), ("image", pa.large_binary())],
                       metadata={"huggingface": "{}"})
    pq.write_table(pa.table([names, data], schema=schema), path, row_group_size=2, compression="zstd")
    return path


def test_schema_metadata_compression_and_groups_of_parquet_stay(tmp_path):
    kind = pa.struct([("bytes", pa.binary()), ("path", pa.string())])
    schema = pa.schema([pa.field("image", kind), pa.field("raw", pa.large_binary(), metadata={"of": "raw"}),
                        pa.field("n", pa.int64(), nullable=False), ("words", pa.list_(pa.string()))],
                       metadata={"huggingface": '{"info": 1}'})
    table = pa.table([[{"bytes": PICTURES[n], "path": f"{n}.jpg"} if n != 1 else None for n in range(4)],
                      [b"\0raw", None, b"x", b"y"], list(range(4)), [["a"], [], None, ["b", "c"]]], schema=schema)
    source, target = tmp_path / "a.parquet", tmp_path / "b.parquet"
    pq.write_table(table, source, row_group_size=3, compression={"image.bytes": "NONE", "n": "ZSTD"},
                   use_dictionary=["n"])
    assert datasets.embed(source, target, LABELS).media == 3
    one, other = pq.ParquetFile(source), pq.ParquetFile(target)
    assert other.schema_arrow.equals(one.schema_arrow, check_metadata=True)
    assert [other.metadata.row_group(n).num_rows for n in range(2)] == [3, 1]
    for column in range(other.metadata.num_columns):
        wanted, got = one.metadata.row_group(0).column(column), other.metadata.row_group(0).column(column)
        assert (wanted.path_in_schema, wanted.compression) == (got.path_in_schema, got.compression)
    made = other.read()
    assert made.drop(["image"]).equals(table.drop(["image"]))
    cells = made["image"].to_pylist()
    assert cells[1] is None and [cell["path"] for cell in cells if cell] == ["0.jpg", "2.jpg", "3.jpg"]
    assert all(metadata.read(cell["bytes"]).label for cell in cells if cell)
    assert [name for name, _ in datasets.verify(target)] == ["row 0 image", "row 2 image", "row 3 image"]


def test_media_get_no_dictionary_in_parquet_and_other_columns_keep_theirs(tmp_path):
    source, target = tmp_path / "a.parquet", tmp_path / "b.parquet"
    large = saved(photo(400, 400), "PNG")  # written without a copy; the others are put together
    rows([("a", PICTURES[0]), ("a", large), ("b", PICTURES[1]), ("b", PICTURES[2])], source)
    pq.write_table(pq.read_table(source), source, use_dictionary=True)
    assert len(large) > 64 << 10 and datasets.embed(source, target, LABELS).media == 4
    found = [[pq.ParquetFile(path).metadata.row_group(0).column(at).has_dictionary_page for at in range(2)]
             for path in (source, target)]
    assert found == [[True, True], [True, False]]
    made = pq.read_table(target)
    assert made["key"].to_pylist() == ["a", "a", "b", "b"]
    for before, after in zip(pq.read_table(source)["image"].to_pylist(), made["image"].to_pylist(), strict=True):
        assert LABELS.label(before).made == after


def test_a_row_that_fails_is_left_out_and_large_groups_are_divided(tmp_path, monkeypatch):
    monkeypatch.setattr("labelkit.batch.rows.GROUP_BYTES", 3 * len(PICTURES[0]))
    source = rows([(str(n), b"bad" if n == 2 else PICTURES[n % 4]) for n in range(9)], tmp_path / "a.parquet")
    pq.write_table(pq.read_table(source), source, row_group_size=9)
    done = datasets.embed(source, tmp_path / "b.parquet", LABELS)
    made = pq.ParquetFile(tmp_path / "b.parquet")
    assert list(done.failures) == ["row 2 image"] and made.read()["key"].to_pylist() == list("01345678")
    assert made.num_row_groups > 1


def test_parquet_that_was_cut_off_and_one_without_media(tmp_path):
    source = rows([("a", PICTURES[0])], tmp_path / "a.parquet")
    whole = source.read_bytes()
    source.write_bytes(whole[:-100])
    with pytest.raises(TruncatedFile, match="a.parquet: the shard cannot be read"):
        datasets.embed(source, tmp_path / "b.parquet", LABELS)
    source.write_bytes(whole)
    with pytest.raises(InvalidArgument, match="no column caption of bytes, but image"):
        datasets.embed(source, tmp_path / "b.parquet", LABELS, media=["caption"])
    rows([("a", b"words")], source)
    with pytest.raises(InvalidArgument, match="begins with a picture"):
        datasets.embed(source, tmp_path / "b.parquet", LABELS)
    assert not (tmp_path / "b.parquet").exists()


def test_formats_are_not_converted_and_one_name_is_no_list(tmp_path):
    source = packed(members(1), tmp_path / "a.tar")
    for call in (lambda: datasets.embed(source, tmp_path / "b.parquet", LABELS),
                 lambda: datasets.embed(source, tmp_path / "b.zip", LABELS),
                 lambda: datasets.embed(source, tmp_path / "b.tar", "acme"),
                 lambda: datasets.embed(source, tmp_path / "b.tar", LABELS, media="jpg")):
        with pytest.raises(InvalidArgument):
            call()
    with pytest.raises(InvalidArgument, match="cannot be opened"):
        datasets.embed(tmp_path / "none.tar", tmp_path / "b.tar", LABELS)


def test_samples_are_taken_a_few_ahead():
    """A tar of any length is read in bounded memory; here one without an end."""
    one = packed_sample()

    class Endless(io.RawIOBase):
        def read(self, count=-1):
            return b"".join(itertools.islice(one, count))

    class NoFolder:
        path = Path("/no/folder")

    reader = tar.TarReader(Endless(), "endless", lambda name: True, NoFolder())
    assert [sample.key for sample in itertools.islice(reader, 5)] == ["0"] * 5


def packed_sample() -> itertools.cycle:
    info = tarfile.TarInfo("0.jpg")
    info.size = 512
    block = info.tobuf(tarfile.USTAR_FORMAT) + b"x" * 512
    return itertools.chain.from_iterable(itertools.repeat([block[n:n + 1] for n in range(len(block))]))


def test_names_and_keys():
    assert [tar.key_of(name) for name in ("a/b.c/0001.seg.png", "0001.jpg", "README", "a.b/README", ".hidden")] == [
        "a/b.c/0001", "0001", "README", "a.b/README", ".hidden"]
    assert all(map(datasets.is_dataset, ("a.tar", "s3://b/a.TAR", "a.tgz", "a.tar.gz", "a.parquet")))
    assert not any(map(datasets.is_dataset, ("a.rar", "tar", "a.tar.jpg", "a.gz")))


@pytest.mark.parametrize("name", ["a.tar", "a.tar.gz", "a.parquet"])
def test_broken_bytes_give_errors_of_our_own_and_no_target(tmp_path, name):
    make = rows if name.endswith("parquet") else packed
    source = make([(f"{LONG}{number}.jpg", PICTURES[number]) for number in range(2)], tmp_path / name)
    whole, draw = source.read_bytes(), random.Random(name)
    outcomes = set()
    for number in range(60):
        broken = bytearray(whole)
        for _ in range(draw.randrange(1, 6)):
            start = draw.choice([0, len(whole) - 900, draw.randrange(len(whole))])
            broken[min(len(whole) - 1, start + draw.randrange(900))] = draw.randrange(256)
        source.write_bytes(broken if number % 3 else broken[:draw.randrange(len(broken))])
        target = tmp_path / f"out-{number}.{name.partition('.')[2]}"
        try:
            outcomes.add(type(datasets.embed(source, target, LABELS)))
        except LabelkitError as error:
            assert not isinstance(error, UnforeseenError)
            outcomes.add(type(error))
            assert not target.exists()
    assert len(outcomes) > 1
