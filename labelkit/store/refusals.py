# SPDX-License-Identifier: Apache-2.0
"""What a store or its client says when it refuses, in our words: whether keys, names, the region or the endpoint are to
be looked at."""

from __future__ import annotations

import re

from labelkit.messages import Message

_ANSWER = re.compile(r"status code: ([1-5]\d\d [A-Za-z ]{1,40}[A-Za-z])")
_CODE = re.compile(r"<Code>([A-Za-z]{1,60})</Code>")  # S3 and Azure
_ENDPOINT = re.compile(r"https?://[^/?#\s@]{1,200}(?=[/?#\s])")
_MAX_TEXT = 300

KEYS = Message("check the keys in the environment, what they may do with this bucket, and the region").template
ENDPOINT = Message("check the endpoint in the environment, with http:// or https:// as the server has it").template
REGION = Message("name the region of the bucket in the environment: AWS_REGION").template


def explained(error: Exception) -> tuple[Message | str, str | None]:
    """(reason, hint) of an error of obstore, whose first lines have the answer of the store; what is not known is the
    first line as it stands."""
    text = str(error).partition("\n\nDebug source")[0][:4000]
    said, code = _ANSWER.search(text), _CODE.search(text)
    answer = ", ".join(found[1] for found in (said, code) if found)
    if answer.startswith(("401", "403")):
        return Message("the store refuses access: {answer}", answer=answer), KEYS
    if answer.startswith("404"):
        is_object = isinstance(error, FileNotFoundError) and (code is None or code[1] != "NoSuchBucket")
        return Message("there is no such object") if is_object else Message("there is no such bucket"), None
    if answer:
        return Message("the store answers {answer}", answer=answer), None
    endpoint = _ENDPOINT.search(text)
    if endpoint and "error sending request" in text:
        return Message("no store answers at {endpoint}", endpoint=endpoint[0]), ENDPOINT
    if "incorrectly configured region" in text:
        return Message("the bucket is in another region"), REGION
    return text.partition("\n")[0][:_MAX_TEXT], None
