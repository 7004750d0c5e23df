# SPDX-License-Identifier: Apache-2.0
"""The argument parser of every command: options that all have, and errors of two lines."""

from __future__ import annotations

import argparse
import re
import sys
from typing import Any, NoReturn

from labelkit.cli.text import HelpFormatter, _, one_line
from labelkit.messages import LANGUAGES

_ALIKE = 0.7  # of difflib, from which a word counts as a misspelling


class Parser(argparse.ArgumentParser):
    """An argument parser whose help has the same layout on every Python and in every window."""

    def __init__(self, *, bare: bool = False, **settings: Any) -> None:  # those of ArgumentParser, by add_parser
        super().__init__(formatter_class=HelpFormatter, allow_abbrev=False, add_help=False, **settings)
        if bare:  # a command that is only named
            return
        self.add_argument("-h", "--help", action="help", help=_("show this help and exit"))
        self.add_argument("--lang", metavar=_("LANG"), choices=(*LANGUAGES, "zh"),
                          help=_("en or zh-CN; by default the language of the locale"))
        self.add_argument("--config", metavar=_("FILE"),
                          help=_("settings file; by default labelkit/config.toml in your configuration folder"))
        self.add_argument("-q", "--quiet", action="store_true",
                          help=_("print errors only; with --json, the JSON too"))

    def parse_known_args(self, args: Any = None, namespace: Any = None) -> Any:  # as typeshed has it
        """As argparse does; the words are kept for the hint of an error."""
        self._words = list(sys.argv[1:] if args is None else args)
        return super().parse_known_args(args, namespace)

    def error(self, message: str) -> NoReturn:
        """Wrong usage: two lines on stderr, exit code 2."""
        meant, named = self._meant(message), [one.prog for one in self._commands()]
        # words that no command knows are an error of the root
        command = next((one for word in self._words for one in named if one == f"{self.prog} {word}"), self.prog)
        hint = (_("hint: did you mean {word}? See {command} --help").format(word=meant, command=command) if meant else
                _("hint: see {command} --help").format(command=command))
        print(f"{one_line(message)}\n{hint}", file=sys.stderr)
        sys.exit(2)

    def _commands(self) -> list[argparse.ArgumentParser]:
        return [parser for action in self._actions if isinstance(action, argparse._SubParsersAction)
                for parser in action.choices.values()]

    def _meant(self, message: str) -> str | None:
        """The option, command or choice that a misspelt word is close to."""
        import difflib  # here: only errors need it

        actions = [action for parser in (self, *self._commands()) for action in parser._actions]
        options = [name for action in actions for name in action.option_strings]
        words = [word.partition("=")[0] for word in self._words if word.startswith("--")]
        for word in words:
            if word not in options and (close := difflib.get_close_matches(word, options, 1, _ALIKE)):
                return str(close[0])
        choices = [str(choice) for action in self._actions for choice in action.choices or ()]
        for word in self._words:
            word = word.rpartition("=")[2] if word.startswith("--") else word
            if repr(word) not in message:
                continue
            offered = [choice for choice in choices
                       if choice != word and re.search(rf"\b{re.escape(choice)}\b", message)]
            if close := difflib.get_close_matches(word, offered, 1, _ALIKE):
                return str(close[0])
        return None
