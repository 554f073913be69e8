"""What presentation states cover, draw and write upon a picture."""

from pathlib import Path

import numpy as np
import pytest
from django.test import Client
from pydicom import Dataset, dcmread

from apps.core.uids import new_uid
from tests.dicomweb.conftest import Put
from tests.dicomweb.test_rendered import picture, pixels
from tests.factories.presentation import annotated, area, graphic, item, state_of

pytestmark = pytest.mark.django_db

SIZE = 64


def test_a_real_annotation_is_drawn_and_written(web: Client, put: Put, shared_data: Path) -> None:
    folder = shared_data / "dicom"
    state = dcmread(folder / "synthetic" / "GSPS_annotations_highdicom.dcm")
    uid = state.ReferencedSeriesSequence[0].ReferencedImageSequence[0].ReferencedSOPInstanceUID
    slices = map(dcmread, (folder / "volume-mr-sag-35-HFS").iterdir())
    put(next(ds for ds in slices if ds.SOPInstanceUID == uid), state)
    drawn = pixels(picture(web, state)).astype(int)
    del state.GraphicAnnotationSequence
    state.SOPInstanceUID = new_uid()
    put(state)
    changed = np.argwhere(drawn != pixels(picture(web, state)))
    assert {(40, column) for column in range(41, 200)} <= set(map(tuple, changed))  # its triangle
    text = changed[(changed[:, 0] >= 50) & (changed[:, 0] < 80) & (changed[:, 1] < 180)]
    assert len(text) > 100


ROWS, COLUMNS = np.mgrid[1 : SIZE + 1, 1 : SIZE + 1]
RECTANGLE = {"ShutterLeftVerticalEdge": 11, "ShutterRightVerticalEdge": 40,
             "ShutterUpperHorizontalEdge": 6, "ShutterLowerHorizontalEdge": 50}  # fmt: skip
CIRCLE = {"CenterOfCircularShutter": [30, 20], "RadiusOfCircularShutter": 12}
POLYGON = {"VerticesOfThePolygonalShutter": [1, 1, 1, 64, 64, 1]}
WITHIN_RECTANGLE = (COLUMNS >= 11) & (COLUMNS <= 40) & (ROWS >= 6) & (ROWS <= 50)
WITHIN_CIRCLE = (ROWS - 30) ** 2 + (COLUMNS - 20) ** 2 <= 144


@pytest.mark.parametrize(
    ("shape", "attributes", "opened"),
    [
        ("RECTANGULAR", RECTANGLE, WITHIN_RECTANGLE),
        ("CIRCULAR", CIRCLE, WITHIN_CIRCLE),
        ("POLYGONAL", POLYGON, ROWS + COLUMNS <= 65),
        (["RECTANGULAR", "CIRCULAR"], RECTANGLE | CIRCLE, WITHIN_RECTANGLE & WITHIN_CIRCLE),
    ],
)
def test_shutters_cover_what_they_do_not_leave_open(  # noqa: PLR0917 - parameters
    web: Client,
    put: Put,
    image: Dataset,
    shape: object,
    attributes: dict[str, object],
    opened: np.ndarray,
) -> None:
    plain = pixels(picture(web, put(image, state_of(image))))
    covered = {"ShutterShape": shape, "ShutterPresentationValue": 0x8000, **attributes}
    seen = pixels(picture(web, put(state_of(image, **covered))))
    assert np.array_equal(seen, np.where(opened, plain, 128))


def box(seen: np.ndarray) -> tuple[int, int, int, int]:
    """Left, top, right and bottom of what is white."""
    rows, columns = np.nonzero(seen > 200)
    return columns.min(), rows.min(), columns.max(), rows.max()


@pytest.mark.parametrize(
    ("drawn", "where"),
    [
        (graphic("POLYLINE", 10, 20, 50, 20, 50, 30), (10, 20, 50, 30)),
        (graphic("INTERPOLATED", 10, 20, 30, 20, 50, 20), (10, 20, 50, 20)),
        (graphic("CIRCLE", 30, 30, 40, 30), (20, 20, 40, 40)),
        (graphic("ELLIPSE", 10, 30, 50, 30, 30, 20, 30, 40), (10, 20, 50, 40)),
        (graphic("POINT", 30, 20), (25, 15, 35, 25)),
        (graphic("POLYLINE", 0.25, 0.5, 0.75, 0.5, units="DISPLAY"), (16, 32, 48, 32)),
    ],
)
def test_graphics_lie_where_the_state_says(
    web: Client, put: Put, image: Dataset, drawn: Dataset, where: tuple[int, int, int, int]
) -> None:
    plain = pixels(picture(web, put(image, annotated(image, drawn))))
    assert np.abs(np.subtract(box(plain), where)).max() <= 1
    # magnified, the line goes along and is no broader
    large = pixels(picture(web, put(annotated(image, drawn)), "viewport=256,256"))
    assert np.abs(np.subtract(box(large), np.multiply(where, 4)))[:2].max() <= (
        20 if drawn.GraphicType == "POINT" else 2
    )
    if drawn.GraphicType == "POLYLINE":
        assert (large[:, 120] > 200).sum() == 1


def test_graphics_turn_with_the_image(web: Client, put: Put, image: Dataset) -> None:
    line = graphic("POLYLINE", 10, 20, 50, 20)
    shown = graphic("POLYLINE", 0.5, 0.25, 0.5, 0.75, units="DISPLAY")
    turned = {"ImageRotation": 90, "ImageHorizontalFlip": "N"}
    state = put(image, annotated(image, line, **turned))
    assert np.abs(np.subtract(box(pixels(picture(web, state))), (44, 10, 44, 50))).max() <= 1
    state = put(annotated(image, shown, **turned))  # of the display: stays where it is
    assert np.abs(np.subtract(box(pixels(picture(web, state))), (32, 16, 32, 48))).max() <= 1
    corners = [area(9, 9, 56, 56)]
    state = put(annotated(image, line, DisplayedAreaSelectionSequence=corners))
    assert np.abs(np.subtract(box(pixels(picture(web, state))), (2, 12, 42, 12))).max() <= 1


def test_a_filled_graphic_is_full(web: Client, put: Put, image: Dataset) -> None:
    state = put(image, annotated(image, graphic("CIRCLE", 30, 30, 40, 30, filled="Y")))
    assert (pixels(picture(web, state)) > 200).sum() == pytest.approx(np.pi * 100, rel=0.15)


def test_text_is_written_in_its_box_or_at_its_anchor(web: Client, put: Put, image: Dataset) -> None:
    boxed = item(
        UnformattedTextValue="Nodule", BoundingBoxAnnotationUnits="PIXEL",
        BoundingBoxTopLeftHandCorner=[20.0, 40.0], BoundingBoxBottomRightHandCorner=[60.0, 52.0],
        BoundingBoxTextHorizontalJustification="LEFT",
    )  # fmt: skip
    anchored = item(UnformattedTextValue="7 mm", AnchorPointAnnotationUnits="PIXEL",
                    AnchorPoint=[4.0, 8.0], AnchorPointVisibility="N")  # fmt: skip
    left, top, right, bottom = box(
        pixels(picture(web, put(image, annotated(image, texts=(boxed,)))))
    )
    assert 19 <= left < right <= 62
    assert 39 <= top < bottom <= 54
    left, top, _, _ = box(pixels(picture(web, put(annotated(image, texts=(anchored,))))))
    assert (left, top) == (pytest.approx(4, abs=3), pytest.approx(11, abs=4))
