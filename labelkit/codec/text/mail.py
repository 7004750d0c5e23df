# SPDX-License-Identifier: Apache-2.0
"""EML: the label is a paragraph of each text/plain and text/html part that a reader sees (RFC 5322, RFC 2045 to 2047).

Other parts, headers and attachments keep their bytes. A part in base64, and one whose encoding has no room for the
words, is encoded anew with the same text. Mail that is signed or encrypted, by S/MIME, OpenPGP or DKIM, is read as far
as it can be and never changed.
"""

from __future__ import annotations

import base64
import binascii
import codecs
import itertools
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from email.errors import MessageError
from email.header import decode_header, make_header
from email.message import Message as Fields

from labelkit.codec.samples import Block, Words
from labelkit.codec.text import html, plain
from labelkit.container.base import Patch, Reader, splice
from labelkit.container.output import join
from labelkit.errors import LimitExceeded, MalformedFile, UnsupportedFormat

_MAX_MAIL, _MAX_HEAD, _MAX_FIELD, _MAX_PARTS, _MAX_DEPTH = 64 << 20, 1 << 16, 1000, 200, 10
_FIELD = re.compile(rb"^([!-9;-~]+)[ \t]*:([^\n]*(?:\n[ \t][^\n]*)*)(?:\n|\Z)", re.MULTILINE)
_HEAD_END = re.compile(rb"(?:\A|\n)\r?\n")
_BOUNDARY_END = re.compile(rb"(--)?+[ \t]*+(?:\r?\n|\Z)")
_QUOTED_LINE = re.compile(rb"[^\n]*\n|[^\n]+")
_REPLY = re.compile(r"\A(?:[ \t]*>[^\r\n]*(?:\r?\n|\Z))++\Z")
_PGP = re.compile(rb"^-----BEGIN PGP (?:SIGNED )?MESSAGE-----", re.MULTILINE)
_SEALED = ("multipart/signed", "multipart/encrypted", "application/pkcs7-mime", "application/x-pkcs7-mime")
_SEALS = ("dkim-signature", "arc-seal")
_READ_AS = {"ascii": "utf-8", "gb2312": "gb18030", "gbk": "gb18030"}  # what senders who state it write
_CHARSETS = {"ascii", "utf-8", "gb2312", "gbk", "gb18030", "big5", "shift_jis", "euc_jp", "iso2022_jp", "euc_kr",
             "koi8-r", *(f"iso8859-{number}" for number in range(1, 17)),
             *(f"cp{number}" for number in (932, 949, 950, *range(1250, 1259)))}


@dataclass(frozen=True, slots=True)
class _Part:
    """A part: its fields that start with Content-, where each of them stands, and its body."""

    fields: Fields
    places: dict[str, tuple[int, int]]
    head: int
    start: int
    stop: int

    @property
    def is_body(self) -> bool:
        """Whether a reader sees its text."""
        return (self.fields.get_content_type() in ("text/plain", "text/html") and not self.fields.get_filename()
                and self.fields.get_content_disposition() != "attachment")

    @property
    def transfer(self) -> str:
        """Its transfer encoding."""
        return str(self.fields.get("content-transfer-encoding", "7bit")).strip().lower()


@dataclass(frozen=True, slots=True)
class _Body:
    """A part that a reader sees: its text, the bytes of it, and what puts words between its paragraphs."""

    part: _Part
    content: bytes
    charset: str
    text: str
    source: plain.Paragraphs | html.Page

    def change(self, words: Words) -> tuple[int, str]:
        """(character of the text, what is put before it)."""
        at, _, new = self.source.change(words)
        if isinstance(self.source, html.Page):  # a line of its own: lines of mail are short
            new = f"{self.source.encoded.newline}{new}{self.source.encoded.newline}"
        return at + len(self.text) - len(self.source.encoded.text), new  # a byte order mark is no part of the text


