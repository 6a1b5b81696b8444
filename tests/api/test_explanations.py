"""Texts about pairs: by a language model that behaves in every way it can, else by rules, and never late."""

import asyncio
import dataclasses
import json
from collections.abc import Awaitable, Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import pytest

from api.database import open_pool
from api.text_writing import TextDesk, Written
from core.database import Database
from ml.explain import MatchFacts, StatedPreferences, Texts, rule_texts, task
from ml.writing import TextWriter, open_writer
from tests.api.language_model import GOOD, LanguageModel, Reply, completion, error, language_model, says
from tests.api.matching import rows

if TYPE_CHECKING:
    from tests.conftest import Postgres

FACTS = MatchFacts(
    churn_probability=0.41,
    risk_level="medium",
    medium_from=0.3,
    high_from=0.7,
    compatibility_score=0.62,
    student=StatedPreferences(pace=2, communication=3, style="structured", urgency=5),
    tutor=StatedPreferences(pace=4, communication=3, style="interactive"),
    contributions=(),
    model_version="m1",
)
BY_MODEL = Written("model", Texts(**GOOD), is_final=True)
BY_RULES = Written("rules", rule_texts(FACTS), is_final=False)

Result = TypeVar("Result")


@pytest.fixture(scope="module")
def database(postgres: "Postgres", tmp_path_factory: pytest.TempPathFactory) -> Database:
    return postgres.new_database(tmp_path_factory.mktemp("explanations"))


@pytest.fixture(autouse=True)
def forgotten(database: Database) -> None:
    """Nothing was ever explained."""
    with database.connect() as connection:
        connection.execute("delete from app.explanations; delete from app.explanation_calls")


@pytest.fixture
def model() -> Iterator[LanguageModel]:
    with language_model() as model:
        yield model


def run(
    database: Database,
    model: LanguageModel | None,
    work: Callable[[TextDesk], Awaitable[Result]],
    *,
    seconds: float = 20,
    daily_budget: int = 100,
    rest_seconds: float = 0,
) -> Result:
    """Run `work` with a desk of this model's."""

    async def go() -> Result:
        writer = open_writer(
            base_url=model.base_url if model else None, api_key=None, model="test-model", seconds=seconds
        )
        async with open_pool(database.url) as pool:
            desk = TextDesk(
                pool,
                writer,
                seconds=seconds,
                daily_budget=daily_budget,
                timezone="Europe/Vienna",
                rest_seconds=rest_seconds,
            )
            try:
                return await work(desk)
            finally:
                await desk.close()

    return asyncio.run(go())


def once(facts: MatchFacts = FACTS, seconds: float = 20) -> Callable[[TextDesk], Awaitable[Written[Texts]]]:
    async def work(desk: TextDesk) -> Written[Texts]:
        return await desk.write(task(facts), rule_texts(facts), asyncio.get_running_loop().time() + seconds)

    return work


def calls(database: Database) -> list[Any]:
    with database.connect() as connection:
        return rows(connection, "select outcome, reason from app.explanation_calls order by call_id")


def test_a_good_answer_is_shown_and_kept(database: Database, model: LanguageModel) -> None:
    assert run(database, model, once()) == BY_MODEL
    # A later process asks nobody.
    assert run(database, model, once(dataclasses.replace(FACTS, churn_probability=0.4123))) == BY_MODEL
    assert len(model.requests) == 1
    assert calls(database) == [("written", None)]
    # Other numbers, another text.
    run(database, model, once(dataclasses.replace(FACTS, churn_probability=0.2)))
    assert len(model.requests) == 2


def test_without_a_language_model_rules_answer_and_say_so(database: Database) -> None:
    assert run(database, None, once()) == Written("rules", rule_texts(FACTS), is_final=True)
    assert calls(database) == []


def text(for_student: object, for_tutor: object = GOOD["for_tutor"]) -> str:
    return json.dumps({"for_student": for_student, "for_tutor": for_tutor})


@pytest.mark.parametrize(
    ("reply", "outcome", "reason"),
    [
        (error(429), "failed", "status 429"),
        (error(500), "failed", "status 500"),
        (error(401), "failed", "status 401"),
        (Reply(b'{"choices": [{"mess'), "failed", "JSONDecodeError"),
        (Reply(b"<html>busy</html>", content_type="text/html"), "failed", "no completion"),
        (Reply(b"{}"), "failed", "no completion"),
        (Reply(b'{"choices": []}'), "failed", "no completion"),
        (Reply(b"[]"), "failed", "no completion"),
        (Reply(completion("x").replace(b'"content": "x"', b'"content": 5')), "unusable", "empty"),
        (says(None, refusal="I cannot help with that."), "unusable", "refused"),
        (says(""), "unusable", "empty"),
        (says(" \n"), "unusable", "empty"),
        (says("I am sorry, but I cannot help with that."), "unusable", "not the JSON that was asked for"),
        (says('{"for_student": "Fine'), "unusable", "not the JSON that was asked for"),
        (says('{"for_student": "Fine. Yes."}'), "unusable", "not the JSON that was asked for"),
        (says(text(["Fine.", "Yes."])), "unusable", "not the JSON that was asked for"),
        (says(text("")), "unusable", "empty"),
        (says(text("The risk is 12%. Take care.")), "unusable", "a number that was not given"),
        (says(text("They met 7 times. Take care.")), "unusable", "a number that was not given"),
        (says(text("Fine.")), "unusable", "not two or three sentences"),
    ],
)
def test_anything_else_leads_to_rules(
    database: Database, model: LanguageModel, reply: Reply, outcome: str, reason: str
) -> None:
    model.reply = reply
    assert run(database, model, once()) == BY_RULES
    assert len(model.requests) == 1  # not tried again
    assert calls(database) == [(outcome, reason)]
    # Nothing bad was kept.
    model.reply = says(text(**GOOD))
    assert run(database, model, once()) == BY_MODEL


