# SPDX-License-Identifier: Apache-2.0
"""What the values of options may be: argparse calls these."""

from __future__ import annotations

import argparse
import datetime

from labelkit.cli.text import _

LAYERS = ("explicit", "watermark", "metadata", "provenance")


def layers(text: str) -> list[str]:
    """Names of layers, separated by commas."""
    return _some_of(text, LAYERS)


def languages(text: str) -> tuple[str, ...]:
    """Codes of languages of labels, separated by commas, or "all"."""
    from labelkit.languages import LANGUAGES  # here: most commands draw no label

    names = tuple(LANGUAGES) if text.strip() == "all" else tuple(one.strip() for one in text.split(",") if one.strip())
    if not names or set(names) - set(LANGUAGES):
        raise argparse.ArgumentTypeError(_("choose languages from {languages} or all, got {got}").format(
            languages=",".join(LANGUAGES), got=repr(text)))
    return names


def signal_layers(text: str) -> list[str]:
    """Those of the layers in the signal."""
    return _some_of(text, LAYERS[:2])


def _some_of(text: str, known: tuple[str, ...]) -> list[str]:
    names = [name.strip() for name in text.split(",") if name.strip()]
    if not names or set(names) - set(known):
        raise argparse.ArgumentTypeError(_("choose layers from {layers}, got {got}").format(
            layers=",".join(known), got=repr(text)))
    return names


def scopes(text: str) -> list[str]:
    """What an API key allows, separated by commas."""
    from labelkit.service.keys import SCOPES  # here: most commands know no scopes

    names = [name.strip() for name in text.split(",") if name.strip()]
    if not names or set(names) - set(SCOPES):
        raise argparse.ArgumentTypeError(_("choose scopes from {scopes}, got {got}").format(
            scopes=",".join(SCOPES), got=repr(text)))
    return names


def port(text: str) -> int:
    """A port number."""
    if not text.isdecimal() or int(text) >= 1 << 16:
        raise _wanted(_("a port from 0 to 65535"), text)
    return int(text)


def words(text: str) -> list[str]:
    """Words, separated by commas."""
    found = [word.strip() for word in text.split(",") if word.strip()]
    if not found:
        raise _wanted(_("words, separated by commas"), text)
    return found


def count(text: str) -> int:
    """A number from 1 on."""
    if not text.isdecimal() or int(text) < 1:
        raise _wanted(_("a whole number from 1 on"), text)
    return int(text)


def shard(text: str) -> tuple[int, int]:
    """Part I of N, as I/N."""
    part, _slash, parts = text.partition("/")
    if not (part.isdecimal() and parts.isdecimal() and 1 <= int(part) <= int(parts)):
        raise _wanted(_("I/N, with I from 1 to N"), text)
    return int(part), int(parts)


def date_and_time(text: str) -> datetime.datetime:
    """ISO 8601; local time where it names no zone."""
    try:
        moment = datetime.datetime.fromisoformat(text)
    except ValueError:
        raise _wanted(_("a date and time in ISO 8601"), text) from None
    return moment if moment.tzinfo else moment.astimezone()


def seconds(text: str) -> float:
    """A number of seconds, or the whole."""
    try:
        return float("inf") if text == "whole" else float(text)
    except ValueError:
        raise _wanted(_("a number of seconds, or whole"), text) from None


def _wanted(what: str, got: str) -> argparse.ArgumentTypeError:
    return argparse.ArgumentTypeError(_("must be {what}, got {got}").format(what=what, got=repr(got)[:80]))


# `settings` tells by these how a value is written in a file
count.__name__ = "count"
words.__name__ = "list"
shard.__name__ = "part I/N"
date_and_time.__name__ = "date and time"
seconds.__name__ = "number of seconds"
port.__name__ = "count"
layers.__name__ = signal_layers.__name__ = "list of layers"
scopes.__name__ = "list of scopes"
