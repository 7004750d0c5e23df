# SPDX-License-Identifier: Apache-2.0
"""Defaults of options, from the environment and from a settings file.

The file is TOML; its keys are the long options without dashes: `producer = "0011..."`, `layers = ["explicit",
"metadata"]`. It is the one of --config, else $LABELKIT_CONFIG, else labelkit/config.toml in the user's configuration
folder ($XDG_CONFIG_HOME, or ~/.config). Nothing is read from the current directory: folders of media come from others.
Environment variables are LABELKIT_ and the option in capitals: LABELKIT_PRODUCER. They override the file, and the
command line overrides both. Options of other commands are ignored, unknown keys in the file are refused.
"""

from __future__ import annotations

import argparse
import datetime
import os
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import NamedTuple

from labelkit.errors import InvalidArgument, cannot_open
from labelkit.messages import Message

# a relative path in a settings file is relative to that file
_PATHS = {"key", "signer", "trust", "font", "recording", "sm2-key", "sm2-pin", "log", "candidates", "files-from",
          "sign-result", "jwks", "time-anchors", "api-keys", "job-store", "page", "socket",
          "tls-certificate", "tls-key"}
_NO_PATHS = {("trust", "c2pa"), ("trust", "none")}
_DECISIVE = {"key", "signer", "trust", "sm2-key", "sm2-pin", "log", "candidates", "ta-url", "sign-result", "jwks",
             "time-anchors", "api-keys", "job-store", "job-files", "resolve", "reference-hosts", "ask-also", "address"}
"""Secrets, trust, code and who is asked: what a folder of media must not decide about itself."""
_NEVER_STORED = {"help", "config", "new-key"}
_LOCAL = "labelkit.toml"  # the name that earlier versions read from the current directory
_MAX_BYTES = 1 << 20
_YES, _NO = ("1", "true", "yes"), ("", "0", "false", "no")


class Source(NamedTuple):
    """A settings file: whether the user named it for this run, and which keys it sets."""

    path: Path
    named: bool
    keys: frozenset[str]


def language(words: list[str], environment: Mapping[str, str]) -> str:
    """ "zh-CN" or "en": from --lang, else LABELKIT_LANG, else the locale."""
    asked = _given(words, "--lang") or environment.get("LABELKIT_LANG", "")
    locale = next(filter(None, (environment.get(name) for name in ("LC_ALL", "LC_MESSAGES", "LANG"))), "")
    return "zh-CN" if (asked or locale).lower().startswith("zh") else "en"


def with_defaults(words: list[str], root: argparse.ArgumentParser,
                  environment: Mapping[str, str]) -> tuple[list[str], Source | None]:
    """`words` with the defaults inserted before the user's own options, which override them; and the file used."""
    commands = _commands(root)
    at = next((index for index, word in enumerate(words) if word in commands
               and (not index or words[index - 1] not in ("--config", "--lang"))), None)
    if at is None:
        return words, None
    options = _options(commands[words[at]])
    found = _file(words, environment)
    stored = dict(_checked(found[0])) if found else {}
    defaults = [(name, stored[name], found[0]) for name in stored if found] + [
        (name, environment[variable], None) for name in sorted(options) if (variable := _variable(name)) in environment]
    given = [word for name, value, file in defaults if name in options
             for word in _as_words(options[name], name, value, file)]
    source = Source(*found, frozenset(stored)) if found else None
    return words[:at + 1] + given + words[at + 1:], source


def refuse_decisive(source: Source, names: Sequence[str]) -> None:
    """Raise InvalidArgument if a file that lies in a folder of the run sets secrets, trust or code.

    names  of the files and folders of the run
    """
    decisive = sorted(source.keys & _DECISIVE)
    if not source.named or not decisive:
        return
    places = {Path(os.path.abspath(source.path)), Path(os.path.realpath(source.path))}
    for name in names:
        if os.path.isdir(name) and any(place.is_relative_to(folder) for place in places
                                       for folder in (os.path.abspath(name), os.path.realpath(name))):
            raise InvalidArgument("{where}: {name} must not come from {folder}, a folder that is worked on",
                                  where=str(source.path), name=", ".join(decisive), folder=name,
                                  hint="keep the settings file in another folder, or in your configuration folder")


