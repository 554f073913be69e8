"""Reading-list lines and reports of synthetic exams: mostly read and final."""

import datetime as dt
import json
import random
from collections.abc import Iterator

from apps.core.words import date_words
from apps.demo.synthetic.days import MINUTE, Visit
from apps.demo.synthetic.hospital import Hospital
from apps.demo.synthetic.people import Person
from apps.demo.synthetic.tables import NULL, Table, escaped
from apps.reports.domain import ADDENDUM, SECTION_TITLES, version_digest
from apps.reports.models import Report, ReportVersion
from apps.worklists.models import ReadingItem
from apps.worklists.reading.domain import due_at, priority_rank

OPEN = ((12, 0.5), (36, 0.2), (72, 0.03))
"""Hours since the exam ended, and the share that is still open before that."""
DRAFT, PRELIMINARY = 0.05, 0.1
APPENDED = 0.02
HOUR = dt.timedelta(hours=1)
MARK = "Synthetic report. "
Sections = list[dict[str, str]]


class ReadingRows:
    """Rows of the reading list and of reports."""

    def __init__(self, hospital: Hospital, at: dt.datetime) -> None:
        """Begin with empty tables."""
        self.hospital, self.at = hospital, at
        self.keys: Iterator[int] = iter(())
        self.items = Table(
            ReadingItem, "site", "confidentiality", "requested_procedure", "study", "patient",
            "state", "priority", "priority_rank", "due_at", "modality", "body_part", "description",
            "requesting_service", "since", "assigned_to",
        )  # fmt: skip
        self.reports = Table(
            Report, "id", "site", "confidentiality", "patient", "status", "draft_sections",
            "draft_kind", "draft_revision", "draft_saved_at", "author", "created_at",
        )  # fmt: skip
        self.of_exams = Table(Report.requested_procedures.through, "report", "requestedprocedure")
        self.of_studies = Table(Report.studies.through, "report", "study")
        self.versions = Table(
            ReportVersion, "report", "number", "status", "sections", "signed_by",
            "signed_by_display", "signed_at", "previous_digest", "digest",
        )  # fmt: skip
        self.tables = (
            self.items, self.reports, self.of_exams, self.of_studies, self.versions
        )  # fmt: skip

    def expect(self, count: int) -> None:
        """Take keys for the reports of at most so many exams."""
        self.keys = iter(self.reports.keys(count))

    def add(
        self, rng: random.Random, visit: Visit, who: Person, *, patient: int, study: int, exam: int,
        site: int, service: str,
    ) -> None:  # fmt: skip
        """Add a study's line, and its report where somebody has begun one."""
        state = self._state(rng, visit, ordered=bool(exam))
        reader = rng.choice(self.hospital.readers)
        self.items.add(
            site, who.confidentiality, exam or NULL, study, patient, state, visit.priority,
            priority_rank(visit.priority), due_at(visit.priority, visit.end), visit.line.modality,
            visit.line.body_part, visit.line.meaning, service, visit.end,
            reader[0] if state in {"draft", "preliminary"} else NULL,
        )  # fmt: skip
        if exam and state != "unread":
            key = next(self.keys)
            self.of_exams.add(key, exam)
            self.of_studies.add(key, study)
            self._report(rng, visit, who, key, patient, site, state, reader)

    def _state(self, rng: random.Random, visit: Visit, *, ordered: bool) -> str:
        waited = self.at - visit.end
        share = next((share for hours, share in OPEN if waited < hours * HOUR), 0.0)
        if rng.random() >= share:
            return "done"
        draw = rng.random() if ordered else 1
        return "draft" if draw < DRAFT else "preliminary" if draw < PRELIMINARY else "unread"

    def _report(
        self, rng: random.Random, visit: Visit, who: Person, key: int, patient: int, site: int,
        state: str, reader: tuple[int, str],
    ) -> None:  # fmt: skip
        status = {"done": "final", "preliminary": "preliminary", "draft": "registered"}[state]
        old = visit.end < self.at - 10 * 24 * HOUR
        if status == "final" and old and rng.random() < APPENDED:
            status = "appended"
        begun = min(visit.end + rng.randint(4, 400) * MINUTE, self.at - 3 * MINUTE)
        sections = _sections(visit, told=state != "draft")
        text = json.dumps(sections, ensure_ascii=False)
        open_ = status in {"registered", "preliminary"}
        self.reports.add(
            key, site, who.confidentiality, patient, status, escaped(text) if open_ else "[]",
            "report" if open_ else "", 3, begun + MINUTE, reader[0], begun,
        )  # fmt: skip
        if status == "registered":
            return
        first = "preliminary" if status == "preliminary" else "final"
        digest = self._version(key, 1, first, sections, reader, begun + 2 * MINUTE, "")
        if status == "appended":
            later = begun + 300 * MINUTE
            heading = f"Addendum, {date_words(later)}"
            told = {"key": ADDENDUM, "title": heading, "text": f"{MARK}Told by telephone."}
            self._version(key, 2, "appended", [*sections, told], reader, later, digest)

    def _version(
        self, report: int, number: int, status: str, sections: Sections, reader: tuple[int, str],
        signed_at: dt.datetime, previous: str,
    ) -> str:  # fmt: skip
        content = {
            "report": report, "number": number, "status": status, "sections": sections,
            "signed_by": reader[0], "signed_by_display": reader[1],
            "signed_at": signed_at.isoformat(), "reason": "", "previous_digest": previous,
        }  # fmt: skip
        digest = version_digest(content)
        self.versions.add(
            report, number, status, escaped(json.dumps(sections, ensure_ascii=False)), reader[0],
            reader[1], signed_at, previous, digest,
        )  # fmt: skip
        return digest


def _sections(visit: Visit, *, told: bool) -> Sections:
    texts = {
        "indication": visit.reason,
        "technique": visit.line.technique,
        "comparison": "None.",
        "findings": MARK + visit.finding.findings,
        "impression": visit.finding.impression if told else "",
    }
    return [
        {"key": key, "title": title, "text": texts[key]} for key, title in SECTION_TITLES.items()
    ]
