# SPDX-License-Identifier: Apache-2.0
"""Makes the two rendered samples: a still life by sphere tracing, and a mountain valley with haze and sensor noise.

    python make_renders.py

Only numpy and pillow; the pictures are the same on every run. About a minute.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np
from PIL import Image

HERE = Path(__file__).parent


def normalised(vectors: np.ndarray) -> np.ndarray:
    return vectors / np.linalg.norm(vectors, axis=-1, keepdims=True)


def fractal(size: int, slope: float, seed: int) -> np.ndarray:
    """Tiling noise float [size, size], mean 0 and deviation 1, whose spectrum falls as frequency ** -slope."""
    frequency = np.hypot(*np.meshgrid(np.fft.fftfreq(size), np.fft.fftfreq(size)))
    frequency[0, 0] = np.inf
    white = np.fft.fft2(np.random.default_rng(seed).standard_normal((size, size)))
    field = np.fft.ifft2(white * frequency ** -slope).real
    return (field - field.mean()) / field.std()


def sampled(field: np.ndarray, x: np.ndarray, y: np.ndarray) -> np.ndarray:
    """`field` at real positions, bilinear, tiling."""
    size = len(field)
    x0, y0 = np.floor(x).astype(int), np.floor(y).astype(int)
    fx, fy = x - x0, y - y0
    rows, columns = (y0 % size, (y0 + 1) % size), (x0 % size, (x0 + 1) % size)
    top = field[rows[0], columns[0]] * (1 - fx) + field[rows[0], columns[1]] * fx
    bottom = field[rows[1], columns[0]] * (1 - fx) + field[rows[1], columns[1]] * fx
    return top * (1 - fy) + bottom * fy


# Still life: signed distances in the manner of J. C. Hart, "Sphere Tracing" (1996)

SUN = normalised(np.array([-0.55, 0.75, 0.45]))
FLOOR, VASE, BALL, RING, CUBE = range(5)


def distances(p: np.ndarray) -> np.ndarray:
    """Signed distance float [5, n] from points [n, 3] to the floor and the four things on it."""
    x, y, z = p.T
    radius = np.hypot(x + 1.15, z + 0.1)
    profile = 0.42 + 0.20 * np.sin(2.6 * y + 0.35) - 0.10 * y
    vase = np.maximum(np.abs(radius - profile) - 0.035, np.abs(y - 0.78) - 0.78) * 0.7
    ball = np.sqrt((x - 0.35) ** 2 + (y - 0.5) ** 2 + (z - 0.75) ** 2) - 0.5
    tilt = np.hypot(x - 1.25, 0.94 * (y - 0.62) - 0.34 * (z + 0.1))
    ring = np.hypot(tilt - 0.52, 0.34 * (y - 0.62) + 0.94 * (z + 0.1)) - 0.12
    turned = np.stack([0.83 * (x - 0.15) - 0.56 * (z + 0.95), y - 0.42, 0.56 * (x - 0.15) + 0.83 * (z + 0.95)])
    box = np.abs(turned) - 0.32
    cube = np.linalg.norm(np.maximum(box, 0), axis=0) + np.minimum(box.max(axis=0), 0) - 0.10
    return np.stack([y, vase, ball, ring, cube])


def traced(origins: np.ndarray, rays: np.ndarray, reach: float = 14.0) -> np.ndarray:
    """Distance [n] along each ray to the first surface, inf where there is none within `reach`."""
    travelled, alive = np.zeros(len(rays)), np.arange(len(rays))
    for _ in range(110):
        gap = distances(origins[alive] + travelled[alive, None] * rays[alive]).min(axis=0)
        travelled[alive] += gap
        alive = alive[(gap > 4e-4) & (travelled[alive] < reach)]
        if not alive.size:
            break
    travelled[travelled >= reach] = np.inf
    return travelled


def normals(p: np.ndarray) -> np.ndarray:
    step = 1e-3 * np.eye(3)
    return normalised(np.stack([distances(p + d).min(axis=0) - distances(p - d).min(axis=0) for d in step], axis=-1))


def daylight(p: np.ndarray, n: np.ndarray) -> np.ndarray:
    """Sun with a soft shadow, sky and light from the floor, as RGB [n, 3]."""
    shade, reach = np.ones(len(p)), np.full(len(p), 0.02)
    for _ in range(40):
        gap = distances(p + n * 2e-3 + reach[:, None] * SUN).min(axis=0)
        shade = np.minimum(shade, np.clip(0.5 + 0.5 * gap / (0.07 * reach), 0, 1))
        reach += np.clip(np.abs(gap), 0.015, 0.25)
    open_sky = np.ones(len(p))
    for reach_out in (0.06, 0.15, 0.35, 0.7):
        open_sky -= 0.32 * np.clip(reach_out - distances(p + n * reach_out).min(axis=0), 0, None) / reach_out
    sun = np.clip(n @ SUN, 0, 1) * shade * shade * (3 - 2 * shade)
    sky = (0.5 + 0.5 * n[:, 1]) * np.clip(open_sky, 0, 1)
    floor = np.clip(-n[:, 1] * 0.5 + 0.5, 0, 1) * np.clip(open_sky, 0, 1) * 0.25
    return (sun[:, None] * (2.3, 2.05, 1.7) + sky[:, None] * (0.55, 0.68, 0.9) + floor[:, None] * (0.6, 0.45, 0.3))


def surface(p: np.ndarray, which: np.ndarray, grain: np.ndarray) -> np.ndarray:
    """Albedo RGB [n, 3]: oak boards, glazed clay, teal, brass, chalk."""
    x, y, z = p.T
    board = np.floor(z / 0.55)
    rings = sampled(grain, 18 * x + 211 * board, 150 * z + 97 * board)
    lines = 0.5 + 0.5 * np.sin(9 * rings + 3 * z)
    wood = np.array((0.42, 0.25, 0.13)) * (0.80 + 0.22 * lines + 0.08 * rings + 0.10 * np.sin(5.1 * board))[:, None]
    wood *= np.where(np.abs(z / 0.55 - board - 0.5) > 0.492, 0.45, 1.0)[:, None]
    speckle = sampled(grain, 160 * x + 40 * z, 160 * y)
    bands = np.where(np.sin(11 * y) > 0.55, 1.0, 0.0)[:, None]
    clay = np.array((0.62, 0.27, 0.15)) * (1 - bands) + np.array((0.86, 0.80, 0.68)) * bands
    clay *= 1 + 0.10 * speckle[:, None]
    chalk = np.array((0.80, 0.78, 0.74)) * (1 + 0.05 * sampled(grain, 300 * x, 300 * (y + z)))[:, None]
    flat = np.broadcast_to
    choices = np.stack([wood, clay, flat((0.04, 0.30, 0.33), p.shape), flat((0.70, 0.47, 0.16), p.shape), chalk])
    return choices[which, np.arange(len(p))]


def seen(origins: np.ndarray, rays: np.ndarray, grain: np.ndarray, bounces: int) -> np.ndarray:
    """Linear RGB [n, 3] along the rays; glossy things reflect once."""
    wall = np.clip(rays[:, 1:2] * 0.9 + 0.35, 0, 1)
    out = (1 - wall) * (0.72, 0.66, 0.60) + wall * (0.36, 0.42, 0.50)
    travelled = traced(origins, rays)
    hit = np.flatnonzero(np.isfinite(travelled))
    p = origins[hit] + travelled[hit, None] * rays[hit]
    which, n = distances(p).argmin(axis=0), normals(p)
    colour = surface(p, which, grain) * daylight(p, n)
    back = rays[hit] - 2 * (rays[hit] * n).sum(axis=1, keepdims=True) * n
    glint = np.clip(back @ SUN, 0, 1)[:, None] ** 60 * np.array([0.0, 0.6, 2.0, 1.5, 0.0])[which][:, None]
    if bounces:
        mirror = np.array([0.10, 0.12, 0.30, 0.75, 0.02])[which]
        fresnel = mirror + (1 - mirror) * (1 - np.clip(-(rays[hit] * n).sum(axis=1), 0, 1)) ** 5 * (mirror > 0.05)
        tint = np.where((which == RING)[:, None], (1.0, 0.78, 0.40), 1.0)
        shiny = np.flatnonzero(fresnel > 0.06)
        colour[shiny] += (seen(p[shiny] + 3e-3 * n[shiny], back[shiny], grain, bounces - 1) * tint[shiny]
                          * fresnel[shiny, None])
    fog = np.clip((travelled[hit, None] - 6) / 8, 0, 1) ** 1.5
    out[hit] = (colour + glint) * (1 - fog) + out[hit] * fog
    return out


def still_life(width: int = 960, height: int = 640, oversampling: int = 2) -> np.ndarray:
    """uint8 [height, width, 3]."""
    w, h = width * oversampling, height * oversampling
    eye, target = np.array([0.4, 1.75, 5.2]), np.array([0.05, 0.55, 0.0])
    forward = normalised(target - eye)
    right = normalised(np.cross(forward, (0, 1, 0)))
    up = np.cross(right, forward)
    x, y = np.meshgrid((np.arange(w) + 0.5 - w / 2) / h, (h / 2 - np.arange(h) - 0.5) / h)
    rays = normalised(1.75 * forward + x.ravel()[:, None] * right + y.ravel()[:, None] * up)
    grain = fractal(512, 1.3, 11)
    blocks = np.array_split(rays, 12)
    light = np.concatenate([seen(np.broadcast_to(eye, block.shape), block, grain, 1) for block in blocks])
    light = light.reshape(height, oversampling, width, oversampling, 3).mean(axis=(1, 3))
    light *= 0.42  # exposure
    light = light * (2.51 * light + 0.03) / (light * (2.43 * light + 0.59) + 0.14)  # filmic curve (Narkowicz 2015)
    return np.round(np.clip(light, 0, 1) ** (1 / 2.2) * 255).astype(np.uint8)


# Valley: a height field drawn column by column, nearest first

def terrain(size: int = 1024) -> np.ndarray:
    ridges = np.clip(1 - np.hypot(fractal(size, 2.15, 3), 0.16) / 1.5, 0, None)
    return 70 * ridges ** 2 + 7 * fractal(size, 2.1, 4) + 2.6 * (0.3 + ridges) * fractal(size, 1.65, 5)


def ground_colour(x: np.ndarray, y: np.ndarray, height: np.ndarray, maps: tuple) -> np.ndarray:
    """Lit linear RGB [n, 3] of meadow, rock and snow."""
    land, detail, light = maps
    slope = sampled(light[0], x, y)
    rough = sampled(detail, 6 * x, 6 * y)
    meadow = np.array((0.13, 0.17, 0.06)) * (1 + 0.25 * rough)[:, None]
    rock = np.array((0.27, 0.24, 0.22)) * (1 + 0.22 * rough)[:, None]
    snow = np.array((0.92, 0.94, 1.0)) * (1 + 0.03 * rough)[:, None]
    rocky = np.clip((slope - 0.85) * 2.6 + (height - 38) / 16 + 0.35 * rough, 0, 1)[:, None]
    snowy = (np.clip((height - 44 + 5 * rough) / 8, 0, 1) * np.clip(2.3 - slope, 0, 1))[:, None]
    colour = (meadow * (1 - rocky) + rock * rocky) * (1 - snowy) + snow * snowy
    sun = sampled(light[1], x, y)[:, None]
    return colour * (sun * (1.9, 1.6, 1.2) + (0.22, 0.30, 0.42))


def light_maps(land: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Steepness and sunlight with cast shadows, both [size, size]."""
    dy, dx = ((np.roll(land, -1, axis) - np.roll(land, 1, axis)) / 2 for axis in (0, 1))
    normal = normalised(np.stack([-dx, -dy, np.ones_like(dx)], axis=-1))
    sun = normalised(np.array([-0.75, -0.35, 0.55]))
    lit = np.clip(normal @ sun, 0, 1)
    for step in range(2, 60, 2):
        shift = (round(sun[1] * -step), round(sun[0] * -step))
        lit *= np.clip(1 - (np.roll(land, shift, (0, 1)) - land - step * sun[2] / np.hypot(*sun[:2])) / 2, 0.12, 1)
    return np.hypot(dx, dy), lit


