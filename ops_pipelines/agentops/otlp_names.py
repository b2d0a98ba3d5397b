"""The names that spans of OpenTelemetry give to what agents do: the GenAI conventions, OpenInference, MLflow's, and ours.

The GenAI conventions are still in development: where a name changes, it changes here, and older ones stay readable.
"""

from ops_pipelines.agentops.run_log import AGENT, MEMORY_READ, MODEL, TOOL

STATUS_ERROR = 2
KINDS_BY_WORD = {
    **dict.fromkeys(
        ("chat", "text_completion", "generate_content", "embeddings", "LLM", "EMBEDDING", "CHAT_MODEL"), MODEL
    ),
    **dict.fromkeys(("execute_tool", "TOOL"), TOOL),
    **dict.fromkeys(("invoke_agent", "create_agent", "AGENT", "CHAIN"), AGENT),
    **dict.fromkeys(("RETRIEVER",), MEMORY_READ),
}
OPS_KIND, OPS_NAME, OPS_OCCURRENCE, OPS_DECISION = (
    "ops.step.kind",
    "ops.step.name",
    "ops.step.occurrence",
    "ops.decision",
)
OPS_NANOS, OPS_RELEASE, OPS_VERSION = "ops.cost.nanos", "ops.release", "ops.memory.version"
OPS_ENDED = "ops.step.ended"
"""Ours, where no convention has a word. The last is when a step ended whose span is drawn longer."""
MLFLOW_TYPE, MLFLOW_INPUTS, MLFLOW_OUTPUTS = "mlflow.spanType", "mlflow.spanInputs", "mlflow.spanOutputs"
MLFLOW_TOKENS, MLFLOW_COST, MLFLOW_TAG = "mlflow.chat.tokenUsage", "mlflow.llm.cost", "mlflow.traceTag.agent"
"""MLflow's, some of which only repeat for its page what others say."""
OPERATIONS = ("gen_ai.operation.name", "openinference.span.kind", MLFLOW_TYPE)
OURS = frozenset({OPS_KIND, OPS_NAME, OPS_OCCURRENCE, OPS_DECISION, OPS_NANOS, OPS_RELEASE, OPS_VERSION, OPS_ENDED})
NAMES = {
    MODEL: ("gen_ai.request.model", "gen_ai.response.model", "llm.model_name"),
    TOOL: ("gen_ai.tool.name", "tool.name"),
    AGENT: ("gen_ai.agent.name",),
}
INPUTS = ("gen_ai.input.messages", "gen_ai.tool.call.arguments", "input.value", MLFLOW_INPUTS, "gen_ai.prompt")
OUTPUTS = (
    "gen_ai.output.messages",
    "gen_ai.tool.call.result",
    "output.value",
    MLFLOW_OUTPUTS,
    "gen_ai.completion",
)
TOKENS = (
    ("gen_ai.usage.input_tokens", "gen_ai.usage.output_tokens"),
    ("llm.token_count.prompt", "llm.token_count.completion"),
)
TOTAL_TOKENS = "llm.token_count.total"
OUR_INPUTS, OUR_OUTPUTS = ("input.value",), ("output.value",)
"""Where a span of ours has what went in and came out."""
REPEATED = (MLFLOW_TOKENS, MLFLOW_COST, MLFLOW_TAG)
REPEATED_OF_OURS = (MLFLOW_INPUTS, MLFLOW_OUTPUTS)
"""What a span that is made for MLflow's page says again."""
