"""Whatever a presentation state holds, a picture comes of it or words that say why not."""

import contextlib
import io
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image
from pydicom import Dataset
from pydicom.dataelem import DataElement
from pydicom.tag import BaseTag

from apps.studies.imaging.decode import Frame, PresentationError
from apps.studies.imaging.presented import draw
from apps.studies.imaging.render import Rendering
from tests.factories.dicom import ct_slice
from tests.factories.presentation import annotated, area, graphic, item, table, window

SIZE = 16
PNG = Rendering(media_type="image/png")
NUMBERS = st.one_of(
    st.integers(-(2**31), 2**31 - 1), st.floats(width=32), st.sampled_from([0, 1, -1, 16, 90])
)
VALUES = st.one_of(
    st.none(), NUMBERS, st.text(max_size=8), st.lists(NUMBERS, max_size=8), st.binary(max_size=9)
)


def rich(image: Dataset) -> Dataset:
    """A state that has something of everything."""
    text = item(
        UnformattedTextValue="Nodule", BoundingBoxAnnotationUnits="DISPLAY",
        BoundingBoxTopLeftHandCorner=[0.1, 0.1], BoundingBoxBottomRightHandCorner=[0.5, 0.2],
        AnchorPointAnnotationUnits="PIXEL", AnchorPoint=[4.0, 8.0], AnchorPointVisibility="Y",
    )  # fmt: skip
    kinds = (
        graphic("POINT", 3, 3), graphic("POLYLINE", 1, 2, 5, 6), graphic("CIRCLE", 8, 8, 10, 8),
        graphic("ELLIPSE", 1, 3, 5, 3, 3, 2, 3, 4), graphic("INTERPOLATED", 1, 1, 5, 5, 9, 1),
    )  # fmt: skip
    ds = annotated(image, *kinds, texts=(text,), ImageRotation=90, ImageHorizontalFlip="Y")
    ds.ModalityLUTSequence = [table(0, list(range(256)))]
    ds.SoftcopyVOILUTSequence = [window(100, 200), item(VOILUTSequence=[table(-3, [1, 2, 3])])]
    ds.PresentationLUTSequence = [table(0, list(range(256)))]
    ds.DisplayedAreaSelectionSequence = [area(1, 1, 12, 9, PresentationSizeMode="MAGNIFY")]
    ds.DisplayedAreaSelectionSequence[0].PresentationPixelMagnificationRatio = 2
    ds.ShutterShape = ["RECTANGULAR", "CIRCULAR", "POLYGONAL", "BITMAP"]
    ds.ShutterLeftVerticalEdge = ds.ShutterUpperHorizontalEdge = 2
    ds.ShutterRightVerticalEdge = ds.ShutterLowerHorizontalEdge = 14
    ds.CenterOfCircularShutter, ds.RadiusOfCircularShutter = [8, 8], 6
    ds.VerticesOfThePolygonalShutter = [1, 1, 16, 1, 16, 16, 1, 16]
    ds.ShutterOverlayGroup, ds.ShutterPresentationValue = 0x6002, 0x4000
    for group in (0x6000, 0x6002):
        ds.add_new((group, 0x0010), "US", SIZE)
        ds.add_new((group, 0x0011), "US", SIZE)
        ds.add_new((group, 0x0050), "SS", [1, 1])
        ds.add_new((group, 0x3000), "OB", bytes(SIZE * SIZE // 8 - 1) + b"\xff")
    ds.add_new((0x6000, 0x1001), "CS", "ONE")
    return ds


def drawn(image: Dataset, state: Dataset) -> np.ndarray:
    syntax = "1.2.840.10008.1.2.1"
    of: Any = SimpleNamespace(sop_instance_uid=image.SOPInstanceUID, transfer_syntax_uid=syntax)
    pixels = np.arange(SIZE * SIZE, dtype="<u2").reshape(SIZE, SIZE)
    shown: Any = SimpleNamespace(item=of, number=1, state=state)
    return np.asarray(Image.open(io.BytesIO(draw(Frame(pixels, image, 1), shown, PNG))))


def elements(ds: Dataset) -> list[tuple[Dataset, BaseTag]]:
    found = []
    for element in ds:
        found.append((ds, element.tag))
        if element.VR == "SQ":
            found += [inner for part in element.value for inner in elements(part)]
    return found


def test_a_state_of_everything_is_drawn() -> None:
    image = ct_slice(size=SIZE, PixelRepresentation=0)
    assert drawn(image, rich(image)).shape == (24, 18)  # 12 by 9, magnified and turned


@settings(max_examples=120, deadline=None)
@given(st.data())
def test_a_state_without_an_element_or_with_another_value(data: st.DataObject) -> None:
    image = ct_slice(size=SIZE, PixelRepresentation=0)
    state = rich(image)
    for _ in range(data.draw(st.integers(1, 3))):
        holder, tag = data.draw(st.sampled_from(elements(state)))
        if tag not in holder:
            continue
        if data.draw(st.booleans()):
            del holder[tag]
        elif holder[tag].VR != "SQ":
            holder[tag] = lax(tag, holder[tag].VR, data.draw(VALUES))
    if "SOPClassUID" not in state:
        return
    with contextlib.suppress(PresentationError):  # and nothing else
        assert drawn(image, state).size


def lax(tag: BaseTag, vr: str, value: object) -> DataElement:
    """An element as a file may have it, which pydicom would refuse to make."""
    element = DataElement(tag, vr, None)
    element._value = value
    return element


def test_a_shutter_without_its_edges_is_said() -> None:
    image = ct_slice(size=SIZE, PixelRepresentation=0)
    state = rich(image)
    del state.ShutterLeftVerticalEdge
    with pytest.raises(PresentationError, match="missing or has a wrong value"):
        drawn(image, state)
