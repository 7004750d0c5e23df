# SPDX-License-Identifier: Apache-2.0
"""Labelled outputs of real diffusers pipelines with tiny random weights, on the CPU."""

from __future__ import annotations

import itertools
import runpy
from pathlib import Path

import av
import numpy as np
import pytest
import torch
from diffusers import (
    AutoencoderKL,
    AutoencoderKLLTX2Audio,
    AutoencoderKLLTX2Video,
    AutoencoderKLWan,
    DDIMScheduler,
    FlowMatchEulerDiscreteScheduler,
    FluxPipeline,
    FluxTransformer2DModel,
    LTX2Pipeline,
    LTX2VideoTransformer3DModel,
    StableDiffusionPipeline,
    UNet2DConditionModel,
    WanPipeline,
    WanTransformer3DModel,
)
from diffusers.modular_pipelines import InputParam, ModularPipelineBlocks, OutputParam
from diffusers.pipelines.ltx2 import LTX2TextConnectors
from diffusers.pipelines.ltx2.vocoder import LTX2Vocoder
from diffusers.utils import encode_video as diffusers_encode, export_to_video as diffusers_export
from PIL import Image

import labelkit as lk
from labelkit.errors import InvalidArgument
from labelkit.integrations.diffusers import LabelOutputs, encode_video, export_to_video
from tests.docs.pages import DOCS, blocks
from tests.media import photo

NUMBERS = itertools.count()
ROOT = Path(lk.__file__).parents[1]
SOUND_TOO = lk.Plan(explicit=lk.Explicit(soundtrack=True), watermark=lk.Watermark(soundtrack=True))
SIZE = {"height": 256, "width": 256, "num_inference_steps": 1}


def new_label() -> lk.Label:
    return lk.Label(lk.Kind.GENERATED, "acme", f"{next(NUMBERS):06}")


def vae(channels: int, **how) -> AutoencoderKL:
    blocks = [4, 4, 4, 4]  # each but the last halves the sides
    return AutoencoderKL(block_out_channels=blocks, down_block_types=["DownEncoderBlock2D"] * 4, norm_num_groups=2,
                         up_block_types=["UpDecoderBlock2D"] * 4, latent_channels=channels, sample_size=256, **how)


def stable_diffusion() -> tuple[StableDiffusionPipeline, dict]:
    unet = UNet2DConditionModel(block_out_channels=(4, 8), layers_per_block=1, sample_size=32, norm_num_groups=2,
                                down_block_types=("DownBlock2D", "CrossAttnDownBlock2D"), cross_attention_dim=8,
                                up_block_types=("CrossAttnUpBlock2D", "UpBlock2D"), attention_head_dim=2)
    pipe = StableDiffusionPipeline(unet=unet, vae=vae(4), text_encoder=None, tokenizer=None,
                                   scheduler=DDIMScheduler(steps_offset=1, clip_sample=False), safety_checker=None,
                                   feature_extractor=None, requires_safety_checker=False)
    words = torch.randn(1, 7, 8)
    return pipe, {"prompt_embeds": words, "negative_prompt_embeds": words, **SIZE}


def flux() -> tuple[FluxPipeline, dict]:
    transformer = FluxTransformer2DModel(patch_size=1, in_channels=16, num_layers=1, num_single_layers=1,
                                         attention_head_dim=16, num_attention_heads=2, joint_attention_dim=32,
                                         pooled_projection_dim=32, axes_dims_rope=(4, 4, 8))
    pipe = FluxPipeline(scheduler=FlowMatchEulerDiscreteScheduler(), transformer=transformer, text_encoder=None,
                        vae=vae(4, shift_factor=0.0, scaling_factor=1.0, use_quant_conv=False,
                                use_post_quant_conv=False),
                        tokenizer=None, text_encoder_2=None, tokenizer_2=None)
    return pipe, {"prompt_embeds": torch.randn(1, 7, 32), "pooled_prompt_embeds": torch.randn(1, 32), **SIZE}


def wan() -> tuple[WanPipeline, dict]:
    transformer = WanTransformer3DModel(patch_size=(1, 2, 2), num_attention_heads=2, attention_head_dim=12,
                                        in_channels=16, out_channels=16, text_dim=32, freq_dim=256, ffn_dim=32,
                                        num_layers=1, cross_attn_norm=True, qk_norm="rms_norm_across_heads",
                                        rope_max_seq_len=32)
    film_vae = AutoencoderKLWan(base_dim=3, z_dim=16, dim_mult=[1, 1, 1, 1], num_res_blocks=1,
                                temperal_downsample=[False, True, True])
    pipe = WanPipeline(transformer=transformer, vae=film_vae, scheduler=FlowMatchEulerDiscreteScheduler(shift=7.0),
                       text_encoder=None, tokenizer=None)
    words = torch.randn(1, 7, 32)
    return pipe, {"prompt_embeds": words, "negative_prompt_embeds": words, "num_frames": 9, **SIZE}


