"""Every exam of one person as a chain: order, vetted, arrived, scan, images, read, result.

The joins of many apps, each through its own policy: what the actor may not see is not in it.
"""

import datetime
from dataclasses import dataclass, field

from django.db.models import Prefetch, QuerySet

from apps.core.actors import Actor
from apps.core.chain import ChainLink, LinkState
from apps.core.status import status_words
from apps.core.words import clock, when
from apps.exchange.models import Delivery
from apps.orders.models import RequestedProcedure
from apps.orders.selectors import exams_visible_to
from apps.patients.models import Patient
from apps.patients.selectors import alias_keys, current
from apps.reports import policies as report_policies
from apps.reports.models import Report, ReportVersion
from apps.scheduling.models import ScheduledStep
from apps.studies.models import Series, Study, StudyMatch
from apps.studies.selectors import studies_visible_to

ENDED = {"CA": "cancelled", "DC": "discontinued", "ER": "failed"}
NOT_HERE = {"OFFLINE", "UNAVAILABLE", "NEARLINE"}


@dataclass(slots=True)
class Exam:
    """One exam, or a study that belongs to no order, as the patient's page shows it."""

    key: str
    day: datetime.date | None
    modality: str
    title: str
    accession_number: str
    site: str
    status: str
    person: str = ""
    chain: list[ChainLink] = field(default_factory=list)
    studies: list[Study] = field(default_factory=list)
    report: Report | None = None
    version: ReportVersion | None = None
    order_id: int | None = None
    exam_id: int | None = None
    bookable: bool = False
    reason: str = ""
    laterality: str = ""
    patient: Patient | None = None

    @property
    def number(self) -> int:
        """Tells exams of one day apart, the later above."""
        return int(self.key.rpartition("-")[2])

    @property
    def images(self) -> int:
        """How many instances its studies have."""
        return sum(study.number_of_instances for study in self.studies)

    @property
    def availability(self) -> str:
        """The worst availability of its studies, where it is not simply online."""
        found = {study.availability for study in self.studies} & NOT_HERE
        return min(found, default="")

    @property
    def viewer_query(self) -> str:
        """The studies for the viewer's address; empty while there is nothing to open."""
        ready = [s.study_instance_uid for s in self.studies if s.availability == "ONLINE"]
        return ",".join(ready)

    @property
    def day_words(self) -> str:
        """`12 Mar` this year, `19 Aug 2024` before."""
        return when(self.day)

    @property
    def is_exception(self) -> bool:
        """Whether its state asks to be seen: anything but settled and quiet."""
        return status_words(self.status).tone not in ("quiet", "done")

    @property
    def status_words(self) -> str:
        """Its state in words."""
        return status_words(self.status).words

    @property
    def conclusion(self) -> str:
        """The impression of the version that counts, as text."""
        sections = self.version.sections if self.version else []
        wanted = [s for s in sections if s.get("key") in ("impression", "conclusion")]
        return str((wanted or sections or [{"text": ""}])[-1].get("text", ""))


@dataclass(frozen=True, slots=True)
class Thumb:
    """A small picture of one series, and where it opens."""

    url: str
    open_url: str
    words: str
    count: int


def thumbs_of(exam: Exam, limit: int = 3) -> list[Thumb]:
    """Pictures of an exam's first series; none where the images are not at hand."""
    ready = [study for study in exam.studies if study.availability == "ONLINE"]
    series = Series.objects.filter(study__in=ready, number_of_instances__gt=0)
    return [
        Thumb(
            f"/dicom-web/studies/{one.study.study_instance_uid}"
            f"/series/{one.series_instance_uid}/thumbnail",
            f"/viewer/?StudyInstanceUIDs={one.study.study_instance_uid}",
            one.series_description or one.modality,
            one.number_of_instances,
        )
        for one in series.select_related("study").order_by("study", "pk")[:limit]
    ]


def exams_of(actor: Actor, patient: Patient) -> list[Exam]:
    """Every exam of a person that the actor may see, newest first, in six queries."""
    keys = alias_keys(patient)
    found = exams_for(actor, exams_visible_to(actor).filter(order__patient__in=keys))
    loose = studies_visible_to(actor).filter(patient__in=keys, matches=None).select_related("site")
    found += [loose_exam(study) for study in loose]
    return sorted(found, key=lambda e: (e.day or datetime.date.min, e.number), reverse=True)


