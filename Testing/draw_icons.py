"""Draw the icons of the extension and of its modules.

    python Testing/draw_icons.py

SpatialDiffusion: scattered points settle, from left to right, into a warped grid inside the outline of a brain.
DeformationSynthesis: one labeled shape and its deformed copies.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.collections import LineCollection
from matplotlib.colors import LinearSegmentedColormap, to_rgba
from matplotlib.figure import Figure
from matplotlib.patches import FancyBboxPatch, Polygon
from PIL import Image

ROOT = Path(__file__).resolve().parent.parent
SIZE, OVERSAMPLING = 128, 4
NIGHT, DUSK, ICE, AMBER, CORAL, WHITE = "#0d1b33", "#1d4470", "#8fd3ff", "#ffc145", "#ff6f61", "#ffffff"
SETTLING = LinearSegmentedColormap.from_list("settling", [ICE, "#c9e9d8", AMBER])


def canvas() -> tuple[Figure, object]:
    """Return a figure of one axes over [-1, 1] squared: a rounded square with a gradient from night to dusk."""
    figure = Figure(figsize=(1, 1), dpi=SIZE * OVERSAMPLING)
    figure.patch.set_alpha(0)
    axes = figure.add_axes((0, 0, 1, 1))
    axes.set(xlim=(-1, 1), ylim=(-1, 1), aspect="equal")
    axes.axis("off")
    tile = FancyBboxPatch((-0.7, -0.7), 1.4, 1.4, boxstyle="round,pad=0.28,rounding_size=0.36", fc="none", ec="none")
    axes.add_patch(tile)
    ramp = np.add.outer(np.linspace(1, 0, 64), np.linspace(0, 1, 64)) / 2
    colors = LinearSegmentedColormap.from_list("tile", [NIGHT, DUSK])
    axes.imshow(ramp, extent=(-1, 1, -1, 1), cmap=colors, interpolation="bicubic").set_clip_path(tile)
    return figure, axes


def save(figure: Figure, *paths: Path) -> None:
    surface = FigureCanvasAgg(figure)
    surface.draw()
    picture = Image.fromarray(np.asarray(surface.buffer_rgba())).resize((SIZE, SIZE), Image.Resampling.LANCZOS)
    for path in paths:
        path.parent.mkdir(parents=True, exist_ok=True)
        picture.save(path, optimize=True)


def brain(angle: np.ndarray) -> np.ndarray:
    """Return the outline of an axial section, (..., 2): longer than wide, notched where the hemispheres meet."""
    notch = 0.13 * np.exp(-((np.cos(angle) / 0.13) ** 2)) * (1 + 0.25 * np.sin(angle))
    radius = 1 - notch + 0.02 * np.cos(4 * angle)
    return np.stack([0.66 * radius * np.cos(angle), 0.82 * radius * np.sin(angle)], -1)


def spatial_diffusion(*paths: Path) -> None:
    figure, axes = canvas()
    generator = np.random.default_rng(11)
    angle = np.linspace(0, 2 * np.pi, 721)
    inside = Polygon(brain(angle), fc="none", ec="none", transform=axes.transData)
    axes.add_patch(inside)
    axes.add_patch(Polygon(brain(angle), fc=to_rgba(ICE, 0.07), ec="none"))

    def disorder(points: np.ndarray) -> np.ndarray:
        return np.clip((0.12 - points[..., 0]) / 0.75, 0, 1)

    def warp(points: np.ndarray) -> np.ndarray:
        x, y = points[..., 0], points[..., 1]
        return points + 0.07 * np.stack([np.sin(3.0 * y + 0.5), np.sin(3.2 * x - 0.4)], -1)

    def draw(line: np.ndarray, width: float, colors: np.ndarray, clip: Polygon | None) -> None:
        """Draw ``line`` where it has settled; it thins out and fades towards the disorder."""
        settled = 1 - np.clip(2.2 * disorder(line[:-1]), 0, 1)
        colors = colors * np.stack([*np.ones((3, len(settled))), np.sqrt(settled)], -1)
        there = settled > 0
        segments = np.stack([line[:-1], line[1:]], 1)[there]
        shown = LineCollection(segments, colors=colors[there], linewidths=width * (0.4 + 0.6 * settled[there]))
        shown.set(capstyle="round", clip_path=clip)
        axes.add_collection(shown)

    ticks = (np.arange(-3, 4) + 0.1) * 0.33
    fine = np.linspace(-1.1, 1.1, 300)
    for tick in ticks:
        level = np.full_like(fine, tick)
        for line in (np.stack([level, fine], -1), np.stack([fine, level], -1)):
            line = warp(line)
            draw(line, 2.6, SETTLING(np.clip((line[:-1, 0] + 0.5) / 1.0, 0, 1)), inside)
    outline = brain(angle)
    start = int(np.argmin(outline[:, 0]))
    outline = np.roll(outline[:-1], -start, axis=0)
    draw(outline, 4.2, np.tile(to_rgba(WHITE), (len(outline) - 1, 1)), None)

    # what has not settled yet: points of the grid and of the outline, the farther left the looser
    points_of_grid = np.stack(np.meshgrid(ticks[1:3] - 0.06, np.linspace(-0.52, 0.52, 6)), -1).reshape(-1, 2)
    rim = brain(np.linspace(0.5, 1.5, 17) * np.pi)
    for points, size, spread, color in ((warp(points_of_grid), 14, 0.10, ICE), (rim, 14, 0.055, WHITE)):
        loose = points[disorder(points) > 0.2]
        amount = disorder(loose)[:, None]
        placed = loose + amount * generator.normal(0, spread, loose.shape)
        axes.scatter(*placed.T, s=size * (1.05 - 0.6 * amount[:, 0]), color=color, lw=0, zorder=5)
    save(figure, *paths)


def deformation_synthesis(*paths: Path) -> None:
    figure, axes = canvas()
    angle = np.linspace(0, 2 * np.pi, 361)
    circle = np.stack([np.cos(angle), np.sin(angle)], -1)

    def deformed(points: np.ndarray, amount: float, phase: float) -> np.ndarray:
        x, y = points[:, 0], points[:, 1]
        return points + amount * np.stack([np.sin(5 * y + phase), np.sin(5.5 * x + 1.7 * phase)], -1)

    bean = 0.34 * circle * (1 - 0.30 * np.exp(-((angle - np.pi) ** 2) / 0.25))[:, None] * (0.86, 1.06)
    nucleus = 0.125 * circle + (0.09, 0.06)
    cases = (
        (WHITE, (-0.43, 0.41), 0.0, 0.0),
        (ICE, (0.41, 0.41), 0.085, 0.6),
        (AMBER, (-0.42, -0.42), 0.095, 2.7),
        (CORAL, (0.43, -0.42), 0.095, 4.5),
    )
    for color, center, amount, phase in cases:
        body = deformed(bean, amount, phase) + center
        axes.add_patch(Polygon(body, fc=to_rgba(color, 0.28), ec=color, lw=3.0, joinstyle="round"))
        axes.add_patch(Polygon(deformed(nucleus, amount, phase) + center, fc=color, ec="none"))
    save(figure, *paths)


if __name__ == "__main__":
    icons = "Resources/Icons"
    spatial_diffusion(ROOT / "SpatialDiffusion.png", ROOT / "SpatialDiffusion" / icons / "SpatialDiffusion.png")
    deformation_synthesis(ROOT / "DeformationSynthesis" / icons / "DeformationSynthesis.png")
