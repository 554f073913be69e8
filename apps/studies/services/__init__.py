"""Commands of studies."""

from apps.studies.services.instances import (
    InstanceResult,
    InstanceStatus,
    instances_record,
    instances_record_from,
)
from apps.studies.services.matching import (
    order_match_waiting,
    study_link,
    study_suggestions,
    study_unlink,
)
from apps.studies.services.settling import studies_settle

__all__ = [
    "InstanceResult",
    "InstanceStatus",
    "instances_record",
    "instances_record_from",
    "order_match_waiting",
    "studies_settle",
    "study_link",
    "study_suggestions",
    "study_unlink",
]
