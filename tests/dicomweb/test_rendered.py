"""Pictures by their parameters, videos as they are, and WADO-URI."""

import io

import numpy as np
import pytest
from PIL import Image
from pydicom import dcmread
from pydicom.uid import EncapsulatedPDFStorage

from apps.core.uids import new_uid
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


def test_a_name_is_written_in_its_own_letters(web):
    seen = []
    for name in ("Ößler", "Ωßler", "Жßler"):
        ds = ct_slice(size=64, PatientName=name, PatientID=new_uid()[-16:])
        ds.SpecificCharacterSet = "ISO_IR 192"
        web.post("/dicom-web/studies", **multipart(as_file(ds)))
        seen.append(pixels(picture(web, ds, "viewport=512,512&annotation=patient")))
    title = [one[:30, :60] for one in seen]  # the first letter, and no box in place of it
    assert not any(np.array_equal(title[a], title[b]) for a, b in ((0, 1), (0, 2), (1, 2)))


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


def test_wado_uri_cuts_out_a_region(web, stored):
    """`region` is in parts of the image, `viewport` in pixels of it (PS3.18 9.1.2.2, 8.3.5)."""
    whole = pixels(picture(web, stored))
    height, width = whole.shape
    asked = {"region": "0.25,0.5,0.75,1", "contentType": "image/png"}
    seen = pixels(web.get("/dicom-web/wado", uri(stored, **asked)))
    assert np.array_equal(seen, whole[height // 2 :, width // 4 : width * 3 // 4])
    for wrong in ("0,0,1", "0.5,0,0.5,1", "0,0,2,1", "a,b,c,d"):
        answer = web.get("/dicom-web/wado", uri(stored, **{**asked, "region": wrong}))
        assert answer.status_code == 400, wrong


def test_a_pdf_is_passed_through_by_every_door(web):
    """An odd number of bytes: the one that fills up is not of the document."""
    document = b"%PDF-1.7 a document of odd length"
    assert len(document) % 2
    ds = ct_slice(Modality="DOC", EncapsulatedDocument=document + b"\0",
                  MIMETypeOfEncapsulatedDocument="application/pdf",
                  EncapsulatedDocumentLength=len(document))  # fmt: skip
    ds.SOPClassUID = EncapsulatedPDFStorage
    for keyword in ("PixelData", "Rows", "Columns", "BitsAllocated"):
        delattr(ds, keyword)
    assert web.post("/dicom-web/studies", **multipart(as_file(ds))).status_code == 200
    for answer in (
        picture(web, ds, accept="application/pdf"),
        picture(web, ds, accept="*/*"),
        web.get("/dicom-web/wado", uri(ds)),
        web.get("/dicom-web/wado", uri(ds, contentType="application/pdf")),
    ):
        assert answer.status_code == 200
        assert answer["Content-Type"] == "application/pdf"
        assert answer.content == document
    assert picture(web, ds, accept="image/png").status_code == 406
    whole = web.get("/dicom-web/wado", uri(ds, contentType="application/dicom"))
    assert whole["Content-Type"] == "application/dicom"


def test_wado_uri_gives_what_cannot_be_shown_as_the_object(web):
    ds = ct_slice(Modality="SR")
    for keyword in ("PixelData", "Rows", "Columns", "BitsAllocated"):
        delattr(ds, keyword)
    web.post("/dicom-web/studies", **multipart(as_file(ds)))
    assert web.get("/dicom-web/wado", uri(ds))["Content-Type"] == "application/dicom"
