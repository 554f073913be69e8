"""A head as fields in space: one anatomy, read out as CT or as MR of any weighting.

LPS coordinates in mm,
    z = 0 at the foramina between the ventricles. Every structure is a depth field
(mm inside its surface); a soft mask of it is blended into each picture asked for,
    so that edges fall
inside a pixel as they do in a scanner.
"""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from apps.demo.phantoms.canvas import Floats, smooth_noise

Values = Mapping[str, float]

CT: Values = {
    "air": -1000, "skin": 20, "scalp": -60, "muscle": 52, "bone": 1150, "diploe": 620, "csf": 6,
    "grey": 38, "white": 29, "deep": 37, "eye": 12, "lens": 70, "orbit": -85, "falx": 58,
    "calcium": 190, "blood": 68, "oedema": 19, "plaque": 22, "infarct": 20, "brainstem": 31,
}  # fmt: skip
T1: Values = {
    "air": 8, "skin": 420, "scalp": 880, "muscle": 360, "bone": 40, "diploe": 430, "csf": 120,
    "grey": 440, "white": 640, "deep": 490, "eye": 110, "lens": 330, "orbit": 900, "falx": 300,
    "calcium": 200, "blood": 520, "oedema": 380, "plaque": 400, "infarct": 370, "brainstem": 590,
}  # fmt: skip
T2: Values = {
    "air": 8, "skin": 260, "scalp": 520, "muscle": 170, "bone": 30, "diploe": 260, "csf": 980,
    "grey": 430, "white": 285, "deep": 370, "eye": 990, "lens": 160, "orbit": 540, "falx": 200,
    "calcium": 150, "blood": 240, "oedema": 640, "plaque": 720, "infarct": 690, "brainstem": 320,
}  # fmt: skip
FLAIR: Values = {
    "air": 8, "skin": 300, "scalp": 560, "muscle": 190, "bone": 30, "diploe": 270, "csf": 60,
    "grey": 430, "white": 320, "deep": 390, "eye": 70, "lens": 180, "orbit": 580, "falx": 210,
    "calcium": 180, "blood": 300, "oedema": 640, "plaque": 760, "infarct": 700, "brainstem": 350,
}  # fmt: skip


@dataclass(frozen=True)
class HeadBuild:
    """What makes one head differ from another; two exams of one person share it."""

    seed: int
    scale: float = 1.0
    ventricles: float = 1.0
    bleed_mm: float = 0.0
    infarct: bool = False
    plaques: int = 0


class _Space:
    """Coordinates of a block of slices and the pictures drawn on them."""

    def __init__(
        self, size: int, spacing: float, levels: list[float], pictures: list[Values]
    ) -> None:
        half = spacing * (size - 1) / 2
        line = np.linspace(-half, half, size, dtype=np.float32)
        self.x = line[None, None, :]
        self.y = line[None, :, None]
        self.z = np.asarray(levels, dtype=np.float32)[:, None, None]
        self.shape = (len(levels), size, size)
        self.softness = np.float32(1 / max(0.55, spacing))
        self.tables = pictures
        self.volumes = [np.full(self.shape, p["air"], dtype=np.float32) for p in pictures]

    def ellipsoid(
        self, centre: tuple[float, float, float], radii: tuple[float, float, float]
    ) -> Floats:
        """Return about how deep (mm) each voxel lies inside an ellipsoid."""
        q = (
            ((self.x - centre[0]) / radii[0]) ** 2
            + ((self.y - centre[1]) / radii[1]) ** 2
            + ((self.z - centre[2]) / radii[2]) ** 2
        )
        return np.asarray((1 - np.sqrt(q)) * np.float32(min(radii)), dtype=np.float32)

    def pair(
        self,
        centre: tuple[float, float, float],
        radii: tuple[float, float, float],
        lean: float = 0.0,
    ) -> Floats:
        """Return the field of an ellipsoid and its mirror image, sheared by `lean` of x over y."""
        q = (
            ((np.abs(self.x) - centre[0] - lean * (self.y - centre[1])) / radii[0]) ** 2
            + ((self.y - centre[1]) / radii[1]) ** 2
            + ((self.z - centre[2]) / radii[2]) ** 2
        )
        return np.asarray((1 - np.sqrt(q)) * np.float32(min(radii)), dtype=np.float32)

    def put(self, depth: Floats, tissue: str) -> None:
        """Blend a tissue in where `depth` is positive."""
        mask = np.clip(depth * self.softness + np.float32(0.5), 0, 1)
        for k, table in enumerate(self.tables):
            self.volumes[k] += mask * (np.float32(table[tissue]) - self.volumes[k])


