"""Studies from elsewhere: the anonymised test files that come inside pydicom's wheel."""

import datetime as dt
from pathlib import Path

import pydicom
from django.db import transaction
from pydicom import data as pydicom_data

from apps.core.actors import Actor
from apps.demo.phantoms.drawing import Drawn, data_set_offset
from apps.demo.seed.images import store
from apps.orders.domain import ExamRequest, Indication
from apps.orders.models import Procedure, RequestedProcedure
from apps.orders.steps import order_move, order_place
from apps.studies.domain import Completeness
from apps.studies.models import Study
from apps.studies.services import study_link
from apps.studies.steps import study_settle
from apps.worklists.models import ReadingItem
from apps.worklists.reading.steps import state_set, study_sync

FILES = (
    "CT_small.dcm", "MR_small.dcm", "JPEG2000.dcm", "693_J2KI.dcm", "examples_overlay.dcm",
    "examples_palette.dcm", "examples_rgb_color.dcm", "examples_ybr_color.dcm",
    "ExplVR_BigEnd.dcm", "SC_rgb_small_odd.dcm", "liver_1frame.dcm", "rtdose_1frame.dcm",
    "rtplan.dcm", "reportsi.dcm", "test-SR.dcm", "waveform_ecg.dcm",
)  # fmt: skip
"""Chosen for what they show: transfer syntaxes, kinds of colour, objects beside images."""

LEFT_UNMATCHED = 3
"""So many stay without an order, so that the queue of unmatched images has something in it."""


def test_files() -> list[Path]:
    """Return those of the files that the installed pydicom brings along; nothing is downloaded."""
    folder = Path(pydicom_data.__file__).parent / "test_files"
    return [folder / name for name in FILES if (folder / name).is_file()]


def read(path: Path) -> Drawn | None:
    """Return a file's data set byte for byte; None where group 2 does not tell its length."""
    file = path.read_bytes()
    if file[128:132] != b"DICM":
        return None
    ds = pydicom.dcmread(path, specific_tags=["SOPClassUID", "SOPInstanceUID"])
    if "FileMetaInformationGroupLength" not in ds.file_meta:
        return None
    # Named by what the data set says, as a sender of it would: some of these differ in group 2.
    return Drawn(
        str(ds.SOPClassUID),
        str(ds.SOPInstanceUID),
        str(ds.file_meta.TransferSyntaxUID),
        file[data_set_offset(file) :],
    )


def ingest_outside(actor: Actor, procedure: Procedure, at: dt.datetime) -> int:
    """File the outside studies under the patients they name; return how many objects.

    All but a few are joined to an order that asks for no more than to keep them for comparison.

    Args:
        actor: a person with a site, who files them.
        procedure: the line of the catalogue for outside images.
        at: when they came.
    """
    found = [drawn for path in test_files() if (drawn := read(path)) is not None]
    before = set(Study.objects.values_list("pk", flat=True))
    count = store(actor, found, at, "page")
    fresh = Study.objects.exclude(pk__in=before).select_related("patient", "site").order_by("pk")
    for study in list(fresh)[LEFT_UNMATCHED:]:
        exam = _order(actor, study, procedure, at)
        study_link(
            actor=actor,
            study_instance_uid=study.study_instance_uid,
            requested_procedure_id=exam.pk,
            at=at,
        )
    for study in fresh:
        _settle(study, at)
    return count


@transaction.atomic(durable=True)
def _order(actor: Actor, study: Study, procedure: Procedure, at: dt.datetime) -> RequestedProcedure:
    placed = order_place(
        actor=actor,
        patient=study.patient,
        site=study.site,
        exams=[ExamRequest(procedure.code, procedure.coding_scheme, "", procedure.pk)],
        at=at,
        door="page",
        source="page",
        indication=Indication(reason="Images from elsewhere, for comparison."),
    )
    order_move(actor=actor, order=placed.order, event="complete", at=at, door="page")
    return placed.order.requested_procedures.get()


@transaction.atomic(durable=True)
def _settle(study: Study, at: dt.datetime) -> None:
    """Call the study complete; one that is kept for comparison is not to be read."""
    locked = Study.objects.select_for_update(of=("self",)).get(pk=study.pk)
    study_settle(study=locked, to=Completeness.COMPLETE, evidence="came as one file from elsewhere")
    study_sync(study_id=study.pk, at=at)
    exams = list(locked.requested_procedures.values_list("pk", flat=True))
    if exams:
        state_set(exams=exams, studies=[study.pk], state=ReadingItem.State.DONE)
