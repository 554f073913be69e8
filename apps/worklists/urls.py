from django.urls import path, register_converter
from django.urls.converters import StringConverter

from apps.worklists.performing import views


class DeedConverter(StringConverter):
    """What can be done to a step on the technologist's page."""

    regex = "|".join(views.DEEDS)


register_converter(DeedConverter, "deed")

app_name = "worklists"
urlpatterns = [
    path("", views.perform, name="perform"),
    path("<int:pk>/", views.room, name="room"),
    path("<int:pk>/walk-in/", views.without_appointment, name="walk-in"),
    path("<int:pk>/take/", views.take, name="take"),
    path("steps/<int:pk>/<deed:deed>/", views.act, name="act"),
]