@dataclass(frozen=True, slots=True)
class _Mail:
    """A mail and its bodies; whether a signature or encryption forbids to change it."""

    reader: Reader
    bodies: tuple[_Body, ...]
    newline: bytes
    sealed: bool

    def labelled(self, words: Sequence[Words]) -> bytes:
        """See `TextSource`; raises UnsupportedFormat for a signed or encrypted mail, HostTooSmall."""
        if self.sealed:
            raise UnsupportedFormat("{where}: the mail is signed or encrypted; writing a label would break that",
                                    where=self.reader.name, hint="label the mail before it is signed and sent")
        if not words:
            return self.reader.whole()
        patches = [patch for body in self.bodies for patch in self._patches(body, words)]
        return join(self.reader, splice(self.reader.size, sorted(patches)))

    def _patches(self, body: _Body, words: Sequence[Words]) -> Iterator[Patch]:
        changes = sorted(body.change(one) for one in words)
        placed = [self._placed(body, at, new) for at, new in changes]
        if None not in placed:
            yield from (patch for patch in placed if patch)
            return
        text, done, pieces = body.text, 0, list[str]()
        for at, new in changes:
            pieces += [text[done:at], new]
            done = at
        whole = "".join([*pieces, text[done:]])
        charset = body.charset if _fits(whole, body.charset) else "utf-8"
        transfer = "base64" if body.part.transfer == "base64" else "quoted-printable"
        yield body.part.start, body.part.stop, self._transferred(whole.encode(charset), transfer)
        yield from self._stated(body.part, charset if charset != body.charset else "", transfer)

    def _placed(self, body: _Body, at: int, new: str) -> Patch | None:
        """The words as they are put between the bytes of a part; None where they cannot be."""
        if not _fits(new, body.charset) or body.part.transfer == "base64":
            return None
        before, added = body.text[:at].encode(_READ_AS.get(body.charset, body.charset)), new.encode(body.charset)
        if not body.content.startswith(before):
            return None
        if body.part.transfer == "quoted-printable":
            place = _quoted_place(self.reader.at(body.part.start, body.part.stop - body.part.start), len(before))
            at_place = None if place is None else body.part.start + place
            added = self._transferred(added, "quoted-printable")
        else:
            at_place = body.part.start + len(before) if added.isascii() or body.part.transfer != "7bit" else None
        return None if at_place is None else (at_place, at_place, added)

    def _transferred(self, content: bytes, transfer: str) -> bytes:
        if transfer == "base64":
            return base64.encodebytes(content).rstrip(b"\n").replace(b"\n", self.newline)
        lines = binascii.b2a_qp(content.replace(b"\r\n", b"\n"), istext=True)
        return lines.replace(b"\n", self.newline)

    def _stated(self, part: _Part, charset: str, transfer: str) -> Iterator[Patch]:
        """The patches of the fields that say how a part is encoded."""
        fields, added = Fields(), b""
        if charset:
            fields["Content-Type"] = str(part.fields.get("content-type", "text/plain"))
            fields.set_param("charset", charset)
        if transfer != part.transfer:
            fields["Content-Transfer-Encoding"] = transfer
        for name, value in fields.items():
            line = f"{name}: {value}".encode("latin-1", "replace") + self.newline
            place = part.places.get(name.lower())
            if place:
                yield *place, line
            else:
                added += line
        if added and part.head == 0 and "mime-version" not in part.places:
            added = b"MIME-Version: 1.0" + self.newline + added
        if added:
            yield part.head, part.head, added


def read(data: bytes, name: str) -> tuple[Sequence[Block], _Mail]:
    """The texts of a mail; raises UnsupportedFormat for one without text, MalformedFile, LimitExceeded."""
    if len(data) > _MAX_MAIL:
        raise LimitExceeded("{where}: a text of {got} bytes; at most {limit} are read", where=name, got=len(data),
                            limit=_MAX_MAIL)
    parts = list(_parts(data, name))
    bodies = tuple(_body(data, part, name) for part in parts if part.is_body)
    if not bodies:
        raise UnsupportedFormat("{where}: no text that can be read is in the mail", where=name)
    is_sealed = (any(part.fields.get_content_type() in _SEALED for part in parts)
                 or any(one in parts[0].places for one in _SEALS)
                 or any(_PGP.search(body.content) for body in bodies))
    subject = _subject(data, parts[0])
    blocks = [Block(subject, "title", -1)] if subject else []
    blocks += [block for index, body in enumerate(bodies) for block in _blocks(body, index)]
    newline = b"\r\n" if b"\r\n" in data[:_MAX_HEAD] else b"\n"
    return blocks, _Mail(Reader.of(data, name), bodies, newline, is_sealed)


def _subject(data: bytes, mail: _Part) -> str:
    """What stands over a mail, decoded (RFC 2047); "" where there is nothing that can be."""
    start, stop = mail.places.get("subject", (0, 0))
    raw = data[start:min(stop, start + _MAX_FIELD)].partition(b":")[2]
    try:
        return " ".join(str(make_header(decode_header(" ".join(raw.decode("utf-8", "replace").split())))).split())
    except (ValueError, LookupError, MessageError):  # of words in an encoding that is not known, or broken
        return ""


