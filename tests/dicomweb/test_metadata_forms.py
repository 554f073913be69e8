"""Metadata and search results kept by ETag, and as the Native DICOM Model that dcmtk writes."""

import subprocess
from xml.etree.ElementTree import Element, fromstring

import pytest
from pydicom.dataset import Dataset

from apps.core.uids import new_uid
from apps.patients.models import Patient
from tests.dicomweb.conftest import multipart
from tests.dicomweb.test_dicomweb import parts_of, paths
from tests.factories.dicom import as_file, ct_slice

pytestmark = pytest.mark.django_db
XML = 'multipart/related; type="application/dicom+xml"'
ORIGIN = {"tag", "vr", "keyword", "privateCreator", "number"}


def stored(web, **attributes) -> Dataset:
    ds = ct_slice(**attributes)
    assert web.post("/dicom-web/studies", **multipart(as_file(ds))).status_code == 200
    return ds


@pytest.mark.parametrize("level", [0, 1, 2])
def test_metadata_that_a_client_has_is_not_sent_again(web, level):
    ds = stored(web)
    address = f"{paths(ds)[level]}/metadata"
    first = web.get(address)
    again = web.get(address, headers={"If-None-Match": f'"other", {first["ETag"]}'})
    assert (again.status_code, again.content) == (304, b"")
    assert again["ETag"] == first["ETag"]
    assert web.get(address, headers={"If-None-Match": "*"}).status_code == 304
    assert web.get(address, headers={"If-None-Match": '"other"'}).status_code == 200
    as_xml = web.get(address, headers={"Accept": XML})
    assert as_xml["ETag"] != first["ETag"]
    behind = web.get(address, headers={"Host": "testserver:81", "If-None-Match": first["ETag"]})
    assert behind.status_code == 200  # its addresses are others


def test_what_changes_metadata_changes_its_validator(web):
    ds = stored(web)
    address = f"{paths(ds)[1]}/metadata"
    tags = [web.get(address)["ETag"]]
    stored(web, study=ds.StudyInstanceUID, series=ds.SeriesInstanceUID, number=2)
    tags.append(web.get(address)["ETag"])
    patient = Patient.objects.get()
    patient.name_alphabetic, patient.version = "Corrected^June", patient.version + 1
    patient.save()
    answer = web.get(address, headers={"If-None-Match": tags[1]})
    assert answer.status_code == 200
    assert answer.json()[0]["00100010"]["Value"] == [{"Alphabetic": "Corrected^June"}]
    tags.append(answer["ETag"])
    assert len(set(tags)) == 3


def test_kept_metadata_is_not_built_again(web, monkeypatch):
    ds = stored(web)
    address = f"{paths(ds)[1]}/metadata"
    before = web.get(address).content

    def never(*_, **__):
        raise AssertionError

    monkeypatch.setattr("apps.studies.retrieve.metadata.read_header", never)
    assert web.get(address).content == before


def rich() -> Dataset:
    item = Dataset()
    item.ScheduledProcedureStepID = "S<1>&"
    nested = Dataset()
    nested.CodeValue = "T-1"
    item.ScheduledProtocolCodeSequence = [nested]
    ds = ct_slice(
        PatientName="Yamada^Tarou^^Dr=山田^太郎=やまだ^たろう",
        SpecificCharacterSet="ISO_IR 192",
        ImageType=["ORIGINAL", "", "AXIAL"],
        OtherPatientNames=["A^B", "C"],
        PatientComments="",
        ReferencedImageSequence=[],
        RequestAttributesSequence=[item],
        FrameIncrementPointer=0x00181063,
        SliceThickness="1.25",
    )
    ds.add_new(0x00720060, "AT", [0x00181063, 0x00280010])
    block = ds.private_block(0x29, "ACME 1.1", create=True)
    block.add_new(0x01, "LO", "private")
    return ds


def shape(element: Element, vr: str = "") -> tuple:
    """What the standard says of an element: its name, attributes, text and children.

    A DS is compared as a number: the JSON model, which ours comes from, has it as one (F.2.3).
    """
    text: object = "" if len(element) else (element.text or "").strip("\n")
    text = float(text) if vr == "DS" and text and element.tag == "Value" else text
    vr = element.get("vr", vr)
    kept = {name: value for name, value in element.attrib.items() if name in ORIGIN}
    return element.tag, tuple(sorted(kept.items())), text, tuple(shape(one, vr) for one in element)


def test_xml_is_what_dcmtk_makes_of_the_file(web, tmp_path, dcmtk):
    ds = rich()
    path = tmp_path / "rich.dcm"
    path.write_bytes(as_file(ds))
    assert web.post("/dicom-web/studies", **multipart(path.read_bytes())).status_code == 200
    made = subprocess.run([dcmtk("dcm2xml"), "-nat", path], capture_output=True, check=True).stdout
    reference = {one.get("tag"): shape(one) for one in fromstring(made)}
    [(headers, content)] = parts_of(web.get(f"{paths(ds)[1]}/metadata", headers={"Accept": XML}))
    assert headers["Content-Type"] == "application/dicom+xml"
    root = fromstring(content)
    found = {one.get("tag"): one for one in root}
    assert root.tag == "NativeDicomModel"
    pixels = found.pop("7FE00010")
    assert pixels.find("BulkData").get("uri").endswith(f"{paths(ds)[2]}/bulkdata/7FE00010")
    found.pop("00083002")  # Available Transfer Syntax UID, which the file does not have
    reference.pop("7FE00010")
    assert {tag: shape(one) for tag, one in found.items()} == reference


def test_a_search_is_answered_in_xml_a_part_each(web):
    uids = {stored(web, PatientID=f"P{n}").StudyInstanceUID for n in range(2)}
    answer = web.get("/dicom-web/studies", headers={"Accept": XML})
    assert answer["Content-Type"].startswith('multipart/related; type="application/dicom+xml"')
    roots = [fromstring(content) for _, content in parts_of(answer)]
    found = {root.find("./*[@tag='0020000D']/Value").text for root in roots}
    assert found == uids
    none = web.get(f"/dicom-web/studies?PatientID={new_uid()}", headers={"Accept": XML})
    assert (none.status_code, none.content) == (204, b"")
