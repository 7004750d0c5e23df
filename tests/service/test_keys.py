# SPDX-License-Identifier: Apache-2.0
"""API keys: kept as hashes, with scopes, and gone as soon as their line is."""

from __future__ import annotations

import json
import os
import stat
from pathlib import Path

import pytest

from labelkit.errors import InvalidArgument, OutputFailed
from labelkit.service import SCOPES, Access, add_key


def test_a_key_is_known_by_its_hash_alone(tmp_path):
    path = tmp_path / "keys"
    key, other = add_key(path, "portal", ["verify"], "now"), add_key(path, "studio", SCOPES, "now")
    text = path.read_text()
    assert key not in text and other not in text and key != other and len(key) > 40
    assert stat.S_IMODE(os.stat(path).st_mode) == 0o600
    access = Access(path)
    caller = access.caller(f"Bearer {key}", "192.0.2.1")
    assert (caller.name, caller.scopes) == ("portal", {"verify"})
    assert access.caller(f"bearer {other}", "192.0.2.1").scopes == set(SCOPES)
    digest = json.loads(text.splitlines()[0])["sha256"]
    for wrong in (f"Bearer {key}x", f"Bearer {digest}", "Bearer ", "Bearer labelkit_", f"Basic {key}", key, ""):
        assert access.caller(wrong, "192.0.2.1") is None


def test_without_a_key_there_is_what_is_open():
    caller = Access(None, ["verify"]).caller(None, "192.0.2.1")
    assert (caller.name, caller.scopes) == ("192.0.2.1", {"verify"})
    assert Access(None).caller(None, "192.0.2.1").scopes == set()


def test_a_line_that_is_taken_out_takes_its_key_along(tmp_path):
    path = tmp_path / "keys"
    key = add_key(path, "portal", ["verify"], "now")
    access = Access(path)
    assert access.caller(f"Bearer {key}", "")
    later = add_key(path, "later", ["label"], "now")
    assert access.caller(f"Bearer {later}", "").scopes == {"label"}
    path.write_text("\n" + path.read_text().splitlines()[1])
    assert access.caller(f"Bearer {key}", "") is None and access.caller(f"Bearer {later}", "")
    path.write_text("no JSON")
    assert access.caller(f"Bearer {later}", "") is None, "a file that cannot be read holds no keys"
    path.unlink()
    assert access.caller(f"Bearer {later}", "") is None


@pytest.mark.parametrize("line", ["no JSON", "[]", '{"name": "a"}',
                                  '{"name": "a b", "scopes": ["verify"], "sha256": ""}',
                                  json.dumps({"name": "a", "scopes": ["all"], "sha256": "0" * 64}),
                                  json.dumps({"name": "a", "scopes": [], "sha256": "0" * 64}), "[" * 100_000])
def test_a_file_that_holds_no_keys_is_refused(tmp_path, line):
    path = tmp_path / "keys"
    path.write_text(line)
    with pytest.raises(InvalidArgument):
        Access(path)


def test_wrong_names_scopes_and_places_are_refused(tmp_path):
    path = tmp_path / "keys"
    add_key(path, "portal", ["verify"], "now")
    for name, scopes in (("portal", ["verify"]), ("a b", ["verify"]), ("", ["verify"]), ("x", []), ("x", ["root"]),
                         ("x", "verify")):
        with pytest.raises(InvalidArgument):
            add_key(path, name, scopes, "now")
    assert len(path.read_text().splitlines()) == 1
    with pytest.raises(OutputFailed):
        add_key(tmp_path / "missing" / "keys", "x", ["verify"], "now")
    with pytest.raises(InvalidArgument):
        Access(Path(tmp_path / "missing"))
