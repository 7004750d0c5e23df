# SPDX-License-Identifier: Apache-2.0
"""Batches of pictures and frames of films, as pipelines hold them, labelled into what they came as."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Callable, Iterator, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from labelkit import many, scratch, tensors
from labelkit.errors import HostTooSmall, LabelkitError
from labelkit.key import Key
from labelkit.label import Label
from labelkit.plan import Plan, Showing
from labelkit.streaming import Labeller


def label_pictures(batch: Any, labels: Sequence[Label], plan: Plan, key: Key | None,
                   memory: scratch.Results | None = None) -> Any:
    """The pictures of a list, an array or a tensor [n, ...], each with its label, on all cores.

    memory  of the results in one array; None takes new memory
    Raises the first LabelkitError of them.
    """
    items = list(_items(batch))
    grows = plan.explicit and plan.explicit.border
    places = None if grows else _places(batch, items, memory or scratch.Results())
    made = list(many.embed_many(items, labels, places, plan=plan, key=key))
    for one in made:
        if isinstance(one, LabelkitError):
            raise one
    if places is None:
        return like(batch, made)
    return batch.new_tensor(places) if hasattr(batch, "new_tensor") else places


def _places(batch: Any, items: Sequence[Any], memory: scratch.Results) -> npt.NDArray[Any] | None:
    """An array for the labelled pictures of a batch that is one array or tensor; None of what comes in another form."""
    is_array = isinstance(batch, np.ndarray) and not isinstance(batch, np.ma.MaskedArray) or tensors.is_tensor(batch)
    if not is_array or not items or items[0].dtype.hasobject:
        return None
    return memory.array((len(items), *items[0].shape), items[0].dtype)


def label_frames(frames: Any, label: Label, plan: Plan, key: Key | None, fps: float | None) -> Any:
    """The frames of one film, all of one size, in a list, an array or a tensor [n, ...].

    fps  frames a second; None shows the explicit label in all frames, since it is not known for how many
    """
    labeller, made = None, []
    if fps is None and plan.explicit:
        plan = dataclasses.replace(plan, explicit=dataclasses.replace(plan.explicit, showing=Showing(seconds=math.inf)))
    for frame in _items(frames):
        pixels, back = _pixels(frame)
        labeller = labeller or frame_labeller(label, pixels.shape[1], pixels.shape[0], fps or 1.0, plan, key)
        made.append(back(labeller(pixels)))
    return like(frames, made)


def frame_labeller(label: Label, width: int, height: int, rate: float, plan: Plan, key: Key | None) -> Labeller:
    """A Labeller; without the watermark where the frames are too small for it and the plan does not require it."""
    try:
        return Labeller(label, width, height, rate=rate, plan=plan, key=key)
    except HostTooSmall:
        if not plan.watermark or plan.watermark.required or not plan.explicit:
            raise
        return Labeller(label, width, height, rate=rate, plan=dataclasses.replace(plan, watermark=None), key=key)


def like(batch: Any, made: list[Any]) -> Any:
    """The labelled items as what they came as: a list, an array or a tensor."""
    if isinstance(batch, np.ndarray):
        return np.stack(made)
    if not tensors.is_tensor(batch):
        return made
    stacked = np.stack([tensors.as_array(one) for one in made])
    return batch.new_tensor(stacked) if hasattr(batch, "new_tensor") else stacked


def _items(batch: Any) -> Iterator[Any]:
    """The items of a batch as NumPy holds them; of bfloat16, which it does not know, as float32."""
    return tensors.each(batch.float() if "bfloat16" in str(getattr(batch, "dtype", "")) else batch)


def _pixels(frame: Any) -> tuple[Any, Callable[[Any], Any]]:
    """uint8 [height, width, 3] of a frame, and what turns such an array into what the frame was."""
    if hasattr(frame, "getbands"):
        from PIL import Image

        return np.array(frame.convert("RGB")), Image.fromarray
    rows, back = tensors.taken(frame, None)
    array = np.asarray(rows)
    if array.dtype.kind != "f":
        return np.ascontiguousarray(array), back
    return np.rint(np.clip(array, 0, 1) * np.float32(255)).astype(np.uint8), lambda made: back(
        (made / np.float32(255)).astype(array.dtype))
