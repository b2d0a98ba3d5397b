"""The same model served by others: `mlflow models serve`, and a handler as somebody would write it by hand.

The handler takes the same body as ours and does what it takes to answer it, and nothing else: no check of what comes in,
no prediction ids, no log, no metrics, no way to change the model. What ours takes beyond it is what those cost.
"""

import json
import math
import os
import sys
from collections.abc import Awaitable, Callable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import lightgbm as lgb

BOOSTER = "BENCHMARK_BOOSTER"
"""The variable that names the model's file."""
_LEVELS = "\npandas_categorical:"


def bare_app() -> Callable[..., Awaitable[None]]:
    """The handler around the model that the environment names."""
    return handler_by_hand(Path(os.environ[BOOSTER]))


def handler_by_hand(booster_file: Path) -> Callable[..., Awaitable[None]]:
    """An ASGI application that answers by a booster."""
    import lightgbm as lgb
    import numpy as np

    booster = lgb.Booster(model_file=booster_file)
    names, codes = booster.feature_name(), category_codes(booster)
    headers = [(b"content-type", b"application/json")]

    async def app(scope: Any, receive: Any, send: Any) -> None:
        if scope["method"] == "GET":  # whoever waits for it to be ready
            await send({"type": "http.response.start", "status": 200, "headers": [(b"content-length", b"0")]})
            await send({"type": "http.response.body", "body": b""})
            return
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


def category_codes(booster: "lgb.Booster") -> dict[str, dict[str, int]]:
    """The code of each level of each text feature, as the booster was fitted."""
    settings = booster.model_to_string(num_iteration=1).partition("[categorical_feature: ")[2].partition("]")[0]
    names = [booster.feature_name()[int(index)] for index in settings.split(",") if index]
    levels = [{level: code for code, level in enumerate(one)} for one in booster.pandas_categorical or []]
    return dict(zip(names, levels, strict=True))


def score_alone(booster_file: Path, rows: Sequence[Mapping[str, Any]]) -> list[float]:
    """What a booster says of some rows, without any server."""
    import lightgbm as lgb
    import numpy as np

    booster = lgb.Booster(model_file=booster_file)
    scores: list[float] = booster.predict(np.array(vectors(booster, rows)), num_threads=1).tolist()
    return scores


def save_for_mlflow(booster_file: str, rows: list[dict[str, Any]], signed: str, unsigned: str) -> None:
    """The booster as MLflow's own LightGBM flavour saves it: with a signature, as MLflow asks for, and without one.

    JSON has no categories, and LightGBM refuses a DataFrame of texts: with MLflow the caller codes them.
    """
    import lightgbm as lgb
    import mlflow.lightgbm
    import pandas as pd
    from mlflow.models import infer_signature

    trees, _, _ = Path(booster_file).read_text().rpartition(_LEVELS)
    plain = lgb.Booster(model_str=f"{trees}{_LEVELS}null\n")
    seen = pd.DataFrame(vectors(lgb.Booster(model_file=booster_file), rows), columns=plain.feature_name())
    mlflow.lightgbm.save_model(plain, signed, signature=infer_signature(seen, plain.predict(seen)))
    mlflow.lightgbm.save_model(plain, unsigned)


def mlflow_body(booster: "lgb.Booster", rows: Sequence[Mapping[str, Any]]) -> bytes:
    """MLflow's request for some rows of named features."""
    return json.dumps({"dataframe_split": {"columns": booster.feature_name(), "data": vectors(booster, rows)}}).encode()


def vectors(booster: "lgb.Booster", rows: Sequence[Mapping[str, Any]]) -> list[list[float]]:
    """Some rows as the booster takes them: in its order, texts as their codes, what is missing as no number."""
    codes = category_codes(booster)
    coded = [
        [codes[name].get(row[name]) if name in codes else row[name] for name in booster.feature_name()] for row in rows
    ]
    return [[math.nan if value is None else float(value) for value in vector] for vector in coded]


def bare_words(port: int) -> list[str]:
    """How the handler is started: uvicorn with httptools and uvloop, as `ops serve` runs."""
    options = [
        "--http",
        "httptools",
        "--loop",
        "uvloop",
        "--no-access-log",
        "--log-level",
        "warning",
        "--lifespan",
        "off",
    ]
    app = ["--factory", "benchmarks.serving_peers:bare_app"]
    return [sys.executable, "-m", "uvicorn", *app, "--host", "127.0.0.1", "--port", str(port), *options]


def mlflow_words(port: int, folder: Path) -> list[str]:
    """How MLflow's server is started, with one worker in this environment."""
    options = ["--env-manager", "local", "--workers", "1", "--host", "127.0.0.1", "--port", str(port)]
    return [sys.executable, "-m", "mlflow", "models", "serve", "--model-uri", str(folder), *options]
