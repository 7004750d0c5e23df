# SPDX-License-Identifier: Apache-2.0
"""`python -m labelkit` is the command `labelkit`."""

import sys

from labelkit.cli.main import main

sys.exit(main())
