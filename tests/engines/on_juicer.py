# SPDX-License-Identifier: Apache-2.0
"""The operators in Data-Juicer itself: a recipe, and what becomes of samples. Run by `make test-engines`."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

import labelkit as lk
from labelkit.batch import Labels
from labelkit.errors import InvalidArgument
from tests.engines.media import PLAIN
from tests.media import photo, saved

pytest.importorskip("data_juicer")
PICTURES = [saved(photo(96, 128, seed), "JPEG", quality=90) for seed in range(3)]
ROOT = Path(lk.__file__).parents[1]


@pytest.fixture(autouse=True)
def plain_world(monkeypatch, tmp_path):
    monkeypatch.setenv("HF_HOME", str(tmp_path / "cache"))
    monkeypatch.setenv("DATA_JUICER_CACHE_HOME", str(tmp_path / "cache"))
    monkeypatch.setenv("PYTHONPATH", str(ROOT))
    monkeypatch.chdir(tmp_path)


def operator(name: str, **settings: object):
    from data_juicer.ops.base_op import OPERATORS

    import labelkit.integrations.juicer  # noqa: F401  # registers them
    return OPERATORS.modules[name](**settings)


def paths() -> list[str]:
    for number, data in enumerate(PICTURES):
        Path(f"{number}.jpg").write_bytes(data)
    Path("bad.jpg").write_bytes(b"no picture")
    return [str(Path(name).resolve()) for name in ("0.jpg", "1.jpg", "2.jpg", "bad.jpg")]


def test_bytes_and_paths_are_labelled_and_failures_told():
    first, second, third, bad = paths()
    samples = {"text": ["a", "b", "c"], "images": [[first, bad], [], [third]],
               "image_bytes": [[], [], [PICTURES[1], b"no picture"]]}
    made = operator("labelkit_label_mapper", producer="acme", layers=["metadata"], save_dir="out").process(samples)
    labels = Labels("acme", plan=PLAIN)
    assert Path(made["images"][0][0]).read_bytes() == labels.label(PICTURES[0]).made
    assert made["images"][0][1] == "" and made["images"][1:] == [[], [third]], "bytes go before paths"
    assert made["image_bytes"] == [[], [], [labels.label(PICTURES[1]).made, b""]]
    assert [[bool(one) for one in row] for row in made["labelkit_errors"]] == [[False, True], [], [False, True]]
    assert [[bool(one) for one in row] for row in made["labelkit_ids"]] == [[True, False], [], [True, False]]
    assert made["text"] == ["a", "b", "c"]
    checked = operator("labelkit_verify_mapper", layers=["metadata"]).process(
        {"images": [[made["images"][0][0]], [first], [bad]]})
    assert checked["labelkit_verdicts"] == [["confirmed"], ["none"], [""]]
    assert [bool(row[0]) for row in checked["labelkit_errors"]] == [False, False, True]


def test_wrong_settings_are_refused():
    for settings in ({"layers": ["perfume"]}, {"layers": []}, {"producer": ""}):
        with pytest.raises(lk.LabelkitError):
            operator("labelkit_label_mapper", **{"producer": "acme", **settings})
    with pytest.raises(InvalidArgument, match="save_dir"):
        operator("labelkit_label_mapper", producer="acme").process({"images": [paths()[:1]]})


def test_a_recipe_runs_in_data_juicer(tmp_path):
    named = paths()
    Path("in.jsonl").write_text("".join(json.dumps({"text": name, "images": [name]}) + "\n" for name in named))
    where = subprocess.run([sys.executable, "-m", "labelkit.integrations.juicer"], capture_output=True, text=True,
                           check=True).stdout.strip()
    Path("recipe.yaml").write_text(json.dumps({  # JSON is YAML
        "project_name": "labels", "dataset_path": str(tmp_path / "in.jsonl"), "np": 1, "open_tracer": False,
        "export_path": str(tmp_path / "out.jsonl"), "custom_operator_paths": [where],
        "process": [{"labelkit_label_mapper": {"producer": "acme", "layers": ["metadata"],
                                               "save_dir": str(tmp_path / "labelled")}},
                    {"labelkit_verify_mapper": {"layers": ["metadata"]}}]}))
    done = subprocess.run([Path(sys.executable).parent / "dj-process", "--config", "recipe.yaml"], capture_output=True,
                          text=True, timeout=240)
    assert done.returncode == 0, done.stderr[-3000:]
    rows = [json.loads(line) for line in Path("out.jsonl").read_text().splitlines()]
    assert [row["labelkit_verdicts"] for row in rows] == [["confirmed"]] * 3 + [[""]]
    labels = Labels("acme", plan=PLAIN)
    for row, data in zip(rows, PICTURES, strict=False):
        assert Path(row["images"][0]).read_bytes() == labels.label(data).made
