"""A believable tutoring marketplace, written as landing files: for `tutorq demo`, `tutorq up --demo` and tests.

What is made up follows the flow of a lesson: `people` (who), `pairs` (who teaches whom, and for how long),
`sessions` (what became of every lesson), `landing` (the files). `timeline` is the clock and the season.
The hidden truth (who is really unreliable) goes to `.truth/`, where loaders do not look.
"""

from demo.marketplace import DemoSummary, write_demo

__all__ = ["DemoSummary", "write_demo"]
