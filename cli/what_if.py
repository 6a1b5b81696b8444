"""`tutorq what-if`, and `tutorq settings`: look at what other settings of scoring would do, and apply them."""

from typing import Annotated, Any

import typer
from pydantic import ValidationError
from rich.progress import BarColumn, Progress, TextColumn

from cli.terminal import JsonFlag, err, open_platform, out, plain_table, print_json, print_table, tells_errors
from core import audit, scoring_settings
from core.concerns import LABELS, ConcernName
from core.database import DatabaseRole
from core.errors import TutorqError
from core.scoring_settings import TURNABLE, ScoringSettings
from core.words import percent

LISTED = 20
ASSIGNMENT = "NAME=VALUE"
NAMES = ", ".join(turnable.name for turnable in TURNABLE)

app = typer.Typer()
settings_app = typer.Typer(help="Show, apply and revert scoring settings.", no_args_is_help=True)

Assignments = Annotated[
    list[str] | None,
    typer.Option("--set", metavar=ASSIGNMENT, help="Setting from `tutorq settings show`. Repeatable."),
]


@app.command("what-if")
@tells_errors
def what_if(
    threshold: Annotated[float | None, typer.Option(help="Let-down limit, 0.01-0.5 (risk_threshold).")] = None,
    raise_from: Annotated[
        float | None, typer.Option(help="Probability that raises a concern (high_risk_probability).")
    ] = None,
    half_life: Annotated[int | None, typer.Option(help="Half-life of a session's weight, in days.")] = None,
    cap: Annotated[int | None, typer.Option(help="Maximum weighted number of sessions (evidence_cap).")] = None,
    counts: Annotated[
        str | None,
        typer.Option(metavar="CAUSES", help="Events that count as let-downs: reschedules,cancellations,no_shows."),
    ] = None,
    assignments: Assignments = None,
    weeks: Annotated[int, typer.Option(min=4, max=52, help="Number of past Mondays to replay.")] = 26,
    as_json: JsonFlag = False,
) -> None:
    """Compare scoring settings: who would be raised or cleared today and in the last 26 weeks. Changes nothing.

    Example: tutorq what-if --threshold 0.2 --half-life 45 --set no_show_limit=0.05
    """
    from what_if import what_if as answer

    named = {
        "risk_threshold": threshold,
        "high_risk_probability": raise_from,
        "evidence_half_life_days": half_life,
        "evidence_cap": cap,
        "reliability_counts": counts.split(",") if counts else None,
    }
    changes = _read({name: value for name, value in named.items() if value is not None} | _assigned(assignments or []))
    settings, database = open_platform(DatabaseRole.TRANSFORM)
    columns = BarColumn(), TextColumn("{task.description}")
    with Progress(*columns, console=err, transient=True, disable=not err.is_terminal) as bar:
        task = bar.add_task("Waiting for the run in progress …", total=1.0)
        result = answer(
            settings,
            database,
            changes,
            weeks=weeks,
            on_progress=lambda share, step: bar.update(task, completed=share, description=step),
        )
    if as_json:
        print_json(result)
        return
    _print(result)


@settings_app.command("show")
@tells_errors
def show(as_json: JsonFlag = False) -> None:
    """List the scoring settings: configured values, values of the next run, and who applied them."""
    settings, database = open_platform()
    with database.connect() as connection:
        applied = scoring_settings.newest(connection)
        now = scoring_settings.in_force(settings, connection)
    configured = scoring_settings.configured(settings)
    if as_json:
        rows = [
            {"name": turnable.name, "configured": configured[turnable.name], "value": now[turnable.name]}
            for turnable in TURNABLE
        ]
        by = applied and {"applied_by": applied.applied_by, "applied_at": applied.applied_at, "note": applied.note}
        print_json({"settings": rows, "applied": by})
        return
    table = plain_table("setting", "configured", "next run", "least", "most")
    for turnable in TURNABLE:
        value, before = now[turnable.name], configured[turnable.name]
        limits = ["" if limit is None else f"{limit:g}" for limit in (turnable.least, turnable.most)]
        table.add_row(turnable.name, _text(before), "" if value == before else _text(value), *limits)
    print_table(table)
    if applied:
        note = f": {applied.note}" if applied.note else ""
        out.print(
            f"Applied by {applied.applied_by} on {applied.applied_at:%Y-%m-%d %H:%M %Z}{note}",
            soft_wrap=True, highlight=False, markup=False,
        )  # fmt: skip