def exams_for(actor: Actor, procedures: QuerySet[RequestedProcedure]) -> list[Exam]:
    """These exams as the actor may see them, in the order given: five queries."""
    reports = Report.objects.filter(report_policies.visible(actor)).prefetch_related(
        Prefetch("versions", ReportVersion.objects.order_by("number"))
    )
    matches = StudyMatch.objects.filter(study__in=studies_visible_to(actor)).select_related("study")
    steps = ScheduledStep.objects.select_related("appointment__room").prefetch_related(
        "performed_steps"
    )
    rows = procedures.select_related(
        "order__site", "order__referrer", "order__patient__survivor", "procedure"
    ).prefetch_related(
        Prefetch("scheduled_steps", steps.order_by("start_at")),
        Prefetch("matches", matches),
        Prefetch("reports", reports),
    )
    delivered = deliveries_of(rows)
    return [ordered_exam(one, delivered) for one in rows]


def deliveries_of(procedures: QuerySet[RequestedProcedure]) -> dict[int, Delivery]:
    """The last delivery of each report version of these exams, by the version's key."""
    versions = [
        version.pk
        for procedure in procedures
        for report in procedure.reports.all()
        for version in report.versions.all()
    ]
    rows = Delivery.objects.filter(
        kind="oru", reference__in=[f"report-version:{key}" for key in versions]
    ).order_by("pk")
    return {int(row.reference.partition(":")[2]): row for row in rows}


def ordered_exam(procedure: RequestedProcedure, delivered: dict[int, Delivery]) -> Exam:
    """One exam of an order with its chain."""
    order = procedure.order
    steps = list(procedure.scheduled_steps.all())
    step = next((s for s in steps if s.status not in ("CANCELED",)), None)
    studies = [match.study for match in procedure.matches.all()]
    report = next((r for r in procedure.reports.all() if r.status != "cancelled"), None)
    versions = list(report.versions.all()) if report else []
    exam = Exam(
        key=f"exam-{procedure.pk}",
        day=exam_day(procedure, step, studies),
        modality=procedure.modality,
        title=procedure.description,
        accession_number=order.accession_number,
        site=order.site.name,
        status=exam_status(procedure, step, studies, report),
        person=versions[-1].signed_by_display if versions else "",
        studies=studies,
        report=report,
        version=versions[-1] if versions else None,
        order_id=order.pk,
        exam_id=procedure.pk,
        bookable=order.status == "RE" and step is None,
        reason=order.reason,
        laterality=procedure.laterality,
        patient=current(order.patient),
    )
    exam.chain = chain_of(procedure, step, exam, delivered)
    return exam


def loose_exam(study: Study) -> Exam:
    """A study that belongs to no order: its chain begins with the break."""
    day = None
    if len(study.study_date) == 8 and study.study_date.isdecimal():
        day = datetime.date.fromisoformat(study.study_date)
    historic = study.availability == "OFFLINE"
    chain = [
        ChainLink("Images", "done", f"{study.number_of_instances}" if not historic else "on film"),
    ]
    if not historic:
        chain.insert(0, ChainLink("Order", "broken", "no order"))
    return Exam(
        key=f"study-{study.pk}",
        day=day,
        modality="/".join(study.modalities_in_study),
        title=study.study_description or "Study without a description",
        accession_number=study.accession_number,
        site=study.site.name,
        status=f"study.{study.availability}" if historic else f"study.{study.completeness}",
        chain=chain,
        studies=[study],
    )


def exam_day(
    procedure: RequestedProcedure, step: ScheduledStep | None, studies: list[Study]
) -> datetime.date:
    """The day an exam is filed under: of its images, else its step, else its order."""
    for study in studies:
        if len(study.study_date) == 8 and study.study_date.isdecimal():
            return datetime.date.fromisoformat(study.study_date)
    return step.start_date if step else procedure.order.ordered_at.date()


