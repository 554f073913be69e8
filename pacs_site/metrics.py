"""What the installation measures of itself, for Prometheus at `/metrics`.

`make up` sets PROMETHEUS_MULTIPROC_DIR, so that any web process answers for all processes of the
machine. No label carries a person, a study or an address.
"""

import os
import time
from collections.abc import Callable, Iterator, Sized

from django.http import HttpRequest, HttpResponse
from django.views.decorators.http import require_safe
from prometheus_client import (
    CONTENT_TYPE_LATEST,
    REGISTRY,
    CollectorRegistry,
    Counter,
    Gauge,
    Histogram,
    generate_latest,
)
from prometheus_client.core import GaugeMetricFamily
from prometheus_client.multiprocess import MultiProcessCollector
from prometheus_client.registry import Collector

from apps.core.models import OutboxDelivery

REQUESTS = Counter("isocenter_http_requests", "HTTP answers", ["method", "route", "status"])
SECONDS = Histogram(
    "isocenter_http_request_seconds",
    "Time in Django until the answer begins",
    ["route"],
    buckets=(0.005, 0.01, 0.025, 0.05, 0.1, 0.2, 0.5, 1, 2.5, 10, 60),
)
PAGES = Gauge("isocenter_live_pages", "Pages that listen at /live/", multiprocess_mode="livesum")


class MetricsMiddleware:
    """Counts and times every answer by its route."""

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponse]) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        """Handle one request."""
        began = time.perf_counter()
        response = self.get_response(request)
        match = request.resolver_match
        route = match.route if match else "none"
        REQUESTS.labels(request.method, route, response.status_code).inc()
        SECONDS.labels(route).observe(time.perf_counter() - began)
        return response


class _Outbox(Collector):
    """How far the outbox is behind, read when asked."""

    def collect(self) -> Iterator[GaugeMetricFamily]:
        waiting = OutboxDelivery.objects.filter(done_at=None)
        yield GaugeMetricFamily(
            "isocenter_outbox_waiting",
            "Events not delivered yet",
            value=waiting.filter(dead_at=None).count(),
        )
        yield GaugeMetricFamily(
            "isocenter_outbox_dead",
            "Events given up after all attempts",
            value=waiting.exclude(dead_at=None).count(),
        )


def watch_pages(pages: Sized) -> None:
    """Report the number of listening pages of this process."""
    PAGES.set_function(lambda: len(pages))


@require_safe
def metrics(request: HttpRequest) -> HttpResponse:
    """Answer `/metrics` in Prometheus' text form."""
    registry = REGISTRY
    if os.environ.get("PROMETHEUS_MULTIPROC_DIR"):
        registry = CollectorRegistry()
        MultiProcessCollector(registry)  # type: ignore[no-untyped-call]
    outbox = CollectorRegistry()
    outbox.register(_Outbox())
    body = generate_latest(registry) + generate_latest(outbox)
    return HttpResponse(body, content_type=CONTENT_TYPE_LATEST)
