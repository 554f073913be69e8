"""A version of a report as a PDF: who, what exam, the text, its state in words, who signed.

Made from the version alone and the person's identity as it is known now, so that the same version
gives the same bytes until one of the two changes.
"""

import datetime
import io
from importlib.resources import files
from typing import Any
from xml.sax.saxutils import escape
from zoneinfo import ZoneInfo

from reportlab.lib.colors import Color, HexColor
from reportlab.lib.enums import TA_RIGHT
from reportlab.lib.pagesizes import A4
from reportlab.lib.styles import ParagraphStyle
from reportlab.lib.units import mm
from reportlab.pdfbase import pdfmetrics
from reportlab.pdfbase.cidfonts import UnicodeCIDFont
from reportlab.pdfbase.ttfonts import TTFont
from reportlab.pdfgen.canvas import Canvas
from reportlab.platypus import (
    BaseDocTemplate,
    Flowable,
    Frame,
    HRFlowable,
    KeepTogether,
    ListFlowable,
    ListItem,
    PageTemplate,
    Paragraph,
    Spacer,
    Table,
)

from apps.accounts.models import Site
from apps.core.words import age, clock, date_words, person_name, sex_words
from apps.orders.models import RequestedProcedure
from apps.patients.models import Patient
from apps.patients.selectors import current, primary_identifier
from apps.reports.domain import Block, Section, blocks
from apps.reports.models import Report, ReportVersion
from apps.studies.models import Study

STATUS_WORDS = {
    "preliminary": "PRELIMINARY",
    "final": "FINAL",
    "appended": "FINAL, WITH ADDENDUM",
    "corrected": "CORRECTED",
    "cancelled": "WITHDRAWN",
}
WATERMARKS = {"preliminary": "PRELIMINARY", "cancelled": "WITHDRAWN"}
WARNINGS = {
    "preliminary": "Not signed yet. It may still change: do not treat it as the final report.",
    "cancelled": "This report was withdrawn. Do not act on what earlier versions of it said.",
}
INK, GREY, LINE = HexColor("#16191d"), HexColor("#565d66"), HexColor("#c3c8ce")
MARGIN, FOOT = 20 * mm, 24 * mm
TEXT, BOLD = "Roboto", "Roboto-Bold"
EAST_ASIAN = "HeiseiKakuGo-W5"


def report_pdf(version: ReportVersion) -> bytes:
    """Return a version of a report as an A4 PDF.

    Args:
        version: any version, a preliminary or withdrawn one too: those say so across every page.
    """
    _fonts()
    report = version.report
    patient = current(report.patient)
    out = io.BytesIO()
    document = BaseDocTemplate(
        out,
        pagesize=A4,
        title=f"Report {STATUS_WORDS[version.status].lower()}, {person_name(patient)}",
        author=version.signed_by_display,
        subject=", ".join(exam.description for exam in _exams(report)),
        creator="Isocenter",
        invariant=1,  # no clock and no random identity inside: same version, same bytes
        lang="en-GB",
    )
    frame = Frame(MARGIN, FOOT, A4[0] - 2 * MARGIN, A4[1] - FOOT - 16 * mm, 0, 0, 0, 0)
    document.addPageTemplates(PageTemplate("page", frame))
    document.build(
        _story(version, report, patient),
        canvasmaker=lambda *args, **kwargs: _NumberedPages(version, patient, *args, **kwargs),
    )
    return out.getvalue()


def pdf_name(version: ReportVersion) -> str:
    """Return a file name that says what it is and nothing about the person."""
    exam = version.report.requested_procedures.select_related("order").first()
    number = exam.order.accession_number if exam else f"R{version.report_id}"
    safe = "".join(char for char in number if char.isalnum() or char in "-_")
    return f"report-{safe}-v{version.number}-{version.status}.pdf"


