"""What scaffolded folders hold, as text in which `{name}` and its like are filled in."""

DATASET = """\
    name: {name}
    loader: {module}.loader:load
    weekly: {weekly} # the first day of the first week; all datasets of a location share it
    key: id
    time_column: known_at # a row belongs to the week in which it became known
    columns: # string, int, float, bool or timestamp; ? where it may be missing, then a range for numbers
      id: string
      known_at: timestamp
      value: float? 0..100
"""
LOADER = '''\
    """Where the rows of {name} come from."""

    from datetime import datetime

    import pandas as pd


    def load(start: datetime, end: datetime) -> pd.DataFrame:
        """The rows that became known from `start` (included) to `end` (excluded)."""
        return pd.DataFrame({{"id": [f"{{start:%Y-%m-%d}}-1"], "known_at": [start], "value": [1.0]}})
    '''
FEATURE_SET = """\
    name: {name}
    service: {service} # a FeatureService of feature_repo/
    weekly: {weekly}
    datasets: [{datasets}] # what the service's views read
"""
HEALTH = """\
    health: {{dataset: {dataset}, asked_at: {asked_at}}} # whose rows training and serving are compared on, each week
"""
MODEL = """\
    name: {name}
    train: {module}.training:train
    flavour: lightgbm # or your own: your_package.flavours:YourFlavour
    weekly: {weekly}
    entities: {entities}
    labels: {labels}
    features: {features}
"""
TRAINING = '''\
    """How {name} is fitted."""

    from collections.abc import Mapping
    from typing import Any

    from ops_pipelines.mlops.training import Rows


    def train(rows: Rows, params: Mapping[str, Any], seed: int) -> Any:
        """A model fitted on `rows.features` (one column a feature) and `rows.labels` ({label})."""
        import lightgbm

        fixed = {{"objective": "{objective}", "deterministic": True, "force_row_wise": True, "num_threads": 1}}
        features = rows.features.select_dtypes(["number", "bool"])
        settings = fixed | {{"verbose": -1, "seed": seed}} | dict(params)
        return lightgbm.train(settings, lightgbm.Dataset(features, rows.labels), num_boost_round=50)
    '''
PROMPT = """\
    name: {name}
    path: {path} # from the project's root
    # With `answers` it is a system that is evaluated, released and asked by its name:
    # answers:
    #   corpus: my_corpus # what is looked up for a question
    #   golden: evals/golden/{name}/cases.jsonl # lines of JSON; evals/README.md of ops_pipelines says what a case holds
    #   budgets: [{{name: tenants, limit_usd: 1, per: [tenant]}}]
    #   gate: {{least: {{groundedness: 0.8}}, compared: [says, refusal]}}
"""
PROMPT_FILE = """\
    description: What {name} is for.
    provider: extractive # who is asked; openai for any endpoint that speaks its protocol
    model: extractive-1 # a dated name where there is one: an alias moves
    parameters: {{}}
    variables: # text, number, flag or list
      passages: text
      question: text
    messages:
      - role: system
        content: |
          Answer from the passages alone, and cite them.
          If they do not answer the question, say "I cannot tell."
      - role: user
        content: |
          Passages:
          {{{{ passages }}}}

          Question: {{{{ question }}}}
    """
CORPUS = """\
    name: {name}
    sources: # folders from the project's root, and the documentation of installed packages
      - {{folder: {documents}, match: ["*.md", "*.html", "*.txt"]}}
    embedder: hashing # or sentence-transformer, or your own: your_package.embedders:make
    freshness: {{snapshot_days: 7}}
    hostile: warn # or block: what becomes of text that is meant for a model
"""
FIRST_DOCUMENT = """\
    # {name}

    Write here what is to be found, a document a file.
    """
RELEASE = """\
    name: {name}
    uses: {{{uses}}} # `live` is pinned when it is composed; or the first digits of a release
    operates: [] # systems that it calls by their pointers
"""
ALARMS = """\
    name: {name}
    systems: [{systems}] # models whose performance and drift are watched
    weekly: {weekly}
"""
