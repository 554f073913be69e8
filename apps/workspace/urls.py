from django.urls import path, register_converter
from django.urls.converters import StringConverter

from apps.workspace.views import administration, audit, home, palette, patients


class RegisterConverter(StringConverter):
    """The key of one of the administrator's registers."""

    regex = "users|nodes|peers"


register_converter(RegisterConverter, "register")

app_name = "workspace"
urlpatterns = [
    path("", home.home, name="home"),
    path("welcome/", home.no_role, name="no-role"),
    path("palette/", palette.palette, name="palette"),
    path("preferences/", home.preferences, name="preferences"),
    path("patients/", patients.search, name="patients"),
    path("patients/<int:pk>/", patients.jacket, name="patient"),
    path("audit/", audit.trail, name="audit"),
    path("audit/<int:pk>/", audit.event, name="audit-event"),
    path("administration/", administration.index, name="administration"),
    path("administration/<register:key>/", administration.register, name="register"),
    path("administration/<register:key>/new/", administration.register, name="new-entry"),
    path("administration/<register:key>/<int:pk>/", administration.register, name="entry"),
]
