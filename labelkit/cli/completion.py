# SPDX-License-Identifier: Apache-2.0
"""`labelkit completion`: scripts with which shells complete commands, options and their choices.

The scripts are made from the parser, so that they cannot differ from it. Everything else is completed as a file name.
"""

from __future__ import annotations

import argparse
import shlex
from collections.abc import Iterator, Mapping

from labelkit.cli import parser
from labelkit.cli.outcome import OK
from labelkit.cli.text import argparse_in

Commands = Mapping[str, argparse.ArgumentParser]


def run(options: argparse.Namespace) -> int:
    """Print the script; returns the exit code."""
    with argparse_in(options.lang):
        root = parser.build()
    commands: Commands = next(action.choices for action in root._actions
                              if isinstance(action, argparse._SubParsersAction))
    print({"bash": _bash, "zsh": _zsh, "fish": _fish}[options.shell](commands))
    return OK


def _options(command: argparse.ArgumentParser) -> Iterator[tuple[str, argparse.Action]]:
    for action in command._actions:
        for name in action.option_strings:
            yield name, action


def _values(command: argparse.ArgumentParser) -> Iterator[tuple[str, str]]:
    """(options separated by |, choices separated by blanks) of each option that has choices."""
    for action in command._actions:
        if action.option_strings and action.choices:
            yield "|".join(action.option_strings), " ".join(map(str, action.choices))


def _positional(command: argparse.ArgumentParser) -> str:
    """The choices of the first positional argument, such as the actions of `log`."""
    first = next((action for action in command._actions if not action.option_strings), None)
    return " ".join(map(str, first.choices)) if first and first.choices else ""


def _bash(commands: Commands) -> str:
    lines = ["_labelkit() {", '    local word="${COMP_WORDS[COMP_CWORD]}" before="${COMP_WORDS[COMP_CWORD-1]}"',
             '    local command="" index words=""', "    for ((index = 1; index < COMP_CWORD; index++)); do",
             f"        case \"${{COMP_WORDS[index]}}\" in {'|'.join(commands)})",
             '            command="${COMP_WORDS[index]}"; break;; esac', "    done", '    case "$command" in',
             f"        \"\") words={shlex.quote(' '.join([*commands, '--help', '--version', '--lang', '--config']))};;"]
    for name, command in commands.items():
        lines.append(f"        {name})")
        cases = [f"{options}) words={shlex.quote(values)};;" for options, values in _values(command)]
        every = " ".join(option for option, _ in _options(command))
        lines += ['            case "$before" in', *(f"                {case}" for case in cases),
                  f"                *) [[ $word == -* ]] && words={shlex.quote(every)} || "
                  f"words={shlex.quote(_positional(command))};;", "            esac;;"]
    return "\n".join([*lines, "    esac", '    COMPREPLY=($(compgen -W "$words" -- "$word"))',
                      "}", "complete -o default -F _labelkit labelkit"])  # default: else names of files


def _zsh(commands: Commands) -> str:
    """zsh runs completion functions of bash."""
    return "autoload -U +X bashcompinit && bashcompinit\n" + _bash(commands)


def _fish(commands: Commands) -> str:
    lines = [f"complete -c labelkit -n __fish_use_subcommand {option}" for option in (
        "-s h -l help", "-l version", "-x -l lang -a 'en zh-CN'", "-r -l config")]
    for name, command in commands.items():
        lines.append(f"complete -c labelkit -n __fish_use_subcommand -f -a {name} "
                     f"-d {_quoted(_first_sentence(command.description or ''))}")
        here = f"-c labelkit -n '__fish_seen_subcommand_from {name}'"
        for action in command._actions:
            if action.option_strings:
                names = " ".join(f"-l {word[2:]}" if word.startswith("--") else f"-s {word[1:]}"
                                 for word in action.option_strings)
                values = f" -x -a {_quoted(' '.join(map(str, action.choices)))}" if action.choices else (
                    "" if action.nargs == 0 else " -r")
                lines.append(f"complete {here} {names}{values} -d {_quoted(action.help or '')}")
        if _positional(command):
            lines.append(f"complete {here} -a {_quoted(_positional(command))}")
    return "\n".join(lines)


def _first_sentence(text: str) -> str:
    return text.partition(". ")[0].partition("。")[0].rstrip(".")


def _quoted(text: str) -> str:
    return "'" + text.replace("\\", "\\\\").replace("'", "\\'") + "'"
