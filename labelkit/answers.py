# SPDX-License-Identifier: Apache-2.0
"""What `verify` collects: one finding for each layer, whatever happens to the others."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping

from labelkit.codec.samples import Samples
from labelkit.errors import InvalidArgument, LabelkitError
from labelkit.messages import Message
from labelkit.report import Finding, Layer, Report, Status


class Once:
    """Calls a function at most once, whether it returns or raises."""

    def __init__(self, function: Callable[[], Samples]) -> None:
        self._function, self._value, self._error = function, None, None

    def __call__(self) -> Samples:
        if self._error:
            raise self._error
        if self._value is None:
            try:
                self._value = self._function()
            except LabelkitError as error:
                self._error = error
                raise
        return self._value


class Answers:
    """Collects one finding for each layer; what kept a layer from being checked is its finding."""

    def __init__(self, layers: Collection[Layer]) -> None:
        try:
            self._wanted = {Layer(layer) for layer in layers}
            if not self._wanted:
                raise ValueError("nothing would be checked")
        except (TypeError, ValueError) as error:
            raise InvalidArgument("layers are some of {layers}, got {got}", got=repr(layers),
                                  layers=", ".join(layer.value for layer in Layer)) from error
        self._errors: list[LabelkitError] = []
        self._findings = {layer: Finding(layer, Status.UNCHECKED, Message("samples in memory have no file side"))
                          if layer in self._wanted else Finding(layer, Status.UNCHECKED, Message("not asked for"))
                          for layer in Layer}

    def add(self, layer: Layer, look: Callable[[], Finding]) -> None:
        """Ask for a finding, if the layer is wanted."""
        if layer not in self._wanted:
            return
        try:
            self._findings[layer] = look()
        except InvalidArgument:
            raise  # the caller's mistake says nothing about the file
        except LabelkitError as error:
            self._errors.append(error)
            self._findings[layer] = Finding(layer, Status.UNCHECKED, Message("{reason}", reason=error.message),
                                            evidence={"error": type(error).__name__})

    def explicit_text(self) -> str | None:
        """The text of the explicit label that the manifest names."""
        stated = self._findings[Layer.PROVENANCE].evidence.get("explicit")
        return stated.get("text") if isinstance(stated, Mapping) else None

    def report(self, name: str) -> Report:
        """The report; raises the first error where no layer could be checked, InvalidArgument where none is there."""
        if all(finding.status is Status.UNCHECKED for finding in self._findings.values()):
            raise self._errors[0] if self._errors else InvalidArgument(
                "samples in memory have an explicit label and a watermark at most, and neither is asked for")
        return Report.of(name, self._findings)
