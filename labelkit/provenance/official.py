# SPDX-License-Identifier: Apache-2.0
"""C2PA's own trust lists, of signers and of time-stamping authorities: as shipped, or as the user has replaced them.

They are in the folder c2pa_trust, unchanged and dated; NOTICE.txt there says by which licence. A list that the user has
put in their place lies in the user's configuration folder, $XDG_CONFIG_HOME/labelkit or ~/.config/labelkit (Windows:
%APPDATA%\\labelkit), never in a folder that is worked on.
"""

from __future__ import annotations

import base64
import contextlib
import functools
import json
import os
import tempfile
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from pathlib import Path

from labelkit.errors import InvalidArgument, cannot_write
from labelkit.keyfiles import read
from labelkit.messages import Message
from labelkit.provenance.bundles import check_bundle

MAX_BYTES = 16 << 20  # of a list; C2PA's have 40 to 80 kB
_SHIPPED = Path(__file__).parent / "c2pa_trust"
_TRUSTED = "http://c2pa.org/conformance/trust-list/trusted"
_TIME_STAMPS = "TSA"  # in the scheme name of the list of time-stamping authorities
_UNKNOWN = ""


@dataclass(frozen=True, slots=True)
class OfficialList:
    """Two bundles of certificates as PEM text, and where they come from.

    name                  what a report calls it
    issued, next_update   dates as the list states them, "" where it states none
    source, licence       as far as they are known, else ""
    shipped               False where the user has replaced it
    """

    name: str
    signers: str
    time_stamps: str
    issued: str
    next_update: str
    source: str
    licence: str
    shipped: bool


def current() -> OfficialList:
    """The list in use: the user's, else the one that is shipped. Raises InvalidArgument for a broken one of the user's.

    It is read again when its file has changed.
    """
    path = _replacement()
    try:
        found = os.stat(path)
    except (OSError, ValueError):
        return shipped()
    return _replaced(path, found.st_mtime_ns, found.st_size)


@functools.cache
def shipped() -> OfficialList:
    """The list that comes with this version."""
    facts = json.loads((_SHIPPED / "list.json").read_text("utf-8"))
    return OfficialList(signers=(_SHIPPED / "C2PA-TRUST-LIST.pem").read_text("ascii"),
                        time_stamps=(_SHIPPED / "C2PA-TSA-TRUST-LIST.pem").read_text("ascii"), shipped=True, **facts)


def replace(*files: str | os.PathLike[str], time_stamps: str | os.PathLike[str] | None = None,
            today: str) -> OfficialList:
    """Put lists in the place of those in use, for this user, and return what is in use now.

    files        C2PA's lists as it publishes them: C2PA-TRUST-LIST and C2PA-TSA-TRUST-LIST as JSON, which say which
                 they are and when they were issued; or PEM bundles of signers' certificates
    time_stamps  a PEM bundle of time-stamping authorities
    today        date by which a list of PEM is called
    A list that is not given stays as it is. Raises InvalidArgument for a file without certificates, OutputFailed.
    """
    old = current()
    made = {**asdict(old), "name": f"C2PA, replaced {today}", "issued": _UNKNOWN, "next_update": _UNKNOWN,
            "source": ", ".join(os.path.basename(os.fspath(file)) for file in files), "licence": _UNKNOWN,
            "shipped": False}
    if not files and time_stamps is None:
        raise InvalidArgument("no trust list was named")
    for file in files:
        made |= _parsed(file, today)
    if time_stamps is not None:
        made["time_stamps"] = _pem(time_stamps, _read(time_stamps))
    new = OfficialList(**made)
    _store(new)
    return new


def forget() -> OfficialList:
    """Take the user's list away, and return the shipped one, which is then in use. Raises OutputFailed."""
    try:
        _replacement().unlink(missing_ok=True)
    except OSError as error:
        raise cannot_write(_replacement(), error) from error
    return shipped()


def _replacement() -> Path:
    """The file of the user's list."""
    places = [os.environ.get("APPDATA" if os.name == "nt" else "XDG_CONFIG_HOME") or "",
              os.path.join(os.path.expanduser("~"), ".config")]
    # a relative folder would be one that is worked on
    home = next((place for place in places if os.path.isabs(place)), os.path.abspath(os.sep))
    return Path(home) / "labelkit" / "c2pa-trust.json"


