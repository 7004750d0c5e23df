# SPDX-License-Identifier: Apache-2.0
"""The command line as its parser states it, for the pages that are made from it."""

from __future__ import annotations

import argparse
from collections.abc import Iterator
from typing import NamedTuple

from labelkit.cli import parser
from labelkit.cli.text import argparse_in


class Command(NamedTuple):
    """A command: its name, its usage, what it does in a few words and in sentences, and its groups of options."""

    name: str
    usage: str
    summary: str
    description: str
    groups: list[tuple[str, list[tuple[str, str]]]]


def root(language: str = "en") -> Command:
    """What every command has in common; `groups` is that of its options."""
    with argparse_in(language):
        built = parser.build()
    return _command("labelkit", "", built)


def commands(language: str = "en") -> Iterator[Command]:
    """Every command, in the order of the help."""
    with argparse_in(language):
        built = parser.build()
        action = next(one for one in built._actions if isinstance(one, argparse._SubParsersAction))
        summaries = {one.dest: one.help or "" for one in action._choices_actions}
        for name, command in action.choices.items():
            yield _command(name, summaries[name], command)


def _command(name: str, summary: str, built: argparse.ArgumentParser) -> Command:
    groups = [(group.title or "", [(_spelt(one), _said(one)) for one in group._group_actions
                                   if not isinstance(one, argparse._SubParsersAction)])
              for group in built._action_groups]
    return Command(name, built.format_usage().strip(), summary, built.description or "",
                   [(title, rows) for title, rows in groups if rows])


def _spelt(action: argparse.Action) -> str:
    """An option with its value, or an argument, as a user writes it."""
    value = "" if action.nargs == 0 else str(action.metavar or action.dest.upper())
    return ", ".join(action.option_strings) + (f" {value}" if value else "") if action.option_strings else value


def _said(action: argparse.Action) -> str:
    return (action.help or "").replace("%%", "%")
