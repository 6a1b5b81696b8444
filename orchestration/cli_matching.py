"""The verbs on matching; `orchestration.cli` adds them to the `tutorq` command."""

from pathlib import Path
from typing import Annotated, Any

import typer

from orchestration.terminal import JsonFlag, err, out, plain_table, print_json, tells_errors

matching_app = typer.Typer()

FIGURES = {"auc": "AUC", "pr_auc": "PR-AUC", "log_loss": "log loss", "brier": "Brier"}
PREDICTORS = {
    "rules": "rules (they know no preferences here)",
    "student_history_only": "student's history only",
    "tutor_history_only": "tutor's history only",
    "baseline": "additive logistic on both (baseline)",
    "sum_of_effects": "sum of all effects, without trees",
    "model": "model",
}


@matching_app.command("evaluate-matching")
@tells_errors
def evaluate_matching(
    ratings: Annotated[Path, typer.Option(metavar="FILE", help="CSV: student_id, tutor_id, rating, circumstances.")],
    students: Annotated[Path, typer.Option(metavar="FILE", help="CSV: student_id and more columns.")],
    tutors: Annotated[Path, typer.Option(metavar="FILE", help="CSV: tutor_id and more columns.")],
    folds: Annotated[int, typer.Option(min=2, metavar="N", help="Parts the ratings are split into.")] = 5,
    seed: Annotated[int, typer.Option(metavar="N", help="The same seed gives the same figures.")] = 0,
    as_json: JsonFlag = False,
) -> None:
    """Try the model on a file of ratings: how well does it know a rating of 2 or less beforehand?"""
    from ml.ratings import evaluate_ratings, read_ratings

    with err.status("Growing trees …"):
        answer = evaluate_ratings(read_ratings(ratings, students, tutors), number_of_folds=folds, seed=seed)
    if as_json:
        print_json(answer)
        return
    _print(answer)


def _print(answer: dict[str, Any]) -> None:
    out.print(
        f"{answer['ratings']:,} ratings of {answer['tutors']:,} tutors by {answer['students']:,} students, "
        f"{answer['model']['observed']:.1%} bad ({answer['bad_match']}); {answer['folds']} folds, "
        f"seed {answer['seed']}."
    )
    table = plain_table("predicted by", *FIGURES.values())
    for name, words in PREDICTORS.items():
        table.add_row(words, *(f"{answer[name][figure]:.4f}" for figure in FIGURES))
    out.print(table)
    strongest = list(answer["gain_shares"].items())[:5]
    out.print("The trees' gain: " + ", ".join(f"{name.replace('_', ' ')} {share:.0%}" for name, share in strongest))
