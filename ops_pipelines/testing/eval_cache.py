"""The fake of `llmops.evals.cache.EvalCache`, and the conformance suite that the fake and every adapter run.

A team that writes a cache of its own subclasses the suite and gives it a fixture named `cache`.
"""

from collections.abc import Collection, Mapping
from concurrent.futures import ThreadPoolExecutor
from threading import Lock

from ops_pipelines.llmops.evals.cache import EvalCache


class MemoryEvalCache:
    """An EvalCache that forgets with its process. `puts` counts how often it was written to."""

    def __init__(self) -> None:
        self._lock = Lock()
        self.records: dict[str, str] = {}
        self.puts = 0

    def get_many(self, keys: Collection[str]) -> Mapping[str, str]:
        with self._lock:
            return {key: self.records[key] for key in keys if key in self.records}

    def put_many(self, records: Mapping[str, str]) -> None:
        with self._lock:
            self.puts += 1
            self.records = {**records, **self.records}


class EvalCacheConformance:
    """What every EvalCache guarantees, as tests of the fixture `cache`."""

    def test_returns_what_was_put_and_nothing_for_other_keys(self, cache: EvalCache) -> None:
        cache.put_many({"a": "naïve ☂", "b": ""})
        assert dict(cache.get_many(["a", "b", "nobody's"])) == {"a": "naïve ☂", "b": ""}

    def test_an_empty_cache_has_nothing(self, cache: EvalCache) -> None:
        assert dict(cache.get_many(["a"])) == dict(cache.get_many([])) == {}

    def test_putting_nothing_is_no_error(self, cache: EvalCache) -> None:
        cache.put_many({})
        assert dict(cache.get_many([])) == {}

    def test_the_first_record_of_a_key_stays(self, cache: EvalCache) -> None:
        cache.put_many({"a": "first"})
        cache.put_many({"a": "second", "b": "new"})
        assert dict(cache.get_many({"a", "b"})) == {"a": "first", "b": "new"}

    def test_thousands_of_keys_are_one_question(self, cache: EvalCache) -> None:
        records = {f"{number:064d}": str(number) for number in range(5_000)}
        cache.put_many(records)
        assert dict(cache.get_many(list(records))) == records

    def test_threads_that_put_at_once_lose_nothing(self, cache: EvalCache) -> None:
        def put(worker: int) -> None:
            for number in range(20):
                cache.put_many({f"{worker}-{number}-{row}": "x" for row in range(3)})

        with ThreadPoolExecutor(4) as pool:
            list(pool.map(put, range(4)))
        keys = [f"{worker}-{number}-{row}" for worker in range(4) for number in range(20) for row in range(3)]
        assert len(cache.get_many(keys)) == 240
