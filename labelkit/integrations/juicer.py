# SPDX-License-Identifier: Apache-2.0
"""Data-Juicer: operators that label and verify the pictures, sounds and films of samples.

In a recipe, with the path that `python -m labelkit.integrations.juicer` prints:

    custom_operator_paths: [/…/labelkit/integrations/juicer.py]
    process:
      - labelkit_label_mapper:
          producer: "001191440300708461136T1XGW3"
          save_dir: labelled
      - labelkit_verify_mapper: {}

Media are what Data-Juicer takes as such: the paths in `images`, `audios` and `videos`, and the files in `image_bytes`,
which go before the paths of the same sample. The numbers of files follow from their content, so a run that is repeated
gives the same files.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from labelkit.batch import Labels, Verifications
from labelkit.errors import InvalidArgument
from labelkit.key import Key
from labelkit.label import Kind
from labelkit.plan import Explicit, Plan, Watermark
from labelkit.report import Layer

if TYPE_CHECKING:
    class Mapper:
        """Data-Juicer's, as far as it is used here."""

        image_bytes_key: str
        image_key: str
        audio_key: str
        video_key: str

        def __init__(self, *args: Any, **kwargs: Any) -> None: ...

    def registered(kind: type) -> None: ...
else:
    from data_juicer.ops.base_op import OPERATORS, Mapper

    def registered(kind):
        OPERATORS.register_module(kind.__name__)(kind)

_COLUMN = "file"


class _OnMedia(Mapper):
    """Works on all media of the samples of a batch."""

    _batched_op = True

    def process_batched(self, samples: Any) -> Any:
        """The samples with what `_worked` makes of their media."""
        rows = len(samples[next(iter(samples.keys()))])
        keys = [key for key in (self.image_bytes_key, self.image_key, self.audio_key, self.video_key) if key in samples]
        found = {key: [list(files or ()) for files in samples[key]] for key in keys}
        if self.image_bytes_key in keys and self.image_key in keys:
            keys_of = [[key for key in keys if key != self.image_key or not found[self.image_bytes_key][row]]
                       for row in range(rows)]
        else:
            keys_of = [keys] * rows
        places = [(row, key, at) for row in range(rows) for key in keys_of[row] for at in range(len(found[key][row]))]
        made, facts = self._worked([found[key][row][at] for row, key, at in places])
        for (row, key, at), new in zip(places, made, strict=True):
            found[key][row][at] = new
        for key in keys:
            samples[key] = found[key]
        for name, values in facts.items():
            samples[name] = [[value for (of, _, _), value in zip(places, values, strict=True) if of == row]
                             for row in range(rows)]
        return samples

    def _worked(self, files: list[Any]) -> tuple[list[Any], dict[str, list[str]]]:
        """What stands in the place of each file, and by the name of a column what is told of each."""
        raise NotImplementedError


class labelkit_label_mapper(_OnMedia):
    """Labels the media of each sample; `labelkit_ids` and `labelkit_errors` tell of each its number, or what failed.

    Where one failed, an empty path or no bytes stand in its place: nothing unlabelled is among what is labelled.
    """

    def __init__(self, producer: str, kind: str = "1", layers: list[str] | None = None, text: str | None = None,
                 key: str | None = None, save_dir: str | None = None, *args: Any, **kwargs: Any) -> None:
        """
        :param producer: name or 27-character code of the service that generated the content.
        :param kind: "1" is generated, "2" may be, "3" is suspected.
        :param layers: some of explicit, watermark and metadata; all by default.
        :param text: of the explicit label; AI生成 by default.
        :param key: file of a watermark key; the public key by default.
        :param save_dir: folder or prefix of a store for the labelled files of paths.
        """
        super().__init__(*args, **kwargs)
        names = ["explicit", "watermark", "metadata"] if layers is None else layers
        unknown = set(names) - {"explicit", "watermark", "metadata"}
        if unknown or not names:
            raise InvalidArgument("layers are some of explicit, watermark and metadata, got {got}", got=repr(names))
        plan = Plan(explicit=(Explicit(text=text) if text else Explicit()) if "explicit" in names else None,
                    watermark=Watermark() if "watermark" in names else None, metadata="metadata" in names)
        how: dict[str, Any] = {"column": _COLUMN, "kind": Kind(kind), "plan": plan,
                               "key": Key.load(key) if key else None,
                               "jobs": 1}  # Data-Juicer runs as many processes as it is told
        self.of_bytes = Labels(producer, **how)
        self.of_paths = Labels(producer, into=save_dir, **how) if save_dir else None

    def _worked(self, files: list[Any]) -> tuple[list[Any], dict[str, list[str]]]:
        made: list[Any] = [b"" if isinstance(file, bytes) else "" for file in files]
        facts = {"labelkit_ids": [""] * len(files), "labelkit_errors": [""] * len(files)}
        for kind, labels, output in ((bytes, self.of_bytes, _COLUMN), (str, self.of_paths, "uri")):
            rows = [row for row, file in enumerate(files) if isinstance(file, kind)]
            if rows and labels is None:
                raise InvalidArgument("media are named by paths, and save_dir says where the labelled ones go")
            table = labels({_COLUMN: [files[row] for row in rows]}) if rows and labels else None
            for at, row in enumerate(rows if table else ()):
                assert table
                made[row] = table[output][at] or made[row]
                facts["labelkit_ids"][row] = table["label_id"][at] or ""
                facts["labelkit_errors"][row] = table["error"][at] or ""
        return made, facts


class labelkit_verify_mapper(_OnMedia):
    """Verifies the media of each sample: `labelkit_verdicts` and `labelkit_errors`."""

    def __init__(self, layers: list[str] | None = None, effort: str = "normal", key: str | None = None,
                 *args: Any, **kwargs: Any) -> None:
        """
        :param layers: to check; all by default.
        :param effort: how thoroughly to search for the watermark: fast, normal or deep.
        :param key: file of a watermark key; the public key by default.
        """
        super().__init__(*args, **kwargs)
        self.verifications = Verifications(
            column=_COLUMN, layers=tuple(Layer(layer) for layer in layers) if layers else tuple(Layer), effort=effort,
            key=Key.load(key) if key else None, jobs=1)

    def _worked(self, files: list[Any]) -> tuple[list[Any], dict[str, list[str]]]:
        table = self.verifications({_COLUMN: files})
        return files, {"labelkit_verdicts": [value or "" for value in table["verdict"]],
                       "labelkit_errors": [value or "" for value in table["error"]]}


for _operator in (labelkit_label_mapper, labelkit_verify_mapper):
    registered(_operator)

if __name__ == "__main__":
    print(__file__)
