# SPDX-License-Identifier: Apache-2.0
"""What denoisers, sub-pixel warps and removal tools do, for `image_robustness --attacks`.

    python -m benchmarks.image_robustness --attacks benchmarks/removal_attacks.py --longest 512

Non-local means is OpenCV's, BM3D the package `bm3d`, wavelet shrinkage and total variation scikit-image's. The tools
are packages that say they remove invisible watermarks, with their own functions at their defaults:
universal-ai-watermark-remover (`universal`), watermark-remover (`remover`; its loops in Python take pictures of up to
512 x 512), and remove-ai-watermarks (`humanizer`), whose other means for invisible marks are diffusion models that it
downloads. Besides the extra `bench`, install opencv-python-headless, PyWavelets and bm3d (for non-commercial use only),
and these three without what they depend on (`pip install --no-deps`). BM3D takes minutes a picture on a busy core.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from PIL import Image

Picture = np.ndarray
Attack = Callable[[Picture, np.random.Generator], Picture]


def _rounded(values: np.ndarray) -> Picture:
    return np.clip(np.rint(values), 0, 255).astype(np.uint8)


def _non_local_means(strength: float) -> Attack:
    def change(rgb: Picture, random: np.random.Generator) -> Picture:
        import cv2

        return cv2.fastNlMeansDenoisingColored(rgb, None, strength, strength, 7, 21)
    return change


def _bm3d(sigma: float) -> Attack:
    def change(rgb: Picture, random: np.random.Generator) -> Picture:
        import bm3d

        return _rounded(255 * bm3d.bm3d_rgb(rgb / 255, sigma / 255))
    return change


def _wavelets(sigma: float | None, method: str) -> Attack:
    def change(rgb: Picture, random: np.random.Generator) -> Picture:
        from skimage.restoration import denoise_wavelet

        return _rounded(255 * denoise_wavelet(rgb / 255, sigma=sigma and sigma / 255, method=method, channel_axis=2,
                                              convert2ycbcr=True, rescale_sigma=True))
    return change


def _total_variation(weight: float) -> Attack:
    def change(rgb: Picture, random: np.random.Generator) -> Picture:
        from skimage.restoration import denoise_tv_chambolle

        return _rounded(255 * denoise_tv_chambolle(rgb / 255, weight=weight, channel_axis=2))
    return change


def _warped(amplitude: float, spacing: int) -> Attack:
    """Every pixel is moved by a smooth random field, `amplitude` pixels at most, that turns every `spacing` pixels."""
    def change(rgb: Picture, random: np.random.Generator) -> Picture:
        import cv2

        height, width = rgb.shape[:2]
        size = max(2, -(-width // spacing)) + 1, max(2, -(-height // spacing)) + 1
        field = [cv2.resize(random.uniform(-1, 1, size[::-1]).astype(np.float32), (width, height),
                            interpolation=cv2.INTER_CUBIC) for _ in range(2)]
        x, y = np.meshgrid(np.arange(width, dtype=np.float32), np.arange(height, dtype=np.float32))
        return cv2.remap(rgb, x + amplitude * field[0], y + amplitude * field[1], cv2.INTER_CUBIC,
                         borderMode=cv2.BORDER_REFLECT)
    return change


def _universal(method: str) -> Attack:
    def change(rgb: Picture, random: np.random.Generator) -> Picture:
        from ai_watermark_remover.core.invisible import InvisiblePerturber

        bgr = np.ascontiguousarray(rgb[..., ::-1])
        np.random.seed(int(random.integers(1 << 31)))  # the package draws from the global state
        out = (InvisiblePerturber.apply_spatial_jitter(bgr) if method == "jitter" else
               InvisiblePerturber.apply_frequency_perturbation(bgr))
        return np.ascontiguousarray(out[..., ::-1])
    return change


def _remover(module: str, strategy: str) -> Attack:
    def change(rgb: Picture, random: np.random.Generator) -> Picture:
        import importlib

        scripts = importlib.import_module(f"watermark_remover.scripts.{module}")
        run = scripts.degrade_image if module == "dct_frequency" else scripts.morpho_perturb
        height, width = rgb.shape[:2]
        data = run(rgb.tobytes(), width, height, 3, strategy=strategy).data
        return np.frombuffer(bytes(data), np.uint8).reshape(rgb.shape)
    return change


def _humanizer(rgb: Picture, random: np.random.Generator) -> Picture:
    from remove_ai_watermarks.humanizer import apply_analog_humanizer

    np.random.seed(int(random.integers(1 << 31)))
    return np.ascontiguousarray(apply_analog_humanizer(np.ascontiguousarray(rgb[..., ::-1]))[..., ::-1])


def _twice(rgb: Picture, random: np.random.Generator) -> Picture:
    """Down to half and back, twice."""
    picture = Image.fromarray(rgb)
    for _ in range(2):
        small = picture.resize((max(8, picture.width // 2), max(8, picture.height // 2)), Image.Resampling.LANCZOS)
        picture = small.resize(picture.size, Image.Resampling.BICUBIC)
    return np.asarray(picture)


ATTACKS: dict[str, tuple[str, Attack]] = {
    "nlm_3": ("denoisers", _non_local_means(3)), "nlm_6": ("denoisers", _non_local_means(6)),
    "nlm_10": ("strong denoisers", _non_local_means(10)),
    "bm3d_3": ("denoisers", _bm3d(3)), "bm3d_6": ("denoisers", _bm3d(6)), "bm3d_12": ("strong denoisers", _bm3d(12)),
    "wavelets_bayes": ("denoisers", _wavelets(None, "BayesShrink")),
    "wavelets_visu_3": ("denoisers", _wavelets(3, "VisuShrink")),
    "wavelets_visu_8": ("strong denoisers", _wavelets(8, "VisuShrink")),
    "variation_0_02": ("denoisers", _total_variation(0.02)),
    "variation_0_1": ("strong denoisers", _total_variation(0.1)),
    "half_and_back_twice": ("denoisers", _twice),
    "warp_0_3": ("warps", _warped(0.3, 32)), "warp_0_7": ("warps", _warped(0.7, 32)),
    "warp_1": ("warps", _warped(1, 32)), "warp_2": ("strong warps", _warped(2, 32)),
    "warp_2_slow": ("warps", _warped(2, 128)),
    "universal_fft": ("tools", _universal("fft")), "universal_jitter": ("tools", _universal("jitter")),
    "humanizer": ("tools", _humanizer), "remover_blur": ("tools", _remover("dct_frequency", "blur")),
    "remover_median": ("tools", _remover("dct_frequency", "median")),
    "remover_jpeg": ("tools", _remover("dct_frequency", "jpeg")),
    "remover_rotate": ("tools", _remover("dct_frequency", "rotate")),
    "remover_two_stage": ("tools", _remover("dct_frequency", "two-stage")),
    "remover_grid": ("tools", _remover("morpho_perturb", "grid")),
    "remover_diagonal": ("tools", _remover("morpho_perturb", "diagonal")),
    "remover_noise": ("tools", _remover("morpho_perturb", "noise")),
    "remover_quantize": ("tools", _remover("morpho_perturb", "quantize")),
}


def names() -> list[str]:
    """All attacks, in the order of the table."""
    return list(ATTACKS)


def group_of(name: str) -> str:
    """The group of an attack."""
    return ATTACKS[name][0]


def apply(name: str, rgb: Picture, seed: int) -> Picture:
    """What the attack makes of uint8 [height, width, 3]; the same seed gives the same."""
    return np.ascontiguousarray(ATTACKS[name][1](rgb, np.random.default_rng([seed, *name.encode()])))
