# SPDX-License-Identifier: Apache-2.0
"""axe-core, which looks for faults of accessibility: `python -m tests.page.axe OUT.js` fetches it, by its hash.

It is MPL-2.0 and used in tests alone.
"""

from __future__ import annotations

import hashlib
import io
import sys
import tarfile
import urllib.request
from pathlib import Path

URL = "https://registry.npmjs.org/axe-core/-/axe-core-4.14.1.tgz"
SHA256 = "29348999450cdf2849a8e70b7912fc2da85a849da39c0d0d5394f51d4a9ed95c"
RULES = ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa"]


def main() -> None:
    with urllib.request.urlopen(URL, timeout=60) as answer, tarfile.open(fileobj=io.BytesIO(answer.read())) as package:
        script = package.extractfile("package/axe.min.js").read()
    if hashlib.sha256(script).hexdigest() != SHA256:
        sys.exit(f"{URL} holds another script than the one that is pinned")
    target = Path(sys.argv[1])
    target.parent.mkdir(parents=True, exist_ok=True)
    target.write_bytes(script)


if __name__ == "__main__":
    main()
