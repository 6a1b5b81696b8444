"""What to know before a conversation with a tutor, in words by rules.

Every figure is a stored column. Notes are not used: a private one is nobody else's business, and the tutor may read
this.
"""

from collections.abc import Sequence
from datetime import date

from pydantic import BaseModel

from api.cases.schemas import CaseConcern
from api.cases.talk_schemas import (
    AffectedStudent,
    Fact,
    Preparation,
    PreparationResponse,
    PreparedTutor,
    TutorMail,
)
from api.publication import Meta
from core import patterns
from core.concerns import (
    SUPERSEDED,
    Concern,
    ConcernName,
    ConcernStatus,
    Recently,
    Rules,
    changed_to,
    ending,
    label,
    plainly,
    sentence,
)
from core.let_downs import in_words as let_down
from core.patterns import Pattern
from core.words import percent, plural

# With fewer trials, chance plays a part that is worth a word.
FEW_TRIALS = 20
# So much more than the platform's rate is worth a word.
HARDER = 1.1
# Days of one reason are named up to this number.
MOST_DATES = 3
# What let-downs of one day and reason say something about.
OF_LET_DOWNS = {ConcernName.UNRELIABLE, ConcernName.GETTING_WORSE, ConcernName.NO_SHOWS}
OF_SESSIONS = OF_LET_DOWNS | {ConcernName.LATE_STARTS}

QUESTIONS: dict[ConcernName, tuple[str, ...]] = {
    ConcernName.UNRELIABLE: (
        "What makes it hard to keep sessions as planned?",
        "Which days or times no longer suit you?",
    ),
    ConcernName.GETTING_WORSE: ("What has changed in the last weeks?", "How long do you expect it to last?"),
    ConcernName.NO_SHOWS: (
        "What happened when you missed a session?",
        "How do you keep track of your sessions?",
    ),
    ConcernName.LATE_STARTS: (
        "What comes right before the sessions that start late?",
        "Would a break between sessions help?",
    ),
    ConcernName.LOSES_NEW_STUDENTS: (
        "How do you open a first session with a new student?",
        "What do you agree on at its end?",
    ),
    ConcernName.LOW_RATINGS: (
        "What do you think students would like to be different?",
        "Which sessions went well lately, and why?",
    ),
}
OF_SHORT_NOTICE = "What would help you to tell students earlier?"
OF_TECHNICAL_TROUBLE = "What trouble do you have with equipment or the connection?"
TO_EVERYBODY = "What could we do to make it easier?"


class Platform(BaseModel):
    """The columns of `marts.platform_baseline` that are fair to compare with."""

    let_down_rate_90d: float | None
    tutor_no_show_rate_90d: float | None
    first_session_rate: float | None
    rating_mean_90d: float | None


class Counted(BaseModel):
    """The columns of `marts.tutor_scores` that put concerns into perspective."""

    let_downs_90d: int
    short_notice_90d: int
    technical_issues_90d: int
    student_reschedules_90d: int
    student_cancellations_90d: int
    student_no_shows_90d: int
    case_mix_expected: float | None


class ReasonDays(BaseModel):
    """Days on which one reason explains several let-downs."""

    reason_code: str | None
    days: int
    let_downs: int
    dates: list[date] = []


class PreparationFacts(BaseModel):
    """What the query gives."""

    case_id: int
    tutor: PreparedTutor
    opened_on: date
    snapshot: list[CaseConcern]
    concerns: list[Concern]
    patterns: list[Pattern]
    rules: Rules
    platform: Platform
    counted: Counted | None
    recently: Recently | None
    sender: str | None
    excused_90d: int
    reason_days: list[ReasonDays]
    students: list[AffectedStudent]
    meta: Meta


def prepare(facts_json: bytes) -> bytes:
    """The body of the answer (`PreparationResponse`) from the body of the query (`PreparationFacts`)."""
    known = PreparationFacts.model_validate_json(facts_json)
    facts = facts_of(known)
    about = [fact.concern for fact in facts]
    known_patterns = known.patterns if OF_LET_DOWNS & set(about) else []
    said = [patterns.sentence(pattern, known.rules.reliability_counts) for pattern in known_patterns]
    conceded, asked = concessions(known, about), questions(known, about)
    preparation = Preparation(
        case_id=known.case_id,
        tutor=known.tutor,
        opened_on=known.opened_on,
        facts=facts,
        patterns=said,
        concessions=conceded,
        questions=asked,
        students=known.students,
        text=_as_text(known, facts, said, conceded, asked),
        mail=mail(known, facts),
    )
    return PreparationResponse(data=preparation, meta=known.meta).model_dump_json().encode()