@functools.lru_cache(maxsize=4)
def _replaced(path: Path, changed: int, size: int) -> OfficialList:
    try:
        facts = json.loads(_read(path))
        made = OfficialList(**{**facts, "shipped": False})
        if not all(isinstance(value, str) for name, value in asdict(made).items() if name != "shipped"):
            raise TypeError("not all values are texts")
    except (ValueError, TypeError, RecursionError) as error:
        raise InvalidArgument("{where} is no trust list of labelkit's: {reason}", where=str(path),
                              reason=str(error), hint="replace the list, or return to the shipped one") from error
    _pem(path, made.signers)
    _pem(path, made.time_stamps)
    return made


def _read(path: str | os.PathLike[str]) -> str:
    data = read(path, MAX_BYTES + 1)
    if len(data) > MAX_BYTES:
        raise InvalidArgument("{where}: a trust list has at most {limit} bytes", where=os.fspath(path), limit=MAX_BYTES)
    return data.decode("utf-8", "replace")


def _parsed(path: str | os.PathLike[str], today: str) -> dict[str, str]:
    """What a file of the user's replaces."""
    text = _read(path)
    if not text.lstrip().startswith("{"):
        return {"signers": _pem(path, text)}
    try:
        listed = json.loads(text)["LoTE"]
        about = listed["ListAndSchemeInformation"]
        scheme, issued = str(about["SchemeName"][0]["value"]), str(about["ListIssueDateTime"])[:10]
        pem = "".join(_certificates(listed["TrustedEntitiesList"]))
        following = str(about.get("NextUpdate", ""))[:10]
    except (ValueError, KeyError, IndexError, TypeError, AttributeError, RecursionError) as error:
        raise InvalidArgument("{where} is no trust list in C2PA's form: {reason}", where=os.fspath(path),
                              reason=f"{type(error).__name__} {error}"[:200]) from error
    pem = _pem(path, pem)
    if _TIME_STAMPS in scheme:
        return {"time_stamps": pem}
    return {"signers": pem, "name": f"C2PA {issued}", "issued": issued, "next_update": following}


def _certificates(entities: list[dict[str, list[dict[str, dict[str, object]]]]]) -> Iterator[str]:
    """The certificates of a list of trusted entities (ETSI TS 119 602) that are trusted now, as PEM."""
    for entity in entities:
        for service in entity["TrustedEntityServices"]:
            facts = service["ServiceInformation"]
            identity = facts["ServiceDigitalIdentity"]
            if facts["ServiceStatus"] == _TRUSTED and isinstance(identity, dict):
                for one in identity["X509Certificates"]:
                    body = base64.encodebytes(base64.b64decode(one["val"], validate=True)).decode("ascii")
                    yield f"-----BEGIN CERTIFICATE-----\n{body}-----END CERTIFICATE-----\n"


def _pem(path: str | os.PathLike[str], text: str) -> str:
    check_bundle(text, os.fspath(path))
    return text


def _store(made: OfficialList) -> None:
    """Write beside the place and rename, so that there is always one whole list."""
    path = _replacement()
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        handle, beside = tempfile.mkstemp(dir=path.parent, prefix=".c2pa-trust-")
        try:
            with open(handle, "w", encoding="utf-8") as file:
                json.dump(asdict(made), file, ensure_ascii=False, indent=1)
            os.replace(beside, path)
        except BaseException:
            with contextlib.suppress(OSError):
                os.unlink(beside)
            raise
    except OSError as error:
        raise cannot_write(path, error) from error


def names(pem: str) -> list[tuple[str, str]]:
    """(common name or organisation, end of validity) of each certificate in a bundle."""
    from cryptography import x509
    from cryptography.x509.oid import NameOID

    found = []
    for one in x509.load_pem_x509_certificates(pem.encode()):
        parts = [*one.subject.get_attributes_for_oid(NameOID.COMMON_NAME),
                 *one.subject.get_attributes_for_oid(NameOID.ORGANIZATION_NAME)]
        found.append((str(parts[0].value) if parts else one.subject.rfc4514_string(),
                      f"{one.not_valid_after_utc:%Y-%m-%d}"))
    return found


def origin(of: OfficialList) -> Message:
    """Where a list comes from, for people."""
    return (Message("shipped with labelkit") if of.shipped else Message("replaced by the user: {source}",
                                                                        source=of.source))
