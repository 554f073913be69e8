"""What DICOM does on our own account: results of storage commitments, the black box's age."""

import datetime
from zoneinfo import ZoneInfo

import structlog
from django.conf import settings
from kombu.exceptions import OperationalError

from apps.accounts.models import ApplicationEntity
from apps.accounts.selectors import application_entity
from apps.core import clock
from apps.core.actors import system_actor
from apps.core.tasks import pacs_task
from apps.dimse import questions
from apps.dimse.certificates import peer_tls
from apps.dimse.data_sets import encode
from apps.dimse.domain import Question
from apps.dimse.event_reports import event_command, event_information
from apps.dimse.models import AssociationRecord, NodeTest, PortProbe
from apps.dimse.services import node_test_answered
from apps.dimse.sop_classes import STORAGE_COMMITMENT_PUSH
from apps.dimse.statuses import SUCCESS
from apps.dimse.upper import pdu
from apps.dimse.upper.commands import CommandError
from apps.dimse.upper.negotiation import EXPLICIT_LE, UNCOMPRESSED_LE
from apps.dimse.upper.requestor import PeerUnreachableError, Requestor
from apps.dimse.upper.wire import WireError
from apps.exchange import services
from apps.exchange.domain import CommitmentState
from apps.exchange.models import StorageCommitment
from apps.studies.commitment import Reference, references_check

log = structlog.get_logger(__name__)

ANSWER_S = 30.0
FORGET_AT_ONCE = 5000


@pacs_task(time_limit=600)
def associations_forget() -> None:
    """Remove what the black box has kept for `ISOCENTER_ASSOCIATION_DAYS`."""
    before = clock.now() - datetime.timedelta(days=settings.ISOCENTER_ASSOCIATION_DAYS)
    old = AssociationRecord.objects.filter(started_at__lt=before).order_by("started_at")
    while keys := list(old.values_list("pk", flat=True)[:FORGET_AT_ONCE]):
        AssociationRecord.objects.filter(pk__in=keys).delete()
    NodeTest.objects.filter(asked_at__lt=before).delete()
    PortProbe.objects.filter(minute__lt=before).delete()


@pacs_task(queue="dicom-out", time_limit=1200)
def commitments_answer() -> None:
    """Check and answer every storage commitment that is due."""
    while (commitment := services.commitment_claim(at=clock.now())) is not None:
        answer(commitment)


@pacs_task(queue="dicom-out", time_limit=120)
def node_test_run(*, test_id: int) -> None:
    """Put an administrator's question to a node, unless that was done before."""
    test = NodeTest.objects.select_related("entity__site").filter(pk=test_id, ended_at=None).first()
    if test is None:
        return
    at = clock.now()
    today = at.astimezone(ZoneInfo(test.entity.site.timezone)).date()
    given = questions.ask(test.entity, Question(test.question), today)
    node_test_answered(test_id=test.pk, answer=given, at=clock.now())


def wake_tester(test_id: int) -> None:
    """Have a worker try a node; where the broker is down, that is the answer."""
    try:
        node_test_run.apply_async(kwargs={"test_id": test_id}, retry=False)
    except OperationalError as error:
        missing = questions.Answer(questions.NO_WORKER, "", str(error))
        node_test_answered(test_id=test_id, answer=missing, at=clock.now())


def wake_answerer() -> None:
    """Ask a worker to answer; where the broker is down, the beat finds the work later."""
    try:
        commitments_answer.apply_async(retry=False)
    except OperationalError as error:
        log.warning("dimse.answerer-not-woken", reason=str(error))


def check(commitment: StorageCommitment) -> StorageCommitment:
    """Check what is asked, unless it was checked before and has only to be said again."""
    if commitment.state == CommitmentState.CHECKED:
        return commitment
    references = [Reference(sop_class, uid) for sop_class, uid in commitment.references]
    at = clock.now()
    failures = references_check(references, site_id=commitment.site_id, at=at)
    return services.commitment_checked(commitment_id=commitment.pk, failures=failures, at=at)


def answer(commitment: StorageCommitment) -> None:
    """Check one leased question and send the result on a new association; note what came of it.

    The result may arrive twice where the peer's answer to it was lost: it carries the peer's own
    Transaction UID, which makes it one.
    """
    entity = application_entity(commitment.ae_title)
    if entity is None:
        why = "it is not registered here, so there is no address to send the result to"
        _postpone(commitment, why, never_left=True)
        return
    checked = check(commitment)
    try:
        status = report(checked, entity)
    except PeerUnreachableError as error:
        _postpone(commitment, str(error), never_left=True)
        return
    except (WireError, CommandError, pdu.PduError) as error:
        _postpone(commitment, f"the result was sent, but no answer came: {error}")
        return
    if status == SUCCESS:
        services.commitment_reported(
            actor=system_actor("commitment"), commitment_id=commitment.pk, at=clock.now()
        )
    else:
        _postpone(commitment, f"it answered the result with status {status:04X}H")


def report(checked: StorageCommitment, entity: ApplicationEntity) -> int:
    """Send the N-EVENT-REPORT and return the status of its response.

    We call in the role of the SCP. A peer that says nothing about roles is taken to agree, as
    many modalities do; one that refuses the role is not reported to.

    Raises:
        PeerUnreachableError: no association, or not for this.
        WireError: it broke before the answer.

    Source: PS3.4 J.3.3; PS3.7 D.3.3.4.
    """
    context = pdu.ProposedContext(1, STORAGE_COMMITMENT_PUSH, UNCOMPRESSED_LE)
    role = pdu.RoleSelection(STORAGE_COMMITMENT_PUSH, scu=False, scp=True)
    with Requestor.open(
        host=entity.host,
        port=entity.port,
        called_ae=entity.ae_title,
        calling_ae=settings.ISOCENTER_AE_TITLE,
        contexts=[context],
        roles=[role],
        tls=peer_tls(entity),
        answer_s=ANSWER_S,
    ) as peer:
        accepted = peer.contexts.get(context.context_id)
        if accepted is None:
            message = (
                f"{entity.ae_title} at {entity.host}:{entity.port} takes associations, but no "
                "storage commitment results with us as their sender"
            )
            raise PeerUnreachableError(message)
        data_set = encode(
            event_information(checked, settings.ISOCENTER_AE_TITLE),
            explicit=accepted.transfer_syntax == EXPLICIT_LE,
        )
        return peer.request(accepted, event_command(checked), data_set).status


def _postpone(commitment: StorageCommitment, error: str, *, never_left: bool = False) -> None:
    log.warning("dimse.commitment-not-answered", peer=commitment.ae_title, reason=error)
    services.commitment_postpone(
        commitment_id=commitment.pk, error=error, at=clock.now(), never_left=never_left
    )
