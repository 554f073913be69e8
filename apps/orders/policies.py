"""Which orders and exams an actor sees."""

from django.db.models import Q, QuerySet

from apps.accounts import policy
from apps.orders.models import RequestedProcedure


def _orders_of(exams: QuerySet) -> Q:
    return Q(pk__in=RequestedProcedure.objects.filter(pk__in=exams).values("order"))


ORDER_FIELDS = policy.Fields(exams=_orders_of)
EXAM_FIELDS = policy.Fields(
    site="order__site_id",
    confidentiality="order__confidentiality",
    patient="order__patient_id",
    exams=lambda exams: Q(pk__in=exams),
)
ATTENTION_FIELDS = policy.Fields(confidentiality="", patient="")
