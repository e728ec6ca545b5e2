"""What every store must do; each adapter of the port goes through it."""

from __future__ import annotations

import hashlib
import multiprocessing
import sqlite3
import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict, replace
from pathlib import Path

import pytest

from agentnb import secrets
from agentnb.adapters.memory import MemoryStore
from agentnb.adapters.sqlite import SQLiteStore
from agentnb.errors import IllegalTransition, LeaseLost, RunNotFound, StoreError, UnknownName
from agentnb.ports.store import (
    AgentRecord,
    AgentState,
    Cached,
    Definition,
    Event,
    Fence,
    Firing,
    FiringChange,
    Offer,
    Run,
    RunChange,
    Signal,
    Store,
    Turn,
    now,
)


@pytest.fixture(params=["file", "memory"])
def store(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Store]:
    made = SQLiteStore(tmp_path / "s") if request.param == "file" else MemoryStore()
    yield made
    made.close()


def run(number: int = 1, **fields: object) -> Run:
    return Run(
        **{
            "id": f"exec_{number:04d}",
            "kind": "agent",
            "name": "a",
            "status": "running",
            "attempt": 1,
            "created_at": f"2026-01-01T00:00:{number:02d}Z",
            **fields,
        }
    )  # type: ignore[arg-type]


def event(type_: str = "agent.executed", run_id: str = "exec_0001", **data: object) -> Event:
    return Event(type_, {"event_type": type_, "timestamp": now(), **data}, run_id, "m1", "hash")


def test_events_keep_their_order_and_numbers(store: Store) -> None:
    store.write(*(event(x=number) for number in range(5)))
    store.write(event(run_id="exec_0002"), event("workflow.started", run_id=""))
    found = store.events("exec_0001")
    assert [item.data["x"] for item in found] == list(range(5))
    assert [item.seq for item in store.events()] == sorted({item.seq for item in store.events()})
    assert store.events("exec_0001", after=found[2].seq, limit=1)[0].data["x"] == 3
    assert (found[0].topic, store.events()[-1].topic) == ("agent.events", "workflow.events")
    assert (found[0].step_id, found[0].input_hash) == ("m1", "hash")


def test_runs_come_back_as_they_were(store: Store) -> None:
    whole = run(1, input={"prompt": "x" * 50_000}, output=[1, None], error={"type": "E"}, usage={"cost": None}, owner="me", lease_until=3.5)
    store.write(whole, run(2, name="b", status="failed"))
    assert store.run("exec_0001") == whole
    assert [item.id for item in store.runs()] == ["exec_0002", "exec_0001"]
    assert [item.id for item in store.runs(name="b", status="failed", kind="agent")] == ["exec_0002"]
    assert len(store.runs(limit=1)) == 1


def test_a_run_is_found_by_the_beginning_of_its_id(store: Store) -> None:
    store.write(run(1), run(22))
    assert store.run("exec_002").id == "exec_0022"
    with pytest.raises(UnknownName, match="several runs begin"):
        store.run("exec_00")
    for name in ("exec_9", "ex", "%", ""):
        with pytest.raises(RunNotFound):
            store.run(name)


def test_changes_touch_only_their_fields(store: Store) -> None:
    store.write(run(1, input="i"), run(2))
    store.write(RunChange("exec_0001", {"status": "completed", "output": {"a": 1}}))
    assert (store.run("exec_0001").status, store.run("exec_0001").output, store.run("exec_0001").input) == ("completed", {"a": 1}, "i")
    assert store.run("exec_0002").status == "running"
    with pytest.raises(TypeError):
        store.write(RunChange("exec_0001", {"nonsense": 1}))


def test_a_transaction_is_all_or_nothing(store: Store) -> None:
    store.write(run(1))
    with pytest.raises(Exception, match="exec_0001|UNIQUE"):
        store.write(event(), run(1))
    assert store.events() == []


def test_a_fence_stops_who_was_taken_over(store: Store) -> None:
    store.write(run(1))
    store.write(event(), fence=Fence("exec_0001", 1))
    taken = store.claim("exec_0001", "other", time.time() + 9, expect_attempt=1)
    assert (taken.attempt, taken.owner) == (2, "other")
    with pytest.raises(LeaseLost):
        store.write(event(), fence=Fence("exec_0001", 1))
    with pytest.raises(LeaseLost):
        store.claim("exec_0001", "third", time.time() + 9, expect_attempt=1)
    assert len(store.events()) == 1


