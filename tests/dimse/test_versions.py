"""The choice between the versions of an image, as findscu's and getscu's kind of peers see it."""

import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest
from pydicom import dcmread

from apps.core import clock
from apps.core.actors import system_actor
from apps.studies.models import Instance, InstanceVersion
from apps.studies.services.versions import version_choose
from tests.dimse.peers import find, query
from tests.dimse.servers import Server
from tests.factories.dicom import as_file, ct_slice

pytestmark = [pytest.mark.peer, pytest.mark.django_db(transaction=True)]


def test_find_and_get_follow_the_choice(
    server: Server, dcmtk: Callable[[str], str], tmp_path: Path
) -> None:
    ds, path, out = ct_slice(), tmp_path / "a.dcm", tmp_path / "got"
    out.mkdir()
    us = ("127.0.0.1", str(server.port))
    for number, words in ((1, "one"), (2, "two")):
        ds.InstanceNumber, ds.ImageComments = number, words
        path.write_bytes(as_file(ds))
        command = [dcmtk("storescu"), "-aec", "ISOCENTER", *us, str(path)]
        subprocess.run(command, check=True)
    keys = {
        "StudyInstanceUID": ds.StudyInstanceUID,
        "SeriesInstanceUID": ds.SeriesInstanceUID,
        "InstanceNumber": "",
    }

    def given() -> tuple[list[int], list[str]]:
        rows, _ = find(server, query("IMAGE", **keys))
        study = f"StudyInstanceUID={ds.StudyInstanceUID}"
        command = [dcmtk("getscu"), "-S", "-aec", "ISOCENTER", "-od", str(out)]
        level = ("-k", "QueryRetrieveLevel=STUDY", "-k", study)
        subprocess.run([*command, *level, *us], check=True)
        return [int(row.InstanceNumber) for row in rows], [
            str(dcmread(file).ImageComments) for file in out.iterdir()
        ]

    assert given() == ([1], ["one"])
    version_choose(
        actor=system_actor("test"),
        instance_id=Instance.objects.get().pk,
        stored_object_id=InstanceVersion.objects.get().stored_object_id,
        at=clock.now(),
    )
    assert given() == ([2], ["two"])
