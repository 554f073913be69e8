"""Pictures by their parameters, videos as they are, and WADO-URI."""

import io

import numpy as np
import pytest
from PIL import Image
from pydicom import dcmread

from tests.dicomweb.conftest import multipart
from tests.dicomweb.test_dicomweb import paths
from tests.factories.dicom import as_file, ct_slice, dataset_bytes

pytestmark = pytest.mark.django_db


@pytest.fixture
def stored(web):
    ds = ct_slice(size=64)
    web.post("/dicom-web/studies", **multipart(as_file(ds)))
    return ds


def pixels(answer) -> np.ndarray:
    assert answer.status_code == 200, answer.content
    return np.asarray(Image.open(io.BytesIO(answer.content)))


def picture(web, ds, query="", accept="image/png"):
    return web.get(f"{paths(ds)[2]}/rendered?{query}", headers={"Accept": accept})


@pytest.mark.parametrize(
    ("region", "part"),
    [
        ("8,4,16,8", np.s_[4:12, 8:24]),
        ("8,4,-16,8", np.s_[4:12, 23:7:-1]),
        ("8,4,16,-8", np.s_[11:3:-1, 8:24]),
    ],
)
def test_a_region_is_cut_out_and_turned_over(web, stored, region, part):
    whole = pixels(picture(web, stored))
    assert np.array_equal(pixels(picture(web, stored, f"viewport=16,8,{region}")), whole[part])


def test_annotations_are_written_into_the_picture(web, stored):
    plain = pixels(picture(web, stored, "viewport=512,512"))
    marked = pixels(picture(web, stored, "viewport=512,512&annotation=patient,technique"))
    changed = np.argwhere(plain != marked)
    assert len(changed) > 200
    assert changed.max() < 400
    assert picture(web, stored, "annotation=birthmark").status_code == 400


def test_gif_and_icc_profile(web, stored):
    assert picture(web, stored, accept="image/gif").content[:4] == b"GIF8"
    colour = ct_slice(SamplesPerPixel=3, PhotometricInterpretation="RGB", PlanarConfiguration=0,
                      BitsAllocated=8, BitsStored=8, HighBit=7, PixelRepresentation=0,
                      PixelData=bytes(range(256)) * 3)  # fmt: skip
    web.post("/dicom-web/studies", **multipart(as_file(colour)))
    for wish, embedded in (("no", False), ("yes", True), ("srgb", True)):
        answer = picture(web, colour, f"iccprofile={wish}", accept="image/jpeg")
        image = Image.open(io.BytesIO(answer.content))
        assert bool(image.info.get("icc_profile")) is embedded
    assert picture(web, colour, "iccprofile=prophoto").status_code == 400


@pytest.mark.parametrize("wrong", ["viewport=5", "viewport=5,5,1,1", "viewport=5,5,0,0,0,9"])
def test_a_viewport_that_makes_no_sense_says_so(web, stored, wrong):
    assert picture(web, stored, wrong).status_code == 400


def test_a_video_is_passed_through(web, shared_data):
    for path in sorted((shared_data / "dicom" / "synthetic").glob("*")):
        ds = dcmread(path, stop_before_pixels=True, force=True)
        syntax = str(ds.file_meta.get("TransferSyntaxUID", ""))
        if not syntax.startswith("1.2.840.10008.1.2.4.10"):
            continue
        web.post("/dicom-web/studies", **multipart(path.read_bytes()))
        answer = web.get(f"{paths(ds)[2]}/rendered", headers={"Accept": "video/*"})
        assert answer["Content-Type"] in ("video/mp4", "video/mpeg"), path.name
        stream = b"".join(answer.streaming_content)
        assert len(stream) > 1000
        assert stream in path.read_bytes()
        assert picture(web, ds).status_code == 406


def uri(ds, **more: str) -> dict[str, str]:
    return {
        "requestType": "WADO",
        "studyUID": ds.StudyInstanceUID,
        "seriesUID": ds.SeriesInstanceUID,
        "objectUID": ds.SOPInstanceUID,
    } | more


def test_wado_uri_gives_the_object_and_its_picture(web, stored):
    answer = web.get("/dicom-web/wado", uri(stored, contentType="application/dicom"))
    assert answer["Content-Type"] == "application/dicom"
    assert dataset_bytes(b"".join(answer.streaming_content)) == dataset_bytes(as_file(stored))
    implicit = {"contentType": "application/dicom", "transferSyntax": "1.2.840.10008.1.2"}
    answer = web.get("/dicom-web/wado", uri(stored, **implicit))
    assert dcmread(io.BytesIO(b"".join(answer.streaming_content))) == stored
    default = web.get("/dicom-web/wado", uri(stored))
    assert default["Content-Type"] == "image/jpeg"
    old = {"windowCenter": "40", "windowWidth": "400", "rows": "32", "contentType": "image/png"}
    seen = pixels(web.get("/dicom-web/wado", uri(stored, **old)))
    new = pixels(picture(web, stored, "window=40,400,linear&viewport=32,32"))
    assert np.array_equal(seen, new)


@pytest.mark.parametrize(
    ("change", "status"),
    [
        ({"requestType": "OTHER"}, 400),
        ({"objectUID": ""}, 400),
        ({"objectUID": "1.2.3"}, 404),
        ({"anonymize": "yes"}, 400),
        ({"windowCenter": "40"}, 400),
        ({"contentType": "text/plain"}, 406),
        ({"contentType": "application/dicom", "transferSyntax": "1.2.840.10008.1.2.5"}, 406),
    ],
)
def test_wado_uri_says_what_is_wrong(web, stored, change, status):
    assert web.get("/dicom-web/wado", uri(stored, **change)).status_code == status