def ltx2() -> tuple[LTX2Pipeline, dict]:
    """Six seconds of film with sound in stereo at 16 kHz."""
    transformer = LTX2VideoTransformer3DModel(
        in_channels=4, out_channels=4, num_attention_heads=2, attention_head_dim=8, cross_attention_dim=16,
        audio_in_channels=4, audio_out_channels=4, audio_num_attention_heads=2, audio_attention_head_dim=4,
        audio_cross_attention_dim=8, num_layers=1, caption_channels=32, rope_double_precision=False, rope_type="split")
    streams = {f"{stream}_connector_{name}": value for stream in ("video", "audio") for name, value in (
        ("num_attention_heads", 4), ("attention_head_dim", 8), ("num_layers", 1), ("num_learnable_registers", None))}
    connectors = LTX2TextConnectors(caption_channels=32, text_proj_in_factor=1, connector_rope_base_seq_len=32,
                                    rope_theta=10_000.0, rope_double_precision=False, causal_temporal_positioning=False,
                                    rope_type="split", **streams)
    sides = {"block_out_channels": (8,) * 3, "spatio_temporal_scaling": (True,) * 3}
    film_vae = AutoencoderKLLTX2Video(
        latent_channels=4, layers_per_block=(1,) * 3, decoder_layers_per_block=(1,) * 4,
        decoder_inject_noise=(False,) * 4, downsample_type=("spatiotemporal",) * 3, upsample_residual=(False,) * 3,
        upsample_factor=(1,) * 3, **sides, **{f"decoder_{name}": value for name, value in sides.items()})
    sound_vae = AutoencoderKLLTX2Audio(base_channels=4, ch_mult=(1,), num_res_blocks=1, attn_resolutions=None,
                                       resolution=32, latent_channels=2, mid_block_add_attention=False, mel_bins=8)
    vocoder = LTX2Vocoder(in_channels=16, hidden_channels=32, upsample_kernel_sizes=[16, 15, 4],
                          upsample_factors=[8, 5, 4], resnet_kernel_sizes=[3], resnet_dilations=[[1, 3, 5]],
                          output_sampling_rate=16_000)
    pipe = LTX2Pipeline(scheduler=FlowMatchEulerDiscreteScheduler(), vae=film_vae, audio_vae=sound_vae,
                        text_encoder=None, tokenizer=None, connectors=connectors, transformer=transformer,
                        vocoder=vocoder)
    words, mask = torch.randn(1, 16, 32), torch.ones(1, 16, dtype=torch.long)
    return pipe, {"prompt_embeds": words, "negative_prompt_embeds": words, "prompt_attention_mask": mask,
                  "negative_prompt_attention_mask": mask, "num_frames": 49, "frame_rate": 8.0, "guidance_scale": 1.0,
                  "stg_scale": 0.0, "audio_guidance_scale": 1.0, "audio_stg_scale": 0.0,
                  "spatio_temporal_guidance_blocks": None, **SIZE}


@pytest.fixture(autouse=True)
def repeatable() -> None:
    torch.manual_seed(0)


@pytest.mark.parametrize("made", [stable_diffusion, flux])
@pytest.mark.parametrize("output_type", ["pil", "np", "pt"])
def test_pictures_come_labelled(made, output_type, tmp_path):
    pipe, settings = made()
    plain = pipe(**settings, output_type=output_type, num_images_per_prompt=2).images
    outputs = LabelOutputs(pipe, new_label)
    pictures = pipe(**settings, output_type=output_type, num_images_per_prompt=2).images
    assert type(pictures) is type(plain) and len(pictures) == len(outputs.labels) == 2
    for picture, other, label in zip(pictures, plain, outputs.labels, strict=True):
        report = lk.verify(picture)
        assert report[lk.Layer.WATERMARK].payload == lk.Payload.of(label)
        assert report[lk.Layer.EXPLICIT].status is lk.Status.VALID
        assert lk.verify(other).verdict is lk.Verdict.NONE
    saved = outputs.save(pictures[1], tmp_path / "cat.png", outputs.labels[1])
    assert lk.verify(saved).verdict is lk.Verdict.CONFIRMED


