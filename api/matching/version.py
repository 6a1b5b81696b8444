"""What answers about matching are read from: the publication, and the predictions, which change on their own."""

from api.database import VERSION
from api.publication import META_SQL

# `ml.prediction_version` is one row, raised by all who change predictions or people.
SOURCE = "marts.publication cross join ml.prediction_version as predictions"
MATCH_VERSION = f"({VERSION} || '.' || predictions.version)"
MATCH_VERSION_QUERY = f"select {MATCH_VERSION} from {SOURCE}"
MATCH_META_SQL = (
    f"{META_SQL}, 'prediction_version', predictions.version, "
    "'predicted_at', (select max(buckets.predicted_at) from ml.prediction_buckets as buckets)"
)
