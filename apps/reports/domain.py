"""The report's state machine, and what a report's text may be."""

import hashlib
import itertools
import json
import re
import unicodedata
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TypedDict

from apps.core.errors import InvalidInputError
from apps.core.machines import Machine

REPORT = Machine(
    name="report",
    field="status",
    source="FHIR R4 diagnostic-report-status",
    initial=("registered",),
    table={
        ("autosave", "registered"): "registered",
        ("autosave", "preliminary"): "preliminary",
        ("autosave", "final"): "final",
        ("autosave", "appended"): "appended",
        ("autosave", "corrected"): "corrected",
        ("preliminary", "registered"): "preliminary",
        ("preliminary", "preliminary"): "preliminary",
        ("sign", "registered"): "final",
        ("sign", "preliminary"): "final",
        ("addend", "final"): "appended",
        ("addend", "appended"): "appended",
        ("addend", "corrected"): "appended",
        ("correct", "final"): "corrected",
        ("correct", "appended"): "corrected",
        ("correct", "corrected"): "corrected",
        ("cancel", "registered"): "cancelled",
        ("cancel", "preliminary"): "cancelled",
        ("cancel", "final"): "cancelled",
        ("cancel", "appended"): "cancelled",
        ("cancel", "corrected"): "cancelled",
    },
)

RELEASED = ("final", "appended", "corrected")
"""States whose text is the department's word; only these are ever shown outside it."""

EVENT_OF_RELEASE = {
    "preliminary": "reports.report.preliminary",
    "final": "reports.report.finalised",
    "appended": "reports.report.addended",
    "corrected": "reports.report.corrected",
    "cancelled": "reports.report.cancelled",
}

SECTION_TITLES = {
    "indication": "Clinical information",
    "technique": "Technique",
    "comparison": "Comparison",
    "findings": "Findings",
    "impression": "Impression",
}
"""The sections a report begins with where no template says otherwise, in their order."""

ADDENDUM = "addendum"
MAX_SECTIONS = 40
MAX_SECTION_LENGTH = 50_000
HIDDEN = frozenset({"Cc", "Cf", "Cs", "Co", "Cn"})
"""Unicode categories of characters that nobody sees."""
BULLET = re.compile(r"^[ \t]*[-*•][ \t]+")
NUMBER = re.compile(r"^[ \t]*(\d{1,3})[.)][ \t]+")
OPEN_FIELD = re.compile(r"\[[^\[\]\n]{1,60}\]")
VARIABLE = re.compile(r"\{(reason|age|sex|comparison|exam)\}")


class Section(TypedDict):
    """A part of a report. `text` is plain; its lines carry the little structure there is.

    A line that begins with `- ` or `1. ` is an item of a list, an empty line ends a paragraph.
    Nothing else has a meaning, so the same text is safe and whole on a page, in a PDF and in HL7.
    """

    key: str
    title: str
    text: str


@dataclass(frozen=True, slots=True)
class Block:
    """A run of text as it is set: `kind` is paragraph, bullets or numbers."""

    kind: str
    lines: tuple[str, ...]
    first: int = 1


def clean_text(text: str) -> str:
    """Return the text in the one form in which it is kept.

    Composed characters (NFC), one kind of line end, no control or formatting characters but the
    line end, no blanks at line ends, no blank lines at the ends, at most one between paragraphs.
    """
    composed = unicodedata.normalize("NFC", text.replace("\r\n", "\n").replace("\r", "\n"))
    shown = "".join(
        char if char == "\n" or unicodedata.category(char) not in HIDDEN else _stand_in(char)
        for char in composed
    )
    lines = "\n".join(line.rstrip() for line in shown.split("\n"))
    return re.sub(r"\n{3,}", "\n\n", lines).strip("\n")


def _stand_in(char: str) -> str:
    """A tab or a form feed was a blank to its writer; joiners matter to some scripts."""
    if char in "\t\f\v\x1c\x1d\x1e\x1f\x85":
        return " "
    return char if char in "\u200c\u200d" else ""


def clean_sections(sections: object) -> list[Section]:
    """Return sections of the known shape with clean texts.

    Raises:
        InvalidInputError: not a list of {key, title, text}, or far too long.
    """
    if not isinstance(sections, list) or not 1 <= len(sections) <= MAX_SECTIONS:
        message = f"A report has 1 to {MAX_SECTIONS} sections."
        raise InvalidInputError(message, field="sections")
    return [_clean_section(section) for section in sections]


def _clean_section(section: object) -> Section:
    if not isinstance(section, dict) or not all(
        isinstance(section.get(name), str) for name in ("key", "title", "text")
    ):
        message = "A section is a key, a title and a text."
        raise InvalidInputError(message, field="sections")
    key, title = section["key"].strip(), " ".join(clean_text(section["title"]).split())
    if not re.fullmatch(r"[a-z][a-z0-9-]{0,31}", key) or not 0 < len(title) <= 100:
        message = "A section's key is a short word in small letters, and its title is not empty."
        raise InvalidInputError(message, field="sections")
    if len(section["text"]) > MAX_SECTION_LENGTH:
        message = f"{title} is longer than {MAX_SECTION_LENGTH} characters."
        raise InvalidInputError(message, field=key)
    return Section(key=key, title=title, text=clean_text(section["text"]))


def open_fields(sections: Sequence[Section]) -> list[str]:
    """Return the fields of the template that nobody filled: what stands in [brackets]."""
    return [found for section in sections for found in OPEN_FIELD.findall(section["text"])]


def has_words(sections: Sequence[Section]) -> bool:
    """Tell whether the report says anything: findings or impression, or what stands for them."""
    told = [
        s["text"] for s in sections if s["key"] not in {"indication", "technique", "comparison"}
    ]
    return any(text.strip() for text in told)


def blocks(text: str) -> list[Block]:
    """Split a text into the paragraphs and lists it is made of."""
    found: list[Block] = []
    for paragraph in text.split("\n\n"):
        for kind, run in itertools.groupby(paragraph.split("\n"), key=_kind):
            lines = list(run)
            number = NUMBER.match(lines[0])
            first = int(number.group(1)) if kind == "numbers" and number else 1
            mark = {"bullets": BULLET, "numbers": NUMBER}.get(kind)
            clean = tuple(mark.sub("", line) if mark else line for line in lines)
            if any(line.strip() for line in clean):
                found.append(Block(kind, clean, first))
    return found


def _kind(line: str) -> str:
    if NUMBER.match(line):
        return "numbers"
    return "bullets" if BULLET.match(line) else "paragraph"


def fill(text: str, values: Mapping[str, str]) -> str:
    """Put the exam's own words in place of {reason}, {age}, {sex}, {comparison} and {exam}."""
    return VARIABLE.sub(lambda found: values.get(found.group(1), ""), text)


def version_digest(content: Mapping[str, object]) -> str:
    """Return the SHA-256 of a version's content, which includes the digest of the one before."""
    canonical = json.dumps(content, sort_keys=True, ensure_ascii=False, separators=(",", ":"))
    return hashlib.sha256(canonical.encode()).hexdigest()
