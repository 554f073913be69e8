"""STOW-RS of metadata with bulk data: the same object as the file would have been."""

import base64
import hashlib
import shutil
import subprocess
import tracemalloc
from io import BytesIO
from pathlib import Path
from xml.etree import ElementTree

import numpy as np
import orjson
import pytest
from pydicom import Dataset, config, dcmread
from pydicom.data import get_testdata_file
from pydicom.encaps import generate_frames
from pydicom.sequence import Sequence
from pydicom.uid import EncapsulatedPDFStorage, JPEGBaseline8Bit, RLELossless

from apps.core.uids import new_uid
from apps.dicomweb.multipart import MultipartReader
from apps.dicomweb.native_xml import parse_models
from apps.studies.models import Instance
from tests.dicomweb.conftest import multipart, part, related
from tests.factories.dicom import as_file, ct_slice, dataset_bytes

pytestmark = pytest.mark.django_db

JSON, XML = "application/dicom+json", "application/dicom+xml"
OCTETS = "application/octet-stream"
FAILED, OTHER, KEPT = "00081198", "0008119A", "00081199"


def as_json(ds: Dataset, pixels: str = "", threshold: int = 1024) -> dict:
    """The data set in pydicom's own JSON, pixel data at an address."""
    plain = Dataset()
    plain.update({e.tag: e for e in ds if e.tag != 0x7FE00010})
    rows = plain.to_json_dict(threshold, lambda e: f"bulk/{e.tag}")
    if pixels:
        rows["7FE00010"] = {"vr": "OW", "BulkDataURI": pixels}
    return rows


def stored(web, ds: Dataset, accept: str = "*") -> Dataset:
    """The stored instance, as stored."""
    answer = web.get(
        f"/dicom-web/studies/{ds.StudyInstanceUID}/series/{ds.SeriesInstanceUID}"
        f"/instances/{ds.SOPInstanceUID}",
        headers={"Accept": f"application/dicom; transfer-syntax={accept}"},
    )
    assert answer.status_code == 200
    return dcmread(BytesIO(b"".join(answer.streaming_content)))


def rich() -> Dataset:
    """A slice with something of every kind of value."""
    ds = ct_slice(
        PatientName="Yamada^Tarou=山田^太郎=やまだ^たろう", SpecificCharacterSet="ISO_IR 192"
    )
    ds.OtherPatientNames = ["A^B", "Müller^Jürgen"]
    ds.ImageType = ["DERIVED", "", "AXIAL"]
    ds.FrameIncrementPointer = 0x00181063
    ds.RealWorldValueMappingSequence = Sequence([Dataset(), Dataset()])
    ds.RealWorldValueMappingSequence[0].RealWorldValueSlope = 1.25e-7
    ds.RealWorldValueMappingSequence[0].MeasurementUnitsCodeSequence = Sequence([Dataset()])
    ds.RealWorldValueMappingSequence[0].MeasurementUnitsCodeSequence[0].CodeMeaning = "Grüße"
    ds.SliceLocation = "-12.5"
    ds.ImageComments = "back\\slash"
    ds.PatientComments = ""
    block = ds.private_block(0x0029, "ISOCENTER TEST", create=True)
    block.add_new(0x10, "OB", bytes(range(10)))
    block.add_new(0x11, "SS", [-3, 4])
    block.add_new(0x12, "UN", b"unknown!")
    return ds


def test_native_pixels_beside_metadata_make_the_object_that_the_file_is(web):
    ds = rich()
    body = related(
        JSON,
        part(orjson.dumps([as_json(ds, "bulk/pixels")]), JSON),
        part(ds.PixelData, OCTETS, "bulk/pixels"),
    )
    answer = web.post("/dicom-web/studies", **body)
    assert answer.status_code == 200, answer.content
    assert stored(web, ds) == as_read(ds)


def test_the_same_object_by_metadata_and_as_a_file_is_no_second_version(web):
    ds = ct_slice()
    web.post("/dicom-web/studies", **multipart(as_file(ds)))
    answer = web.post(
        f"/dicom-web/studies/{ds.StudyInstanceUID}",
        **related(
            JSON,
            part(ds.PixelData, OCTETS, "p"),  # before the metadata that names it
            part(orjson.dumps([as_json(ds, "p")]), JSON),
        ),
    )
    assert answer.status_code == 200
    row = Instance.objects.get()
    assert row.stored_object.digest == hashlib.sha256(dataset_bytes(as_file(ds))).hexdigest()