def test_a_fence_stops_many_records_as_it_does_one(store: Store) -> None:
    store.write(run(1, attempt=2))
    for records in ([event()], [event(), event()], [event(x="x" * 100_000)], [RunChange("exec_0001", {"status": "failed"})]):
        for fence in (Fence("exec_0001", 1), Fence("exec_0009", 2)):
            with pytest.raises(LeaseLost):
                store.write(*records, fence=fence)
        store.write(*records, fence=Fence("exec_0001", 2))
    assert len(store.events()) == 4
    assert store.run("exec_0001").status == "failed"


def test_runs_that_are_due(store: Store) -> None:
    waits, claimed = run(1, status="waiting", wake_at=5.0), run(2, owner="me", lease_until=6.0)
    store.write(waits, claimed, run(3, status="waiting"), run(4, status="completed", wake_at=1.0, lease_until=1.0), run(5))
    assert [[item.id for item in store.due(moment)] for moment in (4.0, 5.0, 7.0)] == [[], ["exec_0001"], ["exec_0002", "exec_0001"]]
    assert len(store.due(7.0, limit=1)) == 1


def test_cached_results(store: Store) -> None:
    store.write(Cached("a", {"x": [1]}, "exec_0001"), Cached("b", 1, "exec_0001", time.time() - 1), Cached("c", 1, "r", time.time() + 600))
    store.write(Cached("a", {"x": [2]}, "exec_0002"))
    assert store.cached("a") == Cached("a", {"x": [2]}, "exec_0002")
    assert (store.cached("b"), store.cached("d")) == (None, None)
    assert store.cached("c") is not None


def test_what_is_read_is_ones_own(store: Store) -> None:
    given = {"a": [1]}
    store.write(run(1, input=given), event(x=given))
    given["a"].append(2)
    store.run("exec_0001").input["a"].append(3)
    store.events()[0].data["x"]["a"].append(3)
    assert store.run("exec_0001").input == store.events()[0].data["x"] == {"a": [1]}


def test_leases_are_prolonged_for_unfinished_runs_of_the_owner(store: Store) -> None:
    store.write(run(1, owner="me"), run(2, owner="you"), run(3, owner="me", status="completed"))
    store.renew(["exec_0001", "exec_0002", "exec_0003"], "me", 99.0)
    assert [store.run(f"exec_000{number}").lease_until for number in (1, 2, 3)] == [99.0, 0.0, 0.0]


