from django.urls import path

from apps.workspace import palette, views

app_name = "workspace"
urlpatterns = [
    path("", views.home, name="home"),
    path("welcome/", views.no_role, name="no-role"),
    path("palette/", palette.palette, name="palette"),
    path("preferences/", views.preferences, name="preferences"),
]
