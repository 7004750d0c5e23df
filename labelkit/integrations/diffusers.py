# SPDX-License-Identifier: Apache-2.0
"""Label what a diffusers pipeline makes: `outputs = LabelOutputs(pipe, new_label)`, and nothing else changes.

    outputs = LabelOutputs(pipe, new_label, plan=plan)
    pictures = pipe(prompt).images                        # labelled: the explicit label and the watermark
    outputs.save(pictures[0], "cat.png", outputs.labels[0])  # with metadata and manifest, as a file

Labelled is what the call returns, whatever made it: all pipelines with pictures or films, and modular ones. Not the
image processors, which safety checkers use too, and after which inpainting still pastes its result.
`export_to_video` and `encode_video` are twins of diffusers' own that write every layer in one encode.
"""

from __future__ import annotations

import dataclasses
import functools
import inspect
import os
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from labelkit import pipeline, scratch, tensors
from labelkit.errors import InvalidArgument, check_types
from labelkit.integrations import batches
from labelkit.integrations.films import label_sound, write_film
from labelkit.key import Key
from labelkit.label import Label
from labelkit.payload import Payload
from labelkit.plan import Plan, check_range
from labelkit.watermark.image.batch import BatchT, embed_batch

_INPUTS = ("image", "video")  # the names under which the state of a modular pipeline holds what it was given
_PICTURES, _FILMS, _SOUNDS = ("images", "image", "rgb"), ("frames", "videos", "video"), ("audios",)
_FILM_SOUND = "audio"  # of films, in their order
_WORST_CRF = 51  # of x264


