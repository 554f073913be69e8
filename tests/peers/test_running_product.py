"""dcmtk and dicomweb-client against the product as `make up` starts it.

What one stores the other finds and fetches, compared with the files that were sent.
"""

import subprocess
from collections.abc import Callable, Iterable
from pathlib import Path

import pydicom
import pytest
from dicomweb_client.api import DICOMwebClient
from pydicom import Dataset, dcmread
from requests import HTTPError

from apps.core.uids import new_uid
from tests.dimse.peers import running
from tests.factories.dicom import as_file, ct_slice, dataset_bytes
from tests.product import Product, free_ports

pytestmark = [pytest.mark.peer, pytest.mark.e2e]

OWN = Path(pydicom.__file__).parent / "data" / "test_files"
COMPRESSED = {"MR_small_RLE.dcm": "-xr", "MR_small_jp2klossless.dcm": "-xv"}
"""Files of pydicom's own, and dcmtk's option that proposes their transfer syntax."""
DATA_SET_TRAILING_PADDING = 0xFFFCFFFC
ASIS = (("application/dicom", "*"),)


def cts(patient: str) -> list[Dataset]:
    """A study of two series, of two slices and of one."""
    study, first, second = new_uid(), new_uid(), new_uid()
    about = {"PatientID": patient, "AccessionNumber": patient}
    return [
        ct_slice(study=study, series=first, number=1, **about),
        ct_slice(study=study, series=first, number=2, **about),
        ct_slice(study=study, series=second, number=1, SeriesNumber=2, **about),
    ]


def compressed(name: str, patient: str) -> Dataset:
    """A file of pydicom's as one of a patient here."""
    ds = dcmread(OWN / name)
    ds.PatientID, ds.StudyInstanceUID = patient, new_uid()
    ds.SeriesInstanceUID, ds.SOPInstanceUID = new_uid(), new_uid()
    ds.remove_private_tags()
    del ds[DATA_SET_TRAILING_PADDING]  # dcmtk does not send it
    ds["PixelData"].VR = "OB"  # as dcmtk sends it (PS3.5 A.4)
    return ds


def written(slices: Iterable[Dataset], folder: Path) -> list[str]:
    folder.mkdir(exist_ok=True)
    files = []
    for ds in slices:
        syntax = ds.file_meta.TransferSyntaxUID if hasattr(ds, "file_meta") else None
        file = folder / f"{ds.SOPInstanceUID}.dcm"
        file.write_bytes(as_file(ds, syntax) if syntax else as_file(ds))
        files.append(str(file))
    return files


def data_sets(folder: Path) -> dict[str, bytes]:
    """The data sets of the files in a folder, by SOP Instance UID."""
    return {
        str(dcmread(path, stop_before_pixels=True).SOPInstanceUID): dataset_bytes(path.read_bytes())
        for path in folder.iterdir()
    }


class Dcmtk:
    """dcmtk's programs, as the node DCMTK, which may do everything."""

    def __init__(self, product: Product, program: Callable[[str], str]) -> None:
        self.product, self.program = product, program
        [self.port] = free_ports(1)
        product.manage("register_ae", "DCMTK", "127.0.0.1", str(self.port))

    def __call__(self, name: str, *options: str, files: Iterable[str] = ()) -> str:
        product = self.product
        peer = ["-aet", "DCMTK", "-aec", product.ae_title, "127.0.0.1", str(product.dicom_port)]
        done = subprocess.run(
            [self.program(name), "-v", *options, *peer, *files],
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
        )
        assert done.returncode == 0, (name, options, done.stdout + done.stderr)
        return done.stdout + done.stderr

    def find(self, folder: Path, model: str, level: str, **keys: str) -> list[Dataset]:
        folder.mkdir()
        words = [f"QueryRetrieveLevel={level}", *(f"{k}={v}" for k, v in keys.items())]
        self("findscu", model, "-X", "-od", str(folder), *keyed(words))
        return [dcmread(path, force=True) for path in sorted(folder.iterdir())]

    def got(self, folder: Path, study: str) -> dict[str, bytes]:
        """C-GET a study; its data sets by SOP Instance UID."""
        folder.mkdir()
        words = ["QueryRetrieveLevel=STUDY", f"StudyInstanceUID={study}"]
        self("getscu", "-S", "+B", "-od", str(folder), *keyed(words))
        return data_sets(folder)

    def moved(self, folder: Path, level: str, **keys: str) -> dict[str, bytes]:
        """C-MOVE to a storescp that takes every transfer syntax; what came to it."""
        folder.mkdir()
        storescp = [self.program("storescp"), "-od", str(folder), "+B", "+xa", str(self.port)]
        words = [f"QueryRetrieveLevel={level}", *(f"{k}={v}" for k, v in keys.items())]
        with running(self.port, *storescp):
            self("movescu", "-S", "-aem", "DCMTK", *keyed(words))
        return data_sets(folder)


