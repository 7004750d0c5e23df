# SPDX-License-Identifier: Apache-2.0
"""Time-stamps of RFC 3161: an authority states that bytes existed at a time (the package rfc3161-client).

It builds requests and checks answers in Rust, is Apache-2.0, and is kept by Trail of Bits for sigstore. rfc3161ng and
tsp-client check no chain of certificates. The authority is asked over the network, with nothing but a SHA-512.
"""

from __future__ import annotations

import datetime
import hashlib
import http.client
import re
import urllib.error
import urllib.request
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from labelkit.distribution import install_hint
from labelkit.errors import FetchFailed, InvalidArgument
from labelkit.messages import Message, one_line

if TYPE_CHECKING:
    from cryptography.x509 import Certificate

_SECONDS = 30.0  # to answer
_MAX_ANSWER = 64 << 10  # bytes; answers have 2 to 7 kB
_GRANTED = b"\x30\x03\x02\x01\x00"  # PKIStatusInfo, RFC 3161, 2.4.2
_HASHES = {"2.16.840.1.101.3.4.2.1": hashlib.sha256, "2.16.840.1.101.3.4.2.2": hashlib.sha384,
           "2.16.840.1.101.3.4.2.3": hashlib.sha512}


@dataclass(frozen=True, slots=True)
class TimeStamp:
    """When bytes existed, and who says so.

    time        aware
    authority   subject of the authority's certificate
    is_trusted  whether its certificate chains to one of the roots, and its signature holds; else nothing is proved
    """

    time: datetime.datetime
    authority: str
    is_trusted: bool


def check_url(url: str) -> None:
    """Raise InvalidArgument for an address that is none of an authority."""
    if not re.match(r"https?://[\x21-\x7e]+\Z", url):
        raise InvalidArgument("the address of a time-stamping authority must be an http or https URL")


def stamp(data: bytes, url: str) -> bytes:
    """A TimeStampToken (DER) over bytes, from the authority at a URL.

    Raises FetchFailed where it does not answer with one, InvalidArgument for a URL that is none and where the package
    is missing.
    """
    client = _client()
    check_url(url)
    request = client.TimestampRequestBuilder().data(data).build()
    answer = _asked(url, request.as_bytes())
    try:
        response = client.decode_timestamp_response(answer)
        if response.status not in (0, 1):
            raise _failed(Message("it refused: {reason}", reason=one_line(" ".join(response.status_string))[:200]))
        info = response.tst_info
        if info.nonce != request.nonce or bytes(info.message_imprint.message) != hashlib.sha512(data).digest():
            raise _failed(Message("its answer is to another request"))
        return bytes(response.time_stamp_token())
    except (ValueError, TypeError) as error:
        raise _failed(Message("its answer is no time-stamp")) from error


def check(token: bytes, data: bytes, roots: str) -> TimeStamp | Message:
    """What a TimeStampToken says of bytes, or why it says nothing.

    roots  PEM of the authorities that are believed; "" for none
    Raises InvalidArgument where the package is missing.
    """
    client = _client()
    body = _GRANTED + token
    try:
        response = client.decode_timestamp_response(b"\x30" + _length(len(body)) + body)
        info = response.tst_info
        algorithm = _HASHES.get(info.message_imprint.hash_algorithm.dotted_string)
        imprint, time, authority = bytes(info.message_imprint.message), info.gen_time, _authority(response)
    except (ValueError, TypeError):
        return Message("its time-stamp cannot be read")
    if algorithm is None or algorithm(data).digest() != imprint:
        return Message("its time-stamp is of something else")
    return TimeStamp(time, authority, _is_trusted(client, response, imprint, roots))


def _is_trusted(client: Any, response: Any, imprint: bytes, roots: str) -> bool:
    """Whether one of the roots vouches; each alone, as the library may stop at another one of the same name."""
    from cryptography.x509 import load_pem_x509_certificates

    return bool(roots) and any(_is_by(client, response, imprint, root)
                               for root in load_pem_x509_certificates(roots.encode("ascii", "replace")))


def _is_by(client: Any, response: Any, imprint: bytes, root: Certificate) -> bool:
    try:
        return bool(client.VerifierBuilder().add_root_certificate(root).build().verify(response, imprint))
    except (client.VerificationError, ValueError, TypeError):
        return False


def _authority(response: Any) -> str:
    """The subject of the certificate that a response names as its signer's; "" where that is not in it."""
    from cryptography.x509 import load_der_x509_certificate

    signers = {(signer.issuer, signer.serial_number) for signer in response.signed_data.signer_infos}
    found: list[Certificate] = [load_der_x509_certificate(bytes(raw)) for raw in response.signed_data.certificates]
    return next((one_line(one.subject.rfc4514_string())[:200] for one in found
                 if (one.issuer, one.serial_number) in signers), "")


def _asked(url: str, body: bytes) -> bytes:
    request = urllib.request.Request(url, body, {"Content-Type": "application/timestamp-query",
                                                 "Accept": "application/timestamp-reply"})
    try:
        with urllib.request.build_opener(_NoRedirect).open(request, timeout=_SECONDS) as response:
            answer: bytes = response.read(_MAX_ANSWER + 1)
    except urllib.error.HTTPError as error:
        raise _failed(Message("it answered with status {status}", status=error.code)) from None
    except (OSError, http.client.HTTPException, ValueError) as error:
        raise _failed(Message("it cannot be reached")) from error
    if len(answer) > _MAX_ANSWER:
        raise _failed(Message("its answer is no time-stamp"))
    return answer


class _NoRedirect(urllib.request.HTTPRedirectHandler):
    """The authority is the one that was named."""

    def redirect_request(self, *_: Any) -> None:
        """Follow nothing."""


def _failed(reason: Message) -> FetchFailed:
    return FetchFailed("the time-stamping authority gave no time-stamp: {reason}", reason=reason,
                       hint="try again later, or sign without a time-stamp")


def _length(size: int) -> bytes:
    """A length in DER (X.690, 8.1.3)."""
    if size < 0x80:
        return bytes([size])
    digits = size.to_bytes((size.bit_length() + 7) // 8, "big")
    return bytes([0x80 | len(digits)]) + digits


def _client() -> Any:
    try:
        import rfc3161_client
    except ModuleNotFoundError as error:
        raise InvalidArgument("time-stamps of results need the package rfc3161-client",
                              hint=install_hint("service")) from error
    return rfc3161_client
