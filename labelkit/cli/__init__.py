# SPDX-License-Identifier: Apache-2.0
"""The command line: one file for each command of `labelkit`. Data to stdout, everything else to stderr."""