def as_read(ds: Dataset) -> Dataset:
    return dcmread(BytesIO(as_file(ds)))


BY_HAND = """<?xml version="1.0" encoding="UTF-8"?>
<NativeDicomModel xmlns="http://dicom.nema.org/PS3.19/models/NativeDICOM">
 <DicomAttribute tag="00080008" vr="CS"><Value number="1">DERIVED</Value>
   <Value number="3">AXIAL</Value></DicomAttribute>
 <DicomAttribute tag="00080016" vr="UI"><Value number="1">{sop_class}</Value></DicomAttribute>
 <DicomAttribute tag="00080018" vr="UI"><Value number="1">{uids[0]}</Value></DicomAttribute>
 <DicomAttribute tag="00080060" vr="CS"><Value number="1">CT</Value></DicomAttribute>
 <DicomAttribute tag="00100010" vr="PN"><PersonName number="1">
   <Alphabetic><FamilyName>Müller</FamilyName><NamePrefix>Dr</NamePrefix></Alphabetic>
   <Phonetic><GivenName>Jörg</GivenName></Phonetic></PersonName></DicomAttribute>
 <DicomAttribute tag="0020000D" vr="UI"><Value number="1">{uids[1]}</Value></DicomAttribute>
 <DicomAttribute tag="0020000E" vr="UI"><Value number="1">{uids[2]}</Value></DicomAttribute>
 <DicomAttribute tag="00290010" vr="LO"><Value number="1">OTHER</Value></DicomAttribute>
 <DicomAttribute tag="00290010" vr="SS" privateCreator="MAKER"><Value number="1">-3</Value>
   </DicomAttribute>
 <DicomAttribute tag="00420011" vr="OB"><BulkData uri="doc"/></DicomAttribute>
</NativeDicomModel>"""


def test_xml_written_by_hand(web):
    """Names by their parts, a value left out, private attributes by the name of their creator."""
    uids = [new_uid() for _ in range(3)]
    xml = BY_HAND.format(uids=uids, sop_class=EncapsulatedPDFStorage).encode()
    body = related(XML, part(xml, XML), part(b"%PDF-1.7 x", "application/pdf", "doc"))
    assert web.post("/dicom-web/studies", **body).status_code == 200
    wanted = Dataset()
    wanted.SOPInstanceUID, wanted.StudyInstanceUID, wanted.SeriesInstanceUID = uids
    kept = stored(web, wanted)
    assert kept.ImageType == ["DERIVED", "", "AXIAL"]
    assert kept.PatientName == "Müller^^^Dr==^Jörg"
    assert kept.SpecificCharacterSet == "ISO_IR 192"
    assert kept.private_block(0x0029, "MAKER")[0x10].value == -3
    assert kept.EncapsulatedDocument == b"%PDF-1.7 x"


@pytest.mark.peer
@pytest.mark.parametrize(("tool", "media_type"), [("dcm2json", JSON), ("dcm2xml", XML)])
@pytest.mark.parametrize("name", ["own", "MR_small.dcm", "rtplan.dcm", "test-SR.dcm"])
def test_what_dcmtk_says_of_an_object_makes_that_object(web, tmp_path, tool, media_type, name):
    if not shutil.which(tool):
        pytest.skip(f"{tool} of dcmtk is not installed")
    path = tmp_path / "own.dcm" if name == "own" else Path(get_testdata_file(name))
    if name == "own":
        path.write_bytes(as_file(rich()))
    options = {"dcm2json": [], "dcm2xml": ["-nat", "+Eb", "+U8"]}[tool]
    said = subprocess.run([tool, *options, path], capture_output=True, check=True).stdout
    answer = web.post("/dicom-web/studies", **related(media_type, part(said, media_type)))
    assert answer.status_code in (200, 202), answer.content
    ds = dcmread(path)
    kept = stored(web, ds)
    for element in ds:
        if element.tag not in (0x00080005, 0xFFFCFFFC) and element.tag.elem:
            value = element.value
            if tool == "dcm2xml" and element.VR == "OW":  # dcmtk 3.6.7 says words big endian there
                value = np.frombuffer(value, "<u2").byteswap().tobytes()
            assert kept[element.tag].value == value, element


