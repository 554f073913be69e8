"""Pictures as presentation states show them: greys, turns and overlays as dcmtk draws them."""

import subprocess
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from django.test import Client
from PIL import Image
from pydicom import Dataset, dcmread

from apps.accounts.domain import Role
from apps.accounts.models import Site
from apps.audit.models import AuditEvent
from apps.core.uids import new_uid
from tests.dicomweb.conftest import Put, multipart
from tests.dicomweb.test_dicomweb import paths
from tests.dicomweb.test_rendered import picture, pixels, uri
from tests.factories.dicom import as_file, ct_slice
from tests.factories.presentation import (
    COLOR,
    GRAYSCALE,
    annotated,
    area,
    graphic,
    item,
    reference,
    state_of,
    table,
    window,
)

pytestmark = pytest.mark.django_db

BLENDING = "1.2.840.10008.5.1.4.1.1.11.4"
SIZE = 64


@pytest.fixture
def as_dcmtk(web: Client, dcmtk: Callable[[str], str], tmp_path: Path) -> Callable[..., None]:
    """Assert that our picture is dcmtk's, to a level or two of its rounding.

    It writes overlays as pictures of their own, so they are put upon its picture here.
    """

    def compare(image: Dataset, state: Dataset, *, within: int = 1) -> None:
        (tmp_path / "image").write_bytes(as_file(image))
        (tmp_path / "state").write_bytes(as_file(state))
        subprocess.run(
            [dcmtk("dcmp2pgm"), "-v", "-p", "state", "image", "out"],
            cwd=tmp_path, capture_output=True, check=True, timeout=60,
        )  # fmt: skip
        expected = np.asarray(Image.open(tmp_path / "out"), int)
        for plane in tmp_path.glob("ovl_*.pgm"):
            expected = np.where(np.asarray(Image.open(plane)) > 0, 255, expected)
        ours = pixels(picture(web, state)).astype(int)
        assert ours.shape == expected.shape
        assert abs(ours - expected).max() <= within

    return compare


AsDcmtk = Callable[..., None]
MODALITY = {"RescaleSlope": 1, "RescaleIntercept": -1024, "RescaleType": "HU"}
CURVE = [round(255 * (number / 255) ** 2) for number in range(256)]
GREYS = {
    "no transformation": {},
    "of the modality": MODALITY,
    "a window": MODALITY | {"SoftcopyVOILUTSequence": [window(300, 900)]},
    "a window of stored values": {"SoftcopyVOILUTSequence": [window(300, 900)]},
    "inverse": MODALITY | {
        "SoftcopyVOILUTSequence": [window(300, 900)], "PresentationLUTShape": "INVERSE",
    },
    "a table of values": MODALITY | {
        "SoftcopyVOILUTSequence": [item(VOILUTSequence=[table(-100, CURVE)])]
    },
    "a table of the presentation": MODALITY | {
        "SoftcopyVOILUTSequence": [window(300, 900)],
        "PresentationLUTSequence": [table(0, CURVE)], "PresentationLUTShape": None,
    },
    "turned": {"ImageRotation": 90, "ImageHorizontalFlip": "N"},
    "over": {"ImageRotation": 180, "ImageHorizontalFlip": "N"},
    "turned and flipped": {"ImageRotation": 90, "ImageHorizontalFlip": "Y"},
    "back and flipped": {"ImageRotation": 270, "ImageHorizontalFlip": "Y"},
}  # fmt: skip


@pytest.mark.peer
@pytest.mark.parametrize("name", GREYS)
@pytest.mark.parametrize("kind", ["MONOCHROME2", "MONOCHROME1"])
def test_greys_and_turns_are_those_of_dcmtk(
    put: Put, as_dcmtk: AsDcmtk, image: Dataset, name: str, kind: str
) -> None:
    image.PhotometricInterpretation = kind
    state = state_of(image, **GREYS[name])
    if state.PresentationLUTShape is None:
        del state.PresentationLUTShape
    put(image, state)
    as_dcmtk(image, state, within=2 if "table" in name else 1)


