# SPDX-License-Identifier: Apache-2.0
"""The signed manifest: who says what about a file, bound to its bytes. C2PA 2.x, by c2pa-python.

    signer = Signer.load("signer.pem")                       # a chain and its key, made by `keygen`
    signed = sign(data, Claim(label, payload), signer, parent=source)
    finding = validate(signed, trust=TrustList.load("anchors.pem"))

The manifest comes last: it binds every byte, so metadata written after it breaks it. A manifest that
the file already has is kept as the parent of the new one. Files without a place for a manifest (MKV, WebM,
Ogg, FLV, RF64, AAC, BMP, TIFF of several pages) take it beside them: `sign_sidecar`, and `validate(..., sidecar=...)`.

Nothing here uses the network, with one exception that the caller asks for: a signer's time-stamp URL.
A signature without a time-stamp is worth nothing once the certificate has ended, so signer and finding
say when that is and whether there is a time-stamp. The clock is the C2PA library's own where it judges
certificates; `now`, for the warning ahead of that, is an argument.
"""

from labelkit.provenance.keygen import keygen, keygen_watermark
from labelkit.provenance.manifest import (
    AIGC_ASSERTION,
    Claim,
    has_place,
    sign,
    sign_into,
    sign_sidecar,
    watermark_algorithm,
)
from labelkit.provenance.recovered import Recovered, recovered
from labelkit.provenance.sidecars import beside, fits
from labelkit.provenance.signer import Signer
from labelkit.provenance.trust import TrustList
from labelkit.provenance.validation import validate

__all__ = ["AIGC_ASSERTION", "Claim", "Recovered", "Signer", "TrustList", "beside", "fits", "has_place", "keygen",
           "keygen_watermark", "recovered", "sign", "sign_into", "sign_sidecar", "validate", "watermark_algorithm"]
