"""Plain values and rules of the reading list."""

import datetime
from dataclasses import asdict, dataclass, fields
from typing import Any

PRIORITY_RANK = {"stat": 0, "urgent": 1, "routine": 2}
TURNAROUND = {
    "stat": datetime.timedelta(hours=1),
    "urgent": datetime.timedelta(hours=4),
    "routine": datetime.timedelta(hours=24),
}
"""From readable to read, by priority: what the due clock counts down."""

CLAIM_LASTS = datetime.timedelta(minutes=10)
"""A claim whose page has been silent this long no longer keeps others out."""

HEARTBEAT_S = 60
"""How often an open page says that it is still there."""

PAGE = 50
COUNT_CAP = 1000
"""Counts stop here, so that a backlog of a million costs no more than a full page."""


def priority_rank(priority: str) -> int:
    """Return the place of a priority in the list: 0 stat, 1 urgent, 2 all else."""
    return PRIORITY_RANK.get(priority, PRIORITY_RANK["routine"])


def due_at(priority: str, since: datetime.datetime) -> datetime.datetime:
    """Return when an exam that became readable at `since` is to be read."""
    return since + TURNAROUND.get(priority, TURNAROUND["routine"])


@dataclass(frozen=True, slots=True)
class ReadingFilters:
    """What narrows the list; empty means any.

    Attributes:
        show: unread (nothing released yet), stat (stat and urgent), mine, to-sign, unmatched.
        modality: (0008,0060).
        site: its code.
        body_part: (0018,0015).
        images: complete, or arriving.
        state: unread, draft or preliminary.
        text: the beginning of the family name, or an accession number.
    """

    show: str = "all"
    modality: str = ""
    site: str = ""
    body_part: str = ""
    images: str = ""
    state: str = ""
    text: str = ""

    @classmethod
    def read(cls, values: dict[str, Any]) -> "ReadingFilters":
        """Take the known fields out of a query string or a saved filter."""
        known = {f.name for f in fields(cls)}
        found = cls(**{k: str(v).strip()[:64] for k, v in values.items() if k in known and v})
        return found if found.show in LISTS else cls(**{**asdict(found), "show": "all"})

    def as_dict(self) -> dict[str, str]:
        """Return what is set, for a query string or to be saved."""
        return {k: v for k, v in asdict(self).items() if v and (k, v) != ("show", "all")}


LISTS = {
    "all": "All open",
    "stat": "Stat and urgent",
    "mine": "Mine",
    "to-sign": "To sign",
    "unmatched": "No order",
}


@dataclass(frozen=True, slots=True)
class Cursor:
    """Where a page ends: the keyset of its last row."""

    priority_rank: int
    due_at: datetime.datetime
    pk: int

    def __str__(self) -> str:
        return f"{self.priority_rank}~{self.due_at.isoformat()}~{self.pk}"

    @classmethod
    def read(cls, text: str) -> "Cursor | None":
        """Return the cursor a page was asked with; None for none or nonsense."""
        try:
            rank, due, pk = text.split("~")
            return cls(int(rank), datetime.datetime.fromisoformat(due), int(pk))
        except ValueError:
            return None