def facts_of(known: PreparationFacts) -> list[Fact]:
    """What is raised now or was at the opening, in the fixed order of concerns."""
    now = {each.concern: each for each in known.concerns}
    opening = {each.concern: each for each in known.snapshot}
    facts = []
    for name in ConcernName:
        concern = now.get(name)
        is_raised = concern is not None and _counts(concern)
        is_superseded = concern is not None and concern.status is ConcernStatus.RAISED and concern.superseded
        if not is_raised and not is_superseded and name not in opening:
            continue
        is_sudden = name is ConcernName.GETTING_WORSE and (is_raised or is_superseded)
        facts.append(
            Fact(
                concern=name,
                is_raised=is_raised,
                superseded=is_superseded,
                change=changed_to(known.recently) if is_sudden and known.recently else None,
                sentence=sentence(concern, known.rules, recently=known.recently) if concern else None,
                now=CaseConcern.model_validate(concern.model_dump()) if concern else None,
                opening=opening.get(name),
                ending=ending(concern, known.rules) if concern else None,
            )
        )
    return facts


def concessions(known: PreparationFacts, about: Sequence[ConcernName]) -> list[str]:
    """What speaks for the tutor, or puts the figures into perspective."""
    said = allowances(known, about)
    for concern in known.concerns:
        if concern.concern in about and _counts(concern):
            said += _uncertainty(concern)
    return said + _elsewhere(known, about)


def allowances(known: PreparationFacts, about: Sequence[ConcernName]) -> list[str]:
    """What speaks for the tutor, of the tutor's own sessions."""
    said = []
    counted = known.counted
    if counted and OF_LET_DOWNS & set(about):
        said += [_reason(each, counted.let_downs_90d) for each in known.reason_days]
        by_students = counted.student_reschedules_90d + counted.student_cancellations_90d + counted.student_no_shows_90d
        if by_students:
            said.append(
                f"Students moved, cancelled or missed {plural(by_students, 'session')} themselves; "
                f"{'that does' if by_students == 1 else 'those do'} not count."
            )
    if known.excused_90d:
        is_one = known.excused_90d == 1
        said.append(
            f"{plural(known.excused_90d, 'session')} {'is' if is_one else 'are'} excused and "
            f"{'counts as a session, not as a let-down' if is_one else 'count as sessions, not as let-downs'}."
        )
    if counted and counted.technical_issues_90d and OF_SESSIONS & set(about):
        said.append(f"{plural(counted.technical_issues_90d, 'session')} had technical trouble.")
    return said


def questions(known: PreparationFacts, about: Sequence[ConcernName]) -> list[str]:
    """What to ask: by concern, by what else was counted, and what everybody is asked."""
    asked = [question for name in about for question in QUESTIONS[name]]
    if OF_LET_DOWNS & set(about):
        asked += [patterns.question(pattern) for pattern in known.patterns]
    counted = known.counted
    if counted and counted.short_notice_90d and OF_LET_DOWNS & set(about):
        asked.append(OF_SHORT_NOTICE)
    if counted and counted.technical_issues_90d and OF_SESSIONS & set(about):
        asked.append(OF_TECHNICAL_TROUBLE)
    return [*asked, TO_EVERYBODY]


def mail(known: PreparationFacts, facts: Sequence[Fact]) -> TutorMail | None:
    """An invitation to talk, with what was counted."""
    if not known.tutor.email:
        return None
    now = {each.concern: each for each in known.concerns}
    seen = [f"- {plainly(now[fact.concern], known.rules)}" for fact in facts if fact.is_raised]
    seen += [f"- Let-downs suddenly rose: {fact.change}." for fact in facts if fact.change]
    lines = [
        f"Hello {_first_name(known.tutor.name)}," if known.tutor.name else "Hello,",
        "",
        "I would like to talk with you about your sessions. When would suit you?",
    ]
    if seen:
        lines += ["", "This is what we see:", *seen]
        allowed = allowances(known, [fact.concern for fact in facts])
        if allowed:
            lines += ["", "This speaks for you:", *(f"- {each}" for each in allowed)]
        lines += ["", "I can send you a link to your own page, which lists the sessions."]
    lines += ["", "There may be a reason we have not heard. Please tell me how you see it."]
    if known.sender:
        lines += ["", known.sender]
    return TutorMail(to=known.tutor.email, subject="Your sessions: when can we talk?", body="\n".join(lines))


def _first_name(name: str) -> str:
    """`Ada Novak` -> `Ada`; the whole name where it begins with a title or an initial."""
    first = name.split()[0]
    return name if first.endswith(".") or len(first) == 1 else first


def _counts(concern: Concern) -> bool:
    return concern.status is ConcernStatus.RAISED and not concern.superseded


def _reason(each: ReasonDays, in_all: int) -> str:
    reason = each.reason_code
    # As the tutor's page says it (dayWithReason in session-calendar.ts).
    is_illness = reason is not None and reason.startswith(("sick", "ill"))
    days = plural(each.days, "sick day" if is_illness else "day")
    if reason is None:
        days += " without a known reason"
    named = [] if reason is None or is_illness else [reason.replace("_", " ")]
    if each.days <= MOST_DATES:
        named += [f"{day:%-d %B %Y}" for day in each.dates]
    if named:
        days += f" ({', '.join(named)})"
    verb = "explains" if each.days == 1 else "explain"
    return f"{days} {verb} {each.let_downs} of {plural(in_all, 'let-down')} in 90 days."


