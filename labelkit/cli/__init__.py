# SPDX-License-Identifier: Apache-2.0
"""The command line: `labelkit embed`, `verify`, `inspect`, `keygen`. Data to stdout, everything else to stderr."""
