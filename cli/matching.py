"""`tutorq train`, `predict`, `assign` and `evaluate-matching`."""

import time
from pathlib import Path
from typing import Annotated, Any
from uuid import uuid4

import typer
from rich.progress import BarColumn, Progress, TextColumn, TimeElapsedColumn

from cli.terminal import JsonFlag, err, open_platform, out, plain_table, print_json, print_table, tells_errors
from core import audit
from core.audit import Action
from core.database import Database, DatabaseRole
from core.errors import TutorqError
from core.words import plural

app = typer.Typer()

KINDS = ("match", "session", "student_no_show", "attrition")

FIGURES = {"auc": "AUC", "pr_auc": "PR-AUC", "log_loss": "log loss", "brier": "Brier"}
PREDICTORS = {
    "rules": "rules (they know no preferences here)",
    "student_history_only": "student's history only",
    "tutor_history_only": "tutor's history only",
    "baseline": "additive logistic on both (baseline)",
    "sum_of_effects": "sum of all effects, without trees",
    "model": "model",
}


@app.command("evaluate-matching")
@tells_errors
def evaluate_matching(
    ratings: Annotated[Path, typer.Option(metavar="FILE", help="CSV: student_id, tutor_id, rating, circumstances.")],
    students: Annotated[Path, typer.Option(metavar="FILE", help="CSV: student_id and feature columns.")],
    tutors: Annotated[Path, typer.Option(metavar="FILE", help="CSV: tutor_id and feature columns.")],
    folds: Annotated[int, typer.Option(min=2, metavar="N", help="Number of cross-validation folds.")] = 5,
    seed: Annotated[int, typer.Option(metavar="N", help="Random seed; the same seed gives the same figures.")] = 0,
    as_json: JsonFlag = False,
) -> None:
    """Evaluate the model on a file of ratings: how well does it predict ratings of 2 or less?"""
    from ml.ratings import evaluate_ratings, read_ratings

    with err.status("Growing trees …"):
        answer = evaluate_ratings(read_ratings(ratings, students, tutors), number_of_folds=folds, seed=seed)
    if as_json:
        print_json(answer)
        return
    _print(answer)


def _print(answer: dict[str, Any]) -> None:
    out.print(
        f"{plural(answer['ratings'], 'rating')} of {plural(answer['tutors'], 'tutor')} by "
        f"{plural(answer['students'], 'student')}, {answer['model']['observed']:.1%} bad ({answer['bad_match']}); "
        f"{plural(answer['folds'], 'fold')}, "
        f"seed {answer['seed']}."
    )
    table = plain_table("predicted by", *FIGURES.values())
    for name, words in PREDICTORS.items():
        table.add_row(words, *(f"{answer[name][figure]:.4f}" for figure in FIGURES))
    print_table(table)
    strongest = list(answer["influence"].items())[:5]
    out.print(
        "Most important features: " + ", ".join(f"{name.replace('_', ' ')} {share:.0%}" for name, share in strongest)
    )


@app.command()
@tells_errors
def train(
    kind: Annotated[
        str | None, typer.Option(metavar="KIND", help="match, session, student_no_show or attrition. Default: all.")
    ] = None,
    seed: Annotated[
        int, typer.Option(metavar="N", help="Random seed; the same data and seed give the same model.")
    ] = 7,
    refresh: Annotated[bool, typer.Option(help="Update histories and outcomes first.")] = True,
    as_json: JsonFlag = False,
) -> None:
    """Train the models and promote any model that beats the champion. Dagster runs this every week."""
    from core import dbt_runner
    from ml.retraining import retrain

    if kind is not None and kind not in KINDS:
        raise TutorqError(f"{kind!r} is not one of {', '.join(KINDS)}")
    settings, database = open_platform(DatabaseRole.TRANSFORM)
    _need_marts(database)
    if refresh:
        with err.status("Updating histories and outcomes …"):
            dbt_runner.build(settings, database, select=["int_as_of", "tag:matching"])
    answers = {}
    for each in KINDS if kind is None else (kind,):
        with err.status(f"Training the {each} model …"):
            done = answers[each] = retrain(settings, database, each, seed=seed)
        _warn_of(done.lost)
        details = {"version": done.version, "is_promoted": done.candidate.is_promoted}
        _note(database, Action.MODEL_TRAIN, ("model", each), details)
    if as_json:
        print_json(
            {
                each: {
                    "version": done.version, "champion": done.champion, "is_promoted": done.candidate.is_promoted,
                    "reason": done.candidate.reason, "trained_rows": done.candidate.trained_rows,
                    "data_from": done.candidate.data_from, "data_to": done.candidate.data_to,
                    "parameters": done.candidate.parameters, "metrics": done.candidate.metrics,
                }
                for each, done in answers.items()
            }
        )  # fmt: skip
        return
    for each, done in answers.items():
        what = "promoted" if done.candidate.is_promoted else "not promoted"
        out.print(f"{each}: {done.version or 'no model'}, {what}: {done.candidate.reason}", soft_wrap=True)
        _show_figures(done.candidate.metrics)


