"""Every address of the product; each app brings its own."""

from django.urls import include, path

urlpatterns = [
    path("", include("apps.workspace.urls")),
    path("accounts/", include("allauth.urls")),
]
