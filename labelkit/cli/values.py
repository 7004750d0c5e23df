# SPDX-License-Identifier: Apache-2.0
"""What the values of options may be: argparse calls these, and their names stand in its errors."""

from __future__ import annotations

import argparse
import datetime

from labelkit.cli.text import _
from labelkit.service.keys import SCOPES

LAYERS = ("explicit", "watermark", "metadata", "provenance")


def layers(text: str) -> list[str]:
    """Names of layers, separated by commas."""
    return _some_of(text, LAYERS)


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
    names = [name.strip() for name in text.split(",") if name.strip()]
    if not names or set(names) - set(SCOPES):
        raise argparse.ArgumentTypeError(_("choose scopes from {scopes}, got {got}").format(
            scopes=",".join(SCOPES), got=repr(text)))
    return names


def port(text: str) -> int:
    """A port number."""
    value = int(text)
    if not 0 <= value < 1 << 16:
        raise ValueError(text)
    return value


def words(text: str) -> list[str]:
    """Words, separated by commas."""
    found = [word.strip() for word in text.split(",") if word.strip()]
    if not found:
        raise ValueError(text)
    return found


def count(text: str) -> int:
    """A number from 1 on."""
    value = int(text)
    if value < 1:
        raise ValueError(text)
    return value


def shard(text: str) -> tuple[int, int]:
    """Part I of N, as I/N."""
    part, _slash, parts = text.partition("/")
    if not 1 <= int(part) <= int(parts):
        raise ValueError(text)
    return int(part), int(parts)


def date_and_time(text: str) -> datetime.datetime:
    """ISO 8601; local time where it names no zone."""
    moment = datetime.datetime.fromisoformat(text)
    return moment if moment.tzinfo else moment.astimezone()


def seconds(text: str) -> float:
    """A number of seconds, or the whole."""
    return float("inf") if text == "whole" else float(text)


# argparse names these in its errors
count.__name__ = "count"
words.__name__ = "list"
shard.__name__ = "part I/N"
date_and_time.__name__ = "date and time"
seconds.__name__ = "number of seconds"
port.__name__ = "count"
layers.__name__ = signal_layers.__name__ = "list of layers"
scopes.__name__ = "list of scopes"
