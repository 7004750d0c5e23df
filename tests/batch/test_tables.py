# SPDX-License-Identifier: Apache-2.0
"""Labels and Verifications: tables of every library, one row after the other, and errors in their rows."""

from __future__ import annotations

import builtins
import pickle
import re
import threading
from pathlib import Path

import numpy as np
import pandas
import pyarrow as pa
import pytest

import labelkit as lk
from labelkit import metadata, pipeline, threads
from labelkit.batch import Labels, Verifications, columns, derived_id
from labelkit.errors import InvalidArgument, InvalidLabel
from tests.films import film
from tests.media import photo, saved

PLAIN = lk.Plan(explicit=None, watermark=None)
FILE_SIDE = (lk.Layer.METADATA, lk.Layer.PROVENANCE)
PICTURES = [saved(photo(96, 128, seed), "JPEG", quality=90) for seed in range(3)]
MIXED = [PICTURES[0], b"no picture", PICTURES[1], None]
UUID = re.compile(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}")


def arrow(values: list[object], kind: pa.DataType | None = None) -> pa.Table:
    field = pa.field("bytes", kind or pa.binary(), metadata={"of": "field"})
    schema = pa.schema([("key", pa.string()), field, ("caption", pa.string())], metadata={"of": "schema"})
    return pa.table([[f"k{row}" for row in range(len(values))], values, ["words"] * len(values)], schema=schema)


TABLES = {
    "table": arrow, "record batch": lambda values: arrow(values).to_batches()[0],
    "chunks": lambda values: pa.concat_tables([arrow(values).slice(0, 2), arrow(values).slice(2)]),
    "large": lambda values: arrow(values, pa.large_binary()),
    "data frame": lambda values: arrow(values).to_pandas().set_index(pandas.Index([7, 7, 3, 1])),
    "lists": lambda values: arrow(values).to_pydict(),
    "arrays": lambda values: {name: np.array(column, object) for name, column in arrow(values).to_pydict().items()},
}


def lists(table: object) -> dict[str, list[object]]:
    if isinstance(table, pandas.DataFrame):
        return {name: list(column) for name, column in table.items()}
    return {name: list(column) for name, column in table.items()} if isinstance(table, dict) else table.to_pydict()


@pytest.mark.parametrize("kind", TABLES)
def test_rows_are_labelled_and_errors_stand_in_their_rows(kind):
    table = TABLES[kind](MIXED)
    made = Labels("acme", plan=PLAIN, id_column="key")(table)
    assert type(made) is type(table)
    found = lists(made)
    assert list(found) == ["key", "bytes", "caption", "label_id", "payload", "error_type", "error"]
    assert found["caption"] == ["words"] * 4 and found["key"] == ["k0", "k1", "k2", "k3"]
    assert found["label_id"] == [derived_id("acme", "k0"), None, derived_id("acme", "k2"), None]
    assert [data and metadata.read(data).label.produce_id for data in found["bytes"]] == found["label_id"]
    assert found["error_type"] == [None, "UnsupportedFormat", None, "InvalidArgument"]
    assert "not known" in found["error"][1] and "no file" in found["error"][3] and found["error"][0] is None
    assert found["payload"] == [None] * 4
    again = lists(Verifications(layers=FILE_SIDE, require=[lk.Layer.METADATA])(made))
    assert again["verdict"] == ["confirmed", None, "confirmed", None] and again["meets"] == [True, None, True, None]
    assert again["label_id"] == found["label_id"] and again["metadata"] == ["valid", None, "valid", None]
    assert again["watermark"] == ["unchecked", None, "unchecked", None]
    assert again["error_type"] == [None, "InvalidArgument", None, "InvalidArgument"]


def test_types_and_metadata_of_a_schema_stay():
    table = arrow(PICTURES, pa.large_binary())
    made = Labels("acme", plan=PLAIN)(table)
    assert made.schema.field("bytes") == table.schema.field("bytes")
    assert made.schema.metadata == {b"of": b"schema"} and made.schema.field("bytes").metadata == {b"of": b"field"}
    assert made.schema.field("label_id").type == pa.string()
    empty = Labels("acme", plan=PLAIN)(table.slice(0, 0))
    assert empty.num_rows == 0 and empty.schema == made.schema, "an empty batch has the schema of the others"
    assert Verifications()(table.slice(0, 0)).schema.names[-2:] == ["error_type", "error"]