class LabelOutputs:
    """Labels the pictures and films that a pipeline returns, from now on, in every `output_type`.

    pipe       any DiffusionPipeline or ModularPipeline; not one that has been given to a LabelOutputs already
    new_label  called once for each picture and each film
    plan       its signal layers are put on here, the others when a result is saved
    key        of the watermark; None is the public key
    fps        frames a second of the films, which say for how many frames the plan shows its label; None shows it in
               all of them
    rate       Hz, of the sound that pipelines make; None asks the vocoder of the pipeline, as LTX-2 has one
    latents    "refuse", or "pass": `output_type="latent"` gives what is no picture yet; label what is decoded from it
    labels     of what the last call returned, in its order

    Pictures that come in one array get the memory of an earlier batch that nobody holds any more; that of one is kept.
    Sound beside a film (LTX-2) gets what the plan puts into sound tracks (`soundtrack`); a pipeline that returns
    neither pictures nor films raises InvalidArgument, as what it made would leave unlabelled. So do a picture that
    cannot carry the watermark (HostTooSmall; `Watermark(required=False)` labels it without) and what `labelkit.embed`
    raises.
    """

    def __init__(self, pipe: Any, new_label: Callable[[], Label], *, plan: Plan | None = None, key: Key | None = None,
                 fps: float | None = None, rate: int | None = None, latents: str = "refuse") -> None:
        plan = Plan() if plan is None else plan
        check_types(plan=(plan, Plan))
        if latents not in ("refuse", "pass"):
            raise InvalidArgument("{name} must be one of {choices}, got {value}", name="latents",
                                  choices="refuse, pass", value=repr(latents))
        if not callable(pipe) or hasattr(pipe, "labelkit_outputs") or not plan.has_signal_layer or isinstance(
                getattr(pipe, "watermark", None), PipelineWatermark):
            raise InvalidArgument("a pipeline that is not labelled yet and a plan with signal layers are wanted")
        self.new_label, self.plan, self.key, self.latents = new_label, plan, Key.of(key), latents
        self.labels: list[Label] = []
        self._memory = scratch.Results()
        vocoder = getattr(getattr(pipe, "vocoder", None), "config", None)
        self._fps, self._rate = fps, rate or getattr(vocoder, "output_sampling_rate", None)
        object.__setattr__(pipe, "__class__", _labelling(type(pipe), self))

    def save(self, made: Any, target: str | os.PathLike[str], label: Label, *, fps: float = 10.0,
             sound: Any = None) -> Path:
        """Write a labelled picture, or the frames of a labelled film, as a file with the plan's other layers.

        made    one of what the pipeline returned
        label   its own, one of `labels`
        fps     frames a second of a film
        sound   of the film, as the pipeline returned it
        Raises what `labelkit.embed` raises.
        """
        plan = dataclasses.replace(self.plan, explicit=None, watermark=None)
        if Path(target).suffix.lower() == ".mp4":
            return write_film(made, target, label, fps=fps, plan=plan, key=self.key, sound=sound,
                              sound_rate=self._rate)
        pipeline.embed(made, target, label, plan=plan, key=self.key)
        return Path(target)

    def _called(self, run: Callable[..., Any], settings: dict[str, Any]) -> Any:
        """What `run` returns for the settings of a call, labelled."""
        is_latent = settings.get("output_type") == "latent"
        if is_latent and self.latents == "refuse":
            raise InvalidArgument("latents are no picture that could be labelled",
                                  hint="ask for another output_type, or pass them and label what is decoded from them")
        self.labels = []
        if "return_dict" not in settings:
            made = run(**settings)
            return made if is_latent else self._labelled(made, settings.get("output"))
        made = run(**{**settings, "return_dict": True})
        made = made if is_latent else self._labelled(made, None)
        return made if settings["return_dict"] else tuple(getattr(made, one.name) for one in dataclasses.fields(made))

    def _labelled(self, made: Any, asked: str | list[str] | None) -> Any:
        """The result of a call; `asked` is what a modular pipeline was told to return."""
        if isinstance(asked, str):
            return self._field(asked, made)
        fields = made.values if hasattr(made, "set") else made  # the state of a modular pipeline
        names = [name for name in (*_PICTURES, *_FILMS, *_SOUNDS, _FILM_SOUND)
                 if isinstance(fields, Mapping) and fields.get(name) is not None
                 and not (fields is not made and name in _INPUTS)]
        if asked is None and names in ([], [_FILM_SOUND]):
            raise InvalidArgument("the pipeline returned {got} without pictures, films or sound to be labelled",
                                  got=type(made).__name__, hint="label its results with labelkit.embed")
        for name in names:
            value = self._field(name, fields[name])
            if hasattr(made, "set"):
                made.set(name, value)
            else:
                made[name] = value
        return made

    def _field(self, name: str, value: Any) -> Any:
        if name in _FILMS:
            return batches.like(value, [self._film(frames) for frames in value])
        if name in _SOUNDS:
            return batches.like(value, [self._sound(one) for one in value])
        if name == _FILM_SOUND:
            return self._film_sounds(value)
        return self._pictures(value) if name in _PICTURES else value

    def _pictures(self, value: Any) -> Any:
        if isinstance(value, list | tuple) and value and isinstance(value[0], list | tuple):
            return [self._pictures(one) for one in value]
        is_one = not isinstance(value, list | tuple) and getattr(value, "ndim", 3) == 3
        labels = [self.new_label() for _ in range(1 if is_one else len(value))]
        self.labels += labels
        if is_one:
            return pipeline.embed(value, label=labels[0], plan=self.plan, key=self.key)
        return batches.label_pictures(value, labels, self.plan, self.key, self._memory)

    def _sound(self, samples: Any) -> Any:
        if self._rate is None:
            raise InvalidArgument("sound needs its rate to be labelled", hint="give LabelOutputs the rate in Hz")
        self.labels.append(self.new_label())
        return pipeline.embed(samples, label=self.labels[-1], plan=self.plan, key=self.key, rate=self._rate)

    def _film_sounds(self, value: Any) -> Any:
        """The sounds [n, channels, frames] of the films that were labelled just before."""
        explicit, watermark = self.plan.explicit, self.plan.watermark
        if not (explicit and explicit.soundtrack or watermark and watermark.soundtrack):
            return value
        sounds = list(tensors.each(value.float() if tensors.is_tensor(value) else value))
        if self._rate is None or len(sounds) != len(self.labels):
            raise InvalidArgument("sound needs its rate and its film to be labelled", hint="give LabelOutputs the rate "
                                  "in Hz, and ask the pipeline for the film too")
        made = [label_sound(np.asarray(one, np.float32), self._rate, label, self.plan, self.key)[0]
                for one, label in zip(sounds, self.labels, strict=True)]
        return batches.like(value, made)

    def _film(self, frames: Any) -> Any:
        """The frames of one film in the form they came in."""
        self.labels.append(self.new_label())
        return batches.label_frames(frames, self.labels[-1], self.plan, self.key, self._fps)