def test_an_answer_in_a_code_fence_is_read(database: Database, model: LanguageModel) -> None:
    model.reply = says(f"Here you are:\n```json\n{json.dumps(GOOD)}\n```")
    assert run(database, model, once()) == BY_MODEL


@pytest.mark.parametrize("reply", [Reply(stalls=True), dataclasses.replace(says(json.dumps(GOOD)), drips=True)])
def test_who_stalls_is_not_waited_for(database: Database, model: LanguageModel, reply: Reply) -> None:
    """The server would take much longer, or for ever: that there is an answer at all shows that nobody waited."""
    model.reply = reply
    assert run(database, model, once(), seconds=0.5) == BY_RULES
    assert calls(database) == [("failed", "deadline")]


def test_a_deadline_that_comes_before_the_model_does(database: Database, model: LanguageModel) -> None:
    """The call goes on, and its text is kept for whoever asks next."""

    async def work(desk: TextDesk) -> tuple[Written[Texts], Written[Texts]]:
        loop = asyncio.get_running_loop()
        early = await desk.write(task(FACTS), rule_texts(FACTS), loop.time() - 1)
        return early, await desk.write(task(FACTS), rule_texts(FACTS), loop.time() + 20)

    assert run(database, model, work) == (BY_RULES, BY_MODEL)
    assert len(model.requests) == 1


def test_nobody_listening_leads_to_rules(database: Database) -> None:
    with language_model() as gone:
        pass
    assert run(database, gone, once()) == BY_RULES
    assert calls(database) == [("failed", "APIConnectionError")]


def test_many_who_want_one_text_make_one_call(database: Database, model: LanguageModel) -> None:
    """In one process and in several: each desk here is one of its own."""

    async def many(desk: TextDesk) -> list[Written[Texts]]:
        return list(await asyncio.gather(*(once()(desk) for _ in range(20))))

    async def work(first: TextDesk) -> list[list[Written[Texts]]]:
        others = [TextDesk(first._pool, writer(model), seconds=20, daily_budget=100, timezone="UTC") for _ in range(3)]
        try:
            return list(await asyncio.gather(*(many(desk) for desk in (first, *others))))
        finally:
            for other in others:
                await other.close()

    assert run(database, model, work) == [[BY_MODEL] * 20] * 4
    assert len(model.requests) == 1


def test_a_failure_is_shared_too(database: Database, model: LanguageModel) -> None:
    model.reply = error(500)

    async def work(desk: TextDesk) -> list[Written[Texts]]:
        return list(await asyncio.gather(*(once()(desk) for _ in range(5))))

    assert run(database, model, work) == [BY_RULES] * 5
    assert len(model.requests) == 1


def writer(model: LanguageModel) -> TextWriter | None:
    return open_writer(base_url=model.base_url, api_key=None, model="test-model", seconds=20)


def test_a_call_whose_process_died_holds_nobody_up(database: Database, model: LanguageModel) -> None:
    model.reply = Reply(stalls=True)
    run(database, model, once(), seconds=0.2)
    with database.connect() as connection:
        connection.execute("update app.explanation_calls set outcome = null, reason = null, ended_at = null")
    model.reply = says(json.dumps(GOOD))
    assert run(database, model, once()) == BY_MODEL


def test_after_a_failure_the_model_is_left_alone_for_a_while(database: Database, model: LanguageModel) -> None:
    other = dataclasses.replace(FACTS, churn_probability=0.2)
    model.reply = error(429)
    run(database, model, once(), rest_seconds=60)
    model.reply = says(json.dumps(GOOD))
    assert run(database, model, once(other), rest_seconds=60).source == "rules"
    assert len(model.requests) == 1
    # A text that was no good says nothing about other texts.
    with database.connect() as connection:
        connection.execute("update app.explanation_calls set outcome = 'unusable'")
    assert run(database, model, once(), rest_seconds=60) == BY_RULES
    assert run(database, model, once(other), rest_seconds=60).source == "model"


def test_the_daily_budget_is_kept(database: Database, model: LanguageModel) -> None:
    others = [dataclasses.replace(FACTS, churn_probability=share / 100) for share in range(1, 7)]

    async def work(desk: TextDesk) -> list[str]:
        written = await asyncio.gather(*(once(facts)(desk) for facts in others))
        return sorted(each.source for each in written)

    assert run(database, model, work, daily_budget=4) == ["model"] * 4 + ["rules"] * 2
    assert len(model.requests) == 4
    # What is there already costs nothing.
    again = run(database, model, work, daily_budget=4)
    assert again == ["model"] * 4 + ["rules"] * 2
    with database.connect() as connection:
        connection.execute("update app.explanation_calls set started_at = started_at - interval '1 day'")
    assert run(database, model, work, daily_budget=4) == ["model"] * 6
    assert run(database, model, once(), daily_budget=0) == BY_RULES


def test_the_request_is_one_that_any_server_takes(database: Database, model: LanguageModel) -> None:
    run(database, model, once())
    [request] = model.requests
    assert sorted(request) == ["messages", "model"]
    assert request["model"] == "test-model"
    assert [message["role"] for message in request["messages"]] == ["system", "user"]


def test_a_database_that_is_away_leads_to_rules(database: Database, model: LanguageModel, tmp_path: Path) -> None:
    async def work(desk: TextDesk) -> Written[Texts]:
        await desk._pool.close()
        return await once()(desk)

    assert run(database, model, work) == BY_RULES
    assert model.requests == []