def test_latents_are_refused_before_anything_is_computed():
    pipe, settings = stable_diffusion()
    LabelOutputs(pipe, new_label)
    pipe.unet = None
    with pytest.raises(InvalidArgument, match="latents"):
        pipe(**settings, output_type="latent")


def test_latents_pass_by_choice():
    pipe, settings = flux()
    outputs = LabelOutputs(pipe, new_label, latents="pass")
    assert pipe(**settings, output_type="latent").images.ndim == 3 and outputs.labels == []


def test_a_tuple_comes_labelled_and_the_pipeline_keeps_its_name(tmp_path):
    pipe, settings = stable_diffusion()
    LabelOutputs(pipe, new_label)
    made = pipe(**settings, return_dict=False)
    assert lk.verify(made[0][0])[lk.Layer.WATERMARK].status is lk.Status.VALID and made[1] is None
    pipe.save_pretrained(tmp_path)
    assert '"StableDiffusionPipeline"' in (tmp_path / "model_index.json").read_text()
    assert sorted(pipe.components) == sorted(stable_diffusion()[0].components)


@pytest.mark.parametrize("output_type", ["pil", "np", "pt"])
def test_films_come_labelled_and_are_saved(output_type, tmp_path):
    pipe, settings = wan()
    outputs = LabelOutputs(pipe, new_label)
    frames = pipe(**settings, output_type=output_type).frames[0]
    assert len(frames) == 9
    for frame in (frames[0], frames[-1]):
        assert lk.verify(frame, layers=[lk.Layer.EXPLICIT])[lk.Layer.EXPLICIT].status is lk.Status.VALID
    film = outputs.save(frames, tmp_path / "cat.mp4", outputs.labels[0], fps=8)
    report = lk.verify(film)
    assert report[lk.Layer.EXPLICIT].status is report[lk.Layer.METADATA].status is lk.Status.VALID


def test_the_twin_of_export_to_video_writes_what_diffusers_writes_and_every_layer(tmp_path, signer, anchors):
    pipe, settings = wan()
    frames = pipe(**{**settings, "num_frames": 25}, output_type="np").frames[0]
    label = new_label()
    plain = diffusers_export(list(frames), str(tmp_path / "plain.mp4"), fps=8)
    made = export_to_video(list(frames), str(tmp_path / "cat.mp4"), fps=8, label=label, quality=8,
                           plan=lk.Plan(provenance=signer))
    report = lk.verify(made, trust=anchors)
    assert {finding.status for finding in report} == {lk.Status.VALID}
    assert report[lk.Layer.WATERMARK].payload == lk.Payload.of(label)
    assert lk.verify(plain).verdict is lk.Verdict.NONE
    assert _shape(made) == _shape(plain)


def test_the_twin_of_encode_video_takes_what_diffusers_takes(tmp_path):
    pipe, settings = wan()
    frames = pipe(**{**settings, "num_frames": 25}, output_type="np").frames[0]
    sound = torch.sin(torch.arange(72_000) / 20).repeat(2, 1)
    chunks = iter(torch.tensor(np.rint(frames * 255).astype(np.uint8)).tensor_split(2))
    encode_video(chunks, 8, str(tmp_path / "cat.mp4"), sound, 24_000, 2, label=new_label())
    assert lk.verify(tmp_path / "cat.mp4")[lk.Layer.WATERMARK].status is lk.Status.VALID


def test_the_sound_of_a_film_is_labelled_in_the_same_encode(tmp_path):
    pipe, settings = ltx2()
    made = pipe(**settings, output_type="np")
    rate, label = pipe.vocoder.config.output_sampling_rate, new_label()
    encode_video(made.frames[0], 8, str(tmp_path / "cat.mp4"), made.audio[0], rate, label=label, plan=SOUND_TOO)
    diffusers_encode(made.frames[0], 8, str(tmp_path / "plain.mp4"), made.audio[0], rate)
    _check_film(tmp_path / "cat.mp4", label)
    assert lk.verify(tmp_path / "plain.mp4").verdict is lk.Verdict.NONE


