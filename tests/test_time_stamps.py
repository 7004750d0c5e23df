# SPDX-License-Identifier: Apache-2.0
"""Time-stamps of signed results: by an authority of OpenSSL, and what is none."""

from __future__ import annotations

import base64
import dataclasses
import datetime
import json
from collections.abc import Iterator
from pathlib import Path

import pytest

import labelkit as lk
from labelkit import results, time_stamps
from labelkit.errors import FetchFailed, InvalidArgument
from labelkit.messages import Message
from labelkit.results import Checked, Content, NoResult, ResultSigner, check
from tests.media import photo, saved
from tests.time_authority import Authority, answering, made

DATA = b"what existed"
CHECKED = Checked("normal", (lk.Layer.METADATA,), "0123456789abcdef")


@pytest.fixture(scope="module")
def serving(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Authority]:
    with answering(made(tmp_path_factory.mktemp("authority"))) as authority:
        yield authority


@pytest.fixture
def authority(serving: Authority) -> Authority:
    serving.answer = None
    return serving


@pytest.fixture(scope="module")
def others(tmp_path_factory: pytest.TempPathFactory) -> str:
    """The root of another authority."""
    return made(tmp_path_factory.mktemp("others")).anchors.read_text()


@pytest.fixture(scope="module")
def pem() -> bytes:
    return results.keygen()[0]


@pytest.fixture(scope="module")
def report() -> lk.Report:
    return lk.verify(saved(photo(64, 64), "PNG"), layers=[lk.Layer.METADATA])


def signed_by(pem: bytes, report: lk.Report, ta_url: str | None) -> str:
    now = datetime.datetime.now(datetime.UTC)
    return ResultSigner(pem, ta_url=ta_url).sign(report, Content("0" * 64, 1), CHECKED, now)


def test_a_stamp_holds_for_its_bytes_and_by_its_authority(authority, others):
    before = datetime.datetime.now(datetime.UTC).replace(microsecond=0)
    token = time_stamps.stamp(DATA, authority.url)
    found = time_stamps.check(token, DATA, authority.anchors.read_text())
    assert found.is_trusted and found.authority == "CN=test tsa"
    assert before <= found.time <= datetime.datetime.now(datetime.UTC)
    assert DATA not in authority.asked[-1]  # nothing but a hash goes out
    for roots in (others, ""):
        assert time_stamps.check(token, DATA, roots) == dataclasses.replace(found, is_trusted=False)
    both = others + authority.anchors.read_text()
    assert time_stamps.check(token, DATA, both) == found
    assert time_stamps.check(token, DATA + b" ", both) == Message("its time-stamp is of something else")


def test_a_stamp_that_was_changed_is_not_believed(authority):
    token, roots = time_stamps.stamp(DATA, authority.url), authority.anchors.read_text()
    at = token.index(b"\x18\x0f2") + 4  # the year in GeneralizedTime
    later = token[:at] + bytes([token[at] ^ 1]) + token[at + 1:]
    found = time_stamps.check(later, DATA, roots)
    assert isinstance(found, Message) or not found.is_trusted
    for broken in (b"", b"\x30\x00", token[:-9], token[:40], DATA, token + token):
        found = time_stamps.check(broken, DATA, roots)
        assert isinstance(found, Message) or not found.is_trusted


@pytest.mark.parametrize("answer", [b"", b"no DER", b"\x30\x05\x30\x03\x02\x01\x02", b"x" * 70_000, 302, 404, 500])
def test_an_authority_that_gives_no_stamp_is_an_error(authority, answer):
    authority.answer = answer
    with pytest.raises(FetchFailed, match="no time-stamp"):
        time_stamps.stamp(DATA, authority.url)


def test_an_answer_to_another_request_is_none(authority):
    time_stamps.stamp(DATA, authority.url)
    authority.answer = authority.reply(authority.asked[-1])
    with pytest.raises(FetchFailed, match="another request"):
        time_stamps.stamp(DATA, authority.url)


def test_errors_do_not_show_the_address(pem):
    for url in ("http://user:secret@127.0.0.1:9/tsa?token=secret", "file:///etc/secret", "secret"):
        with pytest.raises((FetchFailed, InvalidArgument)) as error:
            time_stamps.stamp(DATA, url)
        assert "secret" not in str(error.value)
    with pytest.raises(InvalidArgument):
        ResultSigner(pem, ta_url="ftp://x")


def test_a_result_carries_its_stamp(authority, pem, report, others):
    signed = signed_by(pem, report, authority.url)
    jwks, now = ResultSigner(pem).jwks(), datetime.datetime.now(datetime.UTC)
    found = check(signed, jwks, now, authorities=authority.anchors.read_text())
    assert found.stamp.is_trusted and abs(found.stamp.time - found.time) < datetime.timedelta(minutes=5)
    assert found.to_dict()["time_stamp"]["authority"] == "CN=test tsa"
    for roots in (others, ""):
        assert not check(signed, jwks, now, authorities=roots).stamp.is_trusted
    plain = check(signed_by(pem, report, None), jwks, now, authorities=authority.anchors.read_text())
    assert plain.stamp is None and plain.to_dict()["time_stamp"] is None


def test_a_stamp_of_another_result_makes_it_none(authority, pem, report):
    from joserfc import jwk, jws

    from labelkit import jose

    one, other = signed_by(pem, report, authority.url), signed_by(pem, report, None)
    header = json.loads(base64.urlsafe_b64decode(one.split(".")[0] + "=="))
    payload = base64.urlsafe_b64decode(other.split(".")[1] + "==").replace(b'"bytes": 1', b'"bytes": 2')
    jwks, now = ResultSigner(pem).jwks(), datetime.datetime.now(datetime.UTC)
    for stamps, reason in ((header["adoTst"], "its time-stamp is of something else"),
                           ({"tstTokens": []}, "its time-stamp cannot be read"),
                           ({"tstTokens": [{"val": "!"}]}, "its time-stamp cannot be read")):
        forged = jws.serialize_compact({**header, "adoTst": stamps}, payload, jwk.ECKey.import_key(pem),
                                       registry=jose.registry("ES256"))
        found = check(forged, jwks, now, authorities=authority.anchors.read_text())
        assert isinstance(found, NoResult) and str(found.reason) == reason


def test_the_commands_stamp_and_check(authority, tmp_path: Path, capsys, others):
    from labelkit.cli.main import main

    pem, jwks = results.keygen()
    picture = tmp_path / "a.png"
    picture.write_bytes(saved(photo(64, 64), "PNG"))
    (tmp_path / "key.pem").write_bytes(pem)
    (tmp_path / "jwks.json").write_text(json.dumps(jwks))
    (tmp_path / "others.pem").write_text(others)
    main(["verify", str(picture), "--json", "--layers", "metadata", "--sign-result", str(tmp_path / "key.pem"),
          "--ta-url", authority.url])
    (tmp_path / "result.json").write_text(capsys.readouterr().out)
    command = ["result", str(tmp_path / "result.json"), "--jwks", str(tmp_path / "jwks.json"), "--content",
               str(picture)]
    assert main([*command, "--time-anchors", str(authority.anchors)]) == 0
    assert "UTC by CN=test tsa\n" in capsys.readouterr().out
    for anchors in ([], ["--time-anchors", str(tmp_path / "others.pem")]):  # C2PA's list does not have it
        assert main([*command, *anchors]) == 0
        assert "CN=test tsa, NOT an authority that is believed here" in capsys.readouterr().out
