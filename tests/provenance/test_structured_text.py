# SPDX-License-Identifier: Apache-2.0
"""Manifests that others put into comments and front matter of texts, here PyPI's c2pa-text (C2PA 2.4, A.9)."""

from __future__ import annotations

import hashlib
import io

import c2pa_text
import pytest

import labelkit as lk
from labelkit import container, metadata
from labelkit.container import Reader, textblock
from labelkit.errors import InvalidArgument, UnsupportedFormat
from labelkit.provenance import manifest, text as bound_text, validate
from tests.cost import within

TEXT = "# 雨\n\nIt rains.\n"
MATTER = "---\ntitle: x\n---\n\n" + TEXT
COMMENTS = {"a.md": ("<!--", "-->"), "a.txt": ("#", ""), "a.vtt": ("NOTE", ""), "a.ass": (";", "")}
TEXTS = {"a.md": TEXT, "a.txt": TEXT, "a.vtt": "WEBVTT\n\n00:00.000 --> 00:02.000\nIt rains.\n\n",
         "a.ass": "[Script Info]\nTitle: x\n\n[Events]\nDialogue: 0,0:00:00.00,0:00:02.00,,,0,0,0,,It rains.\n"}
END = c2pa_text.Placement.END


def armoured(claim, signer, text: str, name: str = "a.md", placement=c2pa_text.Placement.START) -> bytes:
    """A text with its manifest as c2pa-text places it; its size is in the manifest, which is made until it fits."""
    size = 12_000
    for _ in range(6):
        made = c2pa_text.embed_structured(text, c2pa_text.encode_data_uri(bytes(size)), *COMMENTS[name], placement)
        bound = bound_text.binding(b"", 0)
        bound["data"].update(exclusions=[{"start": made.exclusion_start, "length": made.exclusion_length}],
                             hash=list(hashlib.sha256(text.encode()).digest()), name="block")
        builder = manifest._builder(claim, "application/c2pa", None, written=False, bound=bound)
        builder.set_no_embed()
        store = builder.sign(signer.native(), "application/c2pa", io.BytesIO(text.encode()), io.BytesIO())
        if len(store) == size:
            return made.text.replace(c2pa_text.encode_data_uri(bytes(size)), c2pa_text.encode_data_uri(store)).encode()
        size = len(store)
    raise AssertionError("the manifest has another size each time")


def judged(data: bytes, trust, name: str = "a.md") -> lk.Finding:
    return validate(Reader.of(data, name), trust=trust)


@pytest.mark.parametrize("name", COMMENTS)
def test_a_block_at_the_end_holds(name, claim, signer, trust):
    data = armoured(claim, signer, TEXTS[name], name, END)
    found = judged(data, trust, name)
    assert found.status is lk.Status.VALID and found.label == claim.label and found.evidence.trusted
    store = c2pa_text.extract_structured(data.decode()).manifest
    assert [one.store for one in textblock.find(data)] == [store]
    assert [slot.kind for slot in container.scan(Reader.of(data, name)).slots] == ["c2pa"]
    assert judged(TEXTS[name].encode(), trust, name).status is lk.Status.ABSENT
    assert textblock.without(data).decode().rstrip("\n") == TEXTS[name].rstrip("\n")


def test_a_block_at_the_start_holds_and_a_file_of_it_is_confirmed(claim, signer, trust, tmp_path):
    path = tmp_path / "a.md"
    path.write_bytes(armoured(claim, signer, TEXT))
    report = lk.verify(path, trust=trust)
    assert report.verdict is lk.Verdict.CONFIRMED and report[lk.Layer.PROVENANCE].status is lk.Status.VALID
    path.write_bytes(TEXT.encode())
    assert lk.verify(path, trust=trust).verdict is lk.Verdict.NONE


@pytest.mark.parametrize("change", [
    lambda data: data.replace("雨".encode(), "雪".encode()), lambda data: data + b"x", lambda data: b"x" + data,
    lambda data: data.replace(b"<!-- ", b"No AI"), lambda data: data.replace(b" -->\n", b" --> x"),
    lambda data: data.replace(b"<!-- -", "<!-雨-".encode())])
