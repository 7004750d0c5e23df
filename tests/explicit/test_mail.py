# SPDX-License-Identifier: Apache-2.0
"""The explicit label in mail, read back by the standard library; all but the words stays."""

import email
import email.policy
from email.message import EmailMessage

import pytest

import labelkit as lk
from labelkit import container
from labelkit.codec import text as texts
from labelkit.errors import HostTooSmall, LabelkitError, LimitExceeded, UnsupportedFormat
from tests.explicit.test_office import LABEL, explicit

HEAD = b"From: a@example.org\r\nTo: b@example.org\r\nSubject: x\r\nMIME-Version: 1.0\r\n"
PAGE = "<html><body><p>Hello =</p><p>two</p><p>three</p></body></html>"


def mail(body: bytes, *fields: bytes) -> bytes:
    return HEAD + b"".join(field + b"\r\n" for field in fields) + b"\r\n" + body


def whole(transfer: str = "8bit", charset: str = "utf-8", newline: str = "\r\n") -> bytes:
    """A mail with a text, a page, and attachments that are text and a picture."""
    made = EmailMessage(email.policy.SMTP if newline == "\r\n" else email.policy.default)
    made["From"], made["To"], made["Subject"] = "a@example.org", "b@example.org", "天气"
    made.set_content("一\n\n二 = =3D\n\nthree " + "long " * 40 + "end\n", cte=transfer, charset=charset)
    made.add_alternative(PAGE, subtype="html", cte=transfer, charset=charset)
    made.add_attachment("AI notes\n", filename="notes.txt")
    made.add_attachment(b"\x89PNG" + bytes(99), maintype="image", subtype="png")
    return made.as_bytes()


def parts(data: bytes) -> list[str]:
    """The texts that the standard library finds in the text parts."""
    found = email.message_from_bytes(data, policy=email.policy.default)
    assert not found.defects
    return [part.get_content().replace("\r\n", "\n") for part in found.walk() if part.get_content_maintype() == "text"]


def labelled(data: bytes, **explicit: str) -> bytes:
    return lk.embed(data, label=LABEL, plan=lk.Plan(explicit=lk.Explicit(**explicit)))


@pytest.mark.parametrize("newline", ["\r\n", "\n"])
@pytest.mark.parametrize(("transfer", "charset"), [
    ("8bit", "utf-8"), ("quoted-printable", "utf-8"), ("base64", "utf-8"), ("8bit", "gb2312"),
    ("quoted-printable", "gb18030")])
@pytest.mark.parametrize("place", ["start", "middle", "end"])
@pytest.mark.parametrize(("style", "shown"), [("text", "AI生成"), ("icon", "[AI]")])
def test_each_part_that_is_shown_gets_the_words(place, style, shown, transfer, charset, newline):
    before = whole(transfer, charset, newline)
    assert container.sniff(before).name == "eml" and explicit(before).status is lk.Status.ABSENT
    after = labelled(before, place=place, style=style)
    found = explicit(after)
    assert found.status is lk.Status.VALID and found.evidence.place == place
    assert labelled(after, place=place, style=style) == after, "it stands there already"
    old, new = parts(before), parts(after)
    shown = "【AI生成】" if (place, style) == ("middle", "text") else shown
    assert new[2] == old[2], "an attachment is no text of the mail"
    paragraphs = [one for one in new[0].strip().split("\n\n") if one != shown]
    assert paragraphs == old[0].strip().split("\n\n") and new[0].count(shown) == 1
    assert new[1].count('class="aigc-label"') == 1
    label = new[1][new[1].index('<p class="aigc'):]
    assert new[1].replace(label[:label.index("</p>") + 4], "").replace("\n", "") == old[1].replace("\n", "")
    if transfer == "8bit":  # nothing but lines are added
        lines = iter(after.splitlines())
        assert all(line in lines for line in before.split(b"<html>")[0].splitlines())
    assert after[after.index(b"notes.txt"):] == before[before.index(b"notes.txt"):]


@pytest.mark.parametrize("fields", [
    (), (b"Content-Type: text/plain; charset=us-ascii; format=flowed",),
    (b"Content-Type: text/plain; charset=iso-8859-1", b"Content-Transfer-Encoding: 8bit")])
def test_where_the_encoding_has_no_room_the_same_text_is_encoded_anew(fields):
    body = b"Gr\xfc\xdfe = x\r\n" if b"iso" in b"".join(fields) else b"plain = text\r\n"
    after = labelled(mail(body, *fields))
    found = email.message_from_bytes(after, policy=email.policy.default)
    assert found.get_content().splitlines() == ["AI生成", "", body.decode("latin-1").strip()]
    assert (found.get_content_charset(), found["Subject"]) == ("utf-8", "x")
    assert ("format=flowed" in b"".join(fields).decode()) == (found["Content-Type"].params.get("format") == "flowed")
    assert max(map(len, after.splitlines())) <= 78 and after.isascii()
    bare = b"From: a@example.org\r\nDate: x\r\n\r\ntext\r\n"
    assert email.message_from_bytes(labelled(bare))["MIME-Version"] == "1.0"


