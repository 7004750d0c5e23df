# SPDX-License-Identifier: Apache-2.0
"""AI traces: marks of generators that are no label of GB 45438-2025 and weigh less than one.

Each trace is a JSON object: {"trace", "slot", "offset_bytes", "length_bytes"} and what it says.
"""

from __future__ import annotations

import re
from collections.abc import Iterator

from labelkit.container import C2PA, EXIF, TEXT, XMP, Layout, Slot
from labelkit.errors import LabelkitError
from labelkit.metadata import exif

_MAX_TEXT = 1 << 20
_MAX_STORE = 4 << 20
_SOURCE_TYPE = re.compile(rb"digitalsourcetype(?:/|>|\s*=\s*[\"'])(\w{1,64})", re.IGNORECASE)
# IPTC NewsCodes, Digital Source Type: the terms that mean made or altered by an algorithm
_AI_SOURCE_TYPES = {b"trainedalgorithmicmedia", b"compositewithtrainedalgorithmicmedia", b"algorithmicmedia",
                    b"compositesynthetic", b"algorithmicallyenhanced"}
# text keys of PNG and other formats under which generators keep their settings
_SETTINGS_KEYS = {"parameters", "prompt", "workflow", "dream", "sd-metadata", "invokeai_metadata", "invokeai_graph",
                  "invokeai_workflow", "generation_data", "negative_prompt"}
_SETTINGS_TEXT = re.compile(
    rb"\bSteps: \d+, (?:Sampler|CFG scale|Size|Seed)|\"class_type\"|\"sampler_name\"|\"ckpt_name\"|"
    rb"\bJob ID: [0-9a-f]{8}-[0-9a-f]{4}-")  # the last is Midjourney's
# ByteDance's own, beside or in place of a label; 0 stands in ordinary files of its editors too
_PRIVATE_MARK = re.compile(rb'"aigc_label_type"\s*:\s*"?[1-9]')
_GENERATORS = re.compile(
    r"\b(midjourney|stable[ -]?diffusion|dall[-·•. ]?e\b|comfyui|invokeai|novelai|fooocus|automatic1111|draw things|"
    r"adobe firefly|google imagen|imagen [234]|google gemini|gemini[ -]?\d|chatgpt|gpt-?4o|gpt-image|openai|sora\b|"
    r"veo ?[23]|grok|flux[. -]?(?:1|2|dev|pro|schnell|kontext)|ideogram|leonardo\.?ai|recraft|meta ai|luma ai|"
    r"bing image creator|dream machine|runwayml|pika ?labs|suno|udio|elevenlabs|cosyvoice|kling|doubao|jimeng|"
    r"seedream|seedance|wanx?2|tongyi|qwen|hunyuan|minimax|hailuo|vidu|liblib|"
    r"made with google ai|豆包|即梦|可灵|通义|千问|混元|文心|海螺)", re.IGNORECASE)
_XMP_TOOL = re.compile(rb"(?:CreatorTool|Credit)(?:>|\s*=\s*[\"'])([^<\"']{1,200})")
_SOFTWARE_KEYS = {"software", "encoder", "creator", "producer", "creatortool", "encoded_by"}


def find(layout: Layout) -> list[dict]:
    """Every AI trace in the slots of a file, in file order; a slot that cannot be read has none."""
    found = []
    for slot in layout.slots:
        look = {C2PA: _in_store, XMP: _in_xmp, EXIF: _in_exif, TEXT: _in_text}[slot.kind]
        try:
            found += [_trace(slot, **says) for says in look(slot)]
        except LabelkitError:
            continue
    return found


def _trace(slot: Slot, trace: str, **says: object) -> dict:
    return {"trace": trace, "slot": f"{slot.name} {slot.key}".strip(), "offset_bytes": slot.offset_bytes,
            "length_bytes": slot.length_bytes, **says}


def _in_store(slot: Slot) -> Iterator[dict]:
    says = {}
    if slot.length_bytes <= _MAX_STORE:
        says = next(_source_types(slot.load()), {})
    yield {**says, "trace": "C2PA manifest store"}


def _source_types(raw: bytes) -> Iterator[dict]:
    for term in sorted({term for term in _SOURCE_TYPE.findall(raw) if term.lower() in _AI_SOURCE_TYPES}):
        yield {"trace": "IPTC digital source type", "value": term.decode()}


def _in_xmp(slot: Slot) -> Iterator[dict]:
    packet = slot.load().translate(None, b"\0")
    yield from _source_types(packet)
    for tool in _XMP_TOOL.findall(packet):
        yield from _generator(tool)


def _in_exif(slot: Slot) -> Iterator[dict]:
    for value in exif.values(slot.load()):
        yield from _generator(value.text) if value.name == "Software" else _settings(value.text, value.name)


def _in_text(slot: Slot) -> Iterator[dict]:
    key = slot.key.lower()
    if slot.length_bytes > _MAX_TEXT or key == "aigc":
        return
    if key in _SOFTWARE_KEYS:
        yield from _generator(slot.load())
    elif key in _SETTINGS_KEYS or key in ("comment", "description", "usercomment", "imagedescription"):
        yield from _settings(slot.load(), slot.key)


def _generator(raw: bytes) -> Iterator[dict]:
    text = raw.decode("utf-8", "replace").strip("\0 ")
    if _GENERATORS.search(text):
        yield {"trace": "software name of a generator", "value": text[:200]}


def _settings(raw: bytes, key: str) -> Iterator[dict]:
    text = raw.translate(None, b"\0")
    if _SETTINGS_TEXT.search(text):
        yield {"trace": "settings of a generator", "key": key}
    if _PRIVATE_MARK.search(text):
        yield {"trace": "mark of a service's own", "key": key}
