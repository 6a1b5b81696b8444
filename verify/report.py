"""What `tutorq verify` answers: which columns agree with the recomputation, and examples of what does not."""

from dataclasses import asdict, dataclass
from typing import Any

from rich import box
from rich.table import Table

from verify.columns import Tolerance
from verify.inputs import Basis

EXAMPLES = 3


@dataclass(frozen=True)
class Difference:
    """One value outside the tolerance; None stands for null."""

    tutor_id: str
    recomputed: str | float | None
    published: str | float | None


@dataclass(frozen=True)
class ColumnReport:
    """Outcome for one column: `differences` are errors, `borderline` values are different but equally right.

    `largest_difference` is over all rows with two numbers (days for a date, seconds for a time), None without any.
    """

    column: str
    compared: int
    differences: int
    borderline: int
    largest_difference: float | None
    tolerance: Tolerance
    examples: tuple[Difference, ...]


@dataclass(frozen=True)
class VerifyReport:
    """Outcome for all rows and columns that a mart and the recomputation share, and what only one of them has.

    Rows are tutors, of `tutor_concerns` tutors and concerns. `missing_tutors` lack a row in the mart, `extra_tutors`
    are unknown to `raw` or there twice. `missing_columns` lack in the mart, `unknown_columns` are neither recomputed
    nor known to be carried through. `concerns` is the same of `tutor_concerns`. `sample_of`: how many tutors there are,
    if only a sample of them was verified.
    """

    basis: Basis
    tutors: int
    missing_tutors: tuple[str, ...]
    extra_tutors: tuple[str, ...]
    missing_columns: tuple[str, ...]
    unknown_columns: tuple[str, ...]
    columns: tuple[ColumnReport, ...]
    notes: tuple[str, ...] = ()
    mart: str = "tutor_scores"
    concerns: "VerifyReport | None" = None
    sample_of: int | None = None

    @property
    def ok(self) -> bool:
        unmatched = (self.missing_tutors, self.extra_tutors, self.missing_columns, self.unknown_columns)
        is_same = not any(unmatched) and not any(column.differences for column in self.columns)
        return is_same and (self.concerns is None or self.concerns.ok)

    def to_dict(self) -> dict[str, Any]:
        """The report in types that JSON knows."""
        return {
            "ok": self.ok,
            **asdict(self),
            "basis": {**asdict(self.basis), "as_of": self.basis.as_of.isoformat()},
            "concerns": None if self.concerns is None else self.concerns.to_dict(),
        }

    def to_table(self) -> Table:
        """One line per compared column."""
        verdict = "agree with" if self.ok else "DIFFER FROM"
        tutors = f"{self.tutors}" if self.sample_of is None else f"{self.tutors} of {self.sample_of}"
        table = Table(
            title=f"{tutors} tutors as of {self.basis.as_of}: the marts {verdict} the recomputation",
            box=box.SIMPLE_HEAD,
            pad_edge=False,
        )
        table.add_column("column", no_wrap=True)
        for heading in ("differences", "borderline", "largest", "tolerance"):
            table.add_column(heading, justify="right")
        for column in (*self.columns, *(self.concerns.columns if self.concerns else ())):
            table.add_row(
                column.column,
                str(column.differences),
                str(column.borderline),
                "" if column.largest_difference is None else f"{column.largest_difference:.2g}",
                f"{column.tolerance.limit:g}" + (" rel." if column.tolerance.is_relative else ""),
                style="bold red" if column.differences else None,
            )
        return table

    def limits(self) -> list[str]:
        """What was not verified because of the sample, in one sentence; none without one."""
        if self.sample_of is None:
            return []
        return [
            f"A sample of {self.tutors} of {self.sample_of} tutors, chosen by a hash of their ids: "
            "TUTORQ_VERIFY_SESSIONS says how many sessions are read. Priors of the as-of day follow from all tutors "
            "and were taken from the marts; peer_percentile was not compared."
        ]

    def errors(self) -> list[str]:
        """One line each: columns and tutors that only one side has, and examples of what differs."""
        lines = [f"marts.{self.mart} lacks the column {name}" for name in self.missing_columns]
        lines += [
            f"marts.{self.mart} has a column that nothing verifies: {name} (verify/README.md says how to add it)"
            for name in self.unknown_columns
        ]
        unmatched = {"not in the marts": self.missing_tutors, "only in the marts, or there twice": self.extra_tutors}
        rows = "tutors" if self.mart == "tutor_scores" else "concerns"
        for what, tutors in unmatched.items():
            if tutors:
                more = " ..." if len(tutors) > EXAMPLES else ""
                lines.append(f"{rows} {what}: {len(tutors)} ({', '.join(tutors[:EXAMPLES])}{more})")
        for column in self.columns:
            lines += [
                f"{column.column} of {example.tutor_id}: {example.published} in the marts, "
                f"{example.recomputed} recomputed"
                for example in column.examples
            ]
        return lines + (self.concerns.errors() if self.concerns else [])