def test_every_layer_and_its_payload():
    table = {"bytes": [saved(photo(), "JPEG", quality=92), b"plain words"]}
    made = Labels("acme", id_column=None)(table)
    found = Verifications(report=True)(made)
    assert made["payload"][0] == found["payload"][0] and re.fullmatch("[0-9a-f]{16}", made["payload"][0])
    assert [found[layer][0] for layer in ("explicit", "watermark", "metadata", "provenance")] == ["valid"] * 3 + [
        "absent"]
    assert '"verdict": "confirmed"' in found["report"][0] and found["report"][1] is None
    bare = Verifications()({"bytes": [table["bytes"][0]]})
    assert (bare["verdict"], bare["payload"], bare["label_id"]) == (["none"], [None], [None])


def test_the_same_row_gives_the_same_bytes_and_another_row_another_id():
    table = {"bytes": [saved(photo(), "PNG"), *PICTURES[:2]], "key": ["a", "b", "c"]}
    by_key, by_content = Labels("acme", id_column="key"), Labels("acme", plan=PLAIN)
    assert by_key(table) == by_key(table) and by_content(table) == by_content(table)
    assert by_key({"bytes": table["bytes"][:1], "key": ["a"]})["bytes"][0] == by_key(table)["bytes"][0]
    assert by_key({"bytes": table["bytes"][:1], "key": ["z"]})["bytes"][0] != by_key(table)["bytes"][0]
    ids = [*by_key(table)["label_id"], *by_content(table)["label_id"],
           *Labels("other", plan=PLAIN)(table)["label_id"]]
    assert len(set(ids)) == 9 and all(map(UUID.fullmatch, ids))


def test_it_can_be_pickled_with_its_key_and_signer(signer):
    key = lk.Key(b"sixteen or more bytes")
    labels = pickle.loads(pickle.dumps(Labels("acme", key=key, plan=lk.Plan(provenance=signer))))
    made = labels({"bytes": [saved(photo(), "JPEG", quality=92)]})
    check = pickle.loads(pickle.dumps(Verifications(key=key, trust=lk.TrustList.none())))
    found = check(made)
    assert (found["watermark"], found["provenance"], found["error"]) == (["valid"], ["valid"], [None])
    assert Verifications(trust=lk.TrustList.none())(made)["watermark"] == ["absent"], "another key finds nothing"


def test_paths_are_read_and_results_written(tmp_path):
    source = tmp_path / "in" / "a.jpg"
    source.parent.mkdir()
    source.write_bytes(PICTURES[0])
    out = tmp_path / "out"
    rows = {"path": [str(source), str(tmp_path / "missing.jpg"), source]}
    made = Labels("acme", column="path", plan=PLAIN)(rows)
    assert metadata.read(made["path"][0]).label and made["path"][1] is None and source.read_bytes() == PICTURES[0]
    placed = Labels("acme", column="path", into=str(out), plan=PLAIN)(rows)
    assert placed["path"] == rows["path"] and placed["uri"][1] is None and "cannot be opened" in placed["error"][1]
    assert Path(placed["uri"][0]).read_bytes() == made["path"][0]
    assert placed["uri"][0] == f"{out}{source}", "it keeps its path"
    inside = Labels("acme", into=str(out), plan=PLAIN)({"bytes": [PICTURES[1]]})
    assert inside["uri"] == [f"{out}/{inside['label_id'][0]}.jpg"] and inside["bytes"] == [PICTURES[1]]
    assert Verifications(column="uri", layers=FILE_SIDE)(placed)["verdict"] == ["confirmed", None, "confirmed"]
    led_out = Labels("acme", column="path", into=str(out), plan=PLAIN)({"path": ["../../etc/a.jpg"]})
    assert led_out["uri"] == [None] and led_out["error"] != [None]


def test_the_structure_of_hugging_face_is_kept():
    kind = pa.struct([("bytes", pa.binary()), ("path", pa.string())])
    table = pa.table({"image": pa.array([{"bytes": PICTURES[0], "path": "a.jpg"}, {"bytes": None, "path": "/etc/x"},
                                         None], kind)})
    made = Labels("acme", column="image", plan=PLAIN)(table)
    assert made.schema.field("image").type == kind
    first, second, third = made["image"].to_pylist()
    assert metadata.read(first["bytes"]).label and first["path"] == "a.jpg"
    assert second is third is None and made["error_type"].to_pylist() == [None, "InvalidArgument", "InvalidArgument"]


