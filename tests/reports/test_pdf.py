"""The PDF, read back with pypdf: identity, text, state in words, version, pages."""

import datetime
import io

import pytest
from pypdf import PdfReader

from apps.core import clock
from apps.reports import services
from apps.reports.models import ReportVersion
from apps.reports.pdf import pdf_name, report_pdf
from tests.reports.writing import addend, correct, draft, preliminary, sign


def pages(version: ReportVersion) -> list[str]:
    reader = PdfReader(io.BytesIO(report_pdf(ReportVersion.objects.get(pk=version.pk))))
    return [" ".join(page.extract_text().split()) for page in reader.pages]


def test_signed_report(room):
    item = room.item()
    version = sign(
        room, draft(room, item, findings="Clear.\n- one < two\n- three", impression="1. Embolism.")
    )
    (text,) = pages(version)
    number = item.patient.identifiers.get().value
    order = item.requested_procedure.order
    for words in (
        "OKONKWO, Adaeze", "04 Nov 1967", f"{number} (MAIN)", "CT chest", order.accession_number,
        "24 Nov 2026", "Hart, E", "FINAL", "Findings", "Clear.", "one < two", "1. Embolism.",
        "Signed electronically by Dr R Falk", "Version 1.", "Page 1 of 1", version.digest[:16],
    ):  # fmt: skip
        assert words in text
    assert "PRELIMINARY" not in text


def test_preliminary_says_so_on_every_page(room):
    long = "\n\n".join(f"Paragraph {n}. " + "Word " * 60 for n in range(40))
    version = preliminary(room, draft(room, findings=long))
    found = pages(version)
    assert len(found) > 2
    for number, text in enumerate(found, start=1):
        assert "PRELIMINARY" in text
        assert f"Page {number} of {len(found)}" in text
        assert "OKONKWO, Adaeze" in text
    assert "Not signed yet" in found[0]
    assert "Signed electronically" not in " ".join(found)


def test_addendum_correction_and_withdrawal_are_named(room):
    report = sign(room).report
    assert "FINAL, WITH ADDENDUM" in pages(addend(room, report))[0]
    corrected = pages(correct(room, report, reason="Wrong side named"))[0]
    assert "CORRECTED" in corrected
    assert "Wrong side named" in corrected
    withdrawn = services.report_cancel(
        actor=room.actor(room.falk),
        report_id=report.pk,
        reason="Wrong patient",
        reauthenticated_at=clock.now(),
        at=clock.now(),
    )
    text = pages(withdrawn)[0]
    assert text.count("WITHDRAWN") == 2  # in the head, and across the page
    assert "Embolism" not in text


def test_older_version_tells_of_the_newer_and_keeps_its_text(room):
    one = sign(room)
    assert "later version" not in pages(one)[0]
    correct(room, one.report)
    text = pages(one)[0]
    assert "A later version of this report exists." in text
    assert "Filling defect, right main artery." in text


def test_same_version_same_bytes(room):
    version = sign(room)
    assert report_pdf(version) == report_pdf(ReportVersion.objects.get(pk=version.pk))


@pytest.mark.parametrize("name", ["Παπαδοπούλου^Ελένη", "Łuczak^Żaneta", "Соколова^Ирина"])
def test_names_of_other_scripts_are_set(room, name):
    version = sign(room, draft(room, room.item(patient=room.patient(name))))
    text = pages(version)[0]
    family, given = name.split("^")
    assert given in text
    assert family.casefold() in text.casefold()


def test_east_asian_text_and_no_birth_date_do_not_fail(room):
    patient = room.patient("山田^太郎", birth_date=None, sex="")
    version = sign(
        room, draft(room, room.item(patient=patient), findings="異常なし \U0001f600 <b>")
    )
    assert report_pdf(version).startswith(b"%PDF-")
    assert "not known" in pages(version)[0]


def test_time_is_the_sites(room):
    room.main.timezone = "Asia/Tokyo"
    room.main.save()
    version = sign(room)
    local = version.signed_at + datetime.timedelta(hours=9)
    assert f"{local:%H:%M} JST" in pages(version)[0]


def test_file_name_has_no_name(room):
    version = sign(room)
    number = version.report.requested_procedures.get().order.accession_number
    assert pdf_name(version) == f"report-{number}-v1-final.pdf"