def volumes(
    build: HeadBuild, pictures: list[Values], size: int, spacing: float, levels: list[float]
) -> list[Floats]:
    """Return one volume (slices, size, size) float32 for each table of values, without noise."""
    space = _Space(size, spacing / build.scale, levels, pictures)
    rng = np.random.default_rng(build.seed)
    noise = _folds(rng, space, spacing / build.scale, levels)
    inner, cerebrum, cerebellum = _outside(space)
    _brain(space, inner, cerebrum, cerebellum, noise)
    _deep(space, build)
    _lesions(space, build, rng)
    return space.volumes


def _folds(
    rng: np.random.Generator, space: _Space, spacing: float, levels: list[float]
) -> tuple[Floats, Floats]:
    """Return the distance (mm) to the nearest sulcus and a slow field for unevenness."""
    step = abs(levels[1] - levels[0])
    wide = smooth_noise(rng, space.shape, (17 / step, 10.5 / spacing, 10.5 / spacing))
    wide = wide + np.float32(0.75) * wide[:, :, ::-1]
    fine = smooth_noise(rng, space.shape, (14 / step, 6 / spacing, 6 / spacing))
    field = wide + np.float32(0.2) * fine
    gy, gx = np.gradient(field, spacing, axis=(1, 2))
    slope = np.sqrt(gx**2 + gy**2) + np.float32(0.035)
    return (np.abs(field) / slope).astype(np.float32), fine


def _outside(space: _Space) -> tuple[Floats, Floats, Floats]:
    """Draw scalp, skull, face; return the fields of skull cavity, cerebrum and cerebellum."""
    x, y, z = space.x, space.y, space.z
    low = np.where(z < 10, (z - 10) * 0.42, z - 10) + 10
    q = np.sqrt((x / 78) ** 2 + ((y - 2) / 99) ** 2 + ((low - 6) / 92) ** 2)
    head = np.asarray((1 - q) * 78, dtype=np.float32)
    space.put(head, "skin")
    space.put(head - 2.0, "scalp")
    cerebrum = np.maximum(space.ellipsoid((0, 2, 14), (66, 83, 62)),
                          space.pair((37, -14, -24), (27, 38, 26)))  # fmt: skip
    flat = np.asarray(z + 26 + 0 * x + 0 * y, dtype=np.float32)
    cerebrum = np.maximum(np.minimum(cerebrum, np.maximum(flat, cerebrum - 14)),
                          space.pair((37, -14, -24), (27, 38, 26)))  # fmt: skip
    cerebellum = space.pair((21, 44, -44), (33, 34, 27))
    fossa = space.ellipsoid((0, 40, -46), (54, 41, 31))
    inner = np.maximum(np.maximum(cerebrum, fossa), cerebellum)
    base = np.asarray((-8 - z) * 0.6 + 0 * inner, dtype=np.float32)
    space.put(np.minimum(head - 6.5, base), "muscle")
    space.put(np.minimum(head - 5, inner + 8.5), "bone")
    space.put(np.minimum(np.minimum(head - 7.2, inner + 6.2), -(inner + 2.8)), "diploe")
    _face(space, head)
    space.put(inner + 1.2, "csf")
    return inner, cerebrum, cerebellum