def test_a_plain_mail_takes_the_mark_as_it_is():
    assert labelled(mail(b"text\r\n"), style="icon") == mail(b"[AI]\r\n\r\ntext\r\n")


SIGNED = [
    mail(b"--b\r\n\r\ntext\r\n--b\r\nContent-Type: application/pgp-signature\r\n\r\nx\r\n--b--\r\n",
         b"Content-Type: multipart/signed; boundary=b; protocol=\"application/pgp-signature\""),
    mail(b"text\r\n", b"DKIM-Signature: v=1; b=x"),
    mail(b"-----BEGIN PGP SIGNED MESSAGE-----\r\nHash: SHA512\r\n\r\ntext\r\n"),
    mail(b"--b\r\n\r\ntext\r\n--b\r\nContent-Type: application/pkcs7-mime\r\n\r\nx\r\n--b--\r\n",
         b"Content-Type: multipart/mixed; boundary=b")]


@pytest.mark.parametrize("data", SIGNED)
def test_signed_and_encrypted_mail_is_refused(data):
    with pytest.raises(UnsupportedFormat, match="signed or encrypted"):
        labelled(data)
    assert explicit(data).status is lk.Status.ABSENT


def test_mail_without_text_and_of_unknown_encodings_is_refused():
    for kind in (b"application/pkcs7-mime", b"image/png", b"text/plain; charset=punycode", b"text/plain; charset=x-no"):
        with pytest.raises(UnsupportedFormat, match=r"no text|not known"):
            labelled(mail(b"text", b"Content-Type: " + kind))
    with pytest.raises(HostTooSmall, match="no middle"):
        labelled(mail(b"text"), place="middle")


@pytest.mark.parametrize("data", [
    mail("天晴。\r\n\r\n本邮件由AI生成\r\n".encode(), b"Content-Type: text/plain; charset=utf-8"),
    mail(b"=E6=9C=AC=E9=82=AE=E4=BB=B6=\r\n=E7=94=B1AI=E7=94=9F=E6=88=90", b"Content-Type: text/plain; charset=utf-8",
         b"Content-Transfer-Encoding: quoted-printable"),
    mail(b"This email was written with the help of AI.\r\n\r\nHello\r\n"),
    mail(b"--b\r\n\r\ntext\r\n--b\r\nContent-Type: text/html\r\n\r\n<p>AI&#29983;&#25104;</p>\r\n--b--\r\n",
         b'Content-Type: multipart/alternative; boundary="b"')])
def test_labels_of_other_hands_are_found(data):
    assert explicit(data).status is lk.Status.VALID


@pytest.mark.parametrize("data", [
    mail("> 本邮件由AI生成\r\n\r\nYes.\r\n".encode(), b"Content-Type: text/plain; charset=utf-8"),
    mail("非AI生成\r\n".encode(), b"Content-Type: text/plain; charset=utf-8"),
    mail(b"--b\r\n\r\ntext\r\n--b\r\nContent-Disposition: attachment\r\n\r\nAI-generated\r\n--b\r\n"
         b"Content-Type: message/rfc822\r\n\r\nFrom: x\r\n\r\nAI-generated\r\n--b--\r\n",
         b"Content-Type: multipart/mixed; boundary=b")])
def test_what_is_no_label_is_none(data):
    assert explicit(data).status is lk.Status.ABSENT


def test_texts_that_only_look_like_mail_are_none():
    for data in (b"From: the start\nand on\n\nDate: x\n", b"a: b\nc: d\n\ntext\n"):
        with pytest.raises(UnsupportedFormat):
            container.sniff(data)


def test_broken_and_hostile_mail_raises_nothing_else():
    data = whole("quoted-printable")
    for cut in range(0, len(data), 61):
        for broken in (data[:cut], data[:cut] + b"\xff\0<=" + data[cut + 3:]):
            try:
                texts.encode(texts.decode(broken, "eml", "x"))
            except LabelkitError:
                pass
    for field in (b"boundary*=\0''%FF", b"boundary=\"\"", b"boundary=\xff",
                  b"charset*=\0''x; boundary*0=a; boundary*1=b"):
        try:
            labelled(mail(b"--\r\n\r\nx\r\n" * 9, b"Content-Type: multipart/mixed; " + field))
        except LabelkitError:
            pass
    nested = mail(b"".join(b"--b\r\nContent-Type: multipart/mixed; boundary=b%b\r\n\r\n--b" % (b"b" * at)
                           for at in range(8)), b"Content-Type: multipart/mixed; boundary=b")
    many = mail(b"--b\r\n\r\nx\r\n" * 100_000, b"Content-Type: multipart/mixed; boundary=b")
    for data in (many, HEAD + b"Content-Type: a" + b";" * 99_999 + b"\r\n\r\n", HEAD + b"x: y\r\n" * 99_999):
        with pytest.raises(LimitExceeded):
            texts.decode(data, "eml", "x")
    assert texts.decode(nested, "eml", "x").blocks is not None
