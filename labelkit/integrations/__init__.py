# SPDX-License-Identifier: Apache-2.0
"""Hooks for generation pipelines and servers; each file needs only its own host."""