def _face(space: _Space, head: Floats) -> None:
    x, y, z = space.x, space.y, space.z
    front = np.minimum(head - 4, np.asarray(-(y + 52) + 0 * x + 0 * z, dtype=np.float32))
    below = np.asarray(-28 - z + 0 * x + 0 * y, dtype=np.float32)
    space.put(np.minimum(front, below), "muscle")
    space.put(np.minimum(space.pair((36, -58, -42), (27, 34, 22)), head - 3), "bone")
    space.put(np.minimum(space.pair((35, -60, -42), (22, 31, 19)), head - 3), "orbit")
    space.put(space.pair((33, -76, -42), (12.2, 12.2, 12.2)), "eye")
    space.put(space.pair((33, -86, -42), (4.6, 2.2, 4.6)), "lens")
    space.put(space.pair((26, -52, -42), (2.4, 16, 2.4)), "muscle")
    space.put(np.minimum(space.ellipsoid((0, -66, -48), (15, 36, 26)), head - 8), "bone")
    cells = np.asarray(np.sin(x / 2.6) * np.sin(y / 3.4) + 0.7 + 0 * z, dtype=np.float32)
    space.put(np.minimum(space.ellipsoid((0, -66, -48), (12.5, 34, 24)), cells * 3), "air")
    space.put(np.minimum(space.pair((15, -84, -12), (13, 8, 15)), head - 7), "air")
    petrous = space.pair((46, 16, -40), (27, 13, 12))
    space.put(petrous, "bone")
    space.put(np.minimum(space.pair((58, 24, -44), (11, 13, 14)), cells * 2.5), "air")
    space.put(space.pair((66, 8, -44), (13, 3.2, 3.2)), "air")
    space.put(space.ellipsoid((0, -14, -34), (9, 8, 7)), "air")


def _brain(
    space: _Space, inner: Floats, cerebrum: Floats, cerebellum: Floats,
    folds: tuple[Floats, Floats],
) -> None:  # fmt: skip
    sulcus, fine = folds
    x, y, z = space.x, space.y, space.z
    fissure = np.abs(x) - np.where((y > -34) & (y < 30) & (z < 34), -9.0, 0.0) + 0 * (y + z)
    out = np.abs(x) - 36 + 0.012 * (y + 2) ** 2 + 0 * z
    insula = np.maximum(np.maximum(np.abs(out), np.abs(y + 2) - 21), np.abs(z - 4) - 17)
    mouth = np.maximum(np.maximum(np.abs(y + 5 - 0.35 * out - 0.5 * (z - 3)), -out),
                       np.abs(z - 3) - 13)  # fmt: skip
    sylvian = np.minimum(insula, mouth)
    reach = np.float32(1) - cerebrum / np.float32(19)
    near = np.minimum(np.minimum(sulcus + np.maximum(0, cerebrum - 17), fissure), sylvian)
    cleft = near - np.float32(1.25) * np.clip(reach + fine * 0.25, 0.0, 1)
    brain = np.minimum(cerebrum - 1.2, cleft)
    space.put(brain.astype(np.float32), "grey")
    ribbon = np.minimum(cerebrum, near + 0.2) - np.float32(4.0) + fine * np.float32(0.3)
    space.put(ribbon.astype(np.float32), "white")
    leaf = np.abs(np.sin((np.sqrt(x**2 + (y - 40) ** 2) + 0.35 * z) / 2.3)) * 2.4 - 0.5
    space.put(cerebellum, "grey")
    space.put(np.minimum(cerebellum - 1.2, 0.25 - leaf).astype(np.float32) * 0.5, "csf")
    space.put(cerebellum - 10 + fine * 1.5, "white")
    stem = np.minimum(
        (1 - np.sqrt((x / 14.5) ** 2 + ((y - 16 + 0.12 * z) / 13.5) ** 2)) * 13.5,
        np.minimum(-4 - z, z + 120),
    )
    space.put(np.minimum(space.ellipsoid((0, 15, -24), (20, 18, 15)), inner).astype(np.float32),
              "csf")  # fmt: skip
    space.put(stem.astype(np.float32), "brainstem")
    space.put(space.ellipsoid((0, 8, -34), (17, 13, 13)), "brainstem")
    edge = np.minimum(1.05 - np.abs(x), np.minimum(inner + 1, np.maximum(36 - 0 * x, z - 0)))
    callosal = np.maximum(np.maximum(z - 30, -(y + 40)), y - 36)
    space.put(np.minimum(edge, callosal).astype(np.float32), "falx")


