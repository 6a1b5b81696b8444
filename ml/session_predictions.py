"""Predictions of sessions to come, in the database."""

from datetime import UTC, datetime

import numpy as np
from psycopg import sql

from core import locks
from core.database import Database
from core.prediction_version import RAISE_VERSION
from ml.features import feature_matrix
from ml.marts import history_day, read_frame
from ml.model import Model

SESSION_COLUMNS = (
    "session_id", "tutor_disruption_probability", "student_no_show_probability", "model_version",
    "student_model_version", "predicted_at", "as_of",
)  # fmt: skip


def predict_sessions(database: Database, tutor_model: Model, student_model: Model) -> int:
    """Predict both risks of scheduled sessions that lack a prediction by either model from the newest histories, and
    forget those that are over. What was predicted between midnight and the roll-over, from the histories of the day
    before, is therefore predicted anew after it.

    Returns how many were predicted; none where the marts of matching have not been built.
    """
    with database.connect() as connection:
        exists = connection.execute("select to_regclass('marts.upcoming_session_features') is not null").fetchone()
        if not (exists and exists[0]):
            return 0
        connection.execute("select pg_advisory_xact_lock_shared(%s)", [locks.PREDICTIONS])
        as_of = history_day(connection)
        names = sorted({*tutor_model.features, *student_model.features})
        # A boolean is a number to a model; only by way of an integer does Postgres make one of it.
        columns = (f"{name}::int::float8 as {name}" if name.startswith("is_") else f"{name}::float8" for name in names)
        query = f"""
            select session_id, {", ".join(columns)}
            from marts.upcoming_session_features as sessions
            where not exists (
                select from ml.session_predictions as predictions
                where
                    predictions.session_id = sessions.session_id
                    and predictions.model_version = %s
                    and predictions.student_model_version = %s
                    and predictions.as_of is not distinct from %s
            )
        """
        versions = [tutor_model.version, student_model.version]
        frame = read_frame(connection, query, [*versions, as_of])
        # Not `not in`, which would read every session there ever was.
        forgotten = connection.execute(
            """
            delete from ml.session_predictions as predictions
            where not exists (
                select from raw.sessions as sessions
                where sessions.session_id = predictions.session_id and sessions.status = 'scheduled'
            )
            """
        ).rowcount
        if len(frame):
            risks = [
                model.predict(feature_matrix(model.features, frame)).astype(np.float32)
                for model in (tutor_model, student_model)
            ]
            connection.execute("create temporary table predicted (like ml.session_predictions) on commit drop")
            statement = sql.SQL("copy predicted ({}) from stdin").format(
                sql.SQL(", ").join(map(sql.Identifier, SESSION_COLUMNS))
            )
            now = datetime.now(UTC)
            with connection.cursor().copy(statement) as copy:
                for session_id, *chances in zip(frame["session_id"], *risks, strict=True):
                    copy.write_row((session_id, *map(float, chances), *versions, now, as_of))
            connection.execute(
                """
                insert into ml.session_predictions select * from predicted
                on conflict (session_id) do update set
                    tutor_disruption_probability = excluded.tutor_disruption_probability,
                    student_no_show_probability = excluded.student_no_show_probability,
                    model_version = excluded.model_version,
                    student_model_version = excluded.student_model_version,
                    predicted_at = excluded.predicted_at,
                    as_of = excluded.as_of
                """
            )
        if len(frame) or forgotten:
            connection.execute(RAISE_VERSION)
    return len(frame)