def keyed(words: Iterable[str]) -> list[str]:
    return [part for word in words for part in ("-k", word)]


@pytest.fixture(scope="module")
def scu(running_product: Product, dcmtk: Callable[[str], str]) -> Dcmtk:
    return Dcmtk(running_product, dcmtk)


def values(rows: Iterable[Dataset], keyword: str) -> set[str]:
    return {str(row[keyword].value) for row in rows}


def test_dcmtk_stores_what_both_find_and_fetch(
    scu: Dcmtk, client: DICOMwebClient, tmp_path: Path
) -> None:
    assert "Received Echo Response (Success)" in scu("echoscu")
    patient = new_uid()[-16:]
    slices = cts(patient)
    sent = tmp_path / "sent"
    scu("storescu", "-xe", files=written(slices, sent))
    study, series = slices[0].StudyInstanceUID, slices[0].SeriesInstanceUID

    # C-FIND at each level answers with what the files say
    asked: dict[str, str] = {"PatientID": patient, "PatientName": "", "PatientBirthDate": ""}
    [row] = scu.find(tmp_path / "patient", "-P", "PATIENT", **asked)
    assert (row.PatientName, row.PatientBirthDate) == ("Marlowe^June", "19671104")
    asked = {"PatientID": patient, "StudyInstanceUID": "", "StudyDate": "", "AccessionNumber": ""}
    asked |= {"ModalitiesInStudy": "", "NumberOfStudyRelatedInstances": ""}
    [row] = scu.find(tmp_path / "study", "-S", "STUDY", **asked)
    assert (row.StudyInstanceUID, row.StudyDate) == (study, "20261120")
    assert (row.AccessionNumber, row.ModalitiesInStudy) == (patient, "CT")
    assert row.NumberOfStudyRelatedInstances == 3
    asked = {"StudyInstanceUID": study, "SeriesInstanceUID": "", "SeriesNumber": "2"}
    [row] = scu.find(tmp_path / "series", "-S", "SERIES", **asked)
    assert row.SeriesInstanceUID == slices[2].SeriesInstanceUID
    asked = {"StudyInstanceUID": study, "SeriesInstanceUID": series, "SOPInstanceUID": ""}
    rows = scu.find(tmp_path / "image", "-S", "IMAGE", **asked, InstanceNumber="")
    assert values(rows, "SOPInstanceUID") == {ds.SOPInstanceUID for ds in slices[:2]}
    assert values(rows, "InstanceNumber") == {"1", "2"}

    # C-GET of the study, C-MOVE of a series
    assert scu.got(tmp_path / "got", study) == data_sets(sent)
    chosen = {"StudyInstanceUID": study, "SeriesInstanceUID": series}
    expected = data_sets(sent)
    del expected[str(slices[2].SOPInstanceUID)]
    assert scu.moved(tmp_path / "moved", "SERIES", **chosen) == expected

    # the same by DICOMweb
    got = client.retrieve_study(study, media_types=ASIS)
    assert {ds.SOPInstanceUID: ds for ds in got} == {ds.SOPInstanceUID: ds for ds in slices}