def test_a_defect_and_a_lost_store_are_errors_of_their_rows(monkeypatch):
    whole = pipeline.embed

    def embed(source: bytes, *rest: object, **settings: object) -> object:
        if source == PICTURES[0]:
            raise ZeroDivisionError("a defect")
        if source == PICTURES[1]:
            raise BrokenPipeError(32, "broken pipe")
        return whole(source, *rest, **settings)

    monkeypatch.setattr(pipeline, "embed", embed)
    made = Labels("acme", plan=PLAIN)({"bytes": PICTURES})
    assert made["error_type"] == ["UnforeseenError", "LabelkitError", None]


def test_ctrl_c_ends_the_call(monkeypatch):
    def embed(*_: object, **__: object) -> bytes:
        raise KeyboardInterrupt

    monkeypatch.setattr(pipeline, "embed", embed)
    with pytest.raises(KeyboardInterrupt):
        Labels("acme", plan=PLAIN, jobs=1)({"bytes": PICTURES})


def test_rows_are_worked_on_side_by_side(monkeypatch):
    both, whole = threading.Barrier(2, timeout=600), pipeline.embed

    def embed(*arguments: object, **settings: object) -> object:
        both.wait()
        return whole(*arguments, **settings)

    monkeypatch.setattr(pipeline, "embed", embed)
    monkeypatch.setattr(threads, "cores", lambda: 2)
    assert Labels("acme", plan=PLAIN)({"bytes": PICTURES[:2]})["error"] == [None, None]


@pytest.mark.parametrize("make", [
    lambda: Labels("name with spaces"), lambda: Labels("acme", plan="all"), lambda: Labels("acme", key="secret"),
    lambda: Labels("acme", jobs=0), lambda: Labels("acme", jobs=True), lambda: Verifications(effort="most"),
    lambda: Verifications(layers=[]), lambda: Verifications(jobs=0), lambda: Labels("acme")({"data": [b""]}),
    lambda: Labels("acme", id_column="key")({"bytes": [b""]}), lambda: Labels("acme")([b""]),
    lambda: Verifications(column="uri")(arrow(PICTURES)), lambda: Labels("acme")({"bytes": [b""], "key": []}),
    lambda: Verifications(layers=FILE_SIDE, require=[lk.Layer.WATERMARK])])
def test_what_no_row_could_be_labelled_with_is_refused_at_once(make):
    with pytest.raises((InvalidArgument, InvalidLabel)):
        make()


def test_an_unknown_setting_is_refused():
    with pytest.raises(TypeError, match="colour"):
        Verifications(colour=True)


def test_a_row_without_a_key_is_an_error():
    made = Labels("acme", id_column="key", plan=PLAIN)({"bytes": PICTURES[:2], "key": [None, 7]})
    assert made["error_type"] == ["InvalidArgument", None] and made["label_id"][1] == derived_id("acme", "7")


def test_dictionaries_need_no_other_library(monkeypatch):
    real = builtins.__import__

    def only_ours(name: str, *rest: object, **more: object) -> object:
        assert name.partition(".")[0] not in ("pyarrow", "pandas")
        return real(name, *rest, **more)

    monkeypatch.setattr(builtins, "__import__", only_ours)
    monkeypatch.setattr(columns.importlib, "import_module", only_ours)
    assert Labels("acme", plan=PLAIN)({"bytes": PICTURES[:1]})["error"] == [None]


@pytest.mark.parametrize("name, codec, sound", [("a.mkv", "libx264", "aac"), ("a.webm", "libvpx-vp9", "libopus"),
                                                ("a.mp4", "libx264", "aac")])
def test_a_film_that_is_labelled_again_gives_the_same_bytes(name, codec, sound, tmp_path):
    """FFmpeg gives what it writes to Matroska numbers at random, unless it is asked not to."""
    source = film(tmp_path / name, codec=codec, count=6, sound=[sound]).read_bytes()
    labels = Labels("acme", plan=lk.Plan(watermark=lk.Watermark(required=False)))
    one, again = (labels.label(source).made for _ in range(2))
    assert one == again and lk.verify(one, layers=FILE_SIDE)[lk.Layer.METADATA].status is lk.Status.VALID
    assert labels.label(source, "another").made != one
