"""Every address of the product; each app brings its own."""

from django.urls import include, path
from drf_spectacular.views import SpectacularAPIView

from pacs_site import health, live, metrics

urlpatterns = [
    path("dicom-web/", include("apps.dicomweb.urls")),  # first: asked most by far
    path("readyz", health.readyz),
    path("metrics", metrics.metrics),
    path("live/", live.admit),
    path("", include("apps.workspace.urls")),
    path("reading/", include("apps.workspace.reading_urls")),
    path("reports/", include("apps.reports.urls")),
    path("portal/", include("apps.workspace.portal_urls")),
    path("viewer/", include("apps.viewer.urls")),
    path("accounts/", include("apps.accounts.urls")),
    path("schedule/", include("apps.scheduling.urls")),
    path("perform/", include("apps.worklists.urls")),
    path("api/schema/", SpectacularAPIView.as_view(), name="schema"),
]

handler404 = "pacs_site.outage.absent"
handler500 = "pacs_site.outage.failed"
