"""What hand-written statements over the index have in common.

Tables are named `st` (study), `se` (series), `i` (instance) and `p` (the study's patient).
"""

from collections.abc import Callable
from functools import lru_cache

from django.db.models import Model, Q

from apps.core import sql
from apps.core.actors import Actor
from apps.studies import policies
from apps.studies.models import Instance, Series, Study

PATIENT_OF_STUDY = "JOIN patients_patient p ON p.id = st.patient_id"
FROM: dict[type[Model], str] = {
    Study: "studies_study st",
    Series: "studies_series se JOIN studies_study st ON st.id = se.study_id",
    Instance: (
        "studies_instance i JOIN studies_series se ON se.id = i.series_id"
        " JOIN studies_study st ON st.id = se.study_id"
    ),
}
ALIAS: dict[type[Model], str] = {Study: "st", Series: "se", Instance: "i"}
_PATHS: dict[type[Model], dict[str, type[Model]]] = {
    Study: {"": Study},
    Series: {"": Series, "study__": Study},
    Instance: {"": Instance, "series__": Series, "series__study__": Study},
}


@lru_cache
def columns_of(model: type[Model]) -> dict[str, str]:
    """Return the column behind each lookup path that begins at a study, series or instance."""
    columns = {}
    for prefix, owner in _PATHS[model].items():
        alias = ALIAS[owner]
        for field in owner._meta.concrete_fields:  # noqa: SLF001 - public, by its documentation
            for name in (field.name, field.attname):
                columns[prefix + name] = f"{alias}.{field.column}"
        columns[f"{prefix}pk"] = f"{alias}.id"
    return columns


def condition(model: type[Model], q: Q) -> sql.Sql:
    """Turn a filter of the model into SQL; what `apps.core.sql` cannot say, the ORM says."""
    return sql.where(q, columns_of(model), _by_orm(model))


def visible(actor: Actor) -> sql.Sql:
    """Return the policy as SQL over `st`."""
    return condition(Study, policies.visible(actor))


def _by_orm(model: type[Model]) -> Callable[[Q], sql.Sql]:
    def by_orm(q: Q) -> sql.Sql:
        rows = model._default_manager.filter(q).values("pk")  # noqa: SLF001 - public
        statement, values = rows.query.sql_with_params()
        one = f"SELECT 1 FROM ({statement}) AS one(id) WHERE one.id = {ALIAS[model]}.id"  # noqa: S608 - compiled
        return f"EXISTS ({one})", list(values)

    return by_orm