def test_only_one_of_many_claims_wins(store: Store) -> None:
    store.write(run(1))
    won, lost = [], []

    def claim(name: str) -> None:
        try:
            won.append(store.claim("exec_0001", name, 9.0, expect_attempt=1).owner)
        except LeaseLost:
            lost.append(name)

    threads = [threading.Thread(target=claim, args=(f"p{number}",)) for number in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert (len(won), len(lost)) == (1, 7)


def test_definitions_are_kept_once(store: Store) -> None:
    definition = Definition("h", "agent", "a", {"x": "y" * 40_000}, b"\x00code", "3.11")
    store.write(definition, definition)
    assert replace(store.definition("h"), used_at="") == definition
    with pytest.raises(UnknownName, match="nope"):
        store.definition("nope")


def agent(number: int, name: str = "a", origin: str = "nb") -> AgentRecord:
    return AgentRecord(f"AGENT-{number}", name, origin, "h", "CREATED", ("TEXT_PROCESSING",), now())


def test_agents(store: Store) -> None:
    assert store.reserve_agent(agent(1), event("agent.created", ""))
    assert not store.reserve_agent(agent(1), event("agent.created", ""))
    assert store.reserve_agent(agent(2))
    assert store.reserve_agent(agent(3, origin="other"))
    store.write(AgentState("AGENT-2", "READY"))
    assert len(store.events()) == 1
    assert [item.id for item in store.agents()] == ["AGENT-3", "AGENT-2"]
    assert [item.id for item in store.agents(current=False)] == ["AGENT-3", "AGENT-2", "AGENT-1"]
    assert store.agents(agent_id="AGENT-2")[0].state == "READY"
    store.delete_agent("AGENT-2", event("agent.deleted", ""))
    assert [item.id for item in store.agents()] == ["AGENT-3", "AGENT-1"]


def test_a_turn_is_replaced_in_its_place(store: Store) -> None:
    for key in ("c1", "c2", "c3"):
        store.write(Turn("s", key, "exec_1", [{"role": "user", "content": key}]))
    store.write(Turn("s", "c2", "exec_2", [{"role": "user", "content": "new"}]))
    assert [turn.messages[0]["content"] for turn in store.turns("s")] == ["c1", "new", "c3"]
    assert [turn.key for turn in store.turns("s", before="c2")] == ["c1"]
    assert [turn.key for turn in store.turns("s", before="c9")] == ["c1", "c2", "c3"]
    assert store.turns("other") == []


def test_signals(store: Store) -> None:
    store.write(Signal("exec_1", "cancel"), Signal("exec_1", "answer:x", {"verdict": "approve"}), Signal("exec_2", "cancel"))
    found = store.signals("exec_1")
    assert [(item.name, item.payload) for item in found] == [("cancel", None), ("answer:x", {"verdict": "approve"})]
    assert [item.name for item in store.signals("exec_1", after=found[0].seq)] == ["answer:x"]


def test_no_secret_is_written(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    secret = "sk-abcdefghijklmnopqrstuvwx"
    store.write(
        run(1, input=secret, output={"k": secret}),
        event(x=secret),
        Turn("s", "k", "r", [{"content": secret}]),
        Signal("exec_1", "s", secret),
    )
    shown = f"{asdict(store.run('exec_0001'))} {[event.data for event in store.events()]} {store.turns('s')} {store.signals('exec_1')}"
    assert secret not in shown
    assert shown.count("[secret]") == 5


@pytest.mark.parametrize(
    "value", ["\ud800 lone surrogate", "\x00 nul", "🙂 ünï", {"$blob": "nothing"}, {"a": {"$blob": "x"}}, "z" * 100_000, float("inf")]
)
def test_odd_values(store: Store, value: object) -> None:
    store.write(event(x=value))
    found = store.events()[0].data["x"]
    assert found in (value, str(value), "Infinity") or "?" in str(found)


def test_equal_large_values_are_kept_once(tmp_path: Path) -> None:
    store = SQLiteStore(tmp_path)
    for number in range(20):
        store.write(run(number, input="x" * 100_000))
    store.close()
    with sqlite3.connect(tmp_path / "journal.db") as connection:
        assert connection.execute("SELECT count(*) FROM blobs").fetchone() == (1,)
    connection.close()


def _write_many(folder: str, number: int) -> None:
    store = SQLiteStore(Path(folder))
    for item in range(100):
        store.write(event(writer=number, item=item))
    store.close()


def test_several_processes_write_at_once(tmp_path: Path) -> None:
    context = multiprocessing.get_context("spawn")
    workers = [context.Process(target=_write_many, args=(str(tmp_path), number)) for number in range(3)]
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join()
    assert [worker.exitcode for worker in workers] == [0, 0, 0]
    store = SQLiteStore(tmp_path)
    found = store.events()
    assert len(found) == 300
    for number in range(3):
        assert [item.data["item"] for item in found if item.data["writer"] == number] == list(range(100))
    store.close()


def test_many_open_a_new_store_at_once(tmp_path: Path) -> None:
    def opened(folder: Path, together: threading.Barrier) -> int:
        store = SQLiteStore(folder)
        together.wait()
        try:
            return len(store.runs())
        finally:
            store.close()

    with ThreadPoolExecutor(6) as pool:
        for number in range(20):
            together = threading.Barrier(6)
            opening = [pool.submit(opened, tmp_path / str(number), together) for _ in range(6)]
            assert [each.result() for each in opening] == [0] * 6


def test_version_tells_of_other_writers(tmp_path: Path) -> None:
    mine, other = SQLiteStore(tmp_path), SQLiteStore(tmp_path)
    before = mine.version()
    other.write(event())
    assert mine.version() != before
    mine.close()
    other.close()


def test_a_closed_store_opens_again(tmp_path: Path) -> None:
    store = SQLiteStore(tmp_path)
    store.write(run(1))
    store.close()
    assert store.run("exec_0001").id == "exec_0001"
    store.close()


def test_data_that_looks_like_a_reference_is_data(store: Store) -> None:
    store.write(run(1, input="secret of another run" * 2000))
    key = hashlib.sha256(('"' + "secret of another run" * 2000 + '"').encode()).hexdigest()
    for value in ({"$blob": key}, {"$blob": {"a": 1}}, {"a": {"$blob": key}}):
        store.write(RunChange("exec_0001", {"output": value}), event(x=value))
        assert store.run("exec_0001").output == value or value == {"a": {"$blob": key}}
        assert "secret of another" not in str(store.events()[-1].data)


@pytest.mark.parametrize("secret", ['pa"ss\\word1', "line one\nline two", "12345678"])
def test_secrets_of_every_shape_are_masked_and_leave_json_whole(store: Store, monkeypatch: pytest.MonkeyPatch, secret: str) -> None:
    monkeypatch.setenv("SOME_PASSWORD", secret)
    secrets.refresh()
    store.write(run(1, input={"p": f"it is {secret}!", "n": 12345678}), event(x=[secret]))
    shown = str(store.run("exec_0001").input) + str(store.events()[0].data)
    assert secret not in shown
    assert "it is [secret]!" in shown
    monkeypatch.delenv("SOME_PASSWORD")
    secrets.refresh()


def test_a_claim_leaves_what_has_ended(store: Store) -> None:
    store.write(run(1, status="completed"))
    with pytest.raises(LeaseLost):
        store.claim("exec_0001", "me", 9.0, expect_attempt=1)


def test_a_damaged_record_says_so(tmp_path: Path) -> None:
    store = SQLiteStore(tmp_path)
    store.write(event(x=1))
    store._open().execute("UPDATE events SET data = '{oops'")
    with pytest.raises(StoreError, match="damaged"):
        store.events()
    store.close()


def test_the_newest_event_has_a_number(store: Store) -> None:
    assert store.position() == 0
    store.write(event(), event())
    assert store.position() == store.events()[-1].seq


def test_runs_are_read_page_by_page(store: Store) -> None:
    moment = "2026-01-01T00:00:00Z"
    store.write(*(run(number, created_at=moment, input={"x": number}) for number in range(1, 6)), run(9, kind="workflow", parent="up"))
    pages, before = [], None
    while found := store.runs(kind="agent", before=before, limit=2, whole=False):
        pages.append([item.id for item in found])
        before = (found[-1].created_at, found[-1].id)
        assert all(item.input is None for item in found)
    assert pages == [["exec_0005", "exec_0004"], ["exec_0003", "exec_0002"], ["exec_0001"]]
    assert [item.id for item in store.runs(since="2026-01-01T00:00:01Z", until="2026-01-01T00:01:00Z", parent="up")] == ["exec_0009"]
    assert store.counts() == {("agent", "running"): 5, ("workflow", "running"): 1}


def test_definitions_are_listed_by_when_they_were_used(store: Store) -> None:
    first, second, other = (Definition(key, "workflow", name, {"k": key}, b"code") for key, name in (("1", "a"), ("2", "a"), ("3", "b")))
    for definition in (first, second, other, Definition("4", "draft", "a", {})):
        store.write(definition)
    assert [item.hash for item in store.definitions("workflow")] == ["3", "2"]
    store.write(first)
    assert [(item.hash, item.code) for item in store.definitions("workflow", name="a", current=False)] == [("1", b""), ("2", b"")]
    newest = store.definitions("workflow", limit=1)[0]
    assert [item.hash for item in store.definitions("workflow", current=False, before=(newest.used_at, newest.hash))] == ["3", "2"]


def test_a_result_is_reserved_once(store: Store) -> None:
    assert store.reserve(Cached("k", 1, "", time.time() + 60))
    assert not store.reserve(Cached("k", 2, "", time.time() + 60))
    store.write(Cached("k", 3, "", time.time() - 1))
    assert store.reserve(Cached("k", 4, "", 0))
    kept = store.cached("k")
    assert kept is not None
    assert kept.value == 4


def test_a_run_is_forgotten_with_all_that_is_its_own(store: Store) -> None:
    large, shared = "l" * 40_000, "s" * 40_000
    for number in (1, 2):
        name = f"exec_{number:04d}"
        store.write(
            run(number, status="completed", input=shared, output=large + name),
            event(run_id=name, x=shared),
            Signal(name, "cancel", large),
            Turn("s", name, name, [{"role": "user", "text": shared}]),
            Cached(name, large + name, name),
        )
    before = store.position()
    store.delete_runs(["exec_0001"], event("agent.run_deleted", run_id="exec_0001"))
    with pytest.raises(RunNotFound):
        store.run("exec_0001")
    assert [item.type for item in store.events("exec_0001")] == ["agent.run_deleted"]
    assert store.position() == before + 1
    assert (store.signals("exec_0001"), store.cached("exec_0001"), [turn.key for turn in store.turns("s")]) == ([], None, ["exec_0002"])
    kept = store.run("exec_0002")
    assert (kept.input, kept.output) == (shared, large + "exec_0002")
    assert store.events("exec_0002")[0].data["x"] == shared


def test_nothing_is_forgotten_where_one_run_goes_on_or_is_not_there(store: Store) -> None:
    store.write(run(1, status="completed"), run(2))
    with pytest.raises(IllegalTransition, match="running"):
        store.delete_runs(["exec_0001", "exec_0002"])
    with pytest.raises(RunNotFound):
        store.delete_runs(["exec_0001", "exec_0003"])
    assert store.run("exec_0001").status == "completed"


def test_what_is_large_leaves_the_file_with_its_run(tmp_path: Path) -> None:
    store = SQLiteStore(tmp_path)
    store.write(run(1, status="completed", input="x" * 40_000))
    store.delete_runs(["exec_0001"])
    store.close()
    with sqlite3.connect(tmp_path / "journal.db") as connection:
        assert connection.execute("SELECT count(*) FROM blobs").fetchone() == (0,)
    connection.close()


def firing(position: float = 10.0, **fields: object) -> Firing:
    return Firing(**{"job": "daily", "trigger": "cron", "position": position, "status": "claimed", "run_id": f"job_{position}", **fields})  # type: ignore[arg-type]


def test_a_firing_is_written_once(store: Store) -> None:
    first, second = Offer(None, (firing(10.0),), (event("job.claimed", ""),)), Offer(None, (firing(10.0),), (event("job.claimed", ""),))
    assert store.offer([first, second]) == [True, False]
    assert len(store.events()) == 1
    assert store.offer([Offer(5.0, (firing(20.0),)), Offer(10.0, (firing(15.0), firing(20.0)))]) == [False, True]
    assert store.offer([Offer(None, (firing(3.0, trigger="event"),)), Offer(None, (firing(1.0, job="other"),))]) == [True, True]
    assert [(item.job, item.trigger, item.position) for item in store.firings()] == [
        ("daily", "cron", 20.0), ("daily", "cron", 15.0), ("daily", "cron", 10.0), ("daily", "event", 3.0), ("other", "cron", 1.0)
    ]  # fmt: skip
    newest = {(item.job, item.trigger): item.position for item in store.newest_firings()}
    assert newest == {("daily", "cron"): 20.0, ("daily", "event"): 3.0, ("other", "cron"): 1.0}


def test_a_firing_whose_scheduler_died_is_taken_by_one(store: Store) -> None:
    store.offer([Offer(None, (firing(owner="dead"), firing(20.0, status="queued", owner="dead")))])
    [found] = store.firings(statuses=["claimed"])
    taken = store.take_firing(found, "me", 99.0)
    assert taken is not None
    assert (taken.owner, taken.attempt, taken.lease_until, taken.run_id) == ("me", 1, 99.0, "job_10.0")
    assert store.take_firing(found, "other", 99.0) is None
    store.renew_firings("me", 120.0)
    assert [item.lease_until for item in store.firings(job="daily")] == [0.0, 120.0]
    store.write(FiringChange(taken, {"status": "started"}))
    assert [item.position for item in store.firings(statuses=["claimed", "queued"])] == [20.0]
    assert store.take_firing(taken, "late", 99.0) is None


def test_events_of_some_types_and_runs_of_a_job(store: Store) -> None:
    assert store.position() == 0
    store.write(event("job.started"), event("job.cell_started"), event("job.completed"))
    assert [item.type for item in store.events(types=["job.completed", "job.started"])] == ["job.started", "job.completed"]
    assert store.position() == store.events()[-1].seq
    store.write(run(1, job="job_1"), run(2))
    assert [item.id for item in store.runs(job="job_1")] == ["exec_0001"]
    store.write(run(3, session="s"))
    assert [item.id for item in store.runs(session="s")] == ["exec_0003"]
