"""Presentation contexts: which are accepted, in which transfer syntax, in which role."""

from apps.dimse.sop_classes import Service, service_of
from apps.dimse.upper import pdu
from apps.dimse.upper.negotiation import (
    EXPLICIT_BE,
    EXPLICIT_LE,
    IMPLICIT_LE,
    Context,
    context_for,
    contexts_to_send,
    negotiate,
)

CT, FIND = "1.2.840.10008.5.1.4.1.1.2", "1.2.840.10008.5.1.4.1.2.2.1"
JPEG, J2K = "1.2.840.10008.1.2.4.70", "1.2.840.10008.1.2.4.90"


def answer(*contexts: tuple[str, tuple[str, ...]], roles: tuple[pdu.RoleSelection, ...] = ()):
    request = pdu.AssociateRequest(
        "A",
        "B",
        tuple(
            pdu.ProposedContext(2 * index + 1, abstract, syntaxes)
            for index, (abstract, syntaxes) in enumerate(contexts)
        ),
        pdu.UserInformation(roles=roles),
    )
    return negotiate(
        request,
        is_storage=lambda uid: service_of(uid) is Service.STORE,
        is_served=lambda uid: service_of(uid) is not None,
    )


def syntaxes(agreement) -> list[str]:
    return [
        result.transfer_syntax if result.result == pdu.ACCEPTED else f"refused {result.result}"
        for result in agreement.results
    ]


def test_storage_takes_any_syntax_known_or_not() -> None:
    agreement = answer((CT, (JPEG,)), (CT, ("1.3.6.1.4.1.99999.1",)), (CT, (EXPLICIT_BE,)))
    assert syntaxes(agreement) == [JPEG, "1.3.6.1.4.1.99999.1", EXPLICIT_BE]


def test_explicit_goes_before_implicit_but_not_before_what_comes_first_compressed() -> None:
    agreement = answer((CT, (IMPLICIT_LE, EXPLICIT_LE)), (CT, (J2K, IMPLICIT_LE, EXPLICIT_LE)))
    assert syntaxes(agreement) == [EXPLICIT_LE, J2K]


def test_queries_speak_uncompressed_little_endian_only() -> None:
    agreement = answer((FIND, (EXPLICIT_BE, IMPLICIT_LE)), (FIND, (JPEG,)))
    assert syntaxes(agreement) == [IMPLICIT_LE, "refused 4"]


def test_unknown_and_private_storage_is_accepted_and_other_services_are_not() -> None:
    private, printer, query = (
        "1.3.12.2.1107.5.9.1",
        "1.2.840.10008.5.1.1.9",
        "1.2.840.10008.5.1.4.38.2",  # hanging protocols, C-FIND
    )
    agreement = answer(
        (private, (IMPLICIT_LE,)), (printer, (IMPLICIT_LE,)), (query, (IMPLICIT_LE,))
    )
    assert syntaxes(agreement) == [IMPLICIT_LE, "refused 3", "refused 3"]


def test_to_be_sent_for_c_get_means_uncompressed_where_syntaxes_are_mixed() -> None:
    role = pdu.RoleSelection(CT, scu=False, scp=True)
    mixed = answer((CT, (J2K, IMPLICIT_LE)), roles=(role,))
    assert syntaxes(mixed) == [IMPLICIT_LE]
    apart = answer((CT, (J2K, IMPLICIT_LE)), (CT, (EXPLICIT_LE,)), roles=(role,))
    assert syntaxes(apart) == [J2K, EXPLICIT_LE]
    assert mixed.roles == (role,)
    assert mixed.contexts[1].we_may_send
    assert not mixed.contexts[1].peer_may_send


def test_128_contexts_are_answered_each() -> None:
    agreement = answer(*[(CT, (JPEG,))] * 128)
    assert len(agreement.contexts) == 128
    assert max(agreement.contexts) == 255


def test_an_even_number_is_refused() -> None:
    request = pdu.AssociateRequest("A", "B", (pdu.ProposedContext(2, CT, (IMPLICIT_LE,)),))
    agreement = negotiate(request, is_storage=lambda _: True, is_served=lambda _: True)
    assert not agreement.contexts


def test_objects_are_proposed_as_stored_and_uncompressed() -> None:
    proposed = contexts_to_send([(CT, J2K), (CT, J2K), (CT, EXPLICIT_LE)])
    assert [(p.context_id, p.transfer_syntaxes) for p in proposed] == [
        (1, (EXPLICIT_LE, IMPLICIT_LE)),
        (3, (J2K,)),
        (5, (EXPLICIT_LE,)),
    ]


def test_with_too_many_syntaxes_every_class_keeps_its_uncompressed_context() -> None:
    objects = [(f"1.2.3.{n}", syntax) for n in range(100) for syntax in (J2K, JPEG)]
    proposed = contexts_to_send(objects)
    assert len(proposed) == 128
    assert {p.abstract_syntax for p in proposed} == {f"1.2.3.{n}" for n in range(100)}


def test_the_stored_syntax_is_preferred_then_uncompressed() -> None:
    accepted = [
        Context(1, CT, IMPLICIT_LE, we_may_send=True),
        Context(3, CT, J2K, we_may_send=True),
    ]
    assert context_for(accepted, CT, J2K) == accepted[1]
    assert context_for(accepted, CT, JPEG) == accepted[0]
    assert context_for(accepted, "1.2.3", JPEG) is None
    assert context_for([Context(1, CT, IMPLICIT_LE)], CT, IMPLICIT_LE) is None
