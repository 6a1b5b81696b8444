"""What moves the risk, in words."""

import json

from ml.features import ATTRITION

LABELS = {feature.name: feature.label for feature in ATTRITION.features}


def with_labels(body: bytes) -> bytes:
    """The body of the answer (`TutorAttritionResponse`) from that of the query, which knows features by name. One that
    a later version does not know any more is called by it."""
    answer = json.loads(body)
    for factor in (answer["data"] or {}).get("factors", []):
        factor["label"] = LABELS.get(factor["feature"], factor["feature"].replace("_", " "))
    return json.dumps(answer, ensure_ascii=False).encode()
