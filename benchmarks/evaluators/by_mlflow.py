"""mlflow.genai.evaluate: a scorer, the SDK's synchronous client in `predict_fn`, and a SQLite store.

Its workers are as many as the others' concurrency and its limit on requests a second, 10 by default, is off.
"""

from collections.abc import Sequence
from functools import cache
from pathlib import Path
from typing import Any

from benchmarks.evaluators.job import Job, Question, main


def evaluate(job: Job, cases: Sequence[Question]) -> int:
    """How many answers are what was expected."""
    mlflow = _mlflow(job.folder)
    client = _client(job.base_url)

    def predict(question: str) -> str:
        messages = [{"role": "user", "content": question}]
        answer = client.chat.completions.create(model=job.model, messages=messages)
        return answer.choices[0].message.content or ""

    @mlflow.genai.scorer
    def exact(outputs: str, expectations: dict[str, str]) -> bool:
        return outputs == expectations["expected_response"]

    data = [{"inputs": {"question": case.text}, "expectations": {"expected_response": case.expected}} for case in cases]
    found = mlflow.genai.evaluate(data=data, predict_fn=predict, scorers=[exact])
    return int(found.result_df["exact/value"].sum())


@cache
def _mlflow(folder: str) -> Any:
    import mlflow

    mlflow.set_tracking_uri(f"sqlite:///{Path(folder) / 'mlflow.db'}")
    mlflow.set_experiment("benchmark")
    return mlflow


@cache
def _client(base_url: str) -> Any:
    import openai

    return openai.OpenAI(api_key="none", base_url=base_url, max_retries=0)


if __name__ == "__main__":
    main(evaluate)
