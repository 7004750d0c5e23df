# SPDX-License-Identifier: Apache-2.0
"""A tool for Dify that labels text and files: examples/dify_plugin is the whole plugin.

    class LabelTool(Labelling, Tool):
        pass
"""

from __future__ import annotations

import mimetypes
import uuid
from collections.abc import Iterator
from typing import Any

from labelkit import container, pipeline
from labelkit.errors import InvalidArgument
from labelkit.integrations.chat import labelled
from labelkit.label import Kind, Label
from labelkit.plan import Explicit


class Labelling:
    """What a tool's class derives from before Dify's `Tool`, which it uses: `create_*_message` and `runtime`.

    Parameters of the tool: `text`, which comes back as a text message, and `files`, which come back as blobs with every
    layer but the manifest; `place`, "start", "end" or "both", of the label in the text. Credentials of the provider:
    `producer`, the name or code of the service. Raises what `labelkit.embed` raises, and InvalidArgument for neither.
    """

    def _invoke(self, tool_parameters: dict[str, Any]) -> Iterator[Any]:
        tool: Any = self
        text, files = tool_parameters.get("text"), tool_parameters.get("files") or ()
        if not text and not files:
            raise InvalidArgument("text or files to label are wanted")
        if text:
            explicit = Explicit(place=tool_parameters.get("place") or "start")
            yield tool.create_text_message(labelled(text, explicit))
        for file in files if isinstance(files, list | tuple) else [files]:
            label = Label(Kind.GENERATED, tool.runtime.credentials["producer"], str(uuid.uuid4()))
            made = pipeline.embed(file.blob, label=label)
            with container.opened(made) as reader:
                kind = container.sniff(reader).mime
            yield tool.create_blob_message(made, meta={
                "mime_type": kind, "filename": file.filename or f"labelled{mimetypes.guess_extension(kind) or ''}"})
