"""Orthanc as a DICOMweb peer that sends to us."""

from pathlib import Path

import pytest

from apps.studies.models import Instance
from tests.factories.dicom import as_file, ct_slice
from tests.orthanc import orthanc_running, rest

PLUGIN = Path("/usr/share/orthanc/plugins")


@pytest.mark.peer
@pytest.mark.django_db(transaction=True)
def test_orthanc_sends_a_study(live_server, web, orthanc: str, tmp_path: Path) -> None:
    if not list(PLUGIN.glob("libOrthancDicomWeb*")):
        pytest.skip("Orthanc's DICOMweb plugin is missing: apt-get install orthanc-dicomweb")
    server = {
        "Url": f"{live_server.url}/dicom-web/",
        "HttpHeaders": {"Authorization": web.defaults["HTTP_AUTHORIZATION"]},
        "ChunkedTransfers": False,  # the test server takes no chunked bodies; the product's does
    }
    with orthanc_running(
        orthanc,
        tmp_path / "orthanc",
        Plugins=[str(PLUGIN)],
        DicomWeb={"Servers": {"isocenter": server}},
    ) as (_, http):
        first = ct_slice()
        for ds in (first, ct_slice(study=first.StudyInstanceUID, number=2)):
            assert rest(http, "/instances", as_file(ds))["Status"] == "Success"
        sent = rest(
            http,
            "/dicom-web/servers/isocenter/stow",
            {"Resources": rest(http, "/studies"), "Synchronous": True},
        )
    assert sent["InstancesCount"] == "2"
    assert Instance.objects.count() == 2
