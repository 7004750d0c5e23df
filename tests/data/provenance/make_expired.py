# SPDX-License-Identifier: Apache-2.0
"""Makes expired.jpg and expired_anchors.pem: a picture signed by a certificate that has ended since.

    python -m tests.data.provenance.make_expired
"""

from __future__ import annotations

import io
from pathlib import Path

from PIL import Image

from labelkit.label import Kind, Label
from labelkit.provenance import Claim, Signer, sign
from tests.provenance.certificates import key_pem, make_chain, new_key

SECONDS = 5


def main() -> None:
    key, out = new_key(), io.BytesIO()
    leaf, root = make_chain(key, days=(-1, SECONDS / 86400), organisation="Ended Works")
    Image.new("RGB", (16, 16), "teal").save(out, "JPEG")
    label = Label(Kind.GENERATED, "Ended-Works", "1")
    folder = Path(__file__).parent
    signer = Signer.from_pem(leaf + root + key_pem(key))
    (folder / "expired.jpg").write_bytes(sign(out.getvalue(), Claim(label), signer))
    (folder / "expired_anchors.pem").write_bytes(root)


if __name__ == "__main__":
    main()
