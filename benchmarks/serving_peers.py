"""The same model served by others: `mlflow models serve`, and a handler as somebody would write it by hand.

The handler takes the same body as ours and does what it takes to answer it, and nothing else: no check of what comes in,
no prediction ids, no log, no metrics, no way to change the model. What ours takes beyond it is what those cost.
"""

import json
import os
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Mapping, Sequence

    import lightgbm as lgb

BOOSTER = "BENCHMARK_BOOSTER"
"""The variable that names the model's file."""


def bare_app() -> "Callable[..., Awaitable[None]]":
    """The handler as an ASGI application, around the model that the environment names."""
    import lightgbm as lgb
    import numpy as np

    booster = lgb.Booster(model_file=os.environ[BOOSTER])
    names, codes = booster.feature_name(), category_codes(booster)
    headers = [(b"content-type", b"application/json")]

    async def app(scope: Any, receive: Any, send: Any) -> None:
        del scope
        body, more = b"", True
        while more:
            message = await receive()
            body, more = body + message.get("body", b""), message.get("more_body", False)
        given = {tensor["name"]: tensor["data"] for tensor in json.loads(body)["inputs"]}
        columns = [
            [codes[name].get(value) for value in given[name]] if name in codes else given[name] for name in names
        ]
        scores = booster.predict(np.array(columns, dtype=float).T, num_threads=1).tolist()
        answer = json.dumps({"outputs": [{"name": "score", "data": scores}]}).encode()
        length = (b"content-length", str(len(answer)).encode())
        await send({"type": "http.response.start", "status": 200, "headers": [*headers, length]})
        await send({"type": "http.response.body", "body": answer})

    return app


def category_codes(booster: "lgb.Booster") -> "dict[str, dict[str, int]]":
    """The code of each level of each text feature, as the booster was fitted."""
    settings = booster.model_to_string(num_iteration=1).partition("[categorical_feature: ")[2].partition("]")[0]
    names = [booster.feature_name()[int(index)] for index in settings.split(",") if index]
    levels = [{level: code for code, level in enumerate(one)} for one in booster.pandas_categorical or []]
    return dict(zip(names, levels, strict=True))


def save_for_mlflow(booster_file: str, folder: str) -> None:
    """The booster as MLflow's own LightGBM flavour saves it."""
    import lightgbm as lgb
    import mlflow.lightgbm

    mlflow.lightgbm.save_model(lgb.Booster(model_file=booster_file), folder)


def mlflow_body(booster: "lgb.Booster", rows: "Sequence[Mapping[str, Any]]") -> bytes:
    """MLflow's request for some rows. Its flavour takes no text, so the codes are sent: the coding is not asked of it."""
    codes = category_codes(booster)
    vectors = [
        [codes[name].get(row[name]) if name in codes else row[name] for name in booster.feature_name()] for row in rows
    ]
    return json.dumps({"inputs": vectors}).encode()


def bare_words(port: int) -> list[str]:
    """How the handler is started: uvicorn with httptools and uvloop, as `ops serve` runs."""
    options = ["--http", "httptools", "--loop", "uvloop", "--no-access-log", "--log-level", "warning"]
    app = ["--factory", "benchmarks.serving_peers:bare_app"]
    return [sys.executable, "-m", "uvicorn", *app, "--host", "127.0.0.1", "--port", str(port), *options]


def mlflow_words(port: int, folder: Path) -> list[str]:
    """How MLflow's server is started, with one worker in this environment."""
    options = ["--env-manager", "local", "--workers", "1", "--host", "127.0.0.1", "--port", str(port)]
    return [sys.executable, "-m", "mlflow", "models", "serve", "--model-uri", str(folder), *options]
