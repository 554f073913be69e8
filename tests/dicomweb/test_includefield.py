"""QIDO-RS: what an answer holds. Expected tags are those of PS3.18 Tables 10.6.3-3 to -5."""

import pytest
from pydicom.dataset import Dataset

from apps.core.uids import new_uid
from tests.dicomweb.conftest import multipart
from tests.factories.dicom import as_file, ct_slice

pytestmark = pytest.mark.django_db

STUDY = {
    *("00080005", "00080020", "00080030", "00080050", "00080056", "00080061", "00080090"),
    *("00080201", "00081190", "00100010", "00100020", "00100030", "00100040", "0020000D"),
    *("00200010", "00201206", "00201208"),
}
SERIES = {
    *("00080005", "00080060", "0008103E", "00081190", "0020000E", "00200011", "00201209"),
    *("00080201", "00400244", "00400245", "00400275"),
}
IMAGE = {
    *("00080005", "00080016", "00080018", "00080056", "00080201", "00081190", "00200013"),
    *("00280010", "00280011", "00280100"),
}


@pytest.fixture
def ds(web) -> Dataset:
    request = Dataset()
    request.ScheduledProcedureStepID, request.RequestedProcedureID = "SPS1", "RP1"
    made = ct_slice(
        RequestAttributesSequence=[request],
        PerformedProcedureStepStartDate="20261120",
        PerformedProcedureStepStartTime="101112",
        BodyPartExamined="CHEST",
        StationName="CT1",
        Manufacturer="ACME",
        IssuerOfPatientID="HOSPITAL",
        TimezoneOffsetFromUTC="+0100",
    )
    assert web.post("/dicom-web/studies", **multipart(as_file(made))).status_code == 200
    return made


def asked(web, address: str, **parameters: str) -> dict:
    [row] = web.get(f"/dicom-web/{address}", parameters).json()
    return row


def test_what_is_required_is_returned_and_no_more(web, ds):
    study = f"studies/{ds.StudyInstanceUID}"
    series = f"{study}/series/{ds.SeriesInstanceUID}"
    assert set(asked(web, "studies")) == STUDY
    assert set(asked(web, f"{study}/series")) == STUDY | SERIES
    assert set(asked(web, f"{series}/instances")) == STUDY | SERIES - {"00400275"} | IMAGE


def test_levels_above_are_returned_too(web, ds):
    assert set(asked(web, "series")) == STUDY | SERIES
    assert set(asked(web, "instances")) == STUDY | SERIES | IMAGE
    assert set(asked(web, f"studies/{ds.StudyInstanceUID}/instances")) == (STUDY | SERIES | IMAGE)


@pytest.mark.parametrize(
    ("address", "field", "more"),
    [
        ("studies", "StudyDescription", {"00081030"}),
        ("studies", "00081030", {"00081030"}),
        ("studies", "00081030,IssuerOfPatientID", {"00081030", "00100021"}),
        ("studies", "PatientName", set()),
        ("studies", "ProtocolName", set()),
        ("studies", "RequestAttributesSequence", set()),
        ("series", "BodyPartExamined,StationName", {"00180015", "00081010"}),
        ("studies", "all", {"00081030", "00100021", "00080062"}),
    ],
)
def test_includefield_adds_what_it_names(web, ds, address, field, more):
    base = {"studies": STUDY, "series": STUDY | SERIES}[address]
    assert set(asked(web, address, includefield=field)) == base | more


def test_a_repeated_includefield_and_a_key_are_returned(web, ds):
    answer = web.get(
        "/dicom-web/studies?includefield=00081030&includefield=00100021&SOPClassesInStudy="
        f"{ds.SOPClassUID}"
    )
    assert set(answer.json()[0]) == STUDY | {"00081030", "00100021", "00080062"}


@pytest.mark.parametrize(
    ("field", "within"),
    [
        ("RequestAttributesSequence", {"00400009", "00401001"}),
        ("RequestAttributesSequence.ScheduledProcedureStepID", {"00400009"}),
        ("00400275.00401001", {"00401001"}),
        ("ScheduledProcedureStepID", None),
        ("OriginalAttributesSequence.PatientID", None),
    ],
)
def test_includefield_goes_into_sequences_by_path(web, ds, field, within):
    address = f"studies/{ds.StudyInstanceUID}/series/{ds.SeriesInstanceUID}/instances"
    row = asked(web, address, includefield=field)
    if within is None:
        assert set(row) == STUDY | SERIES - {"00400275"} | IMAGE
    else:
        assert set(row) == STUDY | SERIES | IMAGE
        assert set(row["00400275"]["Value"][0]) == within


def test_all_leaves_nothing_out_that_is_held(web, ds):
    row = asked(web, "instances", includefield="all")
    assert {"00080070", "00081010", "00180015", "00080021", "00080023", "00100021"} <= set(row)
    assert row["00100021"]["Value"] == ["HOSPITAL"]


def test_what_is_required_and_empty_is_returned_empty(web):
    plain = ct_slice(AccessionNumber="", ReferringPhysicianName="")
    web.post("/dicom-web/studies", **multipart(as_file(plain)))
    row = asked(web, "studies")
    assert row["00080050"] == {"vr": "SH"}
    assert row["00080090"] == {"vr": "PN"}


@pytest.mark.parametrize("field", ["Nonsense", "all,Nonsense", "RequestAttributesSequence.Nope"])
def test_a_name_that_is_none_is_refused(web, field):
    answer = web.get("/dicom-web/studies", {"includefield": field, "PatientID": new_uid()})
    assert answer.status_code == 400
    assert "no attribute of DICOM" in answer.json()["title"]