def test_a_pipeline_returns_film_and_sound_labelled_alike(tmp_path):
    pipe, settings = ltx2()
    plain = pipe(**settings, output_type="np").audio
    outputs = LabelOutputs(pipe, new_label, plan=SOUND_TOO, fps=8)
    frames, sound = pipe(**settings, output_type="np", return_dict=False)
    assert isinstance(sound, torch.Tensor) and sound.shape == plain.shape and not torch.equal(sound, plain)
    _check_film(outputs.save(frames[0], tmp_path / "cat.mp4", outputs.labels[0], fps=8, sound=sound[0]),
                outputs.labels[0])


def _check_film(path: Path, label: lk.Label) -> None:
    """Both tracks carry the label; the sound is read alone."""
    report = lk.verify(path)
    assert report.verdict is lk.Verdict.CONFIRMED and report.explicit.heard and not report.doubts
    with av.open(str(path)) as film:
        rate = film.streams.audio[0].rate
        heard = np.concatenate([frame.to_ndarray() for frame in film.decode(audio=0)], axis=1)
    alone = lk.verify(heard, rate=rate)
    assert alone[lk.Layer.WATERMARK].payload == lk.Payload.of(label)
    assert alone[lk.Layer.EXPLICIT].status is lk.Status.VALID


def _shape(film) -> tuple[int, int, int, float]:
    with av.open(str(film)) as opened:
        stream = opened.streams.video[0]
        return stream.width, stream.height, stream.frames, float(stream.average_rate)


class Paint(ModularPipelineBlocks):
    """A block that paints what a decoder would return."""

    model_name = "paint"

    @property
    def inputs(self) -> list[InputParam]:
        return [InputParam("prompt"), InputParam("image")]

    @property
    def intermediate_outputs(self) -> list[OutputParam]:
        return [OutputParam("images")]

    def __call__(self, components, state):
        block = self.get_block_state(state)
        block.images = [Image.fromarray(photo(256, 320))]
        self.set_block_state(state, block)
        return components, state


def test_modular_pipelines_label_what_they_return_and_not_what_they_were_given():
    pipe, given = Paint().init_pipeline(), Image.fromarray(photo(256, 320, 2))
    outputs = LabelOutputs(pipe, new_label)
    state = pipe(prompt="a cat", image=given)
    assert lk.verify(state.get("images")[0])[lk.Layer.WATERMARK].payload == lk.Payload.of(outputs.labels[0])
    assert lk.verify(state.get("image"))[lk.Layer.WATERMARK].status is lk.Status.ABSENT
    assert lk.verify(pipe(prompt="a cat", output="images")[0])[lk.Layer.EXPLICIT].status is lk.Status.VALID


def test_the_example_writes_pictures_with_every_layer(tmp_path, signer, anchors):
    program = runpy.run_path(str(ROOT / "examples" / "diffusers_pictures.py"))
    pipe, settings = stable_diffusion()
    paths = program["generate"](pipe, tmp_path, signer, **settings, num_images_per_prompt=2)
    assert len(paths) == 2
    for path in paths:
        assert {finding.status for finding in lk.verify(path, trust=anchors)} == {lk.Status.VALID}


def spoken(made):
    """A pipeline that takes a prompt in the place of its settings, as one with a text encoder does."""
    pipe, settings = made()
    kind = type(pipe)
    pipe.__class__ = type(kind.__name__, (kind,), {
        "__call__": lambda self, prompt, **given: kind.__call__(self, **{**settings, **given})})
    return pipe


def test_the_page_does_what_it_shows(tmp_path, monkeypatch):
    """Of the page the files have the layers that it names; the films are short, so what it encodes is good."""
    monkeypatch.chdir(tmp_path)
    pictures, twins, sound = [block.text for block in blocks(DOCS / "how-to" / "label-diffusers.md")
                             if block.language == "python"]
    names = {"pipe": spoken(stable_diffusion), "new_label": new_label, "lk": lk}
    exec(pictures, names)
    lk.verify("cat.png").require(lk.Layer.EXPLICIT, lk.Layer.WATERMARK, lk.Layer.METADATA)
    pipe, settings = ltx2()
    made = pipe(**settings, output_type="np")
    names |= {"frames": made.frames[0], "audio": made.audio[0]}
    exec(twins.replace("24_000", "pipe_rate"), names | {"pipe_rate": pipe.vocoder.config.output_sampling_rate})
    lk.verify("cat.mp4").require(lk.Layer.EXPLICIT, lk.Layer.WATERMARK, lk.Layer.METADATA)
    names |= {"pipe": spoken(ltx2), "encode_video": encode_video}
    exec(sound.replace("24_000", str(pipe.vocoder.config.output_sampling_rate)), names)
    assert lk.verify("cat.mp4").explicit.heard
