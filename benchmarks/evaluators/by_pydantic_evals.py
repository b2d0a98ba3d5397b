"""pydantic-evals: a dataset with its own evaluator for equal answers, and the SDK in the task."""

import asyncio
from collections.abc import Sequence

from benchmarks.evaluators.job import Job, Question, main


def evaluate(job: Job, cases: Sequence[Question]) -> int:
    """How many answers are what was expected."""
    return asyncio.run(_evaluate(job, cases))


async def _evaluate(job: Job, cases: Sequence[Question]) -> int:
    import openai
    from pydantic_evals import Case, Dataset
    from pydantic_evals.evaluators import EqualsExpected

    async with openai.AsyncOpenAI(api_key="none", base_url=job.base_url, max_retries=0) as client:

        async def task(question: str) -> str:
            messages = [{"role": "user", "content": question}]
            answer = await client.chat.completions.create(model=job.model, messages=messages)
            return answer.choices[0].message.content or ""

        dataset = Dataset(
            name="benchmark",
            cases=[Case(name=case.id, inputs=case.text, expected_output=case.expected) for case in cases],
            evaluators=[EqualsExpected()],
        )
        report = await dataset.evaluate(task, max_concurrency=job.concurrency, progress=False)
    return sum(case.assertions["EqualsExpected"].value for case in report.cases)


if __name__ == "__main__":
    main(evaluate)
