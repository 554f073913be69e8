"""Drawing many exams at once, in processes of their own. Knows no Django: they start quickly."""

import multiprocessing
import os
import struct
from collections.abc import Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass

from apps.demo.phantoms.dicom import StudyTags, Subject, part10
from apps.demo.phantoms.exams import Exam, images

PREFIX_BYTES = 132
GROUP_LENGTH_BYTES = 12


@dataclass(frozen=True)
class Drawn:
    """An object as it would come over the wire: its UIDs and its data set."""

    sop_class_uid: str
    sop_instance_uid: str
    transfer_syntax_uid: str
    data_set: bytes


@dataclass(frozen=True)
class Job:
    """One exam to be drawn, in another process."""

    key: int
    exam: Exam
    subject: Subject
    study: StudyTags


def draw(job: Job) -> tuple[int, list[Drawn]]:
    """Draw an exam; return its key and its objects."""
    drawn = []
    for ds in images(job.exam, job.subject, job.study):
        file = part10(ds)
        drawn.append(
            Drawn(
                str(ds.SOPClassUID),
                str(ds.SOPInstanceUID),
                str(ds.file_meta.TransferSyntaxUID),
                file[data_set_offset(file) :],
            )
        )
    return job.key, drawn


def data_set_offset(file: bytes) -> int:
    """Return where the data set begins in a Part 10 file whose group 2 tells its length.

    Source: PS3.10 7.1.
    """
    (length,) = struct.unpack_from("<I", file, PREFIX_BYTES + GROUP_LENGTH_BYTES - 4)
    return PREFIX_BYTES + GROUP_LENGTH_BYTES + int(length)


def drawn_all(
    jobs: Sequence[Job], processes: int | None = None
) -> Iterator[tuple[int, list[Drawn]]]:
    """Draw the jobs in processes of their own, and yield each as it is done.

    The processes begin anew (`spawn`), so that none inherits a database connection.
    """
    count = processes or min(4, os.cpu_count() or 1)
    if count <= 1 or len(jobs) < 3:
        yield from map(draw, jobs)
        return
    context = multiprocessing.get_context("spawn")
    with ProcessPoolExecutor(count, mp_context=context) as pool:
        yield from pool.map(draw, jobs)
