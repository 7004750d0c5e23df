# SPDX-License-Identifier: Apache-2.0
"""The history of a file by its manifests, as pages draw it."""

from __future__ import annotations

import dataclasses
import re

from labelkit.evidence import Ancestor
from labelkit.page import render
from labelkit.signpost import Signpost
from tests.page.test_render import HOSTILE, Reader, manifest, report


def test_the_history_is_drawn_as_a_tree():
    """Who made what from what, escaped; and nothing where a file was made from nothing else."""
    def ancestor(depth: int, signer: str, **more: object) -> Ancestor:
        return Ancestor(**{"depth": depth, "relation": "parent", "signer": signer, "intact": True, "trusted": False,
                           "tool": None, "actions": ("c2pa.created",), **more})

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


def test_where_to_ask_about_a_mark_is_a_text_and_no_link():
    def shown(signpost: Signpost | None) -> str:
        return render.article("a.jpg", report(evidence=dataclasses.replace(manifest({}), signpost=signpost)), 0)

    stated = Signpost("https://ask.example/?q=&amp", "https://resolve.example/v1")
    text = shown(stated)
    assert "https://ask.example/?q=&amp;amp</code>" in text and "https://resolve.example/v1</code>" in text
    assert "nothing here visits them" in text and "<a " not in text and Reader(text).injected() == []
    assert "Where to ask" not in shown(None)
