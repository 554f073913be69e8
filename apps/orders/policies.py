"""Which orders and exams an actor sees."""

from django.db.models import Exists, OuterRef, Q, QuerySet

from apps.accounts import policy
from apps.orders.models import RequestedProcedure


def _orders_of(exams: QuerySet) -> Q:
    return Q(pk__in=RequestedProcedure.objects.filter(pk__in=exams).values("order"))


def _granted(exams: QuerySet) -> Q:
    # Looked up for each exam of a page; for many PostgreSQL makes the list of all by itself.
    return Q(Exists(exams.filter(exam_key=OuterRef("pk"))))


ORDER_FIELDS = policy.Fields(exams=_orders_of)
EXAM_FIELDS = policy.Fields(
    site="order__site_id",
    confidentiality="order__confidentiality",
    patient="order__patient_id",
    exams=_granted,
)
ATTENTION_FIELDS = policy.Fields(confidentiality="", patient="")
