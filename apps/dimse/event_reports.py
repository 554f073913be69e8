"""The N-EVENT-REPORT that answers a storage commitment request.

Source: PS3.4 J.3.3, PS3.7 10.1.1.
"""

from apps.dimse.data_sets import DataSet
from apps.dimse.sop_classes import STORAGE_COMMITMENT_PUSH, STORAGE_COMMITMENT_PUSH_INSTANCE
from apps.dimse.upper import commands
from apps.exchange.models import StorageCommitment

TRANSACTION_UID = 0x00081195
RETRIEVE_AE_TITLE = 0x00080054
REFERENCED_SOP_SEQUENCE, FAILED_SOP_SEQUENCE = 0x00081199, 0x00081198
REFERENCED_SOP_CLASS_UID, REFERENCED_SOP_INSTANCE_UID = 0x00081150, 0x00081155
FAILURE_REASON = 0x00081197
ALL_SAFE, SOME_FAILED = 1, 2
"""Event Type ID. Source: PS3.4 Table J.3-2."""


def event_command(commitment: StorageCommitment) -> dict[int, int | str | bytes]:
    """Return the command elements of the report but for message ID and data set type."""
    return {
        commands.AFFECTED_SOP_CLASS_UID: STORAGE_COMMITMENT_PUSH,
        commands.COMMAND_FIELD: commands.N_EVENT_REPORT_RQ,
        commands.AFFECTED_SOP_INSTANCE_UID: STORAGE_COMMITMENT_PUSH_INSTANCE,
        commands.EVENT_TYPE_ID: SOME_FAILED if commitment.failures else ALL_SAFE,
    }


def event_information(commitment: StorageCommitment, retrieve_ae_title: str) -> DataSet:
    """Return the report's data set: what is safe, and what is not with the reason.

    Args:
        commitment: a checked one.
        retrieve_ae_title: from whom what is safe can be fetched.
    """
    failed = {(sop_class, uid) for sop_class, uid, _ in commitment.failures}
    information: DataSet = {
        TRANSACTION_UID: commitment.transaction_uid,
        RETRIEVE_AE_TITLE: retrieve_ae_title,
    }
    safe = [
        {REFERENCED_SOP_CLASS_UID: sop_class, REFERENCED_SOP_INSTANCE_UID: uid}
        for sop_class, uid in commitment.references
        if (sop_class, uid) not in failed
    ]
    if safe:
        information[REFERENCED_SOP_SEQUENCE] = safe
    if commitment.failures:
        information[FAILED_SOP_SEQUENCE] = [
            {
                REFERENCED_SOP_CLASS_UID: sop_class,
                REFERENCED_SOP_INSTANCE_UID: uid,
                FAILURE_REASON: reason,
            }
            for sop_class, uid, reason in commitment.failures
        ]
    return information
