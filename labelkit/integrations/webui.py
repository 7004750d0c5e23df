# SPDX-License-Identifier: Apache-2.0
"""A script for AUTOMATIC1111's stable-diffusion-webui and Forge: examples/webui is the extension.

Each picture is labelled after everything that changes it, so that gallery, files and API all have the explicit label
and the watermark; the file that is saved gets the metadata, and the manifest where there is a signer.
"""

from __future__ import annotations

import uuid
from collections.abc import Callable
from typing import Any

from labelkit import pipeline
from labelkit.key import Key
from labelkit.label import Kind, Label
from labelkit.plan import Plan, Watermark

_LABEL = "labelkit_label"  # attribute of a labelled picture


class Labels:
    """What the extension registers: `picture` for each picture, `saved` for each file.

    producer  name or code of the service, asked for at each picture
    signer    path of a signer, or None; likewise the path of a key
    """

    def __init__(self, producer: Callable[[], str], signer: str | None = None, key: str | None = None) -> None:
        from labelkit.provenance import Signer

        self._producer, self._key = producer, Key.load(key) if key else None
        self._plan = Plan(watermark=Watermark(required=False), provenance=Signer.load(signer) if signer else None)
        self._file = Plan(explicit=None, watermark=None, provenance=self._plan.provenance)

    def picture(self, image: Any) -> Any:
        """A Pillow image with the explicit label and the watermark."""
        label = Label(Kind.GENERATED, self._producer(), str(uuid.uuid4()))
        made = pipeline.embed(image, label=label, plan=self._plan, key=self._key)
        setattr(made, _LABEL, label)
        return made

    def saved(self, params: Any) -> None:
        """Complete a file that was saved (`ImageSaveParams`); one that is no labelled picture, as a grid, is labelled
        as a whole. The texts in it, such as the prompt, stay."""
        label = getattr(params.image, _LABEL, None)
        plan = self._plan if label is None else self._file
        label = label or Label(Kind.GENERATED, self._producer(), str(uuid.uuid4()))
        pipeline.embed(params.filename, params.filename, label, plan=plan, key=self._key, in_place=True)
