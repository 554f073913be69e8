"""Independent checkers on what leaves us: files, transcoded copies, DICOM JSON."""

import json
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pydicom
import pytest
from django.test import Client

from tests.dicomweb.conftest import multipart
from tests.dicomweb.test_dicomweb import parts_of, paths
from tests.factories.dicom import as_file, ct_slice

pytestmark = [pytest.mark.peer, pytest.mark.django_db]
OWN = Path(pydicom.__file__).parent / "data" / "test_files"
FILES = (  # dcmtk's writer takes no compressed ones, and not every character set
    *("chrKoreanMulti.dcm", "image_dfl.dcm"),  # of no pixels; deflated
    *("chrFren.dcm", "chrGerm.dcm", "chrRuss.dcm", "chrX1.dcm", "chrX2.dcm", "CT_small.dcm"),
    *("MR_small.dcm", "MR_small_bigendian.dcm", "reportsi.dcm", "rtplan.dcm", "test-SR.dcm"),
)
NOT_OF_THE_FILE = {"00083002", "FFFCFFFC"}
"""Available Transfer Syntax UID, which only an archive says (PS3.18 Table 10.4.1-2); padding."""
JSON = "application/dicom+json"


def run(*command: str) -> str:
    done = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == 0, (command, done.stderr)
    return done.stdout + done.stderr


def errors(dciodvfy: str, path: Path) -> set[str]:
    done = subprocess.run(
        [dciodvfy, str(path)], capture_output=True, text=True, timeout=60, check=False
    )
    said = (done.stdout + done.stderr).splitlines()
    assert any(line and not line.startswith(("Error", "Warning")) for line in said), said  # the IOD
    return {line for line in said if line.startswith("Error")}


def fetched(web: Client, instance: str, syntax: str = "*") -> bytes:
    accept = f'multipart/related; type="application/dicom"; transfer-syntax={syntax}'
    [(_, content)] = parts_of(web.get(instance, headers={"Accept": accept}))
    return content


@pytest.mark.parametrize("syntax", ["*", "1.2.840.10008.1.2.1", "1.2.840.10008.1.2"])
def test_what_comes_out_is_a_file_without_fault(
    client_of: Callable[..., Client],
    dciodvfy: str,
    dcmtk: Callable[[str], str],
    tmp_path: Path,
    syntax: str,
) -> None:
    web = client_of()
    for name in ("MR_small_jp2klossless.dcm", "MR_small_RLE.dcm", "JPEG2000.dcm"):
        sent = (OWN / name).read_bytes()
        (tmp_path / "sent").write_bytes(sent)
        assert web.post("/dicom-web/studies", **multipart(sent)).status_code in (200, 202)
        got = tmp_path / "got"
        ds = pydicom.dcmread(OWN / name)
        got.write_bytes(fetched(web, paths(ds)[2], syntax))
        assert run(dcmtk("dcmftest"), str(got)).startswith("yes")
        assert errors(dciodvfy, got) <= errors(dciodvfy, tmp_path / "sent"), name


def test_an_object_without_fault_stays_so(
    client_of: Callable[..., Client], dciodvfy: str, tmp_path: Path
) -> None:
    web = client_of()
    ds = ct_slice(ImageType=["ORIGINAL", "PRIMARY", "AXIAL"], KVP="120", PatientPosition="HFS")
    ds.PositionReferenceIndicator = ds.Manufacturer = ds.Laterality = ""
    ds.AcquisitionNumber = 1
    assert web.post("/dicom-web/studies", **multipart(as_file(ds))).status_code == 200
    (tmp_path / "got").write_bytes(fetched(web, paths(ds)[2]))
    assert errors(dciodvfy, tmp_path / "got") == set()


def bare(value: Any) -> Any:
    """DICOM JSON without what two writers may say in two ways.

    Bulk data (by address or inline), numbers as text or number, empty values, and what pads them.
    """
    if isinstance(value, dict):
        if "vr" in value:
            if value["vr"] in ("OB", "OW", "OF", "OD", "OL", "UN"):
                return value["vr"]
            inner = [bare(one) for one in value.get("Value", [])]
            if value["vr"] in ("DS", "IS", "FL", "FD"):
                inner = [one if one in (None, "") else f"{float(one):.6g}" for one in inner]
            while inner and inner[-1] in (None, "", {}):
                inner.pop()
            return [value["vr"], inner]
        inner = {key: bare(one) for key, one in value.items() if key not in NOT_OF_THE_FILE}
        return inner if inner.get("Alphabetic", "x") else {}
    return value.rstrip(" ^") if isinstance(value, str) else value


@pytest.mark.parametrize("name", FILES)
def test_our_dicom_json_says_what_dcmtks_says(
    client_of: Callable[..., Client], dcmtk: Callable[[str], str], name: str
) -> None:
    path = next(OWN.parent.rglob(name))
    web = client_of()
    ds = pydicom.dcmread(path, stop_before_pixels=True)
    assert web.post("/dicom-web/studies", **multipart(path.read_bytes())).status_code == 200
    [ours] = web.get(f"{paths(ds)[2]}/metadata", headers={"Accept": JSON}).json()
    theirs = json.loads(run(dcmtk("dcm2json"), "-q", str(path)))
    assert bare(ours) == bare(theirs)