def test_it_does_not_hold_for_another_text(change, claim, signer, trust):
    data = armoured(claim, signer, TEXT)
    changed = change(data)
    found = judged(changed, trust)
    assert changed != data and found.status is lk.Status.INVALID and not found.label


def test_one_block_alone_and_none_with_a_wrapper(claim, signer, trust):
    data = armoured(claim, signer, TEXT)
    assert judged(data + data, trust).status is lk.Status.INVALID
    both = lk.provenance.sign(Reader.of(TEXT.encode(), "a.txt"), claim, signer) + data
    assert judged(both, trust, "a.txt").status is lk.Status.INVALID
    assert judged(data, trust, "a.srt").status is lk.Status.ABSENT, "a format without comments"


@pytest.mark.parametrize("inside", [b"<reference>", b"", b"data:application/c2pa;base64,%%%", b"ftp://a/b",
                                    b"http://a b"])
def test_delimiters_around_something_else_are_words(inside, trust):
    data = b"-----BEGIN C2PA MANIFEST----- " + inside + b" -----END C2PA MANIFEST-----\n\n" + TEXT.encode()
    assert not textblock.find(data) and judged(data, trust).status is lk.Status.ABSENT


def test_a_manifest_at_a_url_is_not_fetched_and_that_is_said(trust):
    made = c2pa_text.embed_structured(TEXT, "https://user:secret@example.com/a.c2pa", *COMMENTS["a.md"])
    found = judged(made.text.encode(), trust)
    assert found.status is lk.Status.UNCHECKED and "is not fetched" in str(found.summary)
    assert "secret" not in str(found.to_dict())


def test_front_matter_that_holds_a_block(claim, signer, trust):
    data = armoured(claim, signer, MATTER, placement=END)
    assert judged(data, trust).status is lk.Status.VALID
    block = c2pa_text.build_manifest_block_multiline("https://example.com/a.c2pa")
    held = MATTER.replace("title: x\n", f"title: x\n{block}\n")
    assert judged(held.encode(), trust).status is lk.Status.UNCHECKED
    assert textblock.without(held.encode()) == MATTER.encode()


def test_labelling_breaks_it_and_it_does_not_stay(claim, signer, trust, tmp_path):
    source, target = tmp_path / "a.md", tmp_path / "b.md"
    source.write_bytes(armoured(claim, signer, TEXT))
    label = lk.Label(kind=lk.Kind.GENERATED, content_producer=claim.label.content_producer, produce_id="2")
    with pytest.raises(InvalidArgument, match="would break"):
        lk.embed(source, target, label)
    with pytest.raises(UnsupportedFormat, match="signs this file"):
        metadata.write(source, label)
    lk.embed(source, target, label, replace=True)
    assert not textblock.find(target.read_bytes()) and metadata.read(target).label == label
    assert target.read_text().endswith(TEXT)
    assert lk.verify(target, trust=trust)[lk.Layer.PROVENANCE].status is lk.Status.ABSENT


@pytest.mark.parametrize("explicit", [lk.Explicit(), None])
def test_with_a_signer_it_becomes_the_parent(explicit, claim, signer, trust, tmp_path):
    source, target = tmp_path / "a.md", tmp_path / "b.md"
    source.write_bytes(armoured(claim, signer, TEXT))
    label = lk.Label(kind=lk.Kind.GENERATED, content_producer=claim.label.content_producer, produce_id="2")
    plan = lk.Plan(explicit=explicit, provenance=signer)
    lk.embed(source, target, label, plan=plan)
    assert not textblock.find(target.read_bytes())
    found = lk.verify(target, trust=trust)[lk.Layer.PROVENANCE]
    assert found.status is lk.Status.VALID and found.label == label and found.evidence.manifests == 2
    assert [one.intact for one in found.evidence.statements] == [True, True]
    source.write_text(TEXT)
    lk.embed(source, target, label, plan=plan, replace=True)
    assert lk.verify(target, trust=trust)[lk.Layer.PROVENANCE].evidence.manifests == 1


def test_many_delimiters_take_no_time_that_grows_with_their_square():
    begin, end = b"-----BEGIN C2PA MANIFEST-----", b"-----END C2PA MANIFEST-----"
    for data in (begin * 200_000, begin * 200_000 + end, (begin + b" x " + end) * 100_000):
        assert within(lambda data=data: textblock.find(data), 5)