def test_compressed_frames_are_kept_in_their_transfer_syntax(web):
    ds = dcmread(get_testdata_file("SC_rgb_rle_2frame.dcm"))
    frames = list(generate_frames(ds.PixelData, number_of_frames=2))
    kind = f"image/dicom-rle; transfer-syntax={RLELossless}"
    body = related(
        JSON,
        part(orjson.dumps([as_json(ds, "px")]), JSON),
        *(part(frame, kind, f"px/frames/{n}") for n, frame in enumerate(frames, 1)),
    )
    assert web.post("/dicom-web/studies", **body).status_code == 200
    kept = stored(web, ds)
    assert kept.file_meta.TransferSyntaxUID == RLELossless
    assert np.array_equal(kept.pixel_array, ds.pixel_array)


def test_a_jpeg_without_a_transfer_syntax_is_what_its_stream_is(web):
    ds = dcmread(get_testdata_file("SC_jpeg_no_color_transform.dcm"))
    assert ds.file_meta.TransferSyntaxUID == JPEGBaseline8Bit
    [frame] = generate_frames(ds.PixelData, number_of_frames=1)
    body = related(
        JSON, part(orjson.dumps([as_json(ds, "px")]), JSON), part(frame, "image/jpeg", "px")
    )
    assert web.post("/dicom-web/studies", **body).status_code == 200
    kept = stored(web, ds)
    assert kept.file_meta.TransferSyntaxUID == JPEGBaseline8Bit
    [again] = generate_frames(kept.PixelData, number_of_frames=1)
    assert again[: len(frame)] == frame


def test_bulk_data_within_a_sequence(web):
    ds = ct_slice()
    ds.IconImageSequence = Sequence([Dataset()])
    metadata = as_json(ds, "px")
    metadata["00880200"]["Value"][0]["7FE00010"] = {"vr": "OB", "BulkDataURI": "icon"}
    body = related(
        JSON,
        part(orjson.dumps([metadata]), JSON),
        part(ds.PixelData, OCTETS, "px"),
        part(b"\1\2\3", OCTETS, "icon"),
    )
    assert web.post("/dicom-web/studies", **body).status_code == 200
    assert stored(web, ds).IconImageSequence[0].PixelData == b"\1\2\3\0"


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        ({"7FE00010": {"vr": "OW", "BulkDataURI": "elsewhere"}}, 0xC000),
        ({"7FE00010": {"vr": "OW", "BulkDataURI": "png"}}, 0xC122),
        ({"7FE00010": {"vr": "OW", "BulkDataURI": "big"}}, 0xC122),
        ({"00280010": {"vr": "US", "Value": [70000]}}, 0xC000),
        ({"00280010": {"vr": "ZZ", "Value": [1]}}, 0xC000),
        ({"00280010": {"vr": "US", "InlineBinary": "*"}}, 0xC000),
        ({"00280030": {"vr": "DS", "Value": ["wide"]}}, 0xC000),
        ({"not a tag": {"vr": "US", "Value": [1]}}, 0xC000),
        ({"0020000D": {"vr": "UI"}}, 0xC000),
    ],
)
def test_an_instance_that_cannot_be_made_fails_and_the_others_are_kept(web, change, reason):
    study = new_uid()
    good, bad = ct_slice(study=study), ct_slice(study=study)
    rows = [as_json(good, "a"), as_json(bad, "a") | change]
    body = related(
        JSON,
        part(orjson.dumps(rows), JSON),
        part(good.PixelData, OCTETS, "a"),
        *(
            [part(b"\x89PNG", "image/png", "png")]
            if "png" in str(change)
            else [part(b"12", f"{OCTETS}; transfer-syntax=1.2.840.10008.1.2.2", "big")]
            if "big" in str(change)
            else []
        ),
    )
    answer = web.post("/dicom-web/studies", **body)
    assert answer.status_code == 202
    [failed] = answer.json()[FAILED]["Value"]
    assert failed["00081155"]["Value"] == [bad.SOPInstanceUID]
    assert failed["00081197"]["Value"] == [reason]
    assert answer["Warning"].startswith("299 ")
    [kept] = answer.json()[KEPT]["Value"]
    assert kept["00081155"]["Value"] == [good.SOPInstanceUID]
    assert Instance.objects.count() == 1


def test_bulk_data_that_nothing_names_is_told(web):
    ds = ct_slice()
    body = related(
        JSON,
        part(orjson.dumps([as_json(ds, "px")]), JSON),
        part(ds.PixelData, OCTETS, "px"),
        part(b"spare", OCTETS, "spare"),
    )
    answer = web.post("/dicom-web/studies", **body)
    assert answer.status_code == 202
    assert [one["00081197"]["Value"] for one in answer.json()[OTHER]["Value"]] == [[0xC000]]


