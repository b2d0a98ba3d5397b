"""inspect-ai: a task with its own `exact` scorer, and its model of an endpoint that speaks OpenAI's protocol."""

from collections.abc import Sequence

from benchmarks.evaluators.job import Job, Question, main


def evaluate(job: Job, cases: Sequence[Question]) -> int:
    """How many answers are what was expected; with its cache where the job is to be done again."""
    import inspect_ai
    from inspect_ai.dataset import MemoryDataset, Sample
    from inspect_ai.model import get_model
    from inspect_ai.scorer import exact
    from inspect_ai.solver import generate

    samples = [Sample(input=case.text, target=case.expected, id=case.id) for case in cases]
    task = inspect_ai.Task(dataset=MemoryDataset(samples), solver=generate(cache=job.again), scorer=exact())
    (log,) = inspect_ai.eval(
        task,
        model=get_model(f"openai-api/local/{job.model}", base_url=job.base_url, api_key="none"),
        max_connections=job.concurrency,
        max_samples=job.concurrency,
        log_dir=f"{job.folder}/logs",
        log_realtime=False,
        display="none",
    )
    return sum(sample.scores["exact"].value == "C" for sample in log.samples)


if __name__ == "__main__":
    main(evaluate)
