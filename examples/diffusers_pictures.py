# SPDX-License-Identifier: Apache-2.0
"""Label the pictures of any diffusers pipeline: python diffusers_pictures.py MODEL "a cat on a boat" OUT"""

from __future__ import annotations

import sys
import uuid
from pathlib import Path
from typing import Any

import labelkit as lk
from labelkit.integrations.diffusers import LabelOutputs

PRODUCER = "001191440300708461136T1XGW3"  # the name or code of your service


def new_label() -> lk.Label:
    """A label for each picture; its produce_id is what you look the picture up by."""
    return lk.Label(lk.Kind.GENERATED, PRODUCER, produce_id=str(uuid.uuid4()))


def generate(pipe: Any, folder: Path, signer: lk.Signer | None = None, **settings: Any) -> list[Path]:
    """Run the pipeline and write each picture with every layer; `settings` are those of the pipeline's call."""
    outputs = LabelOutputs(pipe, new_label, plan=lk.Plan(provenance=signer))  # the one line; pipe(...) stays as it is
    pictures = pipe(**settings).images
    return [outputs.save(picture, folder / f"{label.produce_id}.png", label)
            for picture, label in zip(pictures, outputs.labels, strict=True)]


if __name__ == "__main__":
    from diffusers import DiffusionPipeline

    model, prompt, out = sys.argv[1:]
    for path in generate(DiffusionPipeline.from_pretrained(model), Path(out), prompt=prompt):
        print(path, lk.verify(path).verdict)
