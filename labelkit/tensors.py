# SPDX-License-Identifier: Apache-2.0
"""Samples as generation pipelines hold them: tensors, channels first, batches. What can be read in one way only is
taken; the rest is refused with the call that would be right. No framework is imported.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING, Any, Protocol, TypeAlias, cast

import numpy as np
import numpy.typing as npt

from labelkit.errors import InvalidArgument

if TYPE_CHECKING:
    from labelkit.arrays import Held
    from labelkit.container import Source

Array: TypeAlias = npt.NDArray[Any]
Back: TypeAlias = Callable[[Any], Any]

_COLOURS = (1, 3, 4)  # channels of a picture whose axes stand in torch's order
_MAX_CHANNELS = 64  # of sound, as the carrier takes them: a longer axis counts frames


class Tensor(Protocol):
    """What a type checker takes for a tensor; torch's, JAX's and CuPy's are some."""

    @property
    def shape(self) -> Any:
        """The length of each axis."""

    def __dlpack__(self, *arguments: Any, **settings: Any) -> Any:
        """The memory of the tensor."""


def taken(source: Source | Held | Tensor, rate: int | None) -> tuple[Source | Held, Back]:
    """A source as `embed` works on it, and what turns its labelled samples into what it came as.

    source  an array, or a tensor (it has `shape`, and `__dlpack__`, `__array__` or torch's `detach`): a picture
            [height, width], [height, width, channels] or [channels, height, width]; with a rate sound, [frames],
            [frames, channels] or [channels, frames]; either as a batch of one, too. All else is given back as it is
    Torch's tensors come back as tensors of the same type on the same device, those of others as arrays.
    Raises InvalidArgument for several pictures or sounds at once, and for tensors that NumPy cannot hold.
    """
    if isinstance(source, list | tuple) and source and _is_sample(source[0]):
        raise _several(len(source))
    if isinstance(source, np.ma.MaskedArray) or not isinstance(source, np.ndarray) and not is_tensor(source):
        return cast("Source | Held", source), _as_it_is
    array = as_array(source)
    is_batch = array.ndim == (4 if rate is None else 3)
    if is_batch and len(array) != 1:
        raise _several(len(array))
    rows, undo = (_picture if rate is None else _sound)(array[0] if is_batch else array)

    def back(labelled: Array) -> Any:
        made = undo(labelled)[None] if is_batch else undo(labelled)
        return source.new_tensor(np.ascontiguousarray(made)) if hasattr(source, "new_tensor") else made
    return rows, back


def each(sources: Any) -> Iterator[Any]:
    """The pictures or sounds of an iterable, or of a batch [n, ...] in an array or tensor, one by one."""
    return iter(as_array(sources) if is_tensor(sources) else sources)


def is_tensor(source: object) -> bool:
    """Whether it is an array of another library's."""
    return (hasattr(source, "shape") and not isinstance(source, type | np.ndarray)
            and any(hasattr(source, name) for name in ("__dlpack__", "__array__", "detach")))


def as_array(source: Any) -> Array:
    """The samples of a tensor or an array: its own memory, or a copy of what lies on another device."""
    if isinstance(source, np.ndarray):
        return source
    try:
        held = source.detach().cpu() if hasattr(source, "detach") else source
        if hasattr(held, "__dlpack__"):
            return np.from_dlpack(held)
        return np.asarray(held.numpy() if hasattr(held, "numpy") else held)
    except Exception as error:  # whatever the framework raises
        raise InvalidArgument("a {got} that NumPy cannot hold: {reason}", got=type(source).__name__,
                              reason=str(error).partition("\n")[0],
                              hint="move it to the CPU with .cpu(), and turn bfloat16 into float32 with .float()"
                              ) from error


def _picture(array: Array) -> tuple[Array, Back]:
    if array.ndim == 3 and array.shape[0] in _COLOURS and array.shape[2] not in _COLOURS:
        return (array[0], lambda made: made[None]) if len(array) == 1 else (np.moveaxis(array, 0, -1), _channels_first)
    if array.ndim == 3 and array.shape[2] == 1:
        return array[..., 0], lambda made: made[..., None]
    return array, _as_it_is


def _sound(array: Array) -> tuple[Array, Back]:
    if array.ndim == 2 and array.shape[0] <= _MAX_CHANNELS < array.shape[1]:
        return array.T, lambda made: made.T
    return array, _as_it_is


def _channels_first(made: Array) -> Array:
    return np.moveaxis(made, -1, 0)


def _as_it_is(made: Any) -> Any:
    return made


def _is_sample(one: object) -> bool:
    return isinstance(one, np.ndarray) or hasattr(one, "getbands") or is_tensor(one)


def _several(count: int) -> InvalidArgument:
    return InvalidArgument("{count} pictures or sounds at once, of which each needs a label of its own", count=count,
                           hint="give one of them, or all to embed_many with a label for each; the frames of a film "
                           "become a film by labelkit.integrations.films.write_film, or by a Labeller")
