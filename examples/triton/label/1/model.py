# SPDX-License-Identifier: Apache-2.0
"""A model for Triton's Python backend that labels pictures: the last step of an ensemble, after the generator.

PICTURES, uint8 [n, height, width, 3] or [height, width, 3], become FILES, labelled and encoded, and IDS, their produce
ids. A request whose pictures cannot be labelled gets an error, and no picture leaves unlabelled. Producer, format and
signer stand in config.pbtxt.
"""

from __future__ import annotations

import json
import uuid
from typing import Any

import numpy as np
import triton_python_backend_utils as pb

import labelkit as lk


class TritonPythonModel:
    """Triton makes one for each instance of the model."""

    def initialize(self, args: dict[str, str]) -> None:
        """Read the parameters; what is wrong with them keeps Triton from loading the model."""
        given = {name: one["string_value"] for name, one in json.loads(args["model_config"])["parameters"].items()}
        self.producer, self.format = given["producer"], given.get("format", "jpeg")
        self.plan = lk.Plan(provenance=lk.Signer.load(given["signer"]) if given.get("signer") else None)
        lk.Label(lk.Kind.GENERATED, self.producer, "check")

    def execute(self, requests: list[Any]) -> list[Any]:
        """A response for each request."""
        return [self._answer(pb.get_input_tensor_by_name(request, "PICTURES").as_numpy()) for request in requests]

    def _answer(self, pictures: np.ndarray) -> Any:
        batch = pictures if pictures.ndim == 4 else pictures[None]
        labels = [lk.Label(lk.Kind.GENERATED, self.producer, str(uuid.uuid4())) for _ in batch]
        try:
            files = [lk.embed(picture, label=label, format=self.format, plan=self.plan)
                     for picture, label in zip(batch, labels, strict=True)]
        except lk.LabelkitError as error:
            return pb.InferenceResponse(output_tensors=[], error=pb.TritonError(str(error)))
        ids = [label.produce_id.encode() for label in labels]
        return pb.InferenceResponse(output_tensors=[pb.Tensor("FILES", np.array(files, np.object_)),
                                                    pb.Tensor("IDS", np.array(ids, np.object_))])