class _NumberedPages(Canvas):
    """A canvas that writes foot, page numbers and watermark once it knows how many pages."""

    def __init__(self, version: ReportVersion, patient: Patient, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self._version, self._patient = version, patient
        self._held: list[dict[str, Any]] = []

    def showPage(self) -> None:  # noqa: N802 - reportlab's name
        self._held.append(dict(self.__dict__))
        self._startPage()  # type: ignore[attr-defined]

    def save(self) -> None:
        pages = self._held
        for number, state in enumerate(pages, start=1):
            self.__dict__.update(state)
            self._foot(number, len(pages))
            super().showPage()
        super().save()

    def _foot(self, number: int, pages: int) -> None:
        version = self._version
        if version.status in WATERMARKS:
            self.saveState()
            self.setFillColor(Color(0.75, 0.1, 0.1, alpha=0.13))
            self.translate(A4[0] / 2, A4[1] / 2)
            self.rotate(52)
            self.setFont(BOLD, 84)
            self.drawCentredString(0, -30, WATERMARKS[version.status])
            self.restoreState()
        self.setStrokeColor(LINE)
        self.setLineWidth(0.5)
        self.line(MARGIN, 18 * mm, A4[0] - MARGIN, 18 * mm)
        self.setFillColor(GREY)
        name = Paragraph(_words(_who(self._patient)), _style("foot", 8, GREY))
        _, height = name.wrap(A4[0] - 2 * MARGIN - 60 * mm, 10 * mm)
        name.drawOn(self, MARGIN, 17 * mm - height)
        self.setFont(TEXT, 8)
        words = STATUS_WORDS[version.status].capitalize()
        self.drawRightString(A4[0] - MARGIN, 14 * mm, f"{words}. Version {version.number}")
        self.drawRightString(A4[0] - MARGIN, 10 * mm, f"Page {number} of {pages}")
        self.drawString(MARGIN, 10 * mm, f"Digest {version.digest[:16]}")


def _story(version: ReportVersion, report: Report, patient: Patient) -> list[Flowable]:
    normal, small = _style("normal", 10.5, INK), _style("small", 8.5, GREY)
    state = _style("state", 11, INK, font=BOLD, alignment=TA_RIGHT)
    story: list[Flowable] = [
        Table(
            [
                [
                    Paragraph(_words(report.site.name), _style("house", 13, INK, font=BOLD)),
                    Paragraph(STATUS_WORDS[version.status], state),
                ],
                [Paragraph("Radiology report", small), ""],
            ],
            colWidths=["62%", "38%"],
            style=_BARE,
        ),
        Spacer(0, 3 * mm),
        HRFlowable(width="100%", thickness=0.7, color=LINE, spaceAfter=3 * mm),
        _facts(report, patient, normal, small),
        HRFlowable(width="100%", thickness=0.7, color=LINE, spaceBefore=3 * mm),
    ]
    if version.status in WARNINGS:
        story += [
            Spacer(0, 3 * mm),
            Paragraph(
                WARNINGS[version.status], _style("warn", 10.5, HexColor("#9b1c1c"), font=BOLD)
            ),
        ]
    if version.reason:
        label = {"corrected": "Corrected", "cancelled": "Withdrawn"}.get(version.status, "Reason")
        story += [Spacer(0, 3 * mm), Paragraph(f"{label}: {_words(version.reason)}", normal)]
    for section in version.sections:
        story += _section(section, normal)
    story += [Spacer(0, 8 * mm), KeepTogether(_signature(version, normal, small))]
    return story


_BARE = [
    ("VALIGN", (0, 0), (-1, -1), "TOP"),
    ("LEFTPADDING", (0, 0), (-1, -1), 0),
    ("RIGHTPADDING", (0, 0), (-1, -1), 6),
    ("TOPPADDING", (0, 0), (-1, -1), 0.5),
    ("BOTTOMPADDING", (0, 0), (-1, -1), 0.5),
]


def _facts(
    report: Report, patient: Patient, normal: ParagraphStyle, small: ParagraphStyle
) -> Table:
    exams, studies = _exams(report), _studies(report)
    number = primary_identifier(patient)
    day = date_words(studies[0].study_date) if studies and studies[0].study_date else ""
    born = date_words(patient.birth_date) if patient.birth_date else "not known"
    years = age(patient.birth_date, report.created_at.date())
    referrers = {str(e.order.referrer) for e in exams if e.order.referrer_id}
    names = {str(person_name(e.order.referring_physician_name)) for e in exams}
    rows = [
        ("Patient", person_name(patient), "Exam", "; ".join(e.description for e in exams)),
        ("Born", ", ".join(p for p in (born, years, sex_words(patient.sex)) if p), "Done", day),
        (
            "Number",
            f"{number.value} ({number.issuer})" if number else "none",
            "Accession",
            "; ".join(dict.fromkeys(e.order.accession_number for e in exams)),
        ),
        ("Asked for by", "; ".join(sorted((referrers or names) - {""})), "Site", report.site.name),
    ]
    if not exams:
        rows[0] = (*rows[0][:3], "; ".join(s.study_description for s in studies) or "Exam")
    name = _style("name", 12, INK, font=BOLD)
    cells = [
        [
            Paragraph(left, small),
            Paragraph(_words(str(who)), name if left == "Patient" else normal),
            Paragraph(right, small),
            Paragraph(_words(str(what)), normal),
        ]
        for left, who, right, what in rows
    ]
    return Table(cells, colWidths=["13%", "39%", "11%", "37%"], style=_BARE)


def _section(section: Section, normal: ParagraphStyle) -> list[Flowable]:
    if not section["text"].strip():
        return []
    heading = Paragraph(_words(section["title"]), _style("head", 10.5, INK, font=BOLD))
    parts = [_block(block, normal) for block in blocks(section["text"])]
    first = KeepTogether([Spacer(0, 4 * mm), heading, Spacer(0, 1 * mm), parts[0]])
    return [first, *(flow for part in parts[1:] for flow in (Spacer(0, 1.5 * mm), part))]


def _block(block: Block, style: ParagraphStyle) -> Flowable:
    if block.kind == "paragraph":
        return Paragraph("<br/>".join(_words(line) for line in block.lines), style)
    numbered = block.kind == "numbers"
    return ListFlowable(
        [ListItem(Paragraph(_words(line), style)) for line in block.lines],  # type: ignore[misc]
        bulletType="1" if numbered else "bullet",
        start=block.first if numbered else "–",
        bulletFontName=TEXT,
        bulletFontSize=10,
        bulletFormat="%s." if numbered else None,
        leftIndent=14,
    )


def _signature(
    version: ReportVersion, normal: ParagraphStyle, small: ParagraphStyle
) -> list[Flowable]:
    verb = {
        "preliminary": "Released as preliminary by",
        "cancelled": "Withdrawn by",
    }.get(version.status, "Signed electronically by")
    moment = _moment(version.signed_at, version.report.site)
    later = version.report.versions.filter(number__gt=version.number).exists()
    lines: list[Flowable] = [
        Paragraph(f"{verb} {_words(version.signed_by_display)}", normal),
        Paragraph(f"{moment}. Version {version.number}.", small),
    ]
    if later:
        lines.append(Paragraph("A later version of this report exists.", normal))
    return lines


def _moment(at: datetime.datetime, site: Site) -> str:
    local = at.astimezone(ZoneInfo(site.timezone))
    return f"{date_words(local.date())} {clock(local.time())} {local.tzname()}"


def _exams(report: Report) -> list[RequestedProcedure]:
    return list(report.requested_procedures.select_related("order__referrer").order_by("pk"))


def _studies(report: Report) -> list[Study]:
    return list(report.studies.order_by("study_date", "pk"))


def _who(patient: Patient) -> str:
    number = primary_identifier(patient)
    born = f", born {date_words(patient.birth_date)}" if patient.birth_date else ""
    return f"{person_name(patient)}{born}" + (f", {number.value}" if number else "")


def _style(
    name: str, size: float, colour: Color, *, font: str = TEXT, **more: Any
) -> ParagraphStyle:
    return ParagraphStyle(
        name, fontName=font, fontSize=size, leading=size * 1.4, textColor=colour, **more
    )


def _words(text: str) -> str:
    """Escape a text for a paragraph, and set what the text font lacks in the East Asian one."""
    known = pdfmetrics.getFont(TEXT).face.charToGlyph  # type: ignore[attr-defined]
    parts: list[str] = []
    foreign = False
    for char in text:
        lacks = ord(char) not in known and not char.isspace()
        if lacks != foreign:
            parts.append(f'<font name="{EAST_ASIAN}">' if lacks else "</font>")
            foreign = lacks
        parts.append(escape(char))
    return "".join(parts) + ("</font>" if foreign else "")


def _fonts() -> None:
    if TEXT in pdfmetrics.getRegisteredFontNames():
        return
    folder = files("font_roboto") / "files"
    pdfmetrics.registerFont(TTFont(TEXT, str(folder / "Roboto-Regular.ttf")))
    pdfmetrics.registerFont(TTFont(BOLD, str(folder / "Roboto-Bold.ttf")))
    pdfmetrics.registerFontFamily(TEXT, normal=TEXT, bold=BOLD, italic=TEXT, boldItalic=BOLD)
    pdfmetrics.registerFont(UnicodeCIDFont(EAST_ASIAN))
