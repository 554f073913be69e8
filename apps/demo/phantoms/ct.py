"""CT series of the trunk: slices in Hounsfield units, and the scout picture made from them."""

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from apps.demo.phantoms.abdomen import draw_abdomen, loops
from apps.demo.phantoms.canvas import Canvas, Floats, Grain, blur
from apps.demo.phantoms.chest import draw_lungs, draw_mediastinum, vessel_tree
from apps.demo.phantoms.torso import AIR, Build, draw_pelvis, draw_ribs, draw_spine, draw_wall

CHEST_RANGE = (248.0, -62.0)
ABDOMEN_RANGE = (40.0, -405.0)


@dataclass(frozen=True)
class Protocol:
    """How a series is taken: matrix, slice thickness and kernel (`grain` softness, noise in HU)."""

    size: int = 512
    thick_mm: float = 5.0
    noise_hu: float = 11.0
    softness: int = 2
    field_mm: float = 400.0


def positions(span: tuple[float, float], protocol: Protocol) -> list[float]:
    """Return z of each slice in standard mm, head to feet."""
    start, stop = span
    count = int((start - stop) / protocol.thick_mm) + 1
    return [start - k * protocol.thick_mm for k in range(count)]


def slices(build: Build, protocol: Protocol, levels: list[float]) -> Iterator[Floats]:
    """Draw each level in HU, (size, size) float32.

    The person is drawn in standard mm and the pixel is made smaller or larger by `build.scale`, so
    a length measured with the pixel spacing of the DICOM header is the person's own.
    """
    tree, bowel = vessel_tree(build.seed), loops(build.seed)
    rng = np.random.default_rng(build.seed * 7 + len(levels))
    grain = Grain(rng, protocol.size, softness=protocol.softness)
    spacing = protocol.field_mm / protocol.size / build.scale
    half = spacing * (protocol.size - 1) / 2
    for z in levels:
        canvas = Canvas(protocol.size, protocol.size, spacing, (-half, -half), AIR)
        draw_couch(canvas)
        draw_wall(canvas, build, z)
        draw_lungs(canvas, build, z, protocol.thick_mm, tree)
        draw_mediastinum(canvas, build, z)
        draw_abdomen(canvas, build, z, bowel)
        draw_spine(canvas, z)
        draw_ribs(canvas, z)
        draw_pelvis(canvas, z)
        image = canvas.array()
        if protocol.softness > 1:
            image = blur(image)
        field = grain.field(image.shape)
        inside = np.where(image > -960, 1.0, 0.45).astype(np.float32)
        yield image + field * protocol.noise_hu * inside


def draw_couch(canvas: Canvas) -> None:
    """Draw the curved table top under the back."""
    for depth, width, value in ((150.0, 5.0, -380.0), (166.0, 2.5, -560.0)):
        arc = [(x, depth - (x / 210) ** 2 * 26) for x in range(-215, 216, 43)]
        canvas.stroke(arc, width, value)


def scout(volume: list[Floats]) -> Floats:
    """Return a frontal scout made by adding up the volume, one row a slice, arbitrary units."""
    rows = [np.clip(image + 1000, 0, 2200).mean(axis=0) for image in volume]
    return np.asarray(np.stack(rows), dtype=np.float32)