@pytest.mark.peer
@pytest.mark.parametrize(
    ("image_name", "state_name"),
    [("imageForPrLUTs.dcm", "prLUTs.dcm"), ("overlay.dcm", "prOverlay.dcm")],
)
def test_real_states_are_drawn_as_dcmtk_does(
    put: Put, as_dcmtk: AsDcmtk, shared_data: Path, image_name: str, state_name: str
) -> None:
    folder = shared_data / "dicom" / "pr"
    image, state = dcmread(folder / image_name), dcmread(folder / state_name)
    put(image, state)
    as_dcmtk(image, state)


@pytest.mark.parametrize(
    ("corners", "part"),
    [
        ((9, 5, 40, 20), np.s_[4:20, 8:40]),
        ((40, 20, 9, 5), np.s_[4:20, 8:40]),  # as one names them of a picture turned over
    ],
)
def test_the_displayed_area_is_cut_out(
    web: Client, put: Put, image: Dataset, corners: tuple[int, ...], part: tuple[slice, slice]
) -> None:
    whole = pixels(picture(web, put(image, state_of(image))))
    state = put(state_of(image, DisplayedAreaSelectionSequence=[area(*corners)]))
    assert np.array_equal(pixels(picture(web, state)), whole[part])
    # a region and a viewport are of the picture that comes of it (PS3.18 8.3.5.1)
    cut = pixels(picture(web, state, "viewport=8,4,16,8,8,4"))
    assert np.array_equal(cut, whole[part][8:12, 16:24])
    assert pixels(picture(web, state, "viewport=64,64")).shape == (32, 64)


def test_an_area_beyond_the_image_is_black_there(web: Client, put: Put, image: Dataset) -> None:
    state = state_of(image, DisplayedAreaSelectionSequence=[area(-7, 1, SIZE, SIZE)])
    seen = pixels(picture(web, put(image, state)))
    assert seen.shape == (SIZE, SIZE + 8)
    assert not seen[:, :8].any()
    assert seen[1:, 8:].all(axis=0).any()


@pytest.mark.parametrize(
    ("more", "shape"),
    [
        ({"PresentationPixelAspectRatio": [2, 1]}, (128, 64)),
        ({"PresentationPixelSpacing": [0.5, 1.0], "PresentationPixelAspectRatio": None}, (64, 128)),
        ({"PresentationSizeMode": "MAGNIFY", "PresentationPixelMagnificationRatio": 3}, (192, 192)),
        ({"PresentationSizeMode": "TRUE SIZE", "PresentationPixelSpacing": [1, 1]}, (64, 64)),
    ],
)
def test_pixels_are_made_square_and_magnified(
    web: Client, put: Put, image: Dataset, more: dict[str, object], shape: tuple[int, int]
) -> None:
    displayed = area(1, 1, SIZE, SIZE, **more)
    state = put(image, state_of(image, DisplayedAreaSelectionSequence=[displayed]))
    assert pixels(picture(web, state)).shape == shape


def test_what_is_for_another_image_is_not_drawn(web: Client, put: Put, image: Dataset) -> None:
    other = ct_slice(study=image.StudyInstanceUID, series=image.SeriesInstanceUID, size=SIZE)
    state = annotated(image, graphic("POLYLINE", 10, 20, 50, 20))
    state.SoftcopyVOILUTSequence[0].ReferencedImageSequence = [reference(image)]
    state.SoftcopyVOILUTSequence.append(
        window(-1e6, 10, ReferencedImageSequence=[reference(other)])
    )
    state.ReferencedSeriesSequence[0].ReferencedImageSequence.append(reference(other))
    put(image, other, state)
    address = paths(state)[2]
    accept = {"Accept": "image/png"}
    first = web.get(f"{address}/frames/1/rendered", headers=accept)
    second = web.get(f"{address}/frames/2/rendered", headers=accept)
    assert 0 < (pixels(first) > 0).sum() < 100
    assert (pixels(second) == 255).all()
    assert web.get(f"{address}/frames/3/rendered", headers=accept).status_code == 404


