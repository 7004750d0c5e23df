# SPDX-License-Identifier: Apache-2.0
"""Tests against real hosts that are too heavy for `make test`; `make test-hosts` runs them in their own environment."""