@app.command()
@tells_errors
def predict(
    student: Annotated[
        list[str] | None, typer.Option(metavar="ID", help="Only pairs of this student. Repeatable.")
    ] = None,
    tutor: Annotated[list[str] | None, typer.Option(metavar="ID", help="Only pairs of this tutor. Repeatable.")] = None,
    as_json: JsonFlag = False,
) -> None:
    """Predict pairs (as TUTORQ_MATCH_PAIRS says), planned sessions and tutors with the champion models."""
    from ml.predictions import predict_all, repredict
    from ml.registry import settled_champion
    from ml.session_predictions import predict_sessions
    from ml.tutor_predictions import predict_tutors

    settings, database = open_platform(DatabaseRole.TRANSFORM)
    _need_marts(database)
    by = settled_champion(settings, database, "match")
    _warn_of(by.lost)
    model = by.model
    sessions = stopping = 0
    if student or tutor:
        students = [_person(database, "students", each) for each in student or []]
        tutors = [_person(database, "tutors", each) for each in tutor or []]
        done = repredict(settings, database, model, students=students, tutors=tutors)
        if not done.is_done:
            raise TutorqError("some students have all pairs, some the best; run `tutorq predict` without names first")
    else:
        with _progress() as bar:
            task = bar.add_task("pairs", total=None, rows=0)
            done = predict_all(
                settings,
                database,
                model,
                on_progress=lambda pairs, total: bar.update(task, completed=pairs, total=total, rows=pairs),
            )
        by_session, by_student, of_tutors = (settled_champion(settings, database, kind) for kind in KINDS[1:])
        for found in (by_session, by_student, of_tutors):
            _warn_of(found.lost)
        sessions = predict_sessions(database, by_session.model, by_student.model)
        stopping = predict_tutors(database, of_tutors.model)
    _note(
        database,
        Action.PREDICTIONS_START,
        ("pairs", ", ".join([*(student or ()), *(tutor or ())]) or "all"),
        {"pairs": done.pairs, "sessions": sessions, "tutors": stopping, "model": model.version},
    )
    if as_json:
        print_json(
            {
                "pairs": done.pairs,
                "kept": done.kept,
                "sessions": sessions,
                "tutors": stopping,
                "model": model.version,
                "seconds": round(done.seconds, 2),
            }
        )
        return
    of_which = f" (the best of {done.scored:,} scored)" if done.kept == "top" else ""
    out.print(
        f"Predicted {plural(done.pairs, 'pair')}{of_which} by {model.version} in {done.seconds:.1f} s, "
        f"{plural(sessions, 'planned session')}, and the stopping risk of {plural(stopping, 'tutor')}."
    )


