# SPDX-License-Identifier: Apache-2.0
"""The tools as a client of the official SDK sees them: in memory, and over the pipes of `labelkit mcp`."""

from __future__ import annotations

import os
import sys

import anyio
import pytest
from mcp import Client, StdioServerParameters
from mcp_types import ListRootsResult, Root

import labelkit as lk
from labelkit import mcp
from labelkit.errors import InvalidArgument
from tests.media import LABEL, photo, saved

PRODUCER = "001191440300708461136T1XGW3"


@pytest.fixture
def folder(tmp_path):
    folder = tmp_path / "pictures"
    folder.mkdir()
    plain = saved(photo(), "JPEG", quality=92)
    (folder / "plain.jpg").write_bytes(plain)
    (folder / "labelled.jpg").write_bytes(lk.embed(plain, label=LABEL))
    (tmp_path / "secret.jpg").write_bytes(plain)
    return folder


def asked(server, *calls, mode="auto", roots=None):
    """The results of calls (tool, arguments) of one client."""
    async def granting(context):
        return ListRootsResult(roots=[Root(uri=path.as_uri()) for path in roots])

    async def talk():
        async with Client(server, mode=mode, list_roots_callback=granting if roots is not None else None) as client:
            return [await client.call_tool(name, arguments) for name, arguments in calls]
    return anyio.run(talk)


def test_the_tools_are_described(folder):
    async def listed():
        async with Client(mcp.server(mcp.Settings([folder]))) as client:
            return {tool.name: tool for tool in (await client.list_tools()).tools}
    tools = anyio.run(listed)
    assert set(tools) == {"verify", "inspect", "check", "embed"}
    assert {name for name, tool in tools.items() if tool.annotations.read_only_hint} == {"verify", "inspect", "check"}
    assert not tools["embed"].annotations.destructive_hint
    assert all(not tool.annotations.open_world_hint and "granted" not in tool.input_schema["properties"]
               for tool in tools.values())
    assert tools["embed"].input_schema["required"] == ["path", "output"]


def test_files_are_verified_inspected_checked_and_labelled(folder):
    settings = mcp.Settings([folder], producer=PRODUCER)
    calls = [("verify", {"path": "plain.jpg"}), ("verify", {"path": "labelled.jpg", "effort": "fast"}),
             ("inspect", {"path": "labelled.jpg"}), ("check", {"path": "labelled.jpg"}),
             ("check", {"path": "plain.jpg"}),
             ("embed", {"path": "plain.jpg", "output": "made.jpg", "produce_id": "7"})]
    results = asked(mcp.server(settings), *calls)
    assert not any(result.is_error for result in results)
    plain, labelled, inspected, good, bad, made = (result.structured_content for result in results)
    assert (plain["verdict"], labelled["verdict"]) == ("none", "confirmed") and labelled["file"] == "labelled.jpg"
    assert inspected["format"] == "jpeg" and inspected["provenance"]["status"] == "absent"
    assert LABEL.produce_id in str(inspected)
    assert good["outcome"] != "fail" and bad["outcome"] == "fail" and bad["profile"] == "gb45438"
    assert made["label"]["ContentProducer"] == PRODUCER and made["label"]["ProduceID"] == "7"
    report = lk.verify(folder / "made.jpg")
    assert report.verdict is lk.Verdict.CONFIRMED and report.label.produce_id == "7"
    assert lk.verify(folder / "plain.jpg").verdict is lk.Verdict.NONE  # as it was


def test_what_is_wrong_is_said_and_nothing_is_written(folder):
    settings = mcp.Settings([folder], producer="studio")
    before = sorted(os.listdir(folder))
    outside = str(folder.parent / "secret.jpg")
    calls = {"not in a folder": ("verify", {"path": outside}),
             "in a folder that is granted": ("embed", {"path": "plain.jpg", "output": "../made.jpg"}),
             "exists and is kept": ("embed", {"path": "plain.jpg", "output": "labelled.jpg"}),
             "is a URL": ("inspect", {"path": "https://example.com/cat.jpg"}),
             "producer is studio here": ("embed", {"path": "plain.jpg", "output": "a.jpg", "producer": "other"}),
             "labelled already": ("embed", {"path": "labelled.jpg", "output": "a.jpg"}),
             "gb45438": ("check", {"path": "plain.jpg", "profile": "moon"})}
    results = asked(mcp.server(settings), *calls.values())
    for wanted, result in zip(calls, results, strict=True):
        assert result.is_error and wanted in result.content[0].text, result.content[0].text
    assert sorted(os.listdir(folder)) == before and os.listdir(folder.parent).count("made.jpg") == 0


def test_the_producer_and_the_explicit_label(folder):
    without = mcp.server(mcp.Settings([folder], plan=lk.Plan(explicit=None, watermark=None)))
    calls = [("embed", {"path": "plain.jpg", "output": "a.jpg"}),
             ("embed", {"path": "plain.jpg", "output": "a.jpg", "explicit_present": True}),
             ("embed", {"path": "plain.jpg", "output": "a.jpg", "explicit_present": True, "producer": "studio"})]
    no_label, no_producer, made = asked(without, *calls)
    assert "explicit_present" in no_label.content[0].text and "producer is missing" in no_producer.content[0].text
    assert made.structured_content["label"]["ContentProducer"] == "studio"
    assert made.structured_content["watermark"] is None


@pytest.mark.parametrize("mode", ["auto", "legacy"])
def test_roots_of_the_client(folder, mode):
    """Both ways in which the protocol asks for roots."""
    call = ("inspect", {"path": str(folder / "plain.jpg")})

    def refused(folders, roots):
        result, = asked(mcp.server(mcp.Settings(folders)), call, mode=mode, roots=roots)
        return result.is_error

    assert not refused([], [folder])
    assert not refused([folder.parent], [folder])
    assert refused([], [folder.parent / "other"])
    assert refused([folder], [folder.parent / "other"])
    assert refused([folder.parent / "pictures"], [])
    assert refused([], None)


def test_over_the_pipes_of_the_command(folder):
    command = StdioServerParameters(command=sys.executable, args=[
        "-m", "labelkit", "mcp", str(folder), "--producer", PRODUCER, "--lang", "zh-CN"],
        env={**os.environ, "LABELKIT_CONFIG": ""})
    made, refused = asked(command, ("embed", {"path": "plain.jpg", "output": "made.jpg"}),
                          ("verify", {"path": "../secret.jpg"}))
    assert not made.is_error and lk.verify(folder / "made.jpg").verdict is lk.Verdict.CONFIRMED
    assert refused.is_error and "不在" in refused.content[0].text


def test_the_extra_is_named_where_it_is_missing(folder, monkeypatch):
    monkeypatch.setitem(sys.modules, "labelkit.mcp.protocol", None)
    with pytest.raises(InvalidArgument) as missing:
        mcp.server(mcp.Settings([folder]))
    assert "aigc-labelkit[mcp]" in str(missing.value.hint)
