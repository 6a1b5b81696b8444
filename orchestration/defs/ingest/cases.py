"""Cases are opened by scores and worked on by people through the API; the graph only shows that they are there."""

import dagster as dg

from orchestration.policies import OWNER

DESCRIPTIONS = {
    "cases": "One row per case of a tutor: opened by scores as soon as they raise a concern, worked on by people.",
    "case_events": "What happened to each case, append-only.",
    "people": "Who logs in, as tutorq people has made them known.",
}
# Dagster finds this by itself only for what is made somewhere.
HERE = {
    "dagster/code_references": dg.CodeReferencesMetadataValue(
        code_references=[dg.LocalFileCodeReference(file_path=__file__)]
    ),
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
                metadata=HERE,
            )
            for name, description in DESCRIPTIONS.items()
        ]
    )
