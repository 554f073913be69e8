"""WADO-RS: bulk data and pixel data of a study, a series and an instance."""

import numpy as np
import pytest
from pydicom.dataset import Dataset
from pydicom.uid import DeflatedExplicitVRLittleEndian, RLELossless

from apps.core.uids import new_uid
from tests.dicomweb.conftest import multipart
from tests.dicomweb.test_dicomweb import parts_of, paths
from tests.factories.dicom import as_file, ct_slice

pytestmark = pytest.mark.django_db
PARTS = 'multipart/related; type="application/octet-stream"'
AS_STORED = f"{PARTS}; transfer-syntax=*"
LUT = bytes(range(256)) * 8


@pytest.fixture
def three(web) -> list[Dataset]:
    """A native slice with a long value in a sequence, one compressed of two frames, a report."""
    study = new_uid()
    deep = Dataset()
    deep.LUTDescriptor, deep.LUTData = [1024, 0, 16], LUT
    deep["LUTData"].VR = "OW"
    native = ct_slice(study=study, number=5, ModalityLUTSequence=[deep])
    rle = ct_slice(study=study, NumberOfFrames=2)
    rle.PixelData = rle.PixelData + (np.frombuffer(rle.PixelData, "<u2")[::-1]).tobytes()
    rle["PixelData"].VR = "OW"
    as_file(rle)
    rle.compress(RLELossless, generate_instance_uid=False)
    words = ct_slice(study=study, Modality="SR")
    for keyword in ("PixelData", "Rows", "Columns", "BitsAllocated", "NumberOfFrames"):
        words.pop(keyword, None)
    files = (as_file(native), as_file(rle, RLELossless), as_file(words))
    assert web.post("/dicom-web/studies", **multipart(*files)).status_code == 200
    return [native, rle, words]


def fetched(web, address: str, accept: str) -> dict[str, tuple[str, bytes]]:
    answer = web.get(address, headers={"Accept": accept})
    assert answer.status_code == 200
    return {
        headers["Content-Location"].removeprefix("http://testserver"): (
            headers["Content-Type"],
            content,
        )
        for headers, content in parts_of(answer)
    }


def test_all_bulk_data_of_a_study_a_part_each(web, three):
    native, rle, _ = three
    study, _, first = paths(native)
    _, _, second = paths(rle)
    found = fetched(web, f"{study}/bulkdata", AS_STORED)
    lut, pixels = f"{first}/bulkdata/00283000/0/00283006", f"{first}/bulkdata/7FE00010"
    frames = [f"{second}/frames/1", f"{second}/frames/2"]
    assert set(found) == {lut, pixels, *frames}
    assert [one for one in found if one in frames] == frames
    assert [one for one in found if one not in frames] == [lut, pixels]
    assert found[lut] == ("application/octet-stream", LUT)
    assert found[pixels][1] == native.PixelData
    assert found[pixels][0].endswith("transfer-syntax=1.2.840.10008.1.2.1")
    for number, frame in enumerate(frames, 1):
        [one] = fetched(web, frame, AS_STORED).values()
        assert found[frame] == one, number
        assert one[0].endswith(f"transfer-syntax={RLELossless}")
    for address in found:  # each is what its own address gives
        answer = web.get(address, headers={"Accept": "application/octet-stream; transfer-syntax=*"})
        assert answer.content == found[address][1]


def test_the_addresses_are_those_of_the_metadata(web, three):
    native, *_ = three
    _, series, instance = paths(native)
    [row] = web.get(f"{series}/metadata").json()
    [deep] = row["00283000"]["Value"]
    named = {deep["00283006"]["BulkDataURI"], row["7FE00010"]["BulkDataURI"]}
    found = fetched(web, f"{instance}/bulkdata", PARTS)
    assert {f"http://testserver{address}" for address in found} == named


def test_pixel_data_alone_decoded_where_it_is_compressed(web, three):
    native, rle, _ = three
    study, *_ = paths(native)
    found = fetched(web, f"{study}/pixeldata", PARTS)
    assert found.pop(f"{paths(native)[2]}/bulkdata/7FE00010")[1] == native.PixelData
    rle.decompress(generate_instance_uid=False)
    assert list(found) == [f"{paths(rle)[2]}/frames/{number}" for number in (1, 2)]
    assert b"".join(content for _, content in found.values()) == rle.PixelData
    assert all(kind.endswith("transfer-syntax=1.2.840.10008.1.2.1") for kind, _ in found.values())


def test_the_only_value_goes_out_alone_and_in_ranges(web, three):
    native, *_ = three
    _, series, instance = paths(native)
    alone = web.get(f"{series}/pixeldata", headers={"Accept": "application/octet-stream"})
    assert alone.getvalue() == native.PixelData
    part = web.get(
        f"{instance}/pixeldata",
        headers={"Accept": "application/octet-stream", "Range": "bytes=10-19"},
    )
    assert part.status_code == 206
    assert part["Content-Range"] == f"bytes 10-19/{len(native.PixelData)}"
    assert part.getvalue() == native.PixelData[10:20]
    beyond = web.get(
        f"{instance}/pixeldata",
        headers={"Accept": "application/octet-stream", "Range": "bytes=99999-"},
    )
    assert beyond.status_code == 416


def test_pixels_of_deflated_objects_are_found_too(web):
    """Where they lie is not in the index: the object has to be read."""
    ds = ct_slice(number=7)
    file = as_file(ds, DeflatedExplicitVRLittleEndian)
    assert web.post("/dicom-web/studies", **multipart(file)).status_code == 200
    for what in ("bulkdata", "pixeldata"):
        [(kind, content)] = fetched(web, f"{paths(ds)[1]}/{what}", PARTS).values()
        assert content == ds.PixelData
        assert kind.endswith("transfer-syntax=1.2.840.10008.1.2.1")


def test_what_cannot_be_given_is_left_out_or_refused(web, three):
    native, _, words = three
    study, series, _ = paths(native)
    rle_only = 'multipart/related; type="image/dicom-rle"'
    some = web.get(f"{study}/bulkdata", headers={"Accept": rle_only})
    assert some.status_code == 206
    assert some["Warning"].startswith("299")
    assert len(parts_of(some)) == 2
    assert web.get(f"{series}/pixeldata", headers={"Accept": rle_only}).status_code == 406
    assert web.get(f"{paths(words)[2]}/bulkdata").status_code == 404
    assert web.get(f"/dicom-web/studies/{new_uid()}/bulkdata").status_code == 404
