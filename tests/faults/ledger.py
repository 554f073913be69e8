"""What senders were told is kept, by their own word, and whether it is.

The ledger knows nothing of the product: an object is in it when its sender (dcmtk's storescu, an
HTTP client) said that the receiver answered success, with the digest of what was sent.
"""

import hashlib
import threading
import uuid
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from apps.core.uids import new_uid
from tests.factories.dicom import as_file, ct_slice, dataset_bytes
from tests.product import Product

ALL_KEPT = """
    SELECT i.sop_instance_uid, s.study_instance_uid, o.digest, o.size_bytes, o.dataset_offset,
           l.key, l.status
    FROM studies_instance i
    JOIN studies_series e ON e.id = i.series_id
    JOIN studies_study s ON s.id = e.study_id
    LEFT JOIN archive_storedobject o ON o.id = i.stored_object_id
    LEFT JOIN archive_location l ON l.stored_object_id = o.id
    WHERE s.study_instance_uid = ANY(%s)
"""
WRONG_COUNTS = """
    SELECT s.study_instance_uid, s.number_of_instances, s.number_of_series,
           count(i.id), count(DISTINCT e.id)
    FROM studies_study s
    LEFT JOIN studies_series e ON e.study_id = s.id
    LEFT JOIN studies_instance i ON i.series_id = e.id
    WHERE s.study_instance_uid = ANY(%s)
    GROUP BY s.id
    HAVING s.number_of_instances <> count(i.id) OR s.number_of_series <> count(DISTINCT e.id)
"""
VERSIONS = """
    SELECT count(*) FROM studies_instanceversion v
    JOIN studies_instance i ON i.id = v.instance_id
    JOIN studies_series e ON e.id = i.series_id
    JOIN studies_study s ON s.id = e.study_id
    WHERE s.study_instance_uid = ANY(%s)
"""


Sql = Callable[..., list[tuple[Any, ...]]]
"""Runs a query with its parameters and returns the rows."""
Read = Callable[[str], bytes | None]
"""Returns what an archive holds under a key; None where it holds nothing."""


def files_of(archive: Path) -> Read:
    """Read an archive that is a folder."""

    def read(key: str) -> bytes | None:
        path = archive / key
        return path.read_bytes() if path.is_file() else None

    return read


@dataclass(frozen=True)
class Sample:
    """An object to send."""

    uid: str
    study: str
    part10: bytes
    digest: str = field(repr=False)

    def write(self, folder: Path) -> Path:
        """Put it into a folder as a file, for programs that send files."""
        path = folder / f"{self.uid}.dcm"
        path.write_bytes(self.part10)
        return path


def samples(count: int, size: int = 96) -> list[Sample]:
    """Make images of one new series, each of 2 * size * size bytes and other content."""
    uid, mark = _uid(), uuid.uuid4().bytes * 2
    ds = ct_slice(study=new_uid(), size=size, SOPInstanceUID=uid)
    ds.PixelData = ds.PixelData[: -len(mark)] + mark
    study, template = str(ds.StudyInstanceUID), as_file(ds)
    made = []
    for _ in range(count):
        other = _uid()
        part10 = template.replace(uid.encode(), other.encode())
        part10 = part10.replace(mark, uuid.uuid4().bytes * 2)
        digest = hashlib.sha256(dataset_bytes(part10)).hexdigest()
        made.append(Sample(other, study, part10, digest))
    return made


def _uid() -> str:
    """A UID of a fixed length, so that one can be put in another's place."""
    return f"2.25.{uuid.uuid4().int | 1 << 127}"


@dataclass
class Verdict:
    """What was found wrong, each by SOP Instance UID or in words; empty where all is well."""

    acknowledged: int = 0
    lost: list[str] = field(default_factory=list)
    twice: list[str] = field(default_factory=list)
    unreadable: list[str] = field(default_factory=list)
    wrong_counts: list[str] = field(default_factory=list)

    @property
    def good(self) -> bool:
        """Whether nothing is wrong."""
        return not (self.lost or self.twice or self.unreadable or self.wrong_counts)


class Ledger:
    """What was sent, and what of it was acknowledged with success."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self.sent: dict[str, Sample] = {}
        self.acknowledged: set[str] = set()

    def send(self, batch: Sequence[Sample]) -> None:
        """Note that somebody is about to send these."""
        with self._lock:
            self.sent |= {one.uid: one for one in batch}

    def acknowledge(self, uid: str) -> None:
        """Note a success that a sender heard."""
        with self._lock:
            assert uid in self.sent, f"an answer for what was never sent: {uid}"
            self.acknowledged.add(uid)

    def add(self, other: "Ledger") -> None:
        """Take over what another ledger holds."""
        self.sent |= other.sent
        self.acknowledged |= other.acknowledged

    def open(self) -> list[Sample]:
        """Return what was sent and not acknowledged: a modality sends it again."""
        with self._lock:
            return [one for uid, one in self.sent.items() if uid not in self.acknowledged]

    def judge(self, sql: Sql, read: Read) -> Verdict:
        """Compare with what database and archive hold, byte for byte."""
        studies = sorted({one.study for one in self.sent.values()})
        verdict = Verdict(len(self.acknowledged))
        found: set[str] = set()
        for uid, _, digest, size, offset, key, status in sql(ALL_KEPT, studies):
            if uid in found:
                verdict.twice.append(uid)
            found.add(uid)
            if status != "available" or not _holds(read, key, size, offset, digest):
                verdict.unreadable.append(uid)
            elif digest != self.sent[uid].digest:
                verdict.lost.append(uid)
        verdict.lost += sorted(self.acknowledged - found)
        verdict.twice += ["versions"] * (sql(VERSIONS, studies) != [(0,)])
        verdict.wrong_counts = [str(row) for row in sql(WRONG_COUNTS, studies)]
        return verdict


def _holds(read: Read, key: str, size: int, offset: int, digest: str) -> bool:
    content = read(key)
    if content is None:
        return False
    return len(content) == size and hashlib.sha256(content[offset:]).hexdigest() == digest


def orphans(sql: Sql, archive: Path) -> set[str]:
    """Return the keys of files that no row names."""
    files = {str(path.relative_to(archive)) for path in archive.rglob("*.dcm")}
    return files - {key for (key,) in sql("SELECT key FROM archive_location")}


SWEEP = """
import datetime
from apps.archive.services import orphans_sweep
from apps.core import clock
from apps.core.actors import system_actor
later = clock.now() + datetime.timedelta(days=3)
print(orphans_sweep(actor=system_actor("sweeper"), at=later))
"""


def sweep(made: Product) -> int:
    """Run the sweeper as it will run in three days; return how many files it removed."""
    return int(made.manage("shell", "-v0", "-c", SWEEP))
