# SPDX-License-Identifier: Apache-2.0
"""`python -m labelkit.page SOURCES LABELLED PAGE.html`: the demo page."""

import sys

from labelkit.page.demo import main

if __name__ == "__main__":
    sys.exit(main())