def test_the_frames_that_a_state_refers_to_are_its_pictures(web: Client, put: Put) -> None:
    frames = [np.full((SIZE, SIZE), level, "<u2").tobytes() for level in (0, 2000, 4095)]
    image = ct_slice(size=SIZE, PixelRepresentation=0, NumberOfFrames=3, PixelData=b"".join(frames))
    every, some = state_of(image), state_of(image)
    [images] = [part.ReferencedImageSequence for part in some.ReferencedSeriesSequence]
    images[0].ReferencedFrameNumber = [3, 2]
    put(image, every, some)
    for state, levels in ((every, [0, 125, 255]), (some, [255, 125])):
        address = f"{paths(state)[2]}/frames"
        for place, level in enumerate(levels, 1):
            seen = web.get(f"{address}/{place}/rendered", headers={"Accept": "image/png"})
            assert set(pixels(seen).ravel()) == {level}
        beyond = web.get(f"{address}/{len(levels) + 1}/rendered", headers={"Accept": "image/png"})
        assert beyond.status_code == 404


def test_a_colour_image_is_shown_by_a_state_of_colours(web: Client, put: Put) -> None:
    colours = np.zeros((SIZE, SIZE, 3), np.uint8)
    colours[:, :32] = (200, 10, 30)
    colour = ct_slice(
        size=SIZE, SamplesPerPixel=3, PhotometricInterpretation="RGB", PlanarConfiguration=0,
        BitsAllocated=8, BitsStored=8, HighBit=7, PixelRepresentation=0,
        PixelData=colours.tobytes(),
    )  # fmt: skip
    state = annotated(colour, graphic("POLYLINE", 40, 20, 60, 20), ImageHorizontalFlip="Y")
    state.ImageRotation = 0
    state.SOPClassUID = COLOR
    seen = pixels(picture(web, put(colour, state)))
    assert tuple(seen[0, -1]) == (200, 10, 30)
    assert tuple(seen[0, 0]) == (0, 0, 0)
    assert tuple(seen[20, 10]) == (255, 255, 255)
    state.SOPClassUID, state.SOPInstanceUID = GRAYSCALE, new_uid()
    answer = picture(web, put(state))
    assert answer.status_code == 406
    assert "is of greys" in answer.json()["title"]


def test_a_thumbnail_and_an_etag_follow_the_state(web: Client, put: Put, image: Dataset) -> None:
    state = put(image, state_of(image, ImageRotation=90, ImageHorizontalFlip="N"))
    address = paths(state)[2]
    accept = {"Accept": "image/png"}
    thumbnail = pixels(web.get(f"{address}/thumbnail", headers=accept))
    large = pixels(picture(web, state, "viewport=128,128"))
    assert np.array_equal(thumbnail, large)
    first = picture(web, state)
    again = web.get(f"{address}/rendered", headers={**accept, "If-None-Match": first["ETag"]})
    assert again.status_code == 304
    assert picture(web, image)["ETag"] != first["ETag"]
    assert picture(web, state, "annotation=patient").content != first.content


OF_A_MATRIX = graphic("POINT", 1, 1, units="MATRIX")


