"""deepeval as the judge alone: its exact match over answers that a bare loop of the SDK asked for beforehand."""

import asyncio
from collections.abc import Sequence
from typing import Any

from benchmarks.evaluators.job import Job, Question, main


def evaluate(job: Job, cases: Sequence[Question]) -> int:
    """How many answers are what was expected."""
    from deepeval import evaluate as judge
    from deepeval.evaluate import AsyncConfig, CacheConfig, DisplayConfig
    from deepeval.metrics import ExactMatchMetric

    judged = judge(
        asyncio.run(_answered(job, cases)),
        [ExactMatchMetric()],
        async_config=AsyncConfig(run_async=True, throttle_value=0, max_concurrent=job.concurrency),
        display_config=DisplayConfig(show_indicator=False, print_results=False, inspect_after_run=False),
        cache_config=CacheConfig(write_cache=False, use_cache=False),
    )
    return sum(result.success for result in judged.test_results)


async def _answered(job: Job, cases: Sequence[Question]) -> list[Any]:
    import openai
    from deepeval.test_case import LLMTestCase

    free = asyncio.Semaphore(job.concurrency)
    async with openai.AsyncOpenAI(api_key="none", base_url=job.base_url, max_retries=0) as client:

        async def answered(case: Question) -> LLMTestCase:
            async with free:
                messages = [{"role": "user", "content": case.text}]
                answer = await client.chat.completions.create(model=job.model, messages=messages)
            said = answer.choices[0].message.content
            return LLMTestCase(name=case.id, input=case.text, actual_output=said, expected_output=case.expected)

        return await asyncio.gather(*map(answered, cases))


if __name__ == "__main__":
    main(evaluate)
