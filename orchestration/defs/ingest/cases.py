"""Cases are opened by scores and worked on by people through the API; the graph only shows that they are there."""

import dagster as dg

from orchestration.policies import OWNER

DESCRIPTIONS = {
    "cases": "One row per case of a tutor: opened by scores as soon as they raise a concern, worked on by people.",
    "case_events": "What happened to each case, append-only.",
    "people": "Who logs in, as tutorq people has made them known.",
}


@dg.definitions
def defs() -> dg.Definitions:
    return dg.Definitions(
        assets=[
            dg.AssetSpec(
                ["app", name],
                group_name="raw",
                kinds={"postgres", "table"},
                owners=[OWNER],
                description=description,
            )
            for name, description in DESCRIPTIONS.items()
        ]
    )
