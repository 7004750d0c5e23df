# SPDX-License-Identifier: Apache-2.0
"""A script for AUTOMATIC1111's stable-diffusion-webui, Forge and SD.Next: examples/webui is the extension.

Each picture is labelled after everything that changes it, so that gallery, files and API all have the explicit label
and the watermark; the file that is saved gets the metadata, and the manifest where there is a signer.

These hosts log what a script raises and go on. So a picture that cannot be labelled becomes black, and a file that
cannot be completed is removed, before the error goes to the host.
"""

from __future__ import annotations

import contextlib
import os
import uuid
from collections.abc import Callable, Iterator
from typing import Any

from labelkit import pipeline
from labelkit.key import Key
from labelkit.label import Kind, Label
from labelkit.plan import Plan, Watermark

_LABEL = "labelkit_label"  # attribute of a labelled picture


class Labels:
    """What the extension registers.

    producer  name or code of the service, asked for at each picture
    signer    path of a signer, or None; likewise the path of a key
    All raise what `labelkit.embed` raises; the picture is then black and the file gone.
    """

    def __init__(self, producer: Callable[[], str], signer: str | None = None, key: str | None = None) -> None:
        from labelkit.provenance import Signer

        self._producer, self._key = producer, Key.load(key) if key else None
        self._plan = Plan(watermark=Watermark(required=False), provenance=Signer.load(signer) if signer else None)
        self._file = Plan(explicit=None, watermark=None, provenance=self._plan.provenance)

    def made(self, pp: Any) -> None:
        """Give a picture that was made (`PostprocessImageArgs`) the explicit label and the watermark."""
        with _black_on_failure(pp.image):
            label = self._new_label()
            pp.image = pipeline.embed(pp.image, label=label, plan=self._plan, key=self._key)
            setattr(pp.image, _LABEL, label)

    def before_saved(self, params: Any) -> None:
        """The same to a picture that is about to be saved (`ImageSaveParams`), in place: SD.Next shows it later."""
        self._in_place(params.image)

    def finished(self, processed: Any) -> None:
        """The same to those pictures of SD.Next's `Processed` that were not saved."""
        for image in processed.images:
            if hasattr(image, "paste"):  # a Pillow image; others are names of files
                self._in_place(image)

    def saved(self, params: Any) -> None:
        """Complete a file that was saved (`ImageSaveParams`); one that is no labelled picture, as a grid, is labelled
        as a whole. The texts in it, such as the prompt, stay."""
        try:
            label = getattr(params.image, _LABEL, None)
            plan = self._plan if label is None else self._file
            label = label or self._new_label()
            pipeline.embed(params.filename, params.filename, label, plan=plan, key=self._key, in_place=True)
        except BaseException:
            with contextlib.suppress(FileNotFoundError):
                os.unlink(params.filename)
            raise

    def _in_place(self, image: Any) -> None:
        if hasattr(image, _LABEL):
            return
        with _black_on_failure(image):
            label = self._new_label()
            made = pipeline.embed(image, label=label, plan=self._plan, key=self._key)
            image.paste(made if made.mode == image.mode else made.convert(image.mode))
            setattr(image, _LABEL, label)

    def _new_label(self) -> Label:
        return Label(Kind.GENERATED, self._producer(), str(uuid.uuid4()))


@contextlib.contextmanager
def _black_on_failure(image: Any) -> Iterator[None]:
    try:
        yield
    except BaseException:
        image.paste(0, (0, 0, *image.size))
        raise