@pytest.mark.parametrize(
    ("change", "query", "status", "words"),
    [
        ({}, "window=40,400,linear", 400, "says the window itself"),
        ({"ReferencedSeriesSequence": []}, "", 406, "refers to no image"),
        ({"ImageRotation": 45}, "", 406, "45 degrees"),
        ({"DisplayedAreaSelectionSequence": [area(1, 1, 9000, 9)]}, "", 406, "more than 8192"),
        ({"SOPClassUID": BLENDING}, "", 406, "no picture"),
        (
            {"GraphicAnnotationSequence": [item(GraphicObjectSequence=[OF_A_MATRIX])]},
            "", 406, "units of MATRIX",
        ),
    ],
)  # fmt: skip
def test_what_cannot_be_shown_is_said(  # noqa: PLR0917 - parameters
    web: Client, put: Put, image: Dataset, change: dict[str, object], query: str, status: int,
    words: str,
) -> None:  # fmt: skip
    answer = picture(web, put(image, state_of(image, **change)), query)
    assert answer.status_code == status
    assert words in answer.json()["title"]


def test_an_image_that_is_not_here_or_not_ones_own_looks_absent(
    client_of: Callable[..., Client], web: Client, put: Put, image: Dataset, east: Site
) -> None:
    absent = picture(web, put(state_of(image)))
    assert absent.status_code == 404
    assert "refers to is not here" in absent.json()["title"]
    elsewhere = client_of(Role.TECHNOLOGIST, east.code)
    hidden = ct_slice(size=SIZE, PatientID="P2")
    assert elsewhere.post("/dicom-web/studies", **multipart(as_file(hidden))).status_code == 200
    state = state_of(hidden)
    state.StudyInstanceUID = new_uid()  # its own study, at MAIN
    refused = picture(web, put(state))
    assert (refused.status_code, refused.json()) == (404, absent.json())
    of_it = AuditEvent.objects.filter(study_instance_uid=hidden.StudyInstanceUID)
    assert of_it.filter(event="studies.access-refused").exists()


def test_looking_at_a_state_is_looking_at_its_image(web: Client, put: Put, image: Dataset) -> None:
    state = state_of(image)
    state.StudyInstanceUID = new_uid()
    assert picture(web, put(image, state)).status_code == 200
    seen = AuditEvent.objects.filter(event="studies.retrieved")
    studies = set(seen.values_list("study_instance_uid", flat=True))
    assert studies == {image.StudyInstanceUID, state.StudyInstanceUID}


def test_wado_uri_shows_a_state_where_a_picture_is_asked_for(
    web: Client, put: Put, image: Dataset
) -> None:
    state = put(image, state_of(image, ImageRotation=90, ImageHorizontalFlip="N"))
    answer = web.get("/dicom-web/wado", uri(state, contentType="image/png"))
    assert np.array_equal(pixels(answer), pixels(picture(web, state)))
    assert web.get("/dicom-web/wado", uri(state))["Content-Type"] == "application/dicom"
    wrong = web.get("/dicom-web/wado", uri(state, contentType="image/png", region="0,0,1,1"))
    assert wrong.status_code == 400


def test_wado_uri_shows_an_image_by_a_state(web: Client, put: Put, image: Dataset) -> None:
    other = ct_slice(study=image.StudyInstanceUID, series=image.SeriesInstanceUID, size=SIZE)
    state = put(image, other, state_of(image, ImageRotation=90, ImageHorizontalFlip="N"))
    by = {
        "contentType": "image/png",
        "presentationSeriesUID": state.SeriesInstanceUID,
        "presentationUID": state.SOPInstanceUID,
    }
    answer = web.get("/dicom-web/wado", uri(image, **by))
    assert np.array_equal(pixels(answer), pixels(picture(web, state)))
    for ds, change, status in (
        (image, {"presentationSeriesUID": ""}, 400),
        (image, {"windowCenter": "40", "windowWidth": "400"}, 400),
        (image, {"region": "0,0,1,1"}, 400),
        (image, {"presentationUID": new_uid()}, 404),
        (image, {"presentationSeriesUID": image.SeriesInstanceUID,
                 "presentationUID": other.SOPInstanceUID}, 400),
        (other, {}, 406),
    ):  # fmt: skip
        assert web.get("/dicom-web/wado", uri(ds, **by | change)).status_code == status, change
