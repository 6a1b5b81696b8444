"""Models as assets: trained weekly, judged on later rows, promoted only if they are better than all there is."""

from base64 import b64encode
from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Any

import dagster as dg

from core.settings import Settings
from orchestration.policies import OWNER, RETRY_POLICY
from orchestration.resources import Platform

if TYPE_CHECKING:
    from ml.promote import Fault

# What each kind of model learns from, in the words of its asset.
KINDS = {
    "match": ("match_outcomes", "Does a student go on with a tutor after the first session?"),
    "session": ("session_outcomes", "Will the tutor reschedule a session, or not turn up?"),
    "student_no_show": ("session_outcomes", "Will the student miss a session?"),
    "attrition": ("attrition_outcomes", "Will a tutor who teaches now stop within 60 days?"),
}
# What may be at fault with a candidate, by check; that the champion is better is no fault.
FAULTS: dict[str, frozenset["Fault"]] = {
    "beats_baseline": frozenset({"chance", "baseline"}),
    "is_calibrated": frozenset({"calibration"}),
}
FIGURES = ("rows", "observed", "auc", "pr_auc", "log_loss", "brier")


def weekly(timezone: str) -> dg.AutomationCondition[Any]:
    """Every Monday, as soon as what the model learns from is that of the week before."""
    midnight = "0 0 * * 1"
    monday: dg.AutomationCondition[Any] = dg.AutomationCondition.cron_tick_passed(midnight, timezone)
    return (
        # Monday has begun; noticed late, too, by an installation that was off.
        monday
        # Once a week: a request or a training by hand is this week's, and a failure waits for somebody to look at it.
        .since_last_handled()
        # The roll-over has been here since. At a fixed hour, a late one would leave last week's outcomes to learn from.
        & dg.AutomationCondition.all_deps_updated_since_cron(midnight, timezone)
        # Not beside a training that somebody has asked for.
        & ~dg.AutomationCondition.in_progress()
    ).with_label("once a week, after Monday's roll-over")


def model_assets(kind: str, timezone: str) -> dg.AssetsDefinition:
    mart, question = KINDS[kind]
    model, metrics = dg.AssetKey(["ml", f"{kind}_model"]), dg.AssetKey(["ml", f"{kind}_metrics"])

    @dg.multi_asset(
        name=f"train_{kind}_model",
        specs=[
            dg.AssetSpec(
                model,
                deps=[["marts", mart]],
                description=f"{question} The champion among the models that answer; the rules until there is one.",
                group_name="models",
                kinds={"xgboost"},
                owners=[OWNER],
                automation_condition=weekly(timezone),
            ),
            dg.AssetSpec(
                metrics,
                deps=[model],
                description="How good the newest candidate is, on rows later than all it was trained on.",
                group_name="models",
                kinds={"postgres"},
                owners=[OWNER],
            ),
        ],
        check_specs=[
            dg.AssetCheckSpec(
                "beats_baseline",
                asset=model,
                description="The candidate is surely better than chance and the rules, and not worse than the additive "
                "logistic regression. If not, it is recorded and not promoted: the champion, or the rules, go on "
                "answering.",
            ),
            dg.AssetCheckSpec(
                "is_calibrated",
                asset=model,
                description="What the candidate says with 20% happens in about 20% of the rows.",
            ),
        ],
        retry_policy=RETRY_POLICY,
    )
    def train(context: dg.AssetExecutionContext, platform: Platform) -> Iterator[Any]:
        from ml import plots
        from ml.retraining import retrain

        done = retrain(platform.settings, platform.database, kind)
        candidate = done.candidate
        if done.lost:
            context.log.warning(done.lost)
        yield dg.MaterializeResult(
            asset_key=model,
            metadata={
                "champion": done.champion,
                "candidate": done.version or "none",
                "is_promoted": candidate.is_promoted,
                "reason": candidate.reason,
                "trained_rows": candidate.trained_rows,
                "parameters": dg.MetadataValue.json(candidate.parameters),
                **({"lost_model": done.lost} if done.lost else {}),
            },
        )
        figures = {name: candidate.metrics[name] for name in ("rules", "baseline", "model", "champion")
                   if name in candidate.metrics}  # fmt: skip
        metadata: dict[str, Any] = {
            "figures": dg.MetadataValue.md(figures_table(figures)),
            "risk_bands": dg.MetadataValue.md(bands_table(figures.get("model", {}).get("risk_bands", []))),
        }
        for name, png in plots.plots(candidate).items():
            metadata[name] = dg.MetadataValue.md(f"![{name}](data:image/png;base64,{b64encode(png).decode()})")
        yield dg.MaterializeResult(asset_key=metrics, metadata=metadata)
        yield from verdicts(model, candidate.faults, candidate.reason)

    return train


def figures_table(figures: Mapping[str, Mapping[str, Any]]) -> str:
    """Markdown: a line per model, a column per figure."""
    lines = ["| |" + "|".join(FIGURES) + "|", "|---" * (len(FIGURES) + 1) + "|"]
    for name, values in figures.items():
        shown = (values.get(figure) for figure in FIGURES)
        lines.append(f"|{name}|" + "|".join(_short(value) for value in shown) + "|")
    return "\n".join(lines)


def bands_table(bands: list[Mapping[str, Any]]) -> str:
    """Markdown: a line per risk band."""
    if not bands:
        return "no model"
    names = list(bands[0])
    lines = ["|" + "|".join(names) + "|", "|---" * len(names) + "|"]
    return "\n".join([*lines, *("|" + "|".join(_short(value) for value in band.values()) + "|" for band in bands)])


def verdicts(model: dg.AssetKey, faults: frozenset["Fault"], reason: str) -> Iterator[dg.AssetCheckResult]:
    """The two checks, from what the judgement found. With too little to learn from there is nothing to judge.

    They stop a promotion, which has been decided by the same judgement, and not the run: predictions are made by the
    champion in any case.
    """
    for name, wrong in FAULTS.items():
        yield dg.AssetCheckResult(
            asset_key=model,
            check_name=name,
            passed=not faults & wrong,
            # Nothing is at fault with the platform: whoever answered before goes on.
            severity=dg.AssetCheckSeverity.WARN,
            metadata={"reason": reason},
        )


def _short(value: object) -> str:
    if value is None:
        return ""
    return f"{value:.4f}" if isinstance(value, float) else str(value)


@dg.definitions
def defs() -> dg.Definitions:
    timezone = Settings().timezone
    return dg.Definitions(assets=[model_assets(kind, timezone) for kind in KINDS])