def _deep(space: _Space, build: HeadBuild) -> None:
    v = build.ventricles
    space.put(space.pair((11, 9, 1), (9, 15, 10)), "deep")
    space.put(space.pair((15, -23, 6), (6.5, 10, 12)), "deep")
    space.put(space.pair((25, -5, 0), (7, 17, 11)), "deep")
    horns = np.maximum(
        np.maximum(space.pair((8.5, -26, 9), (4.2 * v, 14, 8 * v), -0.28),
                   space.pair((11, 4, 18), (5.5 * v, 30, 6.5 * v), 0.12)),
        np.maximum(space.pair((23, 34, 9), (6.5 * v, 16, 10 * v), 0.35),
                   space.pair((28, 54, 7), (4 * v, 12, 5 * v))),
    )  # fmt: skip
    horns = np.maximum(horns, space.pair((32, 4, -24), (3.2 * v, 13, 4 * v)))
    septum = np.asarray(np.abs(space.x) - 0.9 + 0 * space.y + 0 * space.z, dtype=np.float32)
    space.put(np.minimum(horns, septum), "csf")
    space.put(space.ellipsoid((0, 4, 0), (2.6 * v, 15, 10)), "csf")
    space.put(space.ellipsoid((0, 34, -36), (8 * v, 5.5 * v, 9)), "csf")
    space.put(space.ellipsoid((0, 24, -2), (11, 5, 6)), "csf")
    space.put(space.ellipsoid((0.6, 24, 0), (2.4, 2.4, 3)), "calcium")
    space.put(space.pair((23, 38, 9), (2.8, 4.5, 4)), "calcium")


def _lesions(space: _Space, build: HeadBuild, rng: np.random.Generator) -> None:
    if build.bleed_mm:
        r = build.bleed_mm / build.scale / 2
        wobble = smooth_noise(rng, space.shape, (2.5, 22, 22)) * 1.4
        core = space.ellipsoid((-29, -2, 4), (r * 0.9, r * 1.25, r))
        space.put(core + 5 + wobble, "oedema")
        space.put(core + wobble, "blood")
    if build.infarct:
        wedge: Floats = np.minimum(space.ellipsoid((44, 8, 12), (26, 34, 26)),
                           space.ellipsoid((0, 2, 14), (64, 81, 60)))  # fmt: skip
        space.put(wedge * np.float32(0.25), "infarct")
    for _ in range(build.plaques):
        side = rng.choice([-1, 1])
        at = (side * rng.uniform(14, 34), rng.uniform(-40, 45), rng.uniform(8, 34))
        r = rng.uniform(2.0, 5.5)
        space.put(space.ellipsoid(at, (r, r * rng.uniform(1, 1.8), r)), "plaque")


def with_mr_noise(volume: Floats, seed: int, noise: float, unevenness: float = 0.10) -> Floats:
    """Add the coil's slow unevenness and Rician noise; return (slices, rows, cols) float32."""
    rng = np.random.default_rng(seed)
    shape = volume.shape
    slow = 1 + unevenness * smooth_noise(rng, shape[1:], (shape[1] / 1.6, shape[2] / 1.6))
    real = volume * slow + rng.standard_normal(shape, dtype=np.float32) * np.float32(noise)
    imaginary = rng.standard_normal(shape, dtype=np.float32) * np.float32(noise)
    return np.asarray(np.sqrt(real**2 + imaginary**2), dtype=np.float32)