def unread() -> Message | None:
    """What to say of a labelkit.toml in the current directory, which earlier versions read; None without one."""
    if not os.path.isfile(_LOCAL):
        return None
    return Message("{file} in the current directory is not read; --config {file} uses it", file=_LOCAL)


def _given(words: Sequence[str], option: str) -> str:
    """The last value of an option on the command line, or nothing."""
    value = ""
    for index, word in enumerate(words):
        if word == "--":
            break
        if word.startswith(f"{option}="):
            value = word.removeprefix(f"{option}=")
        elif word == option and index + 1 < len(words):
            value = words[index + 1]
    return value


def _commands(root: argparse.ArgumentParser) -> Mapping[str, argparse.ArgumentParser]:
    return next(action.choices for action in root._actions if isinstance(action, argparse._SubParsersAction))


def _options(command: argparse.ArgumentParser) -> dict[str, argparse.Action]:
    return {name.removeprefix("--"): action for action in command._actions for name in action.option_strings
            if name.startswith("--") and name.removeprefix("--") not in _NEVER_STORED}


def _variable(name: str) -> str:
    return "LABELKIT_" + name.upper().replace("-", "_")


def _file(words: Sequence[str], environment: Mapping[str, str]) -> tuple[Path, bool] | None:
    """The settings file of the run, and whether the user named it; None for none."""
    named = _given(words, "--config") or environment.get("LABELKIT_CONFIG")
    if named:
        return Path(named), True
    folders = (Path(environment.get("XDG_CONFIG_HOME") or ""), Path(environment.get("HOME") or "") / ".config")
    own = next((folder / "labelkit" / "config.toml" for folder in folders if folder.is_absolute()), None)
    return (own, False) if own and own.is_file() else None


def _checked(path: Path) -> Iterator[tuple[str, object]]:
    from labelkit.cli import parser  # here: a file may set the options of every command

    known = {name for command in _commands(parser.build()).values() for name in _options(command)}
    for name, value in _read(path).items():
        if name not in known:
            raise InvalidArgument("{where}: {name} is not an option", where=str(path), name=name,
                                  hint="keys are the long options without dashes, see labelkit embed --help")
        is_path = name in _PATHS and (name, value) not in _NO_PATHS
        if is_path and isinstance(value, str) and "://" not in value and not value.startswith("pkcs11:"):
            value = str(path.parent / value)
        yield name, value


def _read(path: Path) -> dict[str, object]:
    import tomllib
    try:
        with open(path, "rb") as file:
            return tomllib.loads(file.read(_MAX_BYTES).decode())
    except OSError as error:
        raise cannot_open(path, error) from error
    except (ValueError, RecursionError) as error:  # of TOML and of UTF-8
        raise InvalidArgument("{where}: not a settings file: {reason}", where=str(path), reason=str(error)) from error


def _as_words(action: argparse.Action, name: str, value: object, file: Path | None) -> list[str]:
    """The words of one default; raises InvalidArgument for a value of another type than the option's."""
    if action.nargs == 0:
        text = str(value).lower()
        if not (isinstance(value, bool) if file else text in _YES + _NO):
            raise _wrong(name, value, file, Message("true or false"))
        return [f"--{name}"] if text in _YES else []
    if file:
        value = _text_of(action, name, value, file)
    return [f"--{name}={value}"]


def _text_of(action: argparse.Action, name: str, value: object, file: Path) -> str:
    kind = getattr(action.type, "__name__", "")
    if isinstance(value, str):
        return value
    if kind in ("float", "count", "number of seconds"):
        if isinstance(value, int | float) and not isinstance(value, bool):
            return str(value)
        raise _wrong(name, value, file, Message("a number"))
    if kind == "date and time" and isinstance(value, datetime.datetime):
        return value.isoformat()
    if kind in ("list", "list of layers", "list of scopes"):
        if isinstance(value, list) and all(isinstance(one, str) for one in value):
            return ",".join(value)
        raise _wrong(name, value, file, Message("a list of texts"))
    raise _wrong(name, value, file, Message("a text in quotes"))


def _wrong(name: str, value: object, file: Path | None, wanted: Message) -> InvalidArgument:
    return InvalidArgument("{where}: {name} must be {wanted}, got {got}", where=str(file) if file else _variable(name),
                           name=name, wanted=wanted, got=repr(value)[:80])
