# SPDX-License-Identifier: Apache-2.0
"""The history of a file by its manifests, as pages draw it."""

from __future__ import annotations

import dataclasses
import re

import pytest

from labelkit.evidence import Ancestor
from labelkit.page import history, render
from labelkit.page.history import Thumbnail
from labelkit.signpost import Signpost
from tests.media import photo, saved
from tests.page.test_render import HOSTILE, Reader, manifest, report


def ancestor(depth: int, signer: str, **more: object) -> Ancestor:
    return Ancestor(**{"depth": depth, "relation": "parent", "signer": signer, "intact": True, "trusted": False,
                       "tool": None, "actions": ("c2pa.created",), "manifest": f"urn:{signer}", **more})


def test_the_history_is_drawn_as_a_tree():
    """Who made what from what, escaped; and nothing where a file was made from nothing else."""
    def shown(*ancestors: Ancestor) -> str:
        return render.article("a.jpg", report(evidence=dataclasses.replace(manifest({}), history=ancestors)), 0)

    text = shown(ancestor(0, "Acme", relation="active", trusted=True), ancestor(1, HOSTILE), ancestor(2, "Deep"),
                 ancestor(1, "Other", relation="component", intact=False))
    assert Reader(text).injected() == []
    tree = text[text.index('<ul class="tree">'):]
    shape = "".join(re.findall("</?(?:ul|li)", tree[:tree.index("</div>")]))
    assert shape == "<ul<li<ul<li<ul<li</li</ul</li<li</li</ul</li</ul"
    assert "broken" in tree and "trusted signer" in tree and "no trusted signer vouches" in tree
    assert '<ul class="tree">' not in shown(ancestor(0, "Acme", relation="active"))


def test_the_small_pictures_of_manifests_stand_in_the_tree():
    """Each beside its manifest, and those of parts without a manifest below what was made of them."""
    small, other = saved(photo(32, 48), "JPEG", quality=70), saved(photo(24, 24), "PNG")
    made = ancestor(0, "Acme", relation="active"), ancestor(1, "Studio")
    held = [Thumbnail.of("urn:Acme", small), Thumbnail.of("urn:Acme", other, "component", HOSTILE),
            Thumbnail.of("urn:Studio", other), Thumbnail.of("urn:of no manifest", other)]
    text = history.section(made, held)
    read = Reader(text)
    assert read.injected() == [] and HOSTILE.split("<")[0] in read.text
    shown = [attributes["src"].partition(",")[0] for tag, attributes in read.tags if tag == "img"]
    assert shown == ["data:image/jpeg;base64", "data:image/png;base64", "data:image/png;base64"]
    assert all(attributes["alt"] for tag, attributes in read.tags if tag == "img")
    assert "".join(re.findall("</?(?:ul|li)", text)) == "<ul<li<ul<li</li<li</li</ul</li</ul"
    assert text.count("has no manifest") == 1 and "on the word of its signer" in text
    alone = history.section(made[:1], held[:1])
    assert "<img" in alone and history.section(made[:1]) == "" == history.section((), held)
    assert history.section(made[:1], [held[0]] * 2).count("<img") == 1
    assert "on the word of its signer" not in history.section(made)


def test_what_was_done_is_said_in_words():
    made = (ancestor(0, "Acme", relation="active", tool="Tool <1>", actions=(
        "c2pa.opened", "c2pa.resized", "c2pa.resized.proportional", "org.example.<b>", "c2pa.toString", "opened")),
        ancestor(1, "Studio"))
    read = Reader(history.section(made))
    assert read.injected() == [] and read.text.count("resized it") == 1
    for said in ("Tool <1>, opened it", "创建", "org.example.<b>, c2pa.toString, opened"):
        assert said in read.text


@pytest.mark.parametrize("data", [b"", b"<svg onload='alert(1)'/>", b"GIF", bytes(100),
                                  saved(photo(16, 16), "PNG") + bytes(1 << 20)], ids=len)
def test_what_is_no_small_picture_is_not_shown(data):
    assert Thumbnail.of("urn:Acme", data) is None
    assert Thumbnail.of("urn:Acme", saved(photo(16, 16), "PNG"), "input") is None


def test_where_to_ask_about_a_mark_is_followed_on_a_click_alone():
    def shown(signpost: Signpost | None) -> str:
        return render.article("a.jpg", report(evidence=dataclasses.replace(manifest({}), signpost=signpost)), 0)

    stated = Signpost("https://ask.example/?q=&amp", "https://resolve.example/v1")
    text = shown(stated)
    assert "https://ask.example/?q=&amp;amp</code>" in text and "https://resolve.example/v1</code>" in text
    assert "Nothing here visits them" in text
    assert Reader(text).injected() == ["a https://ask.example/?q=&amp"]  # none to the resolver, which answers programs
    assert '<a href="https://ask.example/?q=&amp;amp" target="_blank" rel="noopener noreferrer nofollow">' in text
    for hidden in ("https://bank.example@evil.example/", "https://bank.example:1@evil.example"):
        text = shown(Signpost(hidden))
        assert hidden in text and "<a " not in text
    assert "Where to ask" not in shown(None)