def valley(width: int = 1152, height: int = 768) -> np.ndarray:
    """uint8 [height, width, 3]: voxel-space rendering with aerial haze, clouds, vignette, photon and read noise."""
    land = terrain()
    maps = land, fractal(512, 1.0, 6), light_maps(land)
    rows, horizon = np.arange(height), 0.36 * height
    picture = sky(width, height, horizon)
    across = (np.arange(width) - width / 2) / width
    eye_x, eye_y = 300.0, 120.0
    eye_z = 52 + land[100:140, 280:320].max()
    skyline, distance = np.full(width, float(height)), 30.0
    while distance < 900:
        x, y = eye_x + across * distance * 1.25, eye_y + distance
        ground = sampled(land, x, np.full(width, y))
        top = horizon + (eye_z - ground) / distance * width * 0.62
        rising = np.flatnonzero(top < skyline)
        if rising.size:
            haze = (1 - np.exp(-(distance / 620) ** 1.4))
            colour = ground_colour(x[rising], np.full(rising.size, y), ground[rising], maps)
            colour = colour * (1 - haze) + np.array((0.60, 0.68, 0.80)) * haze
            cover = np.clip(rows[:, None] + 1 - top[rising], 0, 1) * (rows[:, None] < skyline[rising])
            for channel in range(3):
                part = picture[:, rising, channel]
                picture[:, rising, channel] = part + cover * (colour[:, channel] - part)
            skyline[rising] = top[rising]
        distance *= 1.0032
    return developed(picture)


