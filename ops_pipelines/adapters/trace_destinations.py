"""Where copies of traces go: the MLflow of the home, a server of MLflow, or whatever takes OTLP over HTTP.

A destination takes an export request whole, or raises Unsent: `refused` where sending the same again would not help.
"""

from collections.abc import Mapping
from functools import cached_property
from typing import Any, Protocol

from ops_pipelines.adapters.mlflow_registry import MLflowRegistry, RegistryError
from ops_pipelines.adapters.otlp_wire import PROTOBUF, protobuf_of
from ops_pipelines.core.errors import OpsError

EXPERIMENT = "agents"
"""The experiment of MLflow under which all runs lie; each has its agent as a tag."""
_OF_CONTENT = frozenset({400, 413, 422})
"""The statuses that are about what was sent; any other is about the server or how it is reached, and may pass."""
_LONGEST_TOLD = 300


class Unsent(OpsError):
    """Traces that were not taken; `refused` where they never will be."""

    def __init__(self, where: str, why: str, *, refused: bool) -> None:
        self.refused = refused
        super().__init__(
            f"{where} did not take the traces: {why[:_LONGEST_TOLD]}",
            expected="an answer that they are kept",
            action="Look at that run" if refused else "They are sent again by the next export; nothing is lost",
        )


class Destination(Protocol):
    """Takes copies of traces."""

    def send(self, request: Mapping[str, Any]) -> None:
        """Have a request of OTLP kept; Unsent where it is not. The same spans again replace those before."""


class OtlpEndpoint:
    """Whatever takes OTLP over HTTP at a URL, with some headers; an answer is waited for so many seconds at most."""

    def __init__(self, url: str, *, headers: Mapping[str, str] | None = None, timeout_seconds: float = 10.0) -> None:
        self.url, self._headers, self._timeout = url, dict(headers or {}), timeout_seconds

    def send(self, request: Mapping[str, Any]) -> None:
        """Post a request as protobuf; see Destination."""
        self._ask(self.url, content=protobuf_of(request), headers={"content-type": PROTOBUF, **self._headers})

    def close(self) -> None:
        """Ends the connection, if one was made."""
        if "_client" in self.__dict__:
            self._client.close()

    def _ask(self, url: str, **how: Any) -> Any:
        try:
            answer = self._client.post(url, **how)
        except _failures() as error:
            raise Unsent(url, f"{type(error).__name__}: {error}", refused=False) from error
        if answer.status_code >= 300:
            raise Unsent(url, f"{answer.status_code} {answer.text}", refused=answer.status_code in _OF_CONTENT)
        return answer

    @cached_property
    def _client(self) -> Any:
        import httpx2

        return httpx2.Client(timeout=self._timeout, trust_env=False)


class MLflowServer(OtlpEndpoint):
    """A server of MLflow at a URL such as http://127.0.0.1:5000; its experiment is made where there is none."""

    def __init__(self, url: str, *, experiment: str = EXPERIMENT, timeout_seconds: float = 10.0) -> None:
        super().__init__(f"{url.rstrip('/')}/v1/traces", timeout_seconds=timeout_seconds)
        self._api, self._experiment = f"{url.rstrip('/')}/api/2.0/mlflow/experiments", experiment

    def send(self, request: Mapping[str, Any]) -> None:
        """Post a request into the experiment; see Destination."""
        if "x-mlflow-experiment-id" not in self._headers:
            self._headers["x-mlflow-experiment-id"] = self._experiment_id()
        super().send(request)

    def _experiment_id(self) -> str:
        for _ in range(2):  # once more where another process makes it at the same time
            found = self._found()
            if found:
                return found
            try:
                return str(self._ask(f"{self._api}/create", json={"name": self._experiment}).json()["experiment_id"])
            except Unsent as error:
                if not error.refused:
                    raise
        raise Unsent(self.url, f"the experiment {self._experiment!r} cannot be made there", refused=False)

    def _found(self) -> str:
        try:
            answer = self._client.get(f"{self._api}/get-by-name", params={"experiment_name": self._experiment})
        except _failures() as error:
            raise Unsent(self.url, f"{type(error).__name__}: {error}", refused=False) from error
        if answer.status_code not in (200, 404):
            raise Unsent(self.url, f"{answer.status_code} {answer.text}", refused=False)
        return str(answer.json()["experiment"]["experiment_id"]) if answer.status_code == 200 else ""


class MLflowHome:
    """The MLflow of a home, into whose database the spans are written by MLflow itself."""

    def __init__(self, registry: MLflowRegistry, *, experiment: str = EXPERIMENT) -> None:
        self._registry, self._name = registry, experiment

    def send(self, request: Mapping[str, Any]) -> None:
        """Write the spans; see Destination."""
        try:
            with self._registry.client("keep traces") as client:
                self._log(self._registry.experiment(client, self._name), request)
        except RegistryError as error:
            raise Unsent(str(self._registry.database), str(error), refused=False) from error
        except (ValueError, TypeError) as error:
            raise Unsent(str(self._registry.database), str(error), refused=True) from error

    def _log(self, experiment: str, request: Mapping[str, Any]) -> None:
        from mlflow.entities.span import Span
        from mlflow.tracing.client import TracingClient
        from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest

        message = ExportTraceServiceRequest.FromString(protobuf_of(request))
        spans = [
            Span.from_otel_proto(span, resource=one.resource)
            for one in message.resource_spans
            for scope in one.scope_spans
            for span in scope.spans
        ]
        TracingClient(self._registry.uri).log_spans(experiment, spans)


def _failures() -> tuple[type[Exception], ...]:
    import httpx2

    return httpx2.HTTPError, httpx2.InvalidURL, OSError
