# SPDX-License-Identifier: Apache-2.0
"""The tag of words that are drawn on a page of a tagged PDF: a paragraph of its structure (ISO 32000-2, 14.7)."""

from __future__ import annotations

import re
from collections.abc import Iterator

from labelkit.codec.samples import Words
from labelkit.codec.text.pdfpages import Document, Page
from labelkit.container.pdfobjects import Found
from labelkit.container.pdfsyntax import Dictionary, Name, Reference, Value, written
from labelkit.errors import UnsupportedFormat

_GROUPS = (b"Document", b"Part", b"Art", b"Sect", b"Div")  # what paragraphs stand in (14.8.4.3)
_NUMBERS = re.compile(rb"/MCID[\0\t\n\f\r ]+(\d{1,5})(?!\d)")
_MAX_NODES, _MAX_KEY = 10_000, 1 << 31


def tagged(document: Document, page: Page, words: Words, content: bytes) -> bytes:
    """What begins the marked content of the words: their tag and its number; b"" in a document without tags.

    content  what the page draws already

    The structure of the document gets a paragraph for them. Raises UnsupportedFormat for the middle, where nothing says
    between which elements it lies, MalformedFile for a structure that is broken.
    """
    tree = document.objects.get(document.root.dictionary.get(b"StructTreeRoot"))
    if tree is None or not tree.dictionary.values:
        return b""
    if words.place == "middle":
        raise UnsupportedFormat("{where}: in a tagged document the place of a label in the middle is not known",
                                where=document.reader.name, hint="put the label at the start or the end")
    element = Reference(document.free, 0)
    document.free += 1
    taken = [int(one) for one in _NUMBERS.findall(content)]
    number = _Parents(document, tree).enter(page, element, max(taken, default=-1) + 1)
    parent = _parent(document, tree)
    language = b" /Lang (zh-CN)" if any(ord(one) > 0x2E80 for one in words.text) else b""
    document.new[element.number] = (
        b"<< /Type /StructElem /S /P /P %b /Pg %b /K %d%b >>"
        % (written(parent.reference), written(page.found.reference), number, language))
    kids = parent.dictionary.get(b"K")
    held = document.objects.resolve(kids)
    old = held if isinstance(held, list) else [] if kids is None else [kids]
    new: list[Value] = [*old, element] if words.place == "end" else [element, *old]
    document.change(parent, {b"K": written(new)})
    return b"/P << /MCID %d >>" % number


def _parent(document: Document, tree: Found) -> Found:
    """The only element of the structure, where paragraphs may stand in it, or the structure itself."""
    kids = tree.dictionary.get(b"K")
    listed = document.objects.resolve(kids) if isinstance(kids, Reference) else kids
    only = listed[0] if isinstance(listed, list) and len(listed) == 1 else kids
    found = document.objects.get(only)
    roles = document.objects.resolve(tree.dictionary.get(b"RoleMap"))
    kind = found.dictionary.get(b"S") if found else None
    if isinstance(roles, Dictionary) and isinstance(kind, Name) and kind not in _GROUPS:
        kind = roles.get(bytes(kind))
    return found if found and kind in _GROUPS else tree


class _Parents:
    """The tree of numbers from marked content to elements (14.7.5.4; 7.9.7)."""

    def __init__(self, document: Document, tree: Found) -> None:
        self._document, self._tree = document, tree

    def enter(self, page: Page, element: Reference, free: int) -> int:
        """Enter an element for new marked content of a page; its number there, `free` or higher."""
        key = page.found.dictionary.integer(b"StructParents")
        root = self._root()
        if key is not None:
            for leaf in self._leaves(root):
                pairs = leaf.dictionary.array(b"Nums")
                for at in range(0, len(pairs) - 1, 2):
                    if pairs[at] == key:
                        return self._extend(leaf, pairs, at + 1, element, free)
        else:
            key = self._next(root)
            self._document.change(page.found, {b"StructParents": b"%d" % key})
            self._document.change(self._tree, {b"ParentTreeNextKey": b"%d" % (key + 1)})
        self._append(root, key, [*[None] * free, element])
        return free

    def _root(self) -> Found:
        found = self._document.objects.get(self._tree.dictionary.get(b"ParentTree"))
        if found is None or not isinstance(found.value, Dictionary):
            raise self._document.broken()
        return found

    def _leaves(self, root: Found) -> Iterator[Found]:
        waiting, seen = [root], {root.reference.number}
        while waiting and len(seen) < _MAX_NODES:
            node = waiting.pop()
            if b"Nums" in node.dictionary.values:
                yield node
            for kid in node.dictionary.array(b"Kids"):
                found = self._document.objects.get(kid)
                if found and found.reference.number not in seen:
                    seen.add(found.reference.number)
                    waiting.append(found)

    def _extend(self, leaf: Found, pairs: list[Value], at: int, element: Reference, free: int) -> int:
        """Append to the list of a page's elements, which stands in the tree or is an object of its own."""
        document, value = self._document, pairs[at]
        held = document.objects.resolve(value)
        if not isinstance(held, list):
            raise document.broken()
        longer = [*held, *[None] * (free - len(held)), element]
        if isinstance(value, Reference):
            document.new[value.number] = written(longer)
        else:
            document.change(leaf, {b"Nums": written([*pairs[:at], longer, *pairs[at + 1:]])})
        return len(longer) - 1

    def _next(self, root: Found) -> int:
        stated = self._tree.dictionary.integer(b"ParentTreeNextKey") or 0
        used = [key for leaf in self._leaves(root) for key in leaf.dictionary.array(b"Nums")[::2]
                if isinstance(key, int)]
        key = max([stated, *(one + 1 for one in used)])
        if not 0 <= key < _MAX_KEY:
            raise self._document.broken()
        return key

    def _append(self, root: Found, key: int, elements: list[Value]) -> None:
        """Put a new, highest key into the tree."""
        if b"Kids" in root.dictionary.values:
            leaf = self._document.add(written(Dictionary({b"Limits": [key, key], b"Nums": [key, elements]})))
            self._document.change(root, {b"Kids": written([*root.dictionary.array(b"Kids"), leaf])})
        else:
            self._document.change(root, {b"Nums": written([*root.dictionary.array(b"Nums"), key, elements])})
