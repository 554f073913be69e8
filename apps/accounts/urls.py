"""Signing in and out. Accounts are given by an administrator, so the rest of allauth is closed."""

from allauth.account import views
from django.http import Http404, HttpRequest, HttpResponse
from django.urls import path


def closed(request: HttpRequest, **kwargs: str) -> HttpResponse:
    """What nobody does alone here: making an account, resetting a password by mail.

    allauth names these addresses in its own pages, so they must have one.
    """
    raise Http404


CLOSED = {
    "account_signup": "signup/",
    "account_email": "email/",
    "account_email_verification_sent": "confirm-email/",
    "account_confirm_email": "confirm-email/<str:key>/",
    "account_set_password": "password/set/",
    "account_reset_password": "password/reset/",
    "account_reset_password_done": "password/reset/done/",
    "account_reset_password_from_key": "password/reset/key/<str:uidb36>-<str:key>/",
    "account_reset_password_from_key_done": "password/reset/key/done/",
}

urlpatterns = [
    path("login/", views.login, name="account_login"),
    path("logout/", views.logout, name="account_logout"),
    path("inactive/", views.account_inactive, name="account_inactive"),
    path("reauthenticate/", views.reauthenticate, name="account_reauthenticate"),
    path("password/change/", views.password_change, name="account_change_password"),
    *(path(route, closed, name=name) for name, route in CLOSED.items()),
]
