"""`tutorq evaluate-policy`."""

from datetime import datetime
from typing import Annotated, Any

import typer

from cli.terminal import JsonFlag, err, open_platform, out, plain_table, print_json, print_table, tells_errors
from core.database import DatabaseRole
from core.errors import TutorqError
from core.words import plural

app = typer.Typer()

WORDS = {
    "offered": "as offered",
    "model": "model",
    "rules": "rules",
    "chance": "chance",
    "assignment": "assignment",
    "by_hand": "fixed by hand",
}
OUTCOMES = {
    "started": "First sessions per slate",
    "continued": "First sessions followed by a second one, per slate",
}

COLUMNS = (
    "\neffective: effective sample size in slates; weight: largest weight of one slate; no support: share of slates "
    "that this order could not produce"
)


@app.command("evaluate-policy")
@tells_errors
def evaluate_policy(
    since: Annotated[
        datetime | None, typer.Option(formats=["%Y-%m-%d"], metavar="DAY", help="Only offers since this day.")
    ] = None,
    policy: Annotated[
        list[str] | None,
        typer.Option(metavar="NAME", help="offered, model, rules or chance. Repeatable; default: all."),
    ] = None,
    as_json: JsonFlag = False,
) -> None:
    """Evaluate offered tutors, and estimate whether another order would have done better."""
    from ml.offer_outcomes import evaluate_offers
    from ml.policy import POLICIES

    if unknown := [each for each in policy or () if each not in POLICIES]:
        raise TutorqError(f"{unknown[0]!r} is not one of {', '.join(POLICIES)}")
    wanted = [each for each in POLICIES if not policy or each in policy]
    settings, database = open_platform(DatabaseRole.TRANSFORM)
    with err.status("Evaluating offers …"):
        answer = evaluate_offers(settings, database, since=since.date() if since else None, policies=wanted)
    if as_json:
        print_json(answer)
        return
    _print(answer)


def _print(answer: dict[str, Any]) -> None:
    out.print(
        f"{plural(answer['slates'], 'slate')}, {answer['known']:,} with a known outcome "
        f"{plural(answer['known_after_days'], 'day')} after the offer. A first session counts within "
        f"{plural(answer['days'], 'day')}.",
        highlight=False,
        soft_wrap=True,
    )
    out.print(verdict(answer["estimates"]), highlight=False, soft_wrap=True)
    if answer["observed"]:
        table = plain_table("offered by", "model", "slates", "offers", "taken", "begun", "went on")
        for row in answer["observed"]:
            counts = (row[name] for name in ("slates", "offers", "taken", "started", "continued"))
            table.add_row(WORDS[row["policy"]], row["model_version"], *(f"{count:,}" for count in counts))
        print_table(table)
    for outcome, words in OUTCOMES.items():
        rows = [row for row in answer["estimates"] if row["outcome"] == outcome]
        out.print(f"\n{words}, had they been:", highlight=False)
        table = plain_table("in the order of", "estimate", "95% interval", "effective", "weight", "no support")
        silent: dict[str, list[str]] = {}
        for row in rows:
            if row["reason"] is not None:
                silent.setdefault(row["reason"], []).append(_name(row))
                continue
            table.add_row(
                _name(row),
                f"{row['estimate']:.3f}",
                f"{row['low']:.3f} to {row['high']:.3f}",
                f"{row['effective']:,.0f}",
                f"{row['largest_weight']:.1f}",
                f"{row['unsupported']:.0%}",
            )
        if table.row_count:
            print_table(table)
        for reason, names in silent.items():
            out.print(f"{', '.join(names)}: cannot tell: {reason}", highlight=False, soft_wrap=True)
    if any(row["reason"] is None for row in answer["estimates"]):
        out.print(COLUMNS, highlight=False, soft_wrap=True)
    out.print("\nHeld out by subject and week:", highlight=False)
    for row in answer["holdout"]:
        words = OUTCOMES[row["outcome"]]
        if row["reason"] is not None:
            out.print(f"{words}: cannot tell: {row['reason']}", highlight=False, soft_wrap=True)
            continue
        out.print(
            f"{words}: {row['others']:.3f} against {row['held_out']:.3f} held out, a difference of "
            f"{row['difference']:+.3f} (95%: {row['low']:+.3f} to {row['high']:+.3f}; {row['cells'][0]} cells held "
            f"out, {row['cells'][1]} others)",
            highlight=False,
            soft_wrap=True,
        )


def _name(row: dict[str, Any]) -> str:
    name = WORDS[row["policy"]]
    return name if row["against"] is None else f"{name} less {WORDS[row['against']]}"


def verdict(rows: list[dict[str, Any]]) -> str:
    """Whether the model is worth it, in a sentence; empty if it was not asked for."""
    found = [row for row in rows if (row["outcome"], row["policy"], row["against"]) == ("continued", "model", "rules")]
    if not found:
        return ""
    [row] = found
    question = "Does the model's order help, against that of the rules?"
    if row["reason"] is not None:
        return f"{question} Cannot tell: {row['reason']}."
    interval = f"95%: {row['low']:+.3f} to {row['high']:+.3f}"
    says = "Yes" if row["low"] > 0 else "No, it harms" if row["high"] < 0 else "No difference found"
    return f"{question} {says}: {row['estimate']:+.3f} first sessions per slate that go on; {interval}."
