"""deepeval: its own loop over a dataset, in which the application is asked and traced, and its exact match."""

import asyncio
from collections.abc import Sequence
from typing import Any

from benchmarks.evaluators.job import Job, Question, main


def evaluate(job: Job, cases: Sequence[Question]) -> int:
    """How many answers are what was expected, by the count of the metric."""
    import openai
    from deepeval.dataset import EvaluationDataset, Golden
    from deepeval.evaluate import AsyncConfig, CacheConfig, DisplayConfig

    right: list[bool] = []
    client = openai.AsyncOpenAI(api_key="none", base_url=job.base_url, max_retries=0)
    application = _application(client, job.model, right)
    dataset = EvaluationDataset(goldens=[Golden(input=case.text, expected_output=case.expected) for case in cases])
    for golden in dataset.evals_iterator(
        async_config=AsyncConfig(run_async=True, throttle_value=0, max_concurrent=job.concurrency),
        display_config=DisplayConfig(show_indicator=False, print_results=False, inspect_after_run=False),
        cache_config=CacheConfig(write_cache=False, use_cache=False),
    ):
        dataset.evaluate(asyncio.create_task(application(golden.input, golden.expected_output)))
    return sum(right)


def _application(client: Any, model: str, right: list[bool]) -> Any:
    from deepeval.metrics import ExactMatchMetric
    from deepeval.test_case import LLMTestCase
    from deepeval.tracing import observe, update_current_span

    class Counted(ExactMatchMetric):
        """The metric, which says what it found of each case."""

        async def a_measure(self, *words: Any, **named: Any) -> float:
            score = await super().a_measure(*words, **named)
            right.append(score == 1)
            return float(score)

    @observe(metrics=[Counted()])
    async def application(question: str, expected: str) -> str:
        messages = [{"role": "user", "content": question}]
        answer = await client.chat.completions.create(model=model, messages=messages)
        said = str(answer.choices[0].message.content)
        update_current_span(test_case=LLMTestCase(input=question, actual_output=said, expected_output=expected))
        return said

    return application


if __name__ == "__main__":
    main(evaluate)