@pytest.mark.parametrize("name", COMPRESSED)
def test_dcmtk_stores_compressed_and_fetches_it_both_ways(
    scu: Dcmtk, client: DICOMwebClient, tmp_path: Path, name: str
) -> None:
    ds = compressed(name, new_uid()[-16:])
    study = str(ds.StudyInstanceUID)
    scu("storescu", COMPRESSED[name], files=written([ds], tmp_path / "sent"))
    assert scu.moved(tmp_path / "moved", "STUDY", StudyInstanceUID=study) == data_sets(
        tmp_path / "sent"
    )
    scu.got(tmp_path / "got", study)  # whose contexts mix syntaxes: uncompressed
    [plain] = (tmp_path / "got").iterdir()
    assert (dcmread(plain).pixel_array == ds.pixel_array).all()
    uids = (study, str(ds.SeriesInstanceUID), str(ds.SOPInstanceUID))
    assert client.retrieve_instance(*uids, media_types=ASIS) == ds
    assert client.retrieve_instance_frames(*uids, [1]) == [ds.pixel_array.astype("<i2").tobytes()]


def test_dicomweb_client_stores_what_both_find_and_fetch(
    scu: Dcmtk, client: DICOMwebClient, tmp_path: Path
) -> None:
    patient = new_uid()[-16:]
    slices = cts(patient)
    files = written(slices, tmp_path / "sent")
    study, series = str(slices[0].StudyInstanceUID), str(slices[0].SeriesInstanceUID)
    answer = client.store_instances([dcmread(file) for file in files])
    stored = {item.ReferencedSOPInstanceUID for item in answer.ReferencedSOPSequence}
    assert stored == {ds.SOPInstanceUID for ds in slices}
    assert "FailedSOPSequence" not in answer

    # QIDO-RS
    [row] = client.search_for_studies(search_filters={"PatientID": patient})
    found = Dataset.from_json(row)
    assert (found.StudyInstanceUID, found.PatientName) == (study, "Marlowe^June")
    assert found.NumberOfStudyRelatedSeries == 2
    rows = client.search_for_series(study, search_filters={"SeriesNumber": "2"})
    assert [row["0020000E"]["Value"][0] for row in rows] == [slices[2].SeriesInstanceUID]
    rows = client.search_for_instances(study, series, fields=["InstanceNumber", "Rows"])
    found_instances = {
        (row["00080018"]["Value"][0], row["00200013"]["Value"][0], row["00280010"]["Value"][0])
        for row in rows
    }
    assert found_instances == {(ds.SOPInstanceUID, ds.InstanceNumber, ds.Rows) for ds in slices[:2]}
    assert client.search_for_studies(search_filters={"PatientID": new_uid()[-16:]}) == []

    # WADO-RS: objects, metadata, frames, bulk data, a picture
    one = slices[0]
    uids = (study, series, str(one.SOPInstanceUID))
    assert client.retrieve_instance(*uids) == one
    assert client.retrieve_series(study, str(slices[2].SeriesInstanceUID)) == slices[2:]
    metadata = Dataset.from_json(client.retrieve_instance_metadata(*uids), lambda *_: b"")
    for element in one:
        if element.keyword != "PixelData":
            assert metadata[element.tag].value == element.value, element.keyword
    assert client.retrieve_instance_frames(*uids, [1]) == [one.PixelData]
    where = client.retrieve_instance_metadata(*uids)["7FE00010"]["BulkDataURI"]
    assert client.retrieve_bulkdata(where) == [one.PixelData]
    picture = client.retrieve_instance_rendered(*uids, media_types=("image/png",))
    assert picture.startswith(b"\x89PNG")
    with pytest.raises(HTTPError, match="404"):
        client.retrieve_instance(study, series, new_uid())

    # the same by C-GET
    assert scu.got(tmp_path / "got", study) == data_sets(tmp_path / "sent")
