"""Bearer tokens: what is remembered of them, and for how long."""

import pytest

from apps.accounts import selectors
from apps.accounts.domain import Role
from apps.accounts.models import ApiToken, User
from apps.accounts.selectors import actor_for_token
from apps.accounts.services import token_issue, user_save
from apps.core import clock
from apps.core.actors import system_actor


@pytest.fixture
def token(db) -> str:
    system = system_actor("test")
    user_save(actor=system, username="ines", roles=[Role.TECHNOLOGIST], site_codes=["MAIN"])
    return token_issue(actor=system, username="ines", at=clock.now())


@pytest.fixture
def later(monkeypatch):
    """Move the memory's clock on."""
    now = selectors.time.monotonic

    def move(seconds: float) -> None:
        monkeypatch.setattr(selectors.time, "monotonic", lambda: now() + seconds)

    return move


def test_a_token_just_seen_costs_no_query(token, django_assert_num_queries):
    actor = actor_for_token(token)
    with django_assert_num_queries(0):
        assert actor_for_token(token) == actor


@pytest.mark.parametrize("how", ["revoked", "expired", "account closed"])
def test_a_token_taken_back_works_a_second_at_most(token, later, how):
    assert actor_for_token(token)
    if how == "revoked":
        ApiToken.objects.update(revoked_at=clock.now())
    elif how == "expired":
        ApiToken.objects.update(expires_at=clock.now())
    else:
        User.objects.filter(username="ines").update(is_active=False)
    later(1.01)
    assert actor_for_token(token) is None
    assert selectors.TOKEN_MEMORY_S <= 1


def test_another_address_is_another_actor(token):
    one, other = actor_for_token(token, "10.0.0.1"), actor_for_token(token, "10.0.0.2")
    assert one
    assert other
    assert (one.address, other.address) == ("10.0.0.1", "10.0.0.2")