def exam_status(
    procedure: RequestedProcedure,
    step: ScheduledStep | None,
    studies: list[Study],
    report: Report | None,
) -> str:
    """The one state that says most about where an exam stands."""
    if procedure.order.status in ENDED:
        return f"order.{procedure.order.status}"
    if report and report.status != "registered":
        return f"report.{report.status}"
    if studies:
        worst = max(studies, key=lambda s: s.completeness)
        gone = worst.availability in NOT_HERE
        return f"study.{worst.availability if gone else worst.completeness}"
    return f"sps.{step.status}" if step else f"order.{procedure.order.status}"


def chain_of(
    procedure: RequestedProcedure,
    step: ScheduledStep | None,
    exam: Exam,
    delivered: dict[int, Delivery],
) -> list[ChainLink]:
    """The links of an exam; what it does not need is left out, what comes next is `now`."""
    order = procedure.order
    links = [ChainLink("Order", "done", when(order.ordered_at))]
    if order.status in ENDED:
        return [*links, ChainLink(ENDED[order.status].capitalize(), "late", order.cancel_reason)]
    if procedure.procedure and procedure.procedure.needs_vetting:
        links.append(ChainLink("Vetted", "todo" if order.status == "VT" else "done"))
    links += booked_links(step) if step or not exam.studies else []
    links.append(image_link(exam, step))
    links += report_links(exam, delivered)
    return point_at_next(links)


def booked_links(step: ScheduledStep | None) -> list[ChainLink]:
    """Booked or arrived, and the scan; images without a step have neither."""
    if step is None:
        return [ChainLink("Booked", "todo")]
    arrived = step.appointment.arrived_at if step.appointment else None
    begun = step.status in ("STARTED", "DEPARTED", "COMPLETED", "DISCONTINUED")
    first = (
        ChainLink("Arrived", "done", clock(arrived))
        if arrived or begun or step.status in ("ARRIVED", "READY")
        else ChainLink("Booked", "done", when(step.start_at))
    )
    performed = list(step.performed_steps.all())
    if not performed:
        return [first, ChainLink("Scan", "done" if begun else "todo")]
    last = performed[-1]
    states: dict[str, LinkState] = {"COMPLETED": "done", "DISCONTINUED": "late"}
    at = clock(last.ended_at or last.started_at)
    return [first, ChainLink("Scan", states.get(last.status, "now"), at)]


def image_link(exam: Exam, step: ScheduledStep | None) -> ChainLink:
    """How the images stand; a scan that ended without any is a break."""
    if not exam.studies:
        broken = step is not None and step.status in ("DEPARTED", "COMPLETED")
        return ChainLink("Images", "broken" if broken else "todo", "none came" if broken else "")
    if exam.availability == "OFFLINE":
        return ChainLink("Images", "done", "old archive")
    worst = max(study.completeness for study in exam.studies)
    states: dict[str, LinkState] = {"RECEIVING": "now", "PARTIAL": "late"}
    return ChainLink("Images", states.get(worst, "done"), f"{exam.images:,}")


def report_links(exam: Exam, delivered: dict[int, Delivery]) -> list[ChainLink]:
    """Read and result; a preliminary report is under way, never done."""
    version = exam.version
    if exam.report is None or version is None:
        reading = exam.report is not None
        return [ChainLink("Read", "now" if reading else "todo"), ChainLink("Result", "todo")]
    if exam.report.status == "preliminary":
        signed = when(version.signed_at)
        return [ChainLink("Preliminary", "now", signed), ChainLink("Result", "todo")]
    read = ChainLink("Read", "done", when(version.signed_at))
    return [read, result_link(delivered.get(version.pk))]


def result_link(sent: Delivery | None) -> ChainLink:
    """How the result of a signed version travels."""
    if sent is None:
        return ChainLink("Result", "todo")
    if sent.status == Delivery.Status.DONE:
        return ChainLink("Result", "done", when(sent.done_at))
    if sent.status == Delivery.Status.DEAD:
        return ChainLink("Result", "broken", "not delivered")
    return ChainLink("Result", "now", "on its way")


def point_at_next(links: list[ChainLink]) -> list[ChainLink]:
    """Mark the first link that is not there yet as the one under way, where none is."""
    if any(link.state in ("now", "broken", "late") for link in links):
        return links
    for i, link in enumerate(links):
        if link.state == "todo":
            return [*links[:i], ChainLink(link.title, "now", link.detail), *links[i + 1 :]]
    return links
