# SPDX-License-Identifier: Apache-2.0
"""What options of several commands name: keys, signers, and how to verify."""

from __future__ import annotations

import argparse
import datetime
import os
from typing import TYPE_CHECKING, NotRequired, TypedDict

from labelkit.cli.trust import C2PA, NONE
from labelkit.errors import InvalidArgument

if TYPE_CHECKING:
    from labelkit.key import Key
    from labelkit.metadata.sm2 import Sm2Signer
    from labelkit.provenance import Signer, TrustList
    from labelkit.results import ResultSigner
    from labelkit.watermark import Candidates


class Checks(TypedDict):
    """The arguments of `labelkit.verify` that the options of every verifying command give."""

    key: Key | None
    trust: TrustList | None
    pins: tuple[bytes, ...]
    effort: str
    now: datetime.datetime
    max_pixels: int
    ocr: bool
    languages: NotRequired[tuple[str, ...]]
    candidates: NotRequired[Candidates | None]


def checks(options: argparse.Namespace) -> Checks:
    """The arguments of `labelkit.verify` for the options of a command."""
    if options.ocr:
        from labelkit.explicit.image import ocr
        ocr.check_available()
    trust = None
    if options.trust != C2PA:
        from labelkit.provenance import TrustList
        trust = TrustList.none() if options.trust == NONE else TrustList.load(options.trust)
    return {"ocr": _reads_text() if options.ocr is None else options.ocr, "key": key_of(options), "trust": trust,
            "languages": getattr(options, "languages", ()), "pins": _pins(options), "effort": options.effort,
            "now": datetime.datetime.now(datetime.UTC), "max_pixels": options.max_megapixels * 1_000_000}


def _reads_text() -> bool:
    from labelkit.explicit.image import ocr

    return ocr.available()


def _pins(options: argparse.Namespace) -> tuple[bytes, ...]:
    if not options.sm2_pin:
        return ()
    from labelkit.metadata.sm2 import load_pins

    return load_pins(options.sm2_pin)


def key_of(options: argparse.Namespace) -> Key | None:
    """The watermark key of --key, or None for the public one."""
    if not options.key:
        return None
    from labelkit.key import Key

    return Key.load(options.key)


def result_signer_of(options: argparse.Namespace) -> ResultSigner | None:
    """The signer of results that --sign-result names."""
    if not options.sign_result:
        return None
    from labelkit.results import ResultSigner

    password = os.environ.get("LABELKIT_SIGNER_PASSWORD")
    return ResultSigner.load(options.sign_result, url=options.result_url, ta_url=options.ta_url,
                             password=password.encode() if password else None)


def sm2_signer_of(options: argparse.Namespace) -> Sm2Signer | None:
    """The signer of labels that --sm2-key names."""
    if not options.sm2_key:
        return None
    from labelkit.metadata.sm2 import Sm2Signer

    return Sm2Signer.load(options.sm2_key, form=options.sm2_form)


def signer_of(options: argparse.Namespace) -> Signer | None:
    """The signer of manifests that --signer names."""
    if not options.signer:
        if options.thumbnails:
            raise InvalidArgument("thumbnails are in the manifest, which needs a signer",
                                  hint="give --signer PEM; labelkit keygen generates one")
        return None
    from labelkit.provenance import Signer

    password = os.environ.get("LABELKIT_SIGNER_PASSWORD")
    if options.signer.startswith("pkcs11:"):
        signer = Signer.from_pkcs11(options.signer, pin=password, ta_url=options.ta_url)
    else:
        signer = Signer.load(options.signer, password=password.encode() if password else None, ta_url=options.ta_url)
    return signer.with_thumbnails() if options.thumbnails else signer
