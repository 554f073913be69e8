"""QIDO-RS: keys, lists, ranges, fuzzy names, pages and warnings, as PS3.18 8.3.4 has them."""

import pytest

from tests.dicomweb.conftest import multipart
from tests.factories.dicom import as_file, ct_slice

pytestmark = pytest.mark.django_db
NAMES = ("Müller^Jörg", "Mueller^Anna", "Falk^Ines", "Falke^Otto", "Marlowe^June")
PAGE = 2


@pytest.fixture
def filed(web) -> dict[str, str]:
    """A study each day of November 2026 for each name; UIDs by patient number."""
    made = [
        ct_slice(PatientID=f"P{n}", PatientName=name, StudyDate=f"2026110{n + 1}",
                 StudyTime=f"{10 + n}0000", AccessionNumber=f"A%_{n}",
                 SpecificCharacterSet="ISO_IR 192")
        for n, name in enumerate(NAMES)
    ]  # fmt: skip
    answer = web.post("/dicom-web/studies", **multipart(*map(as_file, made)))
    assert answer.status_code == 200
    return {ds.PatientID: ds.StudyInstanceUID for ds in made}


def found(web, query: str) -> list[str]:
    answer = web.get(f"/dicom-web/studies?{query}")
    assert answer.status_code == 200, answer.content
    return sorted(row["00100020"]["Value"][0][1:] for row in answer.json())


@pytest.mark.parametrize(
    ("query", "who"),
    [
        ("PatientName=falk^ines", "2"),
        ("PatientName=Falk*", "23"),
        ("PatientName=M?ller^J*", "0"),
        ("PatientName=muller^jorg", "0"),  # accents do not count
        ("PatientName=M%C3%BCller*", "0"),
        ("PatientName=Ines", ""),
        ("PatientName=Ines&fuzzymatching=true", "2"),
        ("PatientName=fal%20in&fuzzymatching=true", "2"),
        ("PatientName=Fal&fuzzymatching=false", ""),
        ("00100020=P1", "1"),
        ("PatientID=P1%5CP3", "13"),  # a list by backslash
        ("PatientID=P1&PatientID=P3", "13"),  # a repeated key
        ("StudyDate=20261102-20261104", "123"),
        ("StudyDate=-20261102", "01"),
        ("StudyDate=20261104-", "34"),
        ("StudyDate=20261102-20261104&StudyTime=1130-1230", "2"),  # one range of moments
        ("AccessionNumber=A%25_1", "1"),  # % and _ are ordinary characters
        ("AccessionNumber=A%25*", "01234"),
        ("AccessionNumber=%25", ""),
        ("Modality=CT&PatientID=P4", "4"),  # a key of a level below
        ("ModalitiesInStudy=MR", ""),
        ("ModalitiesInStudy=MR%5CCT&PatientID=P4", "4"),
        ("PatientID=*", "01234"),
        ("PatientID=", "01234"),
    ],
)
def test_keys_match(web, filed, query, who):
    assert found(web, query) == list(who)


def test_a_list_of_uids_by_comma_and_by_repetition(web, filed):
    two = [filed["P0"], filed["P4"]]
    assert found(web, f"StudyInstanceUID={','.join(two)}") == ["0", "4"]
    assert found(web, "&".join(f"StudyInstanceUID={uid}" for uid in two)) == ["0", "4"]


def test_pages_are_of_one_order_and_leave_nothing_out(web, filed):
    everything = web.get("/dicom-web/studies").json()
    pages = []
    for offset in range(0, len(NAMES) + PAGE, PAGE):
        answer = web.get(f"/dicom-web/studies?limit={PAGE}&offset={offset}")
        assert "Warning" not in answer.headers  # what the client asked for, it got
        pages += answer.json()
    assert pages == everything
    assert len(pages) == len(NAMES)


def test_the_servers_own_limit_is_a_warning(web, filed, settings):
    settings.ISOCENTER_QUERY_ROWS = PAGE
    answer = web.get("/dicom-web/studies")
    assert len(answer.json()) == PAGE
    assert answer["Warning"].startswith("299 ")
    assert "exceeded the maximum" in answer["Warning"]
    rest = web.get(f"/dicom-web/studies?offset={PAGE}").json()
    assert len(rest) == PAGE
    assert rest[0] not in answer.json()


def test_keys_that_are_not_searchable_are_named_in_a_warning(web, filed):
    answer = web.get("/dicom-web/studies?PatientWeight=70&PatientID=P1")
    assert [row["00100020"]["Value"] for row in answer.json()] == [["P1"]]
    assert "00101030" in answer["Warning"]


@pytest.mark.parametrize(
    ("host", "port", "proxy", "address"),
    [
        ("pacs.example", "8000", False, "pacs.example:8000"),  # a client that leaves it out
        ("pacs.example:81", "8000", False, "pacs.example:81"),
        ("[::1]", "8000", False, "[::1]:8000"),
        ("pacs.example", "80", False, "pacs.example"),
        ("pacs.example", "0", False, "pacs.example"),  # a socket without a port
        ("pacs.example", "8000", True, "pacs.example"),
    ],
)
def test_addresses_have_the_port_that_was_reached(  # noqa: PLR0917 - parameters
    web, filed, settings, host, port, proxy, address
):
    settings.ALLOWED_HOSTS, settings.USE_X_FORWARDED_HOST = ["*"], proxy
    uid = filed["P1"]
    asked = f"/dicom-web/studies?StudyInstanceUID={uid}"
    [row] = web.get(asked, headers={"Host": host}, SERVER_PORT=port).json()
    assert row["00081190"]["Value"] == [f"http://{address}/dicom-web/studies/{uid}"]


def test_addresses_are_those_of_the_proxy(web, filed, settings):
    """With ISOCENTER_BEHIND_PROXY (PS3.18 8.2: addresses that the client can use)."""
    settings.SECURE_PROXY_SSL_HEADER = ("HTTP_X_FORWARDED_PROTO", "https")
    settings.USE_X_FORWARDED_HOST = True
    settings.ALLOWED_HOSTS = ["pacs.example"]
    forwarded = {"X-Forwarded-Proto": "https", "X-Forwarded-Host": "pacs.example"}
    uid = filed["P1"]
    [row] = web.get(f"/dicom-web/studies?StudyInstanceUID={uid}", headers=forwarded).json()
    assert row["00081190"]["Value"] == [f"https://pacs.example/dicom-web/studies/{uid}"]
    [metadata] = web.get(f"/dicom-web/studies/{uid}/metadata", headers=forwarded).json()
    address = metadata["7FE00010"]["BulkDataURI"]
    assert address.startswith(f"https://pacs.example/dicom-web/studies/{uid}/series/")
    assert address.endswith("/bulkdata/7FE00010")
