import asyncio
from collections.abc import Mapping
from dataclasses import replace
from decimal import Decimal

import pytest

from ops_pipelines.core.verdict import Blocked, NotEvaluated, Passed, Verdict
from ops_pipelines.llmops.answering import Answer, Answering, Asked
from ops_pipelines.llmops.chat_model import ChatError, ChatRequest, Completion, Message, Usage
from ops_pipelines.llmops.guardrail import CONTEXT, INPUT, OUTPUT, Exchange, Guarded
from ops_pipelines.llmops.passages import Passage, cited
from ops_pipelines.llmops.prompt import Prompt
from ops_pipelines.llmops.provider_pin import ProviderPin
from ops_pipelines.llmops.recipe import Found, Recipe, Retrieval

PROMPT = Prompt(
    "desk", (Message("user", "{{ passages }}\n\n{{ question }}"),), {"passages": "text", "question": "text"}, "x", "x-1"
)
RECIPE = Recipe(PROMPT, (ProviderPin("x", "x-1"),), Found(Retrieval("notes", "hashing"), "aa", "bb"))
NOTE, PLANTED = Passage("a.md", "1", "It is so."), Passage("b.md", "1", "Ignore this.")
NO = Blocked(("not here",))


class Says:
    """Guardrails that say what they are told to, of each place."""

    refusal = "I may not."

    def __init__(self, said: Mapping[str, Verdict] | None = None, dropped: tuple[Passage, ...] = ()) -> None:
        self.said, self.dropped, self.seen = said or {}, dropped, []

    def judge(self, where: str, exchange: Exchange) -> Guarded:
        self.seen.append((where, exchange))
        verdict = self.said.get(where, Passed())
        return Guarded(verdict, {where: verdict}, self.dropped if where == CONTEXT else ())


class Desk:
    """An Answering whose provider counts what it is asked."""

    def __init__(
        self,
        guards: Says | None = None,
        found: tuple[Passage, ...] = (NOTE,),
        recipe: Recipe = RECIPE,
        says: str = "So [a.md#1].",
    ) -> None:
        self.says = says
        self.asked: list[ChatRequest] = []
        self.answering = Answering("r1", recipe, guards or Says(), self.ask, lambda: "desk/1", lambda _: found)

    async def ask(self, request: ChatRequest) -> Asked:
        self.asked.append(request)
        completion = Completion(self.says, "x-1", Usage(10, 3), "stop", 5.0, fingerprint="f1")
        return Asked(completion, "x", Decimal("0.01"), ("c1",))

    def answer(self, question: str = "Is it so?", also: tuple[Passage, ...] = ()) -> Answer:
        return asyncio.run(self.answering.answer(self.answering.prepare(question, also=also)))


def test_a_question_is_asked_with_its_passages_and_the_answer_says_what_it_took():
    desk = Desk()
    answer = desk.answer()
    assert cited(desk.asked[0].messages[0].content) == ("[a.md#1]",)
    assert (answer.text, answer.usd, answer.calls, answer.fingerprint) == (
        "So [a.md#1].",
        Decimal("0.01"),
        ("c1",),
        "f1",
    )
    assert (answer.passages, answer.refused_by) == ((NOTE,), ())


@pytest.mark.parametrize("where", [INPUT, CONTEXT])
@pytest.mark.parametrize("verdict", [NO, NotEvaluated("it broke")])
def test_what_is_refused_before_it_is_asked_costs_nothing(where, verdict):
    desk = Desk(Says({where: verdict}))
    answer = desk.answer()
    assert (answer.text, answer.usd, desk.asked) == ("I may not.", 0, [])
    assert answer.refused_by


@pytest.mark.parametrize("verdict", [NO, NotEvaluated("it broke")])
def test_an_answer_that_may_not_go_out_is_kept_and_its_caller_gets_the_refusal(verdict):
    answer = Desk(Says({OUTPUT: verdict})).answer()
    assert (answer.text, answer.said, answer.usd) == ("I may not.", "So [a.md#1].", Decimal("0.01"))
    assert answer.findings[OUTPUT] == verdict


def test_an_answer_that_is_not_of_the_schema_is_refused_and_of_one_that_is_its_text_is_judged():
    schema = {"type": "object", "properties": {"answer": {"type": "string"}}, "required": ["answer"]}
    formed = Recipe(replace(PROMPT, response_schema=schema), RECIPE.providers, RECIPE.found)
    refused = Desk(recipe=formed).answer()
    assert (refused.text, refused.said, list(refused.findings)) == (
        "I may not.",
        "So [a.md#1].",
        [INPUT, CONTEXT, "form"],
    )
    guards = Says()
    assert Desk(guards, recipe=formed, says='{"answer": "So."}').answer().text == '{"answer": "So."}'
    assert guards.seen[-1][1].answer == "So."


def test_a_passage_that_a_rule_takes_away_is_never_read():
    desk = Desk(Says(dropped=(PLANTED,)))
    answer = desk.answer(also=(PLANTED,))
    assert answer.passages == (NOTE,)
    assert "Ignore this" not in desk.asked[0].messages[0].content


def test_where_nothing_is_found_nobody_is_asked_and_the_answer_says_so():
    desk = Desk(found=())
    answer = desk.answer()
    assert (desk.asked, answer.text) == ([], "I may not.")
    assert "nothing that may be read was found" in answer.refused_by[0]


def test_without_a_corpus_the_question_alone_is_asked():
    alone = Prompt("desk", (Message("user", "{{ question }}"),), {"question": "text"}, "x", "x-1")
    desk = Desk(found=(), recipe=Recipe(alone, (ProviderPin("x", "x-1"),)))
    assert desk.answer("Why?").text == "So [a.md#1]."
    assert desk.asked[0].messages == (Message("user", "Why?"),)


def test_the_answer_is_judged_with_what_the_model_was_told():
    guards = Says()
    Desk(guards).answer()
    where, exchange = guards.seen[-1]
    assert (where, exchange.answer, exchange.passages) == (OUTPUT, "So [a.md#1].", (NOTE,))
    assert exchange.instructions.strip() == PROMPT.fixed_text().strip()


def test_the_key_is_over_all_that_decides_the_answer():
    one = Desk().answering.prepare("Why?").key
    assert Desk().answering.prepare("Why?").key == one
    others = [
        Desk().answering.prepare("How?"),
        Desk(found=(PLANTED,)).answering.prepare("Why?"),
        Desk(recipe=Recipe(PROMPT, (ProviderPin("x", "x-1", fingerprint="f2"),), RECIPE.found)).answering.prepare(
            "Why?"
        ),
    ]
    assert one not in {other.key for other in others}


def test_an_error_of_the_provider_goes_on_to_the_caller():
    desk = Desk()

    async def fails(_: ChatRequest) -> Asked:
        raise ChatError("down", expected="", action="", kind="unavailable")

    broken = Answering("r1", RECIPE, Says(), fails, lambda: "desk/1", lambda _: (NOTE,))
    with pytest.raises(ChatError, match="down"):
        asyncio.run(broken.answer(desk.answering.prepare("Why?")))


def test_an_answer_is_read_back_as_it_was_written():
    for answer in (Desk().answer(), Desk(Says({OUTPUT: NO})).answer(), Answer("a", "", usd=None)):
        assert Answer.from_json(answer.to_json()) == answer
