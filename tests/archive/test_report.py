"""What the report says of each storage is what lies there, and what became of the rest."""

from io import StringIO

import pytest
from django.core.management import CommandError, call_command

from apps.accounts.domain import Role
from apps.accounts.selectors import actor_for_user
from apps.accounts.services import user_save
from apps.archive.models import CopyCount, Location
from apps.archive.selectors import storage_states
from apps.archive.services import copies_count, copies_make, copies_verify
from apps.core.errors import NotPermittedError
from tests.archive.conftest import VERIFIER
from tests.archive.test_verifying import flip

pytestmark = pytest.mark.django_db(transaction=True)


def states():
    return {state.name: state for state in storage_states(actor=VERIFIER)}


def report(*options):
    out = StringIO()
    call_command("storage_report", *options, stdout=out)
    return out.getvalue()


@pytest.fixture
def mixed(archive):
    """Four objects: two whole, one repaired from its other copy, one that only one storage had."""
    for _ in range(3):
        archive.send()
    assert copies_make(actor=VERIFIER, seconds=30) == 3
    flip(archive.path(Location.objects.filter(storage="second").first()))
    alone = archive.send()
    archive.path(Location.objects.get(stored_object=alone)).unlink()
    copies_verify(actor=VERIFIER, seconds=30, now=True)
    assert copies_count(now=True)
    return archive


def test_each_storage_tells_what_it_holds_and_what_was_found(mixed):
    first, second = states()["default"], states()["second"]
    sizes = [path.stat().st_size for path in (mixed.folder / "first").rglob("*.dcm")]
    assert (first.good.copies, first.good.objects_held) == (3, 3)
    assert first.good.bytes_held == sum(sizes)
    assert first.counts["missing"].copies == 1
    assert (first.passes.damaged, first.passes.repaired) == (1, 0)
    assert (first.unrepaired_count, len(first.lost)) == (1, 1)
    [lost] = first.unrepaired
    assert (lost.problem, lost.elsewhere) == ("missing", 0)
    assert lost.key == Location.objects.get(status="missing").key
    assert (second.good.copies, second.counts["corrupt"].copies) == (3, 1)
    assert (second.passes.damaged, second.passes.repaired) == (1, 1)
    assert second.unrepaired == []
    assert first.good.oldest_unread_at is None  # all good ones were read
    assert first.last.copies == 4
    assert first.answers
    assert first.has_room


def test_what_another_storage_could_mend_is_not_called_lost(archive):
    archive.send()
    assert copies_make(actor=VERIFIER, seconds=30) == 1
    second = Location.objects.get(storage="second")
    Location.objects.filter(pk=second.pk).update(status="corrupt", problem="altered")
    state = states()["second"]
    assert (state.unrepaired_count, state.lost, state.unrepaired[0].elsewhere) == (1, set(), 1)


def test_the_command_says_the_same_and_fails_where_something_is_lost(mixed):
    with pytest.raises(CommandError, match="no good copy left anywhere: 1 "):
        report()
    Location.objects.filter(status="missing").delete()
    text = report("--count")
    assert "available: 3 copies of 3 objects" in text
    assert "in 1 passes: 1 found damaged, 1 repaired" in text
    assert "keeps a copy of everything" in text
    assert mixed.folder.as_posix() in text


def test_counting_rests_as_long_as_it_is_dear(archive):
    archive.send()
    assert copies_count()
    assert not copies_count()
    assert copies_count(now=True)
    assert CopyCount.objects.get(storage="default").never_read == 1


def test_what_is_not_answering_says_so(archive):
    archive.send()
    (archive.folder / "first").rename(archive.folder / "away")
    state = states()["default"]
    assert (state.answers, state.has_room, state.free_bytes) == (False, False, None)
    assert "DOES NOT ANSWER" in report()


def test_secrets_of_an_address_stay_secret(settings, archive):
    settings.ARCHIVE_STORAGES = {"second": "s3://KEY:SECRET@127.0.0.1:9/bucket"}
    assert states()["second"].address == "s3://127.0.0.1:9/bucket"
    assert "SECRET" not in report()


def test_only_an_administrator_sees_it(archive):
    user = user_save(actor=VERIFIER, username="t", roles=[Role.RADIOLOGIST], site_codes=["MAIN"])
    with pytest.raises(NotPermittedError):
        storage_states(actor=actor_for_user(user))
