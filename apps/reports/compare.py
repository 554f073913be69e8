"""Two versions of a report side by side in one text: what was taken out, what was put in."""

import difflib
import re
from collections.abc import Sequence
from dataclasses import dataclass

from apps.reports.domain import Section

WORD = re.compile(r"\s+|[^\s\w]|\w+")


@dataclass(frozen=True, slots=True)
class Piece:
    """A run of text: `kind` is same, out or in."""

    kind: str
    text: str


@dataclass(frozen=True, slots=True)
class SectionChange:
    """One section of the two versions."""

    title: str
    pieces: list[Piece]

    @property
    def changed(self) -> bool:
        """Whether anything differs."""
        return any(piece.kind != "same" for piece in self.pieces)


def compare_texts(before: str, after: str) -> list[Piece]:
    """Return the pieces of the two texts, word by word; the same ones are named once."""
    old, new = WORD.findall(before), WORD.findall(after)
    pieces: list[Piece] = []
    for tag, i, j, k, m in difflib.SequenceMatcher(None, old, new, autojunk=False).get_opcodes():
        if tag == "equal":
            pieces.append(Piece("same", "".join(old[i:j])))
            continue
        if i < j:
            pieces.append(Piece("out", "".join(old[i:j])))
        if k < m:
            pieces.append(Piece("in", "".join(new[k:m])))
    return pieces


def compare_sections(before: Sequence[Section], after: Sequence[Section]) -> list[SectionChange]:
    """Return every section of either version, in the order of the later one.

    Sections are told by their key, and among equal keys (addenda) by their place.
    """
    old, new = _numbered(before), _numbered(after)
    order = [*new, *(name for name in old if name not in new)]
    nothing = Section(key="", title="", text="")
    return [
        SectionChange(
            (new.get(name) or old[name])["title"],
            compare_texts(old.get(name, nothing)["text"], new.get(name, nothing)["text"]),
        )
        for name in order
    ]


def _numbered(sections: Sequence[Section]) -> dict[tuple[str, int], Section]:
    seen: dict[str, int] = {}
    found: dict[tuple[str, int], Section] = {}
    for section in sections:
        seen[section["key"]] = seen.get(section["key"], 0) + 1
        found[section["key"], seen[section["key"]]] = section
    return found
