# SPDX-License-Identifier: Apache-2.0
"""The manifest in bare text: read by PyPI's c2pa-text, bound to every character, and lost where it is not copied."""

from __future__ import annotations

import random
from pathlib import Path

import c2pa_text
import pytest

import labelkit as lk
from labelkit import container
from labelkit.container import Reader, textwrapper
from labelkit.errors import InvalidArgument, UnsupportedFormat
from labelkit.provenance import has_place, sign, validate

TEXT = "今天下雨。\nIt rains 🌧️.\n"


def reader(text: str | bytes) -> Reader:
    return Reader.of(text.encode() if isinstance(text, str) else text, "a.txt")


def signed(claim, signer, text: str | bytes = TEXT) -> bytes:
    return sign(reader(text), claim, signer)


def judged(data: bytes, trust) -> lk.Finding:
    return validate(reader(data), trust=trust)


def test_the_manifest_holds_and_others_read_it(claim, signer, trust):
    data = signed(claim, signer)
    found = judged(data, trust)
    assert found.status is lk.Status.VALID and found.label == claim.label and found.evidence.trusted
    store, clean = c2pa_text.extract_manifest(data.decode())
    assert clean == TEXT and c2pa_text.validate_text(data.decode()).valid
    assert [one.store for one in textwrapper.find(data)] == [store]
    assert c2pa_text.encode_wrapper_padded(store, len(data) - len(TEXT.encode())).encode() == data[len(TEXT.encode()):]
    assert [slot.kind for slot in container.scan(reader(data)).slots] == ["c2pa"]
    assert validate(reader(TEXT), trust=trust).status is lk.Status.ABSENT


@pytest.mark.parametrize("change", [
    lambda data: data.replace("雨".encode(), "雪".encode()), lambda data: data + b"x", lambda data: b"x" + data,
    lambda data: data[len(TEXT.encode()):] + TEXT.encode(), lambda data: data + textwrapper._UNITS[0] * 4])
def test_it_does_not_hold_for_another_text(claim, signer, trust, change):
    found = judged(change(signed(claim, signer)), trust)
    assert found.status is lk.Status.INVALID and not found.label and not found.evidence.intact


def test_one_manifest_alone(claim, signer, trust):
    data = signed(claim, signer)
    assert judged(data + data, trust).status is lk.Status.INVALID
    assert judged(data[:-1], trust).status is lk.Status.INVALID
    assert judged(data[:len(data) // 2].decode(errors="ignore").encode(), trust).status is lk.Status.ABSENT
    assert judged(TEXT.encode(), trust).status is lk.Status.ABSENT, "whoever copies the words alone has no manifest"


def test_a_text_that_is_signed_again_keeps_its_history(claim, signer, trust):
    first = signed(claim, signer)
    again = signed(claim, signer, first)
    assert textwrapper.without(again) == TEXT.encode() and len(textwrapper.find(again)) == 1
    found = judged(again, trust)
    assert found.status is lk.Status.VALID and found.evidence.manifests == 2
    assert [one.intact for one in found.evidence.statements] == [True, True]
    forged = signed(claim, signer, first.replace("雨".encode(), "雪".encode()))
    assert [one.intact for one in judged(forged, trust).evidence.statements] == [True, False]


@pytest.mark.parametrize("data", [TEXT.encode("utf-16"), "e\u0301t\u00e9".encode(), TEXT.encode("gb18030")[:12]])
def test_other_encodings_and_forms_take_it_beside_them(data, claim, signer):
    assert not has_place(reader(data)) and has_place(reader(TEXT))
    with pytest.raises(UnsupportedFormat, match="cannot embed"):
        sign(reader(data), claim, signer)


def test_both_calls(signer, trust, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    label = lk.Label(kind=lk.Kind.GENERATED, content_producer="acme", produce_id="1")
    plan = lk.Plan(provenance=signer)
    text = lk.embed(TEXT, label=label, format="txt", plan=plan)
    report = lk.verify(text, format="txt", trust=trust)
    assert report.verdict is lk.Verdict.CONFIRMED and report.explicit.text == "AI生成"
    assert c2pa_text.extract_manifest(text)[1] == "AI生成\n\n" + TEXT
    with pytest.raises(InvalidArgument, match="would break"):
        lk.embed(text, label=label, format="txt")
    again = lk.embed(text, label=label, format="txt", replace=True)
    assert again == "AI生成\n\n" + TEXT, "a manifest that no longer holds does not stay"
    Path("a.txt").write_text(TEXT)
    lk.embed("a.txt", "b.txt", label, plan=plan)
    assert not Path("b.txt.c2pa").exists() and lk.verify("b.txt", trust=trust).verdict is lk.Verdict.CONFIRMED
    Path("c.txt").write_bytes("e\u0301t\u00e9".encode())
    lk.embed("c.txt", "d.txt", label, plan=plan)
    assert Path("d.txt.c2pa").exists() and lk.verify("d.txt", trust=trust).verdict is lk.Verdict.CONFIRMED


def test_broken_wrappers_are_none(claim, signer, trust):
    data = signed(claim, signer)
    held = textwrapper.find(data)[0]
    source = random.Random("wrappers")
    for _ in range(200):
        broken = bytearray(data)
        for _ in range(source.choice((1, 3))):
            broken[source.randrange(len(TEXT), len(broken))] = source.randrange(256)
        if judged(bytes(broken), trust).status is lk.Status.VALID:  # what fills the wrapper up says nothing (A.8)
            assert textwrapper.find(bytes(broken)) == [held] and broken.startswith(TEXT.encode())
    assert textwrapper.find(b"\xef\xbb\xbf" * 1000) == []
