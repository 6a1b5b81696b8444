"""Predictions of who of the tutors stops, in the database."""

import json
from typing import Any, LiteralString

import numpy as np
import numpy.typing as npt

from core import locks
from core.database import Database
from core.prediction_version import RAISE_VERSION
from ml.features import feature_matrix
from ml.marts import read_frame
from ml.model import Model

# What is told of a tutor's risk: so many features at most, each of which moves the odds by a tenth at least.
MOST_FACTORS, LEAST_EFFECT = 4, 0.1
WRITE_TUTORS: LiteralString = """
insert into ml.tutor_predictions as known (tutor_id, as_of, stop_probability, factors, model_version)
select tutor_id, as_of, stop_probability, factors::jsonb, %(model)s
from unnest(%(tutors)s::uuid[], %(days)s::date[], %(chances)s::real[], %(factors)s::text[])
    as predicted (tutor_id, as_of, stop_probability, factors)
on conflict (tutor_id) do update set
    as_of = excluded.as_of, stop_probability = excluded.stop_probability, factors = excluded.factors,
    model_version = excluded.model_version, predicted_at = now()
where
    (known.as_of, known.stop_probability, known.factors, known.model_version)
    is distinct from (excluded.as_of, excluded.stop_probability, excluded.factors, excluded.model_version)
"""


def predict_tutors(database: Database, model: Model) -> int:
    """Predict whether they stop for all active tutors who taught lately, and forget the others.

    Returns how many there are; none where the marts of matching have not been built. Writes what differs alone.
    """
    with database.connect() as connection:
        exists = connection.execute("select to_regclass('marts.attrition_features') is not null").fetchone()
        if not (exists and exists[0]):
            return 0
        connection.execute("select pg_advisory_xact_lock_shared(%s)", [locks.PREDICTIONS])
        columns = ", ".join(f"{name}::float8" for name in model.features)
        frame = read_frame(connection, f"select tutor_id, as_of, {columns} from marts.attrition_features")
        ids = list(frame["tutor_id"])
        changed = connection.execute(
            "delete from ml.tutor_predictions where tutor_id <> all(%s::uuid[])", [ids]
        ).rowcount
        if ids:
            matrix = feature_matrix(model.features, frame)
            chances, factors = model.predict(matrix).astype(np.float32), _factors(model, matrix)
            changed += connection.execute(
                WRITE_TUTORS,
                {
                    "tutors": ids, "days": list(frame["as_of"]), "chances": chances.tolist(),
                    "factors": [json.dumps(each) for each in factors], "model": model.version,
                },
            ).rowcount  # fmt: skip
        if changed:
            connection.execute(RAISE_VERSION)
    return len(ids)


def _factors(model: Model, matrix: npt.NDArray[np.float32]) -> list[list[dict[str, Any]]]:
    """Per row what moves its log-odds most, strongest first."""
    amounts = model.contributions(matrix)[:, : len(model.features)]
    answer = []
    for values, effects in zip(matrix, amounts, strict=True):
        strongest = np.argsort(-np.abs(effects), kind="stable")[:MOST_FACTORS]
        answer.append(
            [
                {
                    "feature": model.features[i],
                    "value": None if np.isnan(values[i]) else float(values[i]),
                    "effect": round(float(effects[i]), 4),
                }
                for i in strongest.tolist()
                if abs(effects[i]) >= LEAST_EFFECT
            ]
        )
    return answer