def _parts(data: bytes, name: str) -> Iterator[_Part]:
    """The mail and all its parts, in their order; a mail inside of it is one part."""
    waiting, count = [(0, len(data), 0)], 0
    while waiting:
        start, stop, depth = waiting.pop()
        part = _part(data, start, stop, name)
        count += 1
        if count > _MAX_PARTS or depth > _MAX_DEPTH:
            raise LimitExceeded("{where}: more than {limit} parts, or parts inside too many others", where=name,
                                limit=_MAX_PARTS)
        yield part
        boundary = part.fields.get_boundary() if part.fields.get_content_maintype() == "multipart" else None
        if boundary is not None:
            inside = _between(data, part, boundary.encode("latin-1", "replace"))
            waiting += reversed([(*one, depth + 1) for one in itertools.islice(inside, _MAX_PARTS + 1)])


def _between(data: bytes, part: _Part, boundary: bytes) -> Iterator[tuple[int, int]]:
    """Where the parts of a part start and stop; the line end before a boundary belongs to it (RFC 2046, 5.1.1)."""
    line, at, found = b"--" + boundary, -1, part.start
    while (found := data.find(line, found, part.stop)) >= 0:
        tail = _BOUNDARY_END.match(data, found + len(line), part.stop)
        if tail is None or data[found - 1:found] != b"\n":
            found += len(line)
            continue
        if at >= 0:
            yield at, max(at, found - (2 if data[found - 2:found] == b"\r\n" else 1))
        if tail[1]:
            return
        at = found = tail.end()
    if at >= 0:
        yield at, part.stop


def _part(data: bytes, start: int, stop: int, name: str) -> _Part:
    """The head of a part and where its body lies; raises LimitExceeded for a long one."""
    bound = min(stop, start + _MAX_HEAD)
    found = _HEAD_END.search(data[start:bound])
    if found is None and bound < stop:
        raise LimitExceeded("{where}: the header at byte {at} is longer than {limit} bytes", where=name, at=start,
                            limit=_MAX_HEAD)
    body = start + found.end() if found else stop
    fields, places = Fields(), dict[str, tuple[int, int]]()
    for one in _FIELD.finditer(data[start:body]):
        key = one[1].decode("ascii").lower()
        if key not in places and key.startswith("content-"):
            if len(one[2]) > _MAX_FIELD:
                raise LimitExceeded("{where}: the header at byte {at} is longer than {limit} bytes", where=name,
                                    at=start + one.start(), limit=_MAX_FIELD)
            fields[key] = " ".join(one[2].replace(b"\0", b"").decode("latin-1").split())
        places.setdefault(key, (start + one.start(), start + one.end()))
    return _Part(fields, places, start, body, stop)


def _body(data: bytes, part: _Part, name: str) -> _Body:
    """The text of a part; raises UnsupportedFormat where it is not in an encoding that is known."""
    raw = data[part.start:part.stop]
    stated = str(part.fields.get_param("charset", "us-ascii"))
    try:
        charset = codecs.lookup(stated).name
        content = _untransferred(raw, part.transfer)
        if charset not in _CHARSETS:
            raise LookupError
        text = content.decode(_READ_AS.get(charset, charset))
    except (LookupError, ValueError) as error:
        raise UnsupportedFormat("{where}: the text at byte {at} is not in the encoding {stated} or that is not known",
                                where=name, at=part.start, stated=repr(stated[:40])) from error
    reads = html.read if part.fields.get_content_type() == "text/html" else plain.read
    _, source = reads(text.encode(), name)
    if not isinstance(source, plain.Paragraphs | html.Page):
        raise MalformedFile("{where}: there is no text in it", where=name)
    return _Body(part, content, charset, text, source)


def _untransferred(raw: bytes, transfer: str) -> bytes:
    if transfer == "base64":
        return base64.b64decode(raw)
    if transfer == "quoted-printable":
        return binascii.a2b_qp(raw)
    if transfer in ("7bit", "8bit", "binary"):
        return raw
    raise LookupError


def _fits(text: str, charset: str) -> bool:
    try:
        text.encode(charset)
    except UnicodeEncodeError:
        return False
    return True


def _quoted_place(raw: bytes, offset: int) -> int | None:
    """Where in quoted-printable the byte `offset` of what it holds is at the start of a line, or the end."""
    held = 0
    for line in _QUOTED_LINE.finditer(raw):
        if held >= offset:
            return line.start() if held == offset else None
        held += len(binascii.a2b_qp(line[0]))
    return len(raw) if held == offset else None


def _blocks(body: _Body, index: int) -> Iterator[Block]:
    """The paragraphs of a body; those quoted of another mail are not its own."""
    if isinstance(body.source, html.Page):
        blocks = list(html.read(body.text.encode(), "html")[0])
    else:
        blocks = [Block(one.text, "other" if _REPLY.match(one.text) else one.role) for one in plain.blocks(body.text)]
    yield from (Block(one.text, one.role, index if one.role != "other" else -1) for one in blocks)
    if not any(one.role != "other" for one in blocks):
        yield Block("", "text", index)
