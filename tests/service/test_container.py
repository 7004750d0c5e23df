# SPDX-License-Identifier: Apache-2.0
"""The files for containers name options and keys that there are. No container is built or run here."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest
import yaml

import labelkit as lk
from labelkit.cli import parser
from labelkit.distribution import DISTRIBUTION

FOLDER = Path(lk.__file__).parents[1] / "examples" / "service"


def entry_point() -> list[str]:
    text = (FOLDER / "Containerfile").read_text("utf-8")
    return json.loads(re.search(r"^ENTRYPOINT (\[.*\])$", text, re.MULTILINE)[1])


@pytest.fixture
def composed() -> dict:
    return yaml.safe_load((FOLDER / "compose.yaml").read_text("utf-8"))


def test_the_command_is_one_that_labelkit_takes(composed):
    program, *words = [*entry_point(), *composed["services"]["labelkit"]["command"]]
    options = parser.build().parse_args(words)
    assert (program, options.command, options.host) == ("labelkit", "serve", "0.0.0.0")
    with pytest.raises(SystemExit):
        parser.build().parse_args([*words, "--api-key=x"])


def test_secrets_are_those_that_are_mounted(composed):
    service = composed["services"]["labelkit"]
    named = re.findall(r"/run/secrets/([\w-]+)", " ".join(service["command"]))
    assert sorted(named) == sorted(service["secrets"]) == sorted(composed["secrets"])
    files = {Path(one["file"]).name for one in composed["secrets"].values()}
    assert files == {"api.jsonl", "signer.pem", "watermark.key", "result.pem"}


def test_it_has_few_rights(composed):
    service = composed["services"]["labelkit"]
    assert service["read_only"] and service["cap_drop"] == ["ALL"] and service["ports"][0].startswith("127.0.0.1:")
    assert re.search(r"^USER [1-9]\d*$", (FOLDER / "Containerfile").read_text("utf-8"), re.MULTILINE)


def test_the_extras_are_those_of_the_distribution():
    import importlib.metadata

    extras = set(importlib.metadata.metadata(DISTRIBUTION).get_all("Provides-Extra"))
    asked = re.search(r'"/src\[([\w,]+)\]"', (FOLDER / "Containerfile").read_text("utf-8"))[1].split(",")
    assert "service" in asked and set(asked) <= extras