def _uncertainty(concern: Concern) -> list[str]:
    """How little it may be, and how little stands behind it."""
    said = []
    name = label(concern.concern).capitalize()
    if concern.concern is ConcernName.LOW_RATINGS:
        if concern.high is not None and concern.high >= concern.threshold:
            high, limit = f"{concern.high:.2f}", f"{concern.threshold:.2f}"
            reach = f"as high as {high}, above the limit of {limit}"
            said.append(f"{name}: the true mean may be {f'at the limit of {limit}' if high == limit else reach}.")
    elif concern.low is not None and concern.low <= concern.threshold:
        low, limit = percent(concern.low), percent(concern.threshold)
        reach = f"as low as {low}, below the limit of {limit}"
        said.append(f"{name}: the true rate may be {f'at the limit of {limit}' if low == limit else reach}.")
    if concern.trials < FEW_TRIALS:
        noun = {ConcernName.LOW_RATINGS: "rating", ConcernName.LOSES_NEW_STUDENTS: "new student"}
        said.append(
            f"{name}: only {plural(concern.trials, noun.get(concern.concern, 'session'))} so far; chance plays a part."
        )
    return said


def _elsewhere(known: PreparationFacts, about: Sequence[ConcernName]) -> list[str]:
    """The same over all tutors."""
    platform = known.platform
    said = []
    if {ConcernName.UNRELIABLE, ConcernName.GETTING_WORSE} & set(about) and platform.let_down_rate_90d is not None:
        what = let_down(known.rules.reliability_counts)
        said.append(f"Across all tutors, {percent(platform.let_down_rate_90d)} of sessions are {what} by the tutor.")
        expected = known.counted and known.counted.case_mix_expected
        if expected and expected > HARDER * platform.let_down_rate_90d:
            said.append(f"The slots are harder than most: a usual tutor would have {percent(expected)} in them.")
    if ConcernName.NO_SHOWS in about and platform.tutor_no_show_rate_90d is not None:
        said.append(
            f"Across all tutors, {percent(platform.tutor_no_show_rate_90d)} of sessions are missed by the tutor."
        )
    if ConcernName.LOSES_NEW_STUDENTS in about and platform.first_session_rate is not None:
        lost = percent(1 - platform.first_session_rate)
        said.append(f"Across all tutors, {lost} of new students do not come back after their first session.")
    if ConcernName.LOW_RATINGS in about and platform.rating_mean_90d is not None:
        said.append(f"Across all tutors, the mean rating is {platform.rating_mean_90d:.2f}.")
    return said


def _as_text(
    known: PreparationFacts,
    facts: Sequence[Fact],
    in_slots: Sequence[str],
    conceded: Sequence[str],
    asked: Sequence[str],
) -> str:
    name = known.tutor.name or known.tutor.external_id or str(known.tutor.tutor_id)
    endings = [f"{label(fact.concern).capitalize()}: {fact.ending}" for fact in facts if fact.is_raised and fact.ending]
    sections = {
        "Facts": [_with_opening(fact, known.opened_on) for fact in facts],
        "Patterns": in_slots,
        "Fair to concede": conceded,
        "Questions": asked,
        "Students affected in the next 7 days": [_planned(student) for student in known.students],
        "What clears it": endings,
    }
    lines = [f"{name}, case {known.case_id}, as of {known.meta.as_of:%-d %B %Y}"]
    for title, entries in sections.items():
        if entries:
            lines += ["", title, *(f"- {entry}" for entry in entries)]
    return "\n".join(lines) + "\n"


def _with_opening(fact: Fact, opened_on: date) -> str:
    now = fact.sentence or f"{label(fact.concern).capitalize()}: nothing is counted any more."
    if fact.change:
        # What was counted is said by the concern that counts in its place.
        now = f"{label(fact.concern).capitalize()}: {f'{fact.change}.' if fact.superseded else now}"
    if fact.superseded:
        return now
    if fact.opening is None:
        # What is raised since then and was not among what counted then was superseded.
        since = fact.now.raised_on if fact.now and fact.concern is ConcernName.GETTING_WORSE else None
        return f"{now} {'Raised after the opening' if since is None or since > opened_on else f'{SUPERSEDED} then'}."
    then = _counted(fact.opening)
    ended = "" if fact.is_raised else " It is not raised any more."
    return f"{now} At the opening on {opened_on:%-d %B %Y} it was {then}.{ended}"


def _counted(concern: CaseConcern) -> str:
    if concern.raw_rate is None:
        return "unknown"
    if concern.concern is ConcernName.LOW_RATINGS:
        return f"{concern.raw_rate:.1f} on average of {concern.trials:,}"
    return f"{concern.events:,} of {concern.trials:,}, {percent(concern.raw_rate)}"


def _planned(student: AffectedStudent) -> str:
    name = student.name or student.external_id or f"Student {str(student.student_id)[:8]}"
    first = ", first session with the tutor" if student.is_first_meeting else ""
    return f"{name}: {plural(student.sessions, 'session')}{first}"
