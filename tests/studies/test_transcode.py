"""Transcoding: the pixels dcmtk and imagecodecs see, and what the data set says of them."""

import subprocess
from collections.abc import Callable
from io import BytesIO
from pathlib import Path

import numpy as np
import pydicom
import pytest
from pydicom import dcmread

from apps.accounts.selectors import actor_for_ae
from apps.core import clock
from apps.studies.retrieve import select, transcoded_part10
from apps.studies.services import instances_record
from tests.factories.dicom import stage

pytestmark = pytest.mark.django_db
OWN = Path(pydicom.__file__).parent / "data" / "test_files"
EXPLICIT, IMPLICIT = "1.2.840.10008.1.2.1", "1.2.840.10008.1.2"


@pytest.fixture
def given_in(settings) -> Callable[[Path, str], pydicom.Dataset]:
    settings.ISOCENTER_OPEN_AE = True
    actor = actor_for_ae("CT_1", "127.0.0.1").actor

    def give(path: Path, syntax: str) -> pydicom.Dataset:
        instances_record(actor=actor, batch=[stage(path)], at=clock.now(), door="dimse")
        uid = str(dcmread(path, stop_before_pixels=True).SOPInstanceUID)
        [selection] = select(actor=actor, door="dimse", sop_instance_uids=[uid])
        given = transcoded_part10(selection.items[0], syntax, selection.identity)
        ds = dcmread(BytesIO(b"".join(given)))
        assert ds.SOPInstanceUID == uid
        assert ds.file_meta.TransferSyntaxUID == syntax
        return ds

    return give


@pytest.mark.parametrize("syntax", [EXPLICIT, IMPLICIT])
@pytest.mark.parametrize(
    "case",
    [
        ("MR_small_jpeg_ls_lossless.dcm", "dcmdjpls"),
        ("SC_jpeg_no_color_transform.dcm", "dcmdjpeg"),
        ("JPEG-lossy.dcm", "dcmdjpeg"),
        ("MR_small_RLE.dcm", "dcmdrle"),
    ],
)
def test_pixels_are_those_of_dcmtk(given_in, dcmtk, tmp_path, case, syntax):
    name, program = case
    plain = tmp_path / "plain.dcm"
    done = subprocess.run([dcmtk(program), str(OWN / name), str(plain)], check=False)
    assert done.returncode == 0
    assert np.array_equal(given_in(OWN / name, syntax).pixel_array, dcmread(plain).pixel_array)


@pytest.mark.parametrize(
    ("name", "method"),
    [
        ("JPEG2000.dcm", "ISO_15444_1"),
        ("JPEG-lossy.dcm", "ISO_10918_1"),
        ("MR_small_jp2klossless.dcm", ""),
        ("MR_small_jpeg_ls_lossless.dcm", ""),
    ],
)
def test_what_was_lost_before_is_said_after(given_in, name, method):
    before = dcmread(OWN / name)
    after = given_in(OWN / name, EXPLICIT)
    if not method:
        assert after.get("LossyImageCompression") == before.get("LossyImageCompression")
        return
    assert after.LossyImageCompression == "01"
    if before.get("LossyImageCompression") == "01":
        ratio = "LossyImageCompressionRatio"
        assert after.get(ratio) == before.get(ratio)
    else:
        assert after.LossyImageCompressionMethod == method
        assert float(after.LossyImageCompressionRatio) > 1


def test_every_shared_syntax_of_one_ct_is_given_uncompressed(given_in, shared_data):
    folder = shared_data / "dicom" / "ts-one-ct-in-13-syntaxes"
    reference = dcmread(folder / "CTImage.dcm").pixel_array
    lossy = ("4.50", "4.51", "4.53", "4.55", "4.81", "4.91")
    for path in sorted(folder.glob("CTImage.dcm_*")):
        stored = dcmread(path)
        one = given_in(path, IMPLICIT)
        number = str(stored.file_meta.TransferSyntaxUID).removeprefix("1.2.840.10008.1.2.")
        difference = np.abs(one.pixel_array.astype(int) - reference.astype(int))
        if number in lossy:
            assert one.LossyImageCompression == "01" or number == "4.91", path.name
        else:
            assert not difference.any(), path.name


def test_htj2k_jpeg_xl_and_12_bit_jpeg_are_given_uncompressed(
    given_in, shared_data, dcmtk, tmp_path
):
    folder = shared_data / "dicom"
    for name, like in (
        ("synthetic/CT1_HTJ2K_RPCL.202.dcm", "ts-wg04/CT1_UNC"),
        ("synthetic/VL1_JPEGXL_lossless.110.dcm", "ts-wg04/VL1_UNC"),
    ):
        one = given_in(folder / name, EXPLICIT)
        assert np.array_equal(one.pixel_array, dcmread(folder / like).pixel_array), name
    path, plain = folder / "ts-wg04" / "XA1_JPLY", tmp_path / "plain.dcm"
    subprocess.run([dcmtk("dcmdjpeg"), str(path), str(plain)], check=True)
    jpeg = given_in(path, EXPLICIT)
    theirs = dcmread(plain).pixel_array.astype(int)
    assert np.abs(jpeg.pixel_array.astype(int) - theirs).max() <= 1
    assert jpeg.LossyImageCompression == "01"
