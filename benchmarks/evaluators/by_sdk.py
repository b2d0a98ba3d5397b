"""A bare loop of the OpenAI SDK: a semaphore, a comparison, and nothing else."""

import asyncio
from collections.abc import Sequence

from benchmarks.evaluators.job import Job, Question, main


def evaluate(job: Job, cases: Sequence[Question]) -> int:
    """How many answers are what was expected."""
    return asyncio.run(_evaluate(job, cases))


async def _evaluate(job: Job, cases: Sequence[Question]) -> int:
    import openai

    free = asyncio.Semaphore(job.concurrency)
    async with openai.AsyncOpenAI(api_key="none", base_url=job.base_url, max_retries=0) as client:

        async def is_right(case: Question) -> bool:
            async with free:
                messages = [{"role": "user", "content": case.text}]
                answer = await client.chat.completions.create(model=job.model, messages=messages)
            return answer.choices[0].message.content == case.expected

        return sum(await asyncio.gather(*map(is_right, cases)))


if __name__ == "__main__":
    main(evaluate)
