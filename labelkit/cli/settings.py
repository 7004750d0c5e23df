# SPDX-License-Identifier: Apache-2.0
"""Where options come from: the command line, else the environment, else a file of settings.

The file is TOML, its keys the long options without dashes: `producer = "0011..."`, `layers = ["explicit", "metadata"]`.
It is $LABELKIT_CONFIG, else ./labelkit.toml, else labelkit/config.toml under $XDG_CONFIG_HOME. Environment variables
are LABELKIT_ and the option in capitals: LABELKIT_PRODUCER. Options of other commands are passed over, unknown keys of
the file are refused.
"""

from __future__ import annotations

import argparse
from collections.abc import Iterator, Mapping
from pathlib import Path

from labelkit.errors import InvalidArgument

# a relative path in a file of settings is relative to that file
_PATHS = {"key", "signer", "trust", "font", "recording", "sm2-key", "sm2-pin", "log", "files-from"}
_MAX_BYTES = 1 << 20


def language(words: list[str], environment: Mapping[str, str]) -> str:
    """ "zh-CN" or "en": --lang, LABELKIT_LANG, then the locale."""
    asked = environment.get("LABELKIT_LANG", "")
    for index, word in enumerate(words):
        if word.startswith("--lang="):
            asked = word.removeprefix("--lang=")
        elif word == "--lang" and index + 1 < len(words):
            asked = words[index + 1]
    locale = next(filter(None, (environment.get(name) for name in ("LC_ALL", "LC_MESSAGES", "LANG"))), "")
    return "zh-CN" if (asked or locale).lower().startswith("zh") else "en"


def with_defaults(words: list[str], root: argparse.ArgumentParser, environment: Mapping[str, str]) -> list[str]:
    """`words` with the options of settings and environment before the user's own, which override them."""
    commands = _commands(root)
    at = next((index for index, word in enumerate(words) if word in commands), None)
    if at is None:
        return words
    options = _options(commands[words[at]])
    known = {name for command in commands.values() for name in _options(command)}
    stored = list(_from_file(environment, known)) + [
        (name, environment[variable]) for name in known
        if (variable := "LABELKIT_" + name.upper().replace("-", "_")) in environment]
    given = [word for name, value in stored if name in options for word in _as_words(options[name], name, value)]
    return words[:at + 1] + given + words[at + 1:]


def _commands(root: argparse.ArgumentParser) -> Mapping[str, argparse.ArgumentParser]:
    return next(action.choices for action in root._actions if isinstance(action, argparse._SubParsersAction))


def _options(command: argparse.ArgumentParser) -> dict[str, argparse.Action]:
    return {name.removeprefix("--"): action for action in command._actions for name in action.option_strings
            if name.startswith("--") and name != "--help"}


def _from_file(environment: Mapping[str, str], known: set[str]) -> Iterator[tuple[str, object]]:
    path = _file(environment)
    if path is None:
        return
    for name, value in _read(path).items():
        if name not in known:
            raise InvalidArgument("{where}: {name} is not an option", where=str(path), name=name,
                                  hint="the keys are the long options without dashes, see labelkit embed --help")
        relative = name in _PATHS and isinstance(value, str) and "://" not in value and not value.startswith("pkcs11:")
        yield name, str(path.parent / value) if relative else value


def _file(environment: Mapping[str, str]) -> Path | None:
    if environment.get("LABELKIT_CONFIG"):
        return Path(environment["LABELKIT_CONFIG"])
    home = environment.get("XDG_CONFIG_HOME") or Path(environment.get("HOME") or "~") / ".config"
    return next((path for path in (Path("labelkit.toml"), Path(home) / "labelkit" / "config.toml")
                 if path.is_file()), None)


def _read(path: Path) -> dict[str, object]:
    import tomllib
    try:
        with open(path, "rb") as file:
            return tomllib.loads(file.read(_MAX_BYTES).decode())
    except OSError as error:
        raise InvalidArgument("{where} cannot be opened: {reason}", where=str(path),
                              reason=error.strerror or "it cannot be read") from error
    except ValueError as error:  # of TOML and of UTF-8
        raise InvalidArgument("{where}: not a file of settings: {reason}", where=str(path),
                              reason=str(error)) from error


def _as_words(action: argparse.Action, name: str, value: object) -> list[str]:
    if action.nargs == 0:
        return [f"--{name}"] if value is True or str(value).lower() in ("1", "true", "yes") else []
    return [f"--{name}={','.join(map(str, value)) if isinstance(value, list) else value}"]
