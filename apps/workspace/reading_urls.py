from django.urls import path

from apps.workspace.views import reading

app_name = "reading"
urlpatterns = [
    path("", reading.listing, name="list"),
    path("tabs/", reading.tabs, name="tabs"),
    path("next/", reading.take_next, name="next"),
    path("filters/", reading.save_filter, name="save-filter"),
    path("filters/<int:pk>/delete/", reading.delete_filter, name="delete-filter"),
    path("<int:pk>/preview/", reading.preview, name="preview"),
    path("<int:pk>/open/", reading.open_item, name="open"),
    path("<int:pk>/report/", reading.write, name="report"),
    path("<int:pk>/claim/", reading.claim, name="claim"),
    path("<int:pk>/release/", reading.release, name="release"),
    path("<int:pk>/toggle/", reading.toggle, name="toggle"),
    path("<int:pk>/heartbeat/", reading.heartbeat, name="heartbeat"),
    path("<int:pk>/hand-off/", reading.hand_off, name="hand-off"),
    path("<int:pk>/force-release/", reading.force_release, name="force-release"),
]