@pytest.mark.parametrize(
    ("body", "status"),
    [
        (related(JSON, part(b"[{", JSON)), 400),
        (related(JSON, part(b"[]", JSON)), 400),
        (related(JSON, part(b"[7]", JSON)), 409),
        (related(JSON, part(b"12", OCTETS)), 400),
        (related(XML, part(b"<a", XML)), 400),
        (related(XML, part(b"<other/>", XML)), 400),
        (related(XML, part(b'<!DOCTYPE a [<!ENTITY x "y">]><a>&x;</a>', XML)), 400),
        (related("image/jpeg", part(b"x", "image/jpeg")), 415),
        (related(JSON, part(b"x" * 2000, JSON)), 413),
    ],
)
def test_what_is_no_store_request_is_refused_as_a_whole(web, body, status, monkeypatch):
    monkeypatch.setattr("apps.dicomweb.bulk.METADATA_BYTES", 1000)
    answer = web.post("/dicom-web/studies", **body)
    assert answer.status_code == status
    assert not Instance.objects.exists()


def test_nothing_is_read_where_no_answer_would_be_accepted(web):
    answer = web.post(
        "/dicom-web/studies", **multipart(as_file(ct_slice())), headers={"Accept": "text/html"}
    )
    assert answer.status_code == 406
    assert XML in answer.json()["offers"]
    assert not Instance.objects.exists()


def test_the_answer_is_in_xml_where_that_is_asked_for(web):
    good = ct_slice()
    answer = web.post(
        "/dicom-web/studies",
        **multipart(as_file(good), b"no DICOM" * 50),
        headers={"Accept": XML},
    )
    assert (answer.status_code, answer["Content-Type"]) == (202, XML)
    root = ElementTree.fromstring(answer.content)
    assert root.tag == "NativeDicomModel"
    [uid] = root.findall(
        f"DicomAttribute[@tag='{KEPT}']/Item/DicomAttribute[@tag='00081155']/Value"
    )
    assert uid.text == good.SOPInstanceUID
    sequence = root.find(f"DicomAttribute[@tag='{OTHER}']")
    assert sequence.get("keyword") == "OtherFailuresSequence"
    assert sequence.findtext("Item/DicomAttribute[@tag='00081197']/Value") == str(0xC000)
    assert parse_models(answer.content)[0][KEPT]["vr"] == "SQ"


def test_bulk_data_passes_without_being_held(web):
    """64 MiB of pixels go through with memory for a few chunks."""
    ds = ct_slice()
    del ds.PixelData
    size = 64 << 20
    ds.Rows, ds.Columns, ds.NumberOfFrames = 4096, 4096, 2
    head = part(orjson.dumps([as_json(ds, "px")]), JSON) + part(b"", OCTETS, "px")[:-2]
    body = _Long(head, size, b"\r\n--b0undary--\r\n")
    from apps.dicomweb.bulk import Spool
    from apps.studies.compose import compose

    tracemalloc.start()
    try:
        with Spool(JSON) as spool:
            for one in MultipartReader(body, "b0undary").parts():
                spool.take(one)
            [staged] = [compose(metadata, spool) for metadata in spool.instances()]
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert staged.dataset_bytes > size
    assert peak < 8 << 20


class _Long:
    """A body with zeros between a head and a tail, made as it is read."""

    def __init__(self, head: bytes, zeros: int, tail: bytes) -> None:
        self._left = [memoryview(head), zeros, memoryview(tail)]

    def read(self, size: int) -> bytes:
        while self._left:
            first = self._left[0]
            if isinstance(first, int):
                piece = bytes(min(size, first))
                self._left[0] = first - len(piece)
            else:
                piece = bytes(first[:size])
                self._left[0] = first[size:]
            if piece:
                return piece
            self._left.pop(0)
        return b""


def test_inline_binary_and_numbers_as_text(web):
    ds = ct_slice()
    metadata = as_json(ds)
    metadata["7FE00010"] = {"vr": "OW", "InlineBinary": base64.b64encode(ds.PixelData).decode()}
    metadata["00280010"] = {"vr": "US", "Value": ["16"]}
    body = related(JSON, part(orjson.dumps(metadata), JSON))  # one object, no list
    assert web.post("/dicom-web/studies", **body).status_code == 200
    with config.disable_value_validation():
        assert stored(web, ds) == as_read(ds)
