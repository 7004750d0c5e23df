# SPDX-License-Identifier: Apache-2.0
"""The manual page, labelkit(1), from the parser: `python -m docs.site.manual > labelkit.1`."""

from __future__ import annotations

import sys

from docs.site import parsers
from labelkit.distribution import __version__

_SETTINGS = """The environment has a variable for each option, LABELKIT_ and the option in capitals: LABELKIT_PRODUCER.
A settings file in TOML has a key for each. The command line overrides the environment, which overrides the file."""
_CODES = (("0", "done: each command says under its name what that means"), ("1", "an answer that is not good"),
          ("2", "no answer, or wrong usage"), ("130", "stopped by Ctrl-C or SIGTERM; no file is half written"))
_FILES = (("~/.config/labelkit/config.toml", "settings, unless --config or LABELKIT_CONFIG names another file"),)


def page() -> str:
    """The page in the macros of man(7)."""
    root = parsers.root()
    lines = [".\\\" SPDX-License-Identifier: Apache-2.0", f'.TH LABELKIT 1 "" "labelkit {__version__}"', ".SH NAME",
             "labelkit \\- label AI-generated media and verify the labels of any file", ".SH SYNOPSIS",
             ".B labelkit", ".I COMMAND", "\\&...", ".SH DESCRIPTION", _text(root.description)]
    lines += [".SH OPTIONS OF EVERY COMMAND", *_rows(row for _, rows in root.groups for row in rows)]
    common = {row for _, rows in root.groups for row in rows}
    lines.append(".SH COMMANDS")
    for command in parsers.commands():
        lines += [f".SS {_text(command.name)}", _text(command.usage.removeprefix("usage: ")), ".PP",
                  _text(command.description)]
        for title, rows in command.groups:
            own = [row for row in rows if row not in common]
            if own:
                lines += [".PP", f"\\fI{_text(title)}\\fP", *_rows(own)]
    lines += [".SH EXIT STATUS", *_rows(_CODES), ".SH ENVIRONMENT", _text(_SETTINGS), ".SH FILES", *_rows(_FILES)]
    return "\n".join(lines) + "\n"


def _rows(rows) -> list[str]:
    return [line for name, said in rows for line in (".TP", f"\\fB{_text(name)}\\fP", _text(said))]


def _text(text: str) -> str:
    plain = " ".join(text.split()).replace("\\", "\\e").replace("-", "\\-")
    return f"\\&{plain}" if plain.startswith((".", "'")) else plain


if __name__ == "__main__":
    sys.stdout.write(page())
