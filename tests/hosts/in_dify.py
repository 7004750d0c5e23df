# SPDX-License-Identifier: Apache-2.0
"""The plugin for Dify over its real SDK, which patches Python's sockets and threads as it is imported."""

from __future__ import annotations

import runpy
from pathlib import Path

import dify_plugin
import pytest
import yaml
from dify_plugin.entities.tool import ToolInvokeMessage
from dify_plugin.errors.tool import ToolProviderCredentialValidationError

import labelkit as lk

PLUGIN = Path(lk.__file__).parents[1] / "examples" / "dify_plugin"
ANSWER = "It rains. It will snow in the evening."


def described(name: str) -> dict:
    return yaml.safe_load((PLUGIN / name).read_text("utf-8"))


def test_the_plugin_is_whole_and_labels():
    provider = described(described("manifest.yaml")["plugins"]["tools"][0])
    tool = described(provider["tools"][0])
    kind = runpy.run_path(str(PLUGIN / tool["extra"]["python"]["source"]))["LabelTool"]
    assert issubclass(kind, dify_plugin.Tool) and [one["name"] for one in tool["parameters"]] == [
        "text", "files", "place"]
    made = kind.__new__(kind)  # without Dify's runtime there is no session
    made.response_type = ToolInvokeMessage
    [message] = made.invoke({"text": ANSWER})
    found = lk.verify(message.message.text, format="markdown")
    assert message.type.value == "text" and found[lk.Layer.EXPLICIT].status is lk.Status.VALID
    assert lk.verify(ANSWER, format="markdown")[lk.Layer.EXPLICIT].status is lk.Status.ABSENT


def test_a_producer_that_no_label_can_hold_is_refused():
    provider = described("provider/labelkit.yaml")["extra"]["python"]["source"]
    kind = runpy.run_path(str(PLUGIN / provider))["LabelkitProvider"]
    checks = kind.__new__(kind)
    checks._validate_credentials({"producer": "acme"})
    for wrong in ({}, {"producer": ""}):
        with pytest.raises(ToolProviderCredentialValidationError):
            checks._validate_credentials(wrong)