def sky(width: int, height: int, horizon: float) -> np.ndarray:
    y, x = np.mgrid[0:height, 0:width]
    rise = np.clip(1 - y / (horizon * 1.25), 0, 1)[..., None]
    blue = (1 - rise) * (0.66, 0.73, 0.82) + rise * (0.13, 0.27, 0.56)
    depth = 40 / np.clip(horizon * 1.3 - y, 4, None)
    clouds = sampled(fractal(512, 1.6, 9), 40 + (x - width / 2) * depth * 0.5, 900 * depth)
    cover = (np.clip(clouds * 0.55 - 0.1, 0, 1) * np.clip(rise[..., 0] * 3, 0, 1))[..., None]
    return blue * (1 - 0.8 * cover) + np.array((0.95, 0.93, 0.92)) * 0.8 * cover


def developed(light: np.ndarray) -> np.ndarray:
    """What a camera makes of linear light: vignette, photon noise of 6,000 electrons at white, read noise of 4."""
    height, width = light.shape[:2]
    y, x = np.mgrid[-1:1:height * 1j, -1:1:width * 1j]
    random = np.random.default_rng(12)
    electrons = 5200 * np.clip(light, 0, 1.4) * (1 - 0.22 * (x * x + y * y) / 2)[..., None]
    electrons += random.standard_normal(light.shape) * np.sqrt(electrons + 16)
    exposed = np.clip(electrons / 5200 * 1.05, 0, None)
    exposed = exposed * (1 + exposed / 1.8) / (1 + exposed)
    return np.round(np.clip(exposed, 0, 1) ** (1 / 2.2) * 255).astype(np.uint8)


if __name__ == "__main__":
    Image.fromarray(valley()).save(HERE / "valley.jpg", quality=90)
    Image.fromarray(still_life()).save(HERE / "still-life.jpg", quality=92, subsampling=0)
