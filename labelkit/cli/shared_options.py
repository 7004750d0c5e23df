# SPDX-License-Identifier: Apache-2.0
"""What several commands share: how one is added, and options that mean the same in each."""

from __future__ import annotations

import argparse
from typing import TYPE_CHECKING

from labelkit.cli import values
from labelkit.cli.text import _
from labelkit.cli.usage import Parser
from labelkit.distribution import extra

if TYPE_CHECKING:
    Options = argparse._ActionsContainer
    """A command, or one of its groups of options."""


def about(command: Parser, usage: str, description: str) -> None:
    """What the help of a command begins with; the usage without the command itself."""
    command.usage, command.description = f"{command.prog} {usage}", description


def files(command: Parser, what: str) -> None:
    command.add_argument("files", nargs="*", metavar=_("FILE|FOLDER"), help=what)
    which = command.add_argument_group(_("which files"))
    which.add_argument("--files-from", metavar=_("LIST"),
                       help=_("also the files in this list, one per line; - reads standard input"))
    which.add_argument("--shard", type=values.shard, metavar="I/N",
                       help=_("only the I-th of N parts of the files, divided by their names"))


def json(group: Options, what: str) -> None:
    group.add_argument("--json", action="store_true", help=what)


def key(group: Options) -> None:
    group.add_argument("--key", metavar=_("FILE"), help=_("watermark key; the public key by default"))


def ta_url(group: Options) -> None:
    group.add_argument("--ta-url", metavar="URL", help=_("time-stamping authority, called for every signature"))


def keep_manifests(group: Options) -> None:
    group.add_argument("--keep-manifests", action="store_true",
                       help=_("keep each manifest in the log too, so that the watermark leads to it where the file has "
                              "lost it"))


def engine(command: Parser) -> None:
    group = command.add_argument_group(_("the engine (files in object stores, or in folders that all machines share)"))
    group.add_argument("--engine", choices=("ray", "daft"), metavar=_("ENGINE"),
                       help=_("have the files worked on by Ray or Daft, ray or daft, on this machine or on a cluster; "
                              "embed then derives the number of each file from its content ({extra})").format(
                                  extra=f"{extra('ray')}, {extra('daft')}"))
    group.add_argument("--address", metavar=_("ADDRESS"),
                       help=_("of the Ray cluster, such as auto, 10.0.0.5:6379 or ray://10.0.0.5:10001"))
