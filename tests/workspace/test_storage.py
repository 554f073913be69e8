"""The storage page says what the selectors say, in words, and keeps an address's secrets."""

import pytest

from apps.accounts.domain import Role
from apps.accounts.services import user_save
from apps.archive.models import Location
from apps.archive.services import copies_count, copies_verify
from tests.archive.conftest import VERIFIER, Archive


@pytest.fixture
def administrator(client, db):
    user = user_save(
        actor=VERIFIER, username="boss", roles=[Role.ADMINISTRATOR], site_codes=["MAIN"]
    )
    client.force_login(user)
    return client


@pytest.mark.django_db(transaction=True)
def test_what_is_lost_and_what_does_not_answer_stands_there(administrator, settings, tmp_path):
    archive = Archive(settings, tmp_path)
    archive.send()
    lost = archive.send()
    key = Location.objects.get(stored_object=lost).key
    archive.path(Location.objects.get(stored_object=lost)).unlink()
    copies_verify(actor=VERIFIER, seconds=30, now=True)
    copies_count(now=True)
    settings.ARCHIVE_STORAGES = {"cloud": "s3://KEY:SECRET@127.0.0.1:9/bucket"}
    settings.ARCHIVE_COPY_TO = []
    page = administrator.get("/administration/storage/").content.decode()
    assert "1 of 1 object," in page
    assert "1 damaged in 1 pass, 0 repaired" in page
    assert key in page
    assert "the file is gone" in page
    assert "Of 1 object no good copy is left anywhere: ask the sender to send it again." in page
    assert "does not answer" in page
    assert "s3://127.0.0.1:9/bucket" in page
    assert "SECRET" not in page
