"""What a referring clinician has here: exams asked for by oneself or one's practice.

Access is by grant alone, whatever else the person may do at a site, and by the one policy. A draft
is nobody's business; a preliminary report is named as such and its text is not shown.
"""

import datetime
from copy import copy
from dataclasses import dataclass, replace

from django.db.models import Exists, OuterRef, Q

from apps.core.actors import Actor
from apps.core.status import status_words
from apps.core.words import as_date
from apps.orders.models import RequestedProcedure
from apps.orders.selectors import exam_access, exams_granted_to, newest_exams_granted_to
from apps.patients.domain import fold
from apps.patients.models import Patient
from apps.reports.domain import RELEASED, Section
from apps.reports.models import Report, ReportVersion
from apps.reports.selectors import exam_report_states
from apps.studies.models import Study
from apps.workspace.exams import Exam, exams_for

MOST = 200
NEW_FOR = datetime.timedelta(days=7)
SHOWS = {"mine": "Mine", "practice": "Practice", "waiting": "Waiting"}


@dataclass(frozen=True, slots=True)
class Result:
    """One exam as its referrer sees it."""

    exam: Exam
    pk: int
    state: str

    @property
    def patient(self) -> Patient | None:
        """Whose identity counts."""
        return self.exam.patient

    @property
    def report(self) -> Report | None:
        """The released report."""
        return self.exam.report

    @property
    def version(self) -> ReportVersion | None:
        """The version that counts; none before the report is signed."""
        return self.exam.version

    @property
    def at(self) -> datetime.datetime | datetime.date | None:
        """When it was signed, else the day of the exam."""
        return self.version.signed_at if self.version else self.exam.day

    @property
    def loud(self) -> bool:
        """Whether the state asks to be seen."""
        return status_words(self.state).tone not in {"quiet", "done"}

    @property
    def summary(self) -> str:
        """The line under the name."""
        if self.state == "report.preliminary":
            return (
                "Preliminary: not yet signed by a consultant. It is shown here when it is signed."
            )
        if self.state == "report.cancelled":
            return "The report was withdrawn. Do not act on what it said."
        return next((s["text"] for s in self.impression), "")

    @property
    def impression(self) -> list[Section]:
        """What the referrer reads first: addenda, then the impression, else the whole text."""
        sections: list[Section] = self.version.sections if self.version else []
        first = [
            s for s in sections if s["key"] in {"addendum", "impression"} and s["text"].strip()
        ]
        first.sort(key=lambda s: s["key"] != "impression")
        return first or [s for s in sections if s["text"].strip()][-1:]

    @property
    def studies(self) -> list[Study]:
        """Its studies."""
        return self.exam.studies


def by_grant(actor: Actor) -> Actor:
    """Return the same person with nothing but what was granted."""
    return replace(copy(actor), permissions=frozenset())  # a request's actor is a lazy one


def results_of(actor: Actor, *, show: str = "mine", text: str = "") -> list[Result]:
    """Return the newest results of the actor or of the practice, at most 200.

    Args:
        actor: the referrer.
        show: mine, practice, or waiting (of both, without a signed report).
        text: the beginning of a family name, a birth date, or an exam number.
    """
    who = by_grant(actor)
    if show == "mine":
        who = replace(who, grantees=frozenset({actor.key}))
    which = _waiting if show == "waiting" else _any
    if text:
        rows = exams_granted_to(who).filter(_matching(text), which("pk")).order_by("-pk")[:MOST]
    else:
        rows = newest_exams_granted_to(who, MOST, which=which)
    found = _results(exams_for(who, rows))
    return sorted(found, key=lambda r: (_day(r), r.pk), reverse=True)


def result_counts(actor: Actor) -> dict[str, str]:
    """Return how many exams each list has, by its rows' policy: `200+` where there are more."""
    who = by_grant(actor)
    mine = replace(who, grantees=frozenset({actor.key}))
    rows = {
        "mine": newest_exams_granted_to(mine, MOST + 1),
        "practice": newest_exams_granted_to(who, MOST + 1),
        "waiting": newest_exams_granted_to(who, MOST + 1, which=_waiting),
    }
    counts = {show: found.count() for show, found in rows.items()}
    return {show: f"{MOST}+" if count > MOST else str(count) for show, count in counts.items()}


def result_access(actor: Actor, key: int) -> Result:
    """Return one result.

    Raises:
        NotFoundError: absent, or not granted to the actor.
    """
    who = by_grant(actor)
    exam = exam_access(who, key)
    [result] = _results(exams_for(who, RequestedProcedure.objects.filter(pk=exam.pk)))
    return result


def is_new(result: Result, at: datetime.datetime) -> bool:
    """Tell whether the result was signed within a week."""
    return result.version is not None and result.version.signed_at > at - NEW_FOR


def _results(exams: list[Exam]) -> list[Result]:
    keys = [exam.number for exam in exams]
    states = exam_report_states(keys)
    return [Result(exam, exam.number, _state(exam, states.get(exam.number))) for exam in exams]


def _state(exam: Exam, report: str | None) -> str:
    """The report's state where one was released, else how far the exam has come."""
    if exam.report is None and report in {"preliminary", "cancelled"}:
        return f"report.{report}"
    return exam.status


def _any(exam: str) -> Q:
    return Q()


def _waiting(exam: str) -> Q:
    """Return the filter for exams without a signed report, given the lookup of their key."""
    links = Report.requested_procedures.through.objects
    signed = links.filter(requestedprocedure=OuterRef(exam), report__status__in=RELEASED)
    return Q(~Exists(signed))


def _matching(text: str) -> Q:
    day = as_date(text.replace("-", ""))
    born = Q(order__patient__birth_date=day) if day else Q()
    name = Q(order__patient__name_search__startswith=fold(text))
    return name | Q(order__accession_number=text) | (born if day else name)


def _day(result: Result) -> str:
    at = result.at
    return at.isoformat() if at else ""