@settings_app.command("apply")
@tells_errors
def apply(
    assignments: Annotated[list[str], typer.Argument(metavar=f"{ASSIGNMENT}...", help=f"Of: {NAMES}.")],
    note: Annotated[str | None, typer.Option(help="Reason, for the history and the audit log.")] = None,
    as_json: JsonFlag = False,
) -> None:
    """Apply settings from the next run on. Under `tutorq up` that run starts within seconds; otherwise run `tutorq
    score`.

    Example: tutorq settings apply risk_threshold=0.2 --note "agreed on 12 November"
    """
    _apply(_read(_assigned(assignments)), note, as_json=as_json)


@settings_app.command("revert")
@tells_errors
def revert(as_json: JsonFlag = False) -> None:
    """Return to the configured settings from the next run on. The history stays."""
    _apply(None, None, as_json=as_json)


def _apply(changes: dict[str, Any] | None, note: str | None, *, as_json: bool) -> None:
    settings, database = open_platform()
    with database.connect() as connection:
        changed = scoring_settings.apply(connection, settings, changes, actor=audit.operator(), note=note)
    if as_json:
        print_json({"changed": changed})
        return
    for name, change in changed.items():
        out.print(f"{name}: {_text(change['from'])} → {_text(change['to'])}", highlight=False, markup=False)
    out.print("The next run uses these settings." if changed else "No changes.")


def _assigned(assignments: list[str]) -> dict[str, Any]:
    """`name=value` as JSON has it; causes are separated by commas."""
    found: dict[str, Any] = {}
    units = {turnable.name: turnable.unit for turnable in TURNABLE}
    for assignment in assignments:
        name, equals, value = assignment.partition("=")
        if not equals or name not in units:
            raise TutorqError(f"{assignment!r} is not {ASSIGNMENT} with one of {NAMES}")
        if units[name] == "causes":
            found[name] = [cause.strip() for cause in value.split(",")]
            continue
        try:
            number = float(value)
        except ValueError:
            raise TutorqError(f"{assignment!r}: {value!r} is not a number") from None
        found[name] = int(number) if number.is_integer() else number
    return found


def _read(changes: dict[str, Any]) -> dict[str, Any]:
    if not changes:
        raise TutorqError(f"name a setting to change, such as --threshold 0.2 or --set {ASSIGNMENT}")
    try:
        return ScoringSettings.model_validate(changes).changes()
    except ValidationError as error:
        first = error.errors()[0]
        raise TutorqError(f"{'.'.join(map(str, first['loc']))}: {first['msg'].removeprefix('Value error, ')}") from None


def _text(value: object) -> str:
    return ",".join(map(str, value)) if isinstance(value, list) else f"{value:g}"


def _print(result: dict[str, Any]) -> None:
    today, history = result["today"], result["history"]
    for name, change in result["changed"].items():
        out.print(f"{name}: {_text(change['from'])} → {_text(change['to'])}", highlight=False, markup=False)
    out.print(
        f"\nToday ({result['as_of']}): tutors raised {today['raised_now']:,} → {today['raised_then']:,}",
        highlight=False,
    )
    table = plain_table("concern", "raised now", "then", "newly raised", "cleared")
    for row in today["by_concern"]:
        label = LABELS[ConcernName(row["concern"])]
        table.add_row(label, *(f"{row[name]:,}" for name in ("raised_now", "raised_then", "raised", "cleared")))
    print_table(table)
    for change in today["changes"][:LISTED]:
        label = LABELS[ConcernName(change["concern"])]
        was, would_be = percent(change["probability_now"]), percent(change["probability_then"])
        out.print(
            f"{change['change']:8} {change['tutor_id']}  {label}, {was} → {would_be}", soft_wrap=True, highlight=False
        )
    if len(today["changes"]) > LISTED:
        out.print(f"… and {len(today['changes']) - LISTED:,} more (--json lists them)")

    weeks = len(history["present"]["weeks"])
    table = plain_table(f"last {weeks} Mondays", "now", "then")
    before, after = history["present"], history["changed"]
    for label, name, show in (
        ("tutors newly raised per week", "onsets_per_week", _number),
        ("tutors raised, on average", "raised_on_average", _number),
        ("let-down flags that were right", "right_share", percent),
        ("unflagged tutors above the limit", "missed_share", percent),
    ):
        table.add_row(label, show(before[name]), show(after[name]))
    print_table(table)
    out.print(
        "A flag was right if the tutor was above the limit in the next 30 days, with at least 20 sessions.",
        soft_wrap=True,
    )
    out.print("No settings were changed. To apply them, run `tutorq settings apply`.")


def _number(value: float | None) -> str:
    return "unknown" if value is None else f"{value:.1f}"
