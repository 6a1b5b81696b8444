"""Entry point of the code location: everything below `orchestration/defs`, and what holds for all assets."""

import dagster as dg
from dagster_shared.record import replace

from core.settings import PROJECT_ROOT, Settings
from orchestration import traces
from orchestration.partitions import score_days
from orchestration.policies import freshness

HISTORY = dg.AssetKey(["marts", "score_history"])


@dg.definitions
def defs() -> dg.Definitions:
    settings = Settings()
    days = score_days(settings)

    def finish(spec: dg.AssetSpec) -> dg.AssetSpec:
        if spec.key == HISTORY:
            spec = spec.replace_attributes(partitions_def=days)
        return spec.replace_attributes(freshness_policy=freshness(spec, settings))

    # Where pyproject.toml is, in which Dagster looks for the name of this package.
    loaded = dg.load_from_defs_folder(path_within_project=PROJECT_ROOT).map_asset_specs(func=finish)
    # With the file and line that an asset comes from, for the webserver's link into the editor.
    assets = dg.with_source_code_references(list(loaded.assets or ()))
    return replace(loaded, assets=assets, sensors=[*(loaded.sensors or ()), *traces.sensors(settings)])
