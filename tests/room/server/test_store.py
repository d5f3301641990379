"""The room's database."""

import asyncio
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from uuid import UUID, uuid4

import pytest

from workshop.room.server.records import Draft
from workshop.room.server.store import LearnerTakenError, Store, database_engine

NOW = datetime(2026, 11, 29, 12, tzinfo=UTC)
TOKEN = "t" * 43


async def joined(store: Store) -> UUID:
    learner = uuid4()
    await store.join(learner, TOKEN, "Ann")
    return learner


async def test_an_event_that_is_sent_again_is_stored_once(store: Store) -> None:
    ann = await joined(store)
    draft = Draft("help", NOW, ann, {"wanted": True})
    assert (await store.append([draft, draft])).new == {draft.id}
    assert (await store.append([draft])).new == set()
    kinds = [it.kind for it in await store.read_after(0)]
    assert kinds == ["joined", "help"]


async def test_two_learners_may_choose_the_same_id_for_an_event(store: Store) -> None:
    ann, bob = await joined(store), await joined(store)
    draft = Draft("help", NOW, ann, {"wanted": True})
    await store.append([draft, replace(draft, actor=bob)])
    actors = [it.actor for it in await store.read_after(0) if it.kind == "help"]
    assert actors == [ann, bob]


async def test_times_come_back_in_utc(store: Store) -> None:
    ann = await joined(store)
    await store.append([Draft("help", NOW, ann, {"wanted": True})])
    record = (await store.read_after(0))[-1]
    assert record.at == NOW
    assert record.received.tzinfo is not None


async def test_events_of_a_learner_who_has_left_are_not_stored(store: Store) -> None:
    ann = await joined(store)
    await store.append([Draft("help", NOW, ann, {"wanted": True})])
    await store.forget(ann)
    appended = await store.append([Draft("help", NOW, ann, {"wanted": False})])
    assert not appended.new
    assert appended.strangers == {ann}
    left = await store.read_after(0)
    assert [(it.kind, it.actor, it.data) for it in left] == [("left", ann, {})]
    assert await store.token_of(ann) is None


async def test_joining_may_be_repeated_with_the_same_token_only(store: Store) -> None:
    ann = await joined(store)
    await store.join(ann, TOKEN, "Anna")
    with pytest.raises(LearnerTakenError):
        await store.join(ann, "x" * 43, "Bob")
    names = [it.data["name"] for it in await store.read_after(0)]
    assert names == ["Ann", "Anna"]


async def test_only_the_last_heartbeat_of_each_learner_is_kept(store: Store) -> None:
    ann, bob = await joined(store), await joined(store)
    for _ in range(3):
        await store.append([Draft("heartbeat", NOW, it) for it in (ann, bob)])
    records = [it for it in await store.read_after(0) if it.kind == "heartbeat"]
    assert [it.actor for it in records] == [ann, bob]


async def test_the_room_stays_the_same_until_a_new_one_is_asked_for(
    store: Store,
) -> None:
    room = await store.open()
    await joined(store)
    assert room == await store.open()
    assert await store.read_after(0) != []
    fresh = await store.open("Afresh", new_room=True)
    assert fresh.title == "Afresh"
    assert fresh.code != room.code
    assert fresh.secret != room.secret
    assert await store.read_after(0) == []


async def test_a_room_can_get_another_title(store: Store) -> None:
    room = await store.open()

    renamed = await store.open("Async, by lunch")

    assert renamed == replace(room, title="Async, by lunch")
    assert renamed == await store.open()


async def test_after_forgetting_everybody_only_departures_without_names_are_left(
    store: Store,
) -> None:
    ann, bob = await joined(store), await joined(store)
    await store.open_session("a token", "Iris")
    await store.append([Draft("message", NOW, None, {"text": "Hi", "by": "Iris"})])
    await store.forget_everybody()
    left = {(it.kind, it.actor): it.data for it in await store.read_after(0)}
    assert left == {("left", ann): {}, ("left", bob): {}}
    assert await store.name_of_session("a token") is None
    assert await store.tokens() == {}


async def test_numbers_are_seen_in_their_order_though_several_workers_write(
    store: Store, database: str
) -> None:
    ann = await joined(store)
    engines = [database_engine(database) for _ in range(3)]
    seen: list[int] = []
    is_over = False

    async def write(other: Store) -> None:
        for _ in range(20):
            drafts = [Draft("help", NOW, ann, {"wanted": True}) for _ in range(3)]
            await other.append(drafts)

    async def follow() -> None:
        while True:
            last = is_over
            records = await store.read_after(seen[-1] if seen else 0, limit=7)
            seen.extend(it.seq for it in records)
            if last and not records:
                return

    following = asyncio.create_task(follow())
    try:
        await asyncio.gather(*(write(Store(engine)) for engine in engines))
        is_over = True
        await following
    finally:
        for engine in engines:
            await engine.dispose()
    everything = [it.seq for it in await store.read_after(0)]
    assert seen == everything == sorted(everything)
    assert len(everything) == 1 + 3 * 20 * 3


def test_nothing_of_a_learner_is_left_in_the_files_when_they_have_left(
    tmp_path: Path,
) -> None:
    async def join_and_leave() -> None:
        engine = database_engine(f"sqlite+aiosqlite:///{tmp_path / 'room.sqlite3'}")
        try:
            store = Store(engine)
            await store.open("The room")
            ann = uuid4()
            await store.join(ann, TOKEN, "Annabel-Lee")
            await store.forget(ann)
        finally:
            await engine.dispose()

    asyncio.run(join_and_leave())
    files = [path.read_bytes() for path in tmp_path.iterdir()]
    assert files
    assert not any(b"Annabel-Lee" in content for content in files)
