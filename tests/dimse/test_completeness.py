"""A scanner says what it makes and sends it: pynetdicom's N-CREATE and N-SET, dcmtk's storescu."""

import datetime
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest
from pydicom.dataset import Dataset
from pynetdicom.sop_class import ModalityPerformedProcedureStep

from apps.core import clock
from apps.core.actors import system_actor
from apps.core.uids import new_uid
from apps.studies.models import Study
from apps.studies.services import studies_settle
from tests.dimse.peers import associated
from tests.dimse.servers import Server
from tests.factories.dicom import as_file, ct_slice

pytestmark = [pytest.mark.peer, pytest.mark.django_db(transaction=True)]
MPPS = ModalityPerformedProcedureStep


def begun(study: str) -> Dataset:
    step, ds = Dataset(), Dataset()
    step.StudyInstanceUID, step.ScheduledProcedureStepID = study, ""
    ds.ScheduledStepAttributesSequence = [step]
    ds.PatientName, ds.PatientID = "Marlowe^June", "P1"
    ds.PerformedProcedureStepID, ds.PerformedStationAETitle = "1", "CT_1"
    ds.PerformedProcedureStepStartDate, ds.PerformedProcedureStepStartTime = (
        f"{clock.now():%Y%m%d}",
        f"{clock.now():%H%M%S}",
    )
    ds.PerformedProcedureStepStatus, ds.Modality = "IN PROGRESS", "CT"
    return ds


def ended(slices: list[Dataset]) -> Dataset:
    series, ds = Dataset(), Dataset()
    series.SeriesInstanceUID, series.ProtocolName = slices[0].SeriesInstanceUID, "CHEST"
    series.ReferencedImageSequence = []
    for one in slices:
        item = Dataset()
        item.ReferencedSOPClassUID = one.SOPClassUID
        item.ReferencedSOPInstanceUID = one.SOPInstanceUID
        series.ReferencedImageSequence.append(item)
    ds.PerformedSeriesSequence = [series]
    ds.PerformedProcedureStepEndDate, ds.PerformedProcedureStepEndTime = "20261124", "101500"
    ds.PerformedProcedureStepStatus = "COMPLETED"
    return ds


def judged(minutes: int) -> tuple[str, str]:
    at = clock.now() + datetime.timedelta(minutes=minutes)
    studies_settle(actor=system_actor("test"), at=at)
    study = Study.objects.get()
    return study.completeness, study.completeness_evidence


def test_a_study_is_complete_when_all_that_the_scanner_named_is_here(
    server: Server, dcmtk: Callable[[str], str], tmp_path: Path
) -> None:
    study, series, uid = new_uid(), new_uid(), new_uid()
    slices = [ct_slice(study=study, series=series, number=n) for n in (1, 2, 3)]
    paths = [tmp_path / f"{n}.dcm" for n in range(3)]
    for path, ds in zip(paths, slices, strict=True):
        path.write_bytes(as_file(ds))

    def store(*wanted: Path) -> None:
        command = [dcmtk("storescu"), "-aet", "CT_1", "-aec", "ISOCENTER", "127.0.0.1"]
        subprocess.run([*command, str(server.port), *map(str, wanted)], check=True)

    with associated(server, MPPS, title="CT_1") as assoc:
        assert assoc.send_n_create(begun(study), MPPS, uid)[0].Status == 0
        store(*paths[:2])
        assert judged(3) == (
            "RECEIVING",
            "the scanner's step on CT_1 has not ended; 2 images so far",
        )
        assert assoc.send_n_set(ended(slices), MPPS, uid)[0].Status == 0
    found = Study.objects.get()
    assert (found.completeness, found.completeness_evidence) == (
        "PARTIAL",
        "waiting for 1 of 3 images: the scanner's step on CT_1 names it",
    )
    store(paths[2])
    assert judged(0) == ("COMPLETE", "all 3 images that the scanner's step on CT_1 names")


def test_a_step_that_ends_before_its_first_image_is_remembered(
    server: Server, dcmtk: Callable[[str], str], tmp_path: Path
) -> None:
    study, uid = new_uid(), new_uid()
    slices = [ct_slice(study=study, number=n) for n in (1, 2)]
    with associated(server, MPPS, title="CT_1") as assoc:
        assert assoc.send_n_create(begun(study), MPPS, uid)[0].Status == 0
        assert assoc.send_n_set(ended(slices), MPPS, uid)[0].Status == 0
    path = tmp_path / "one.dcm"
    path.write_bytes(as_file(slices[0]))
    command = [dcmtk("storescu"), "-aet", "CT_1", "-aec", "ISOCENTER", "127.0.0.1"]
    subprocess.run([*command, str(server.port), str(path)], check=True)
    assert judged(2)[0] == "PARTIAL"
