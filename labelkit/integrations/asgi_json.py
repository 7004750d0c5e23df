# SPDX-License-Identifier: Apache-2.0
"""Media inside the JSON that OpenAI-shaped servers answer.

Found are base64 under `b64_json` (/v1/images), `audio.data` of a chat message, `result` of an image_generation_call
(/v1/responses), and data: URLs of image/*, audio/* and video/* in any text, such as `image_url.url`. Media that a URL
on the network names are not there to be labelled.
"""

from __future__ import annotations

import base64
import binascii
import json
import re
from collections.abc import Callable
from typing import Any

from labelkit.errors import LimitExceeded, MalformedFile

_SIGNS = (b"b64_json", b"base64", b'"audio"', b"image_generation_call", b"\\u00")
_DATA_URL = re.compile(r"(data:(?:image|audio|video)/[^,\s]*;base64,)([A-Za-z0-9+/=_-]+)")


def labelled(body: bytes, embed: Callable[[bytes], bytes]) -> bytes | None:
    """The JSON with its media labelled, None for one that holds none, and for what is no JSON.

    embed  the labelled file of a file
    Raises what `embed` raises, MalformedFile for media that are no base64, and LimitExceeded for JSON too deep to read.
    """
    if not any(sign in body for sign in _SIGNS):
        return None
    try:
        document = json.loads(body)
    except RecursionError as error:
        raise LimitExceeded("JSON that is nested too deeply") from error
    except ValueError:  # UnicodeDecodeError is one
        return None
    found = False

    def media(text: str) -> str:
        nonlocal found
        found = True
        return _labelled(text, embed)

    whole = [document]
    waiting: list[Any] = [whole]
    while waiting:
        node = waiting.pop()
        for name, value in list(node.items() if isinstance(node, dict) else enumerate(node)):
            if not isinstance(value, str):
                waiting += [value] if isinstance(value, dict | list) else []
            elif ";base64," in value:
                node[name] = _DATA_URL.sub(lambda match: match[1] + media(match[2]), value)
            elif value and _is_media(node, name):
                node[name] = media(value)
        if isinstance(node, dict) and "role" in node and isinstance(audio := node.get("audio"), dict):
            if isinstance(audio.get("data"), str) and audio["data"]:
                audio["data"] = media(audio["data"])
    return json.dumps(whole[0], separators=(",", ":")).encode() if found else None


def _is_media(node: Any, name: object) -> bool:
    return name == "b64_json" or (name == "result" and isinstance(node, dict)
                                  and node.get("type") == "image_generation_call")


def _labelled(text: str, embed: Callable[[bytes], bytes]) -> str:
    try:
        held = base64.b64decode("".join(text.split()), validate=True)
    except (binascii.Error, ValueError) as error:
        raise MalformedFile("media in JSON that are no base64") from error
    return base64.b64encode(embed(held)).decode()
