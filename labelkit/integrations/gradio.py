# SPDX-License-Identifier: Apache-2.0
"""Label what a Gradio app shows, and show the verdict on a file.

    picture = labelled(gr.Image(), new_label)                  # likewise gr.Audio, gr.Video, gr.Markdown, gr.Textbox
    gr.Interface(verdict, gr.File(type="filepath"), gr.HTML()) # a page that verifies

Gradio encodes the pictures and the sound that it shows, which takes their metadata away: the component is given a
labelled file instead, which it serves as it is.
"""

from __future__ import annotations

import functools
import html
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeVar

from labelkit import pipeline
from labelkit.cli.show import VERDICTS
from labelkit.errors import InvalidArgument, LabelkitError, check_types
from labelkit.integrations import chat
from labelkit.key import Key
from labelkit.label import Label
from labelkit.messages import Message
from labelkit.plan import Plan

Component = TypeVar("Component")
_TEXTS = ("markdown", "textbox")


def labelled(component: Component, new_label: Callable[[], Label], *, plan: Plan | None = None,
             key: Key | None = None) -> Component:
    """The component, which from now on shows what it is given with every layer of the plan.

    component  gr.Image, gr.Audio or gr.Video; gr.Markdown or gr.Textbox, whose texts get the words of the plan
    new_label  called for each output
    plan, key  as for `labelkit.embed`
    What cannot be labelled is not shown: the error is Gradio's to report. Raises InvalidArgument for other components.
    """
    held: Any = component
    plan = Plan() if plan is None else plan
    check_types(plan=(plan, Plan))
    kind = held.get_block_name() if hasattr(held, "get_block_name") else type(held).__name__
    works: dict[str, Callable[..., Any]] = {"image": _picture, "audio": _sound, "video": _file,
                                            **dict.fromkeys(_TEXTS, _text)}
    if kind not in works or not callable(new_label):
        raise InvalidArgument("a gr.Image, gr.Audio, gr.Video, gr.Markdown or gr.Textbox is wanted, got {got}",
                              got=kind)
    if getattr(held, "streaming", False):
        raise InvalidArgument("a component that streams gets its sound in pieces, each of which would be labelled",
                              hint="stream what labelkit.integrations.speech.stream gives, or show the whole")
    show = held.postprocess

    def postprocess(value: Any) -> Any:
        return show(value if value is None else works[kind](held, value, new_label, plan, Key.of(key)))

    held.postprocess = functools.wraps(show)(postprocess)
    return component


def verdict(path: str | None, language: str = "en", **checks: Any) -> str:
    """HTML for gr.HTML: the verdict on a file, and what each layer says.

    language  "en" or "zh-CN"
    checks    the settings of `labelkit.verify`
    A file that cannot be read gives the reason.
    """
    if not path:
        return ""
    try:
        report = pipeline.verify(path, **checks)
    except LabelkitError as error:
        return f"<p>{html.escape(error.text(language))}</p>"
    rows = [(Message(finding.layer.value).text(language), Message(finding.status.value).text(language),
             finding.summary.text(language)) for finding in report]
    table = "".join(f"<tr>{''.join(f'<td>{html.escape(cell)}</td>' for cell in row)}</tr>" for row in rows)
    reasons = "".join(f"<li>{html.escape(reason.text(language))}</li>" for reason in (*report.reasons, *report.doubts))
    return f"<h3>{html.escape(VERDICTS[report.verdict].text(language))}</h3><table>{table}</table><ul>{reasons}</ul>"


def _picture(component: Any, value: Any, new_label: Callable[[], Label], plan: Plan, key: Key) -> str:
    if isinstance(value, str | os.PathLike):
        return _file(component, value, new_label, plan, key)
    format = getattr(component, "format", "png")
    made = pipeline.embed(value, label=new_label(), plan=plan, key=key, format=format)
    return _cached(component, made, f"image.{format}")


def _sound(component: Any, value: Any, new_label: Callable[[], Label], plan: Plan, key: Key) -> str:
    if not isinstance(value, tuple):
        return _file(component, value, new_label, plan, key)
    rate, samples = value
    format = getattr(component, "format", None) or "wav"
    made: Any = pipeline.embed(samples, label=new_label(), plan=plan, key=key, rate=rate, format=format)
    return _cached(component, made, f"audio.{format}")


def _file(component: Any, value: Any, new_label: Callable[[], Label], plan: Plan, key: Key) -> str:
    if not isinstance(value, str | os.PathLike) or "://" in os.fspath(value):
        raise InvalidArgument("what is shown must be samples or a local file, got {got}", got=repr(value)[:80])
    path = Path(value)
    return _cached(component, pipeline.embed(path, None, new_label(), plan=plan, key=key), path.name)


def _text(component: Any, value: Any, new_label: Callable[[], Label], plan: Plan, key: Key) -> str:
    format = "markdown" if component.get_block_name() == "markdown" else "txt"
    return chat.labelled(str(value), plan.explicit, format=format)


def _cached(component: Any, made: bytes, name: str) -> str:
    """The path of a labelled file in Gradio's cache, from which it is served."""
    from gradio import processing_utils

    return str(processing_utils.save_bytes_to_cache(made, name, component.GRADIO_CACHE))
