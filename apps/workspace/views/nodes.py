"""A DICOM node: who it is, how it stands, and questions put to it by a worker."""

import datetime
from typing import Any

from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.views.decorators.http import require_GET, require_POST

from apps.accounts.domain import Permission
from apps.accounts.models import ApplicationEntity
from apps.accounts.pages import page
from apps.core import clock
from apps.core.actors import Actor
from apps.core.certificates import Certificate
from apps.core.errors import NotFoundError
from apps.dimse.certificates import standing
from apps.dimse.diagnosis import summary
from apps.dimse.domain import Question
from apps.dimse.models import NodeTest
from apps.dimse.node_words import QUESTIONS, explained, success
from apps.dimse.selectors import associations_of, node_tests
from apps.dimse.services import node_test_ask
from apps.dimse.tasks import wake_tester
from apps.workspace.views.administration import tls_of

TESTS_SHOWN, ASSOCIATIONS_SHOWN = 12, 8
LATE = datetime.timedelta(seconds=20)
LOST = datetime.timedelta(seconds=150)
KEYS = {Question.ECHO: "E", Question.FIND: "F", Question.WORKLIST: "W"}


@require_GET
@page(Permission.ADMINISTER)
def node(request: HttpRequest, pk: int) -> HttpResponse:
    """Show a node; where htmx asks, the questions alone."""
    entity = get_object_or_404(ApplicationEntity.objects.select_related("site"), pk=pk)
    return _render(request, entity)


@require_POST
@page(Permission.ADMINISTER)
def ask(request: HttpRequest, pk: int, question: str) -> HttpResponse:
    """Have a worker put a question to a node."""
    actor: Actor = request.actor  # type: ignore[attr-defined]
    if question not in list(Question):
        raise NotFoundError
    test = node_test_ask(actor=actor, entity_id=pk, question=Question(question), at=clock.now())
    wake_tester(test.pk)
    if request.headers.get("HX-Request"):
        return _render(request, test.entity)
    return redirect("workspace:node", pk=pk)


def _render(request: HttpRequest, entity: ApplicationEntity) -> HttpResponse:
    actor: Actor = request.actor  # type: ignore[attr-defined]
    tests = [
        _test(test) for test in node_tests(actor, entity).select_related("entity")[:TESTS_SHOWN]
    ]
    context: dict[str, Any] = {
        "node": entity,
        "tests": tests,
        "running": any(test["outcome"] == "running" for test in tests),
    }
    if request.headers.get("HX-Request"):
        return render(request, "workspace/node_tests.html", context)
    rows = list(associations_of(actor, entity.ae_title)[:ASSOCIATIONS_SHOWN])
    shown = next((row.tls for row in rows if row.tls.get("subject")), None)
    context |= {
        "tls": tls_of(entity),
        "ours": standing(clock.now()),
        "certificate": _certificate(shown),
        "questions": [(q.value, words, KEYS[q]) for q, words in QUESTIONS.items()],
        "associations": [{"record": row, "words": summary(row)} for row in rows],
    }
    return render(request, "workspace/node.html", context)


def _test(test: NodeTest) -> dict[str, Any]:
    found = explained(test)
    waited = clock.now() - test.asked_at
    outcome = "failed" if found else "ok" if test.ended_at else "running"
    if outcome == "running" and waited > LOST:
        outcome = "lost"
    return {
        "test": test,
        "question": QUESTIONS[Question(test.question)],
        "outcome": outcome,
        "late": outcome == "running" and waited > LATE,
        "what": found.what if found else success(test),
        "todo": found.todo if found else "",
        "program": test.facts.get("program", ""),
        "tls": test.facts.get("tls", ""),
        "certificate": _certificate(test.facts.get("certificate")),
    }


def _certificate(shown: dict[str, str] | None) -> Certificate | None:
    if not shown or not shown.get("subject"):
        return None
    return Certificate(**{name: shown[name] for name in Certificate.__slots__})