def _labelling(kind: type, outputs: LabelOutputs) -> type:
    """The class of a pipeline with its call labelled; name and place stay, which save_pretrained writes."""
    call: Callable[..., Any] = kind.__call__  # that of the instances
    knows_return_dict = "return_dict" in inspect.signature(call).parameters

    @functools.wraps(call)
    def labelled(self: Any, *arguments: Any, **settings: Any) -> Any:
        if knows_return_dict:
            settings.setdefault("return_dict", True)
        return outputs._called(functools.partial(call, self, *arguments), settings)

    return type(kind.__name__, (kind,), {"__call__": labelled, "__module__": kind.__module__,
                                         "__doc__": kind.__doc__, "labelkit_outputs": outputs})


def export_to_video(video_frames: Sequence[Any], output_video_path: str | None = None, fps: float = 10,
                    quality: float | None = 5.0, bitrate: int | None = None, macro_block_size: int | None = 16, *,
                    label: Label, plan: Plan | None = None, key: Key | None = None) -> str:
    """`diffusers.utils.export_to_video` with every layer of the plan, in one encode; returns the path.

    label  what is said about the film; `plan` and `key` as for `labelkit.embed`
    The others mean what they mean there; a path must be given. Raises what `films.write_film` raises.
    """
    if output_video_path is None:
        raise InvalidArgument("a path to write the film to is wanted")
    if quality is not None:
        check_range("quality", quality, 0, 10)
    crf = 18.0 if quality is None else round((1 - quality / 10) * _WORST_CRF)  # as imageio-ffmpeg makes it of quality
    return str(write_film(video_frames, output_video_path, label, fps=fps, plan=plan, key=key, crf=crf,
                          bitrate=bitrate, multiple=macro_block_size or 1))


def encode_video(video: Any, fps: float, output_path: str, audio: Any = None, audio_sample_rate: int | None = None,
                 video_chunks_number: int = 1, *, label: Label, plan: Plan | None = None,
                 key: Key | None = None) -> None:
    """`diffusers.utils.encode_video`, films with sound, with every layer of the plan in one encode.

    video  frames [n, height, width, 3], or an iterator over chunks of them, whose number is not needed
    Raises what `films.write_film` raises.
    """
    is_chunked = hasattr(video, "__next__")
    frames = (frame for chunk in video for frame in chunk) if is_chunked else video
    write_film(frames, output_path, label, fps=fps, plan=plan, key=key, sound=audio, sound_rate=audio_sample_rate)


class PipelineWatermark:
    """Replaces the pipeline's own watermarker; the pipeline calls `apply_watermark` before tensors become pictures.

    new_label  called once for each picture
    key        None is the public key
    strength   0.25 to 4
    labels     those of the last batch, in its order, for the files made from it:
               `labelkit.embed(file, target, label, plan=Plan(watermark=None))`
    `LabelOutputs` serves all pipelines, and puts on the explicit label too.
    """

    def __init__(self, new_label: Callable[[], Label], key: Key | None = None, *, strength: float = 1.0) -> None:
        self.new_label = new_label
        self.key = key
        self.strength = strength
        self.labels: list[Label] = []

    def apply_watermark(self, images: BatchT) -> BatchT:
        """A batch [n, 3, height, width] in [-1, 1], marked; raises what `embed_batch` raises."""
        self.labels = [self.new_label() for _ in range(len(images))]
        return embed_batch(images, [Payload.of(label) for label in self.labels], self.key, strength=self.strength,
                           channels_first=True, value_range=(-1.0, 1.0))
