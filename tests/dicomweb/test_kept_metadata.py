"""Metadata as kept: one statement, under the policy, on record; made anew when it has to be."""

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from apps.accounts.domain import Role
from apps.audit.models import AuditEvent
from apps.core.uids import new_uid
from apps.studies.models import SeriesMetadata, Study
from apps.studies.retrieve import metadata
from tests.dicomweb.conftest import multipart
from tests.dicomweb.test_dicomweb import paths
from tests.factories.dicom import as_file, ct_slice

pytestmark = pytest.mark.django_db
STORED = 'multipart/related; type="application/octet-stream"; transfer-syntax=*'


@pytest.fixture
def two(web):
    """Two slices of a series, in the archive."""
    study, series = new_uid(), new_uid()
    slices = [ct_slice(study=study, series=series, number=number) for number in (1, 2)]
    web.post("/dicom-web/studies", **multipart(*map(as_file, slices)))
    return slices


def test_what_is_kept_is_fetched_by_one_statement(web, two):
    study, series, _ = paths(two[0])
    first = web.get(f"{series}/metadata").json()
    for address in (f"{series}/metadata", f"{study}/metadata"):
        with CaptureQueriesContext(connection) as queries:
            assert web.get(address).json() == first
        assert [q["sql"] for q in queries if "studies_" in q["sql"]] == [
            q["sql"] for q in queries if "studies_seriesmetadata" in q["sql"]
        ]
    assert len(first) == 2


def test_bulk_data_of_one_instance_does_not_narrow_what_is_kept(web, two):
    _, series, instance = paths(two[0])
    assert web.get(f"{instance}/bulkdata", headers={"Accept": STORED}).status_code == 200
    assert len(web.get(f"{series}/metadata").json()) == 2


def test_what_is_kept_is_for_those_only_who_may_see_the_study(client_of, web, two, east):
    _, series, _ = paths(two[0])
    assert web.get(f"{series}/metadata").status_code == 200
    assert SeriesMetadata.objects.exists()
    stranger = client_of(Role.TECHNOLOGIST, east.code)
    assert stranger.get(f"{series}/metadata").status_code == 404
    assert AuditEvent.objects.filter(event="studies.access-refused").count() == 1


def test_what_is_kept_is_on_record_where_it_goes_out(client_of, web, two):
    study, series, _ = paths(two[0])
    web.get(f"{series}/metadata")
    other = client_of(Role.RADIOLOGIST)
    seen = AuditEvent.objects.filter(event="studies.retrieved", actor_roles="radiologist")
    assert other.get(f"{series}/metadata").status_code == 200
    [event] = seen
    assert event.study_instance_uid in study
    assert event.patient_key == str(Study.objects.get().patient_id)


def test_what_is_stored_while_metadata_is_made_is_in_the_next(web, two, monkeypatch):
    _, series, _ = paths(two[0])
    third = ct_slice(study=two[0].StudyInstanceUID, series=two[0].SeriesInstanceUID, number=3)
    chosen = metadata.select

    def meanwhile(**wanted):
        result = chosen(**wanted)
        web.post("/dicom-web/studies", **multipart(as_file(third)))
        return result

    monkeypatch.setattr(metadata, "select", meanwhile)
    assert len(web.get(f"{series}/metadata").json()) == 2
    monkeypatch.undo()
    assert len(web.get(f"{series}/metadata").json()) == 3