@app.command()
@tells_errors
def assign(
    student: Annotated[
        list[str] | None,
        typer.Option(metavar="ID", help="Student to assign. Repeatable; default: all active students."),
    ] = None,
    tutor: Annotated[
        list[str] | None, typer.Option(metavar="ID", help="Tutor to assign to. Repeatable; default: all active tutors.")
    ] = None,
    fixed: Annotated[list[str] | None, typer.Option(metavar="STUDENT:TUTOR", help="Pair to keep. Repeatable.")] = None,
    forbidden: Annotated[
        list[str] | None, typer.Option(metavar="STUDENT:TUTOR", help="Pair to forbid. Repeatable.")
    ] = None,
    capacity: Annotated[int, typer.Option(min=0, metavar="N", help="Places of a tutor with unknown capacity.")] = 0,
    require_subject: Annotated[bool, typer.Option(help="Require a tutor who teaches a subject of the student.")] = True,
    exploration_share: Annotated[
        float, typer.Option(min=0, max=1, metavar="SHARE", help="Share of students assigned to tutors without history.")
    ] = 0.0,
    seed: Annotated[int, typer.Option(min=0, metavar="N", help="Random seed for the choice of these students.")] = 0,
    accept: Annotated[
        bool,
        typer.Option("--accept", help="Record the pairs as accepted offers, so that tutorq can track their outcome."),
    ] = False,
    as_json: JsonFlag = False,
) -> None:
    """Assign students to free places so that the fewest leave early. Stores the plan only with --accept."""
    from ml.acceptance import Conditions
    from ml.acceptance import accept as accept_plan
    from ml.plan import plan

    settings, database = open_platform(DatabaseRole.TRANSFORM)
    _need_marts(database)
    started = time.monotonic()
    with err.status("Computing the assignment …"):
        answer = plan(
            settings,
            database,
            students=[_person(database, "students", each) for each in student or []],
            tutors=[_person(database, "tutors", each) for each in tutor or []],
            fixed=[_pair(database, each) for each in fixed or []],
            forbidden=[_pair(database, each) for each in forbidden or []],
            unknown_capacity=capacity,
            require_subject=require_subject,
            exploration_share=exploration_share,
            seed=seed,
        )
    seconds = time.monotonic() - started
    _warn_of(answer.lost_model)
    _note(database, Action.ASSIGNMENT_COMPUTE, ("plan", "command line"), {"assigned": len(answer.pairs)})
    accepted = None
    if accept:
        conditions = Conditions(capacity, exploration_share, seed)
        accepted = accept_plan(settings, database, uuid4(), answer, conditions, audit.operator())
    if as_json:
        print_json({**answer.to_dict(), "accepted": accepted, "seconds": round(seconds, 2)})
        return
    table = plain_table("student", "tutor", "churn", "")
    for pair in answer.pairs:
        table.add_row(pair.student, pair.tutor, f"{pair.churn_probability:.2f}", ", ".join(pair.remarks))
    print_table(table)
    for name, (students, churn) in answer.expected.items():
        out.print(f"{name}: {churn:.1f} of {plural(students, 'student')} expected to leave", highlight=False)
    if answer.unassigned:
        out.print(f"Without a tutor: {plural(len(answer.unassigned), 'student')}.")
    if accepted is not None:
        out.print(f"Accepted: recorded {plural(accepted, 'pair')} as offers.")


def _warn_of(lost_model: str | None) -> None:
    if lost_model:
        err.print(f"[yellow]warning:[/] {lost_model}", soft_wrap=True, highlight=False)


def _show_figures(metrics: dict[str, Any]) -> None:
    table = plain_table("on the last rows", "rows", *FIGURES.values())
    for name in ("rules", "baseline", "champion", "model"):
        if name in metrics:
            figures = [metrics[name].get(figure) for figure in FIGURES]
            cells = ["" if value is None else f"{value:.4f}" for value in figures]
            table.add_row(name, f"{metrics[name]['rows']:,}", *cells)
    print_table(table)


def _progress() -> Progress:
    return Progress(
        TextColumn("{task.description}"), BarColumn(), TextColumn("{task.fields[rows]:,} rows"), TimeElapsedColumn(),
        console=err, transient=True, disable=not err.is_terminal,
    )  # fmt: skip


def _note(database: Database, action: Action, subject: tuple[str, str], details: dict[str, Any]) -> None:
    """Record the command in the audit log."""
    with database.connect() as connection:
        audit.record(connection, audit.Entry(audit.operator(), action, *subject, details))


def _need_marts(database: Database) -> None:
    with database.connect() as connection:
        row = connection.execute("select to_regclass('marts.match_tutors') is not null").fetchone()
    if not (row and row[0]):
        raise TutorqError("the marts do not exist yet; run `tutorq score` first")


def _person(database: Database, table: str, given: str) -> Any:
    from ingest.ids import entity_uuid

    person = entity_uuid(given)
    queries = {
        "students": "select exists (select from raw.students where student_id = %s)",
        "tutors": "select exists (select from raw.tutors where tutor_id = %s)",
    }
    with database.connect() as connection:
        row = connection.execute(queries[table].encode(), [person]).fetchone()
    if not (row and row[0]):
        raise TutorqError(f"no {table[:-1]} has the id {given}")
    return person


def _pair(database: Database, given: str) -> tuple[Any, Any]:
    student, separator, tutor = given.partition(":")
    if not separator:
        raise TutorqError(f"{given!r} is not a pair such as STUDENT:TUTOR")
    return _person(database, "students", student), _person(database, "tutors", tutor)
