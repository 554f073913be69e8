from django.urls import path, register_converter
from django.urls.converters import StringConverter

from apps.scheduling.views import commands, pages


class UndoConverter(StringConverter):
    """What of an appointment can be taken back."""

    regex = "|".join(commands.UNDO)


register_converter(UndoConverter, "undo_kind")

app_name = "scheduling"
urlpatterns = [
    path("", pages.calendar, name="calendar"),
    path("panel/", pages.panel, name="panel"),
    path("book/", commands.book, name="book"),
    path("exams/<int:pk>/", pages.exam, name="exam"),
    path("appointments/<int:pk>/", pages.appointment, name="appointment"),
    path("appointments/<int:pk>/move/", commands.move, name="move"),
    path("appointments/<int:pk>/cancel/", commands.cancel, name="cancel"),
    path("appointments/<int:pk>/arrive/", commands.arrive, name="arrive"),
    path("appointments/<int:pk>/ready/", commands.check_in, name="check-in"),
    path("appointments/<int:pk>/missed/", commands.noshow, name="noshow"),
    path("appointments/<int:pk>/undo/<undo_kind:kind>/<int:version>/", commands.undo, name="undo"),
]
