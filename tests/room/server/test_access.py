"""Who may do what, tried through the public door."""

from __future__ import annotations

import contextlib
import sqlite3
from collections.abc import Callable
from typing import Any
from uuid import uuid4

import httpx2
import pytest
import uvicorn

from tests.room.serving import Learner, RunningRoom, running_room
from workshop.room.server import attempts
from workshop.room.server.running import serve
from workshop.room.server.settings import Settings

Visit = Callable[..., httpx2.Client]
JoinRoom = Callable[[str], Learner]


def wrong_codes(client: httpx2.Client, number: int, **headers: str) -> list[int]:
    statuses = []
    for _ in range(number):
        asked = {"code": "WRONG1", "name": "Mallory"}
        statuses.append(client.post("/join", data=asked, headers=headers).status_code)
    return statuses


def test_wrong_codes_are_limited_and_the_response_says_how_long(visit: Visit) -> None:
    client = visit()

    statuses = wrong_codes(client, attempts.LIMIT + 1)
    response = client.post("/join", data={"code": "WRONG1", "name": "Mallory"})

    assert statuses == [403] * attempts.LIMIT + [429]
    assert response.status_code == 429
    assert 1 <= int(response.headers["retry-after"]) <= attempts.SECONDS + 1
    assert "Too many wrong codes" in response.json()["detail"]


def test_wrong_codes_of_programs_and_wrong_secrets_count_together(
    room: RunningRoom, visit: Visit
) -> None:
    client = visit()
    half = attempts.LIMIT // 2
    for _ in range(half):
        assert Learner(client, "Mallory").join("WRONG1").status_code == 403
    for _ in range(attempts.LIMIT - half):
        guess = {"secret": "guess", "name": "Mallory"}
        assert client.post("/board/login", data=guess).status_code == 403

    right = {"secret": room.service.room.secret, "name": "Iris"}
    assert client.post("/board/login", data=right).status_code == 429
    assert Learner(client, "Ann").join(room.service.room.code).status_code == 429


def test_without_a_configured_proxy_nobody_chooses_their_address(visit: Visit) -> None:
    client = visit()
    for number in range(attempts.LIMIT):
        forwarded = {"X-Forwarded-For": f"198.51.100.{number}"}
        assert wrong_codes(client, 1, **forwarded) == [403]

    assert wrong_codes(client, 1, **{"X-Forwarded-For": "203.0.113.1"}) == [429]


@pytest.mark.parametrize(
    ("proxies", "statuses"), [("127.0.0.1", [403, 429]), ("192.0.2.1", [429, 429])]
)
def test_only_configured_proxies_report_addresses(
    proxies: str,
    statuses: list[int],
    settings: Settings,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    options: dict[str, Any] = {}
    monkeypatch.setattr(uvicorn, "run", lambda app, **given: options.update(given))
    monkeypatch.setenv("WORKSHOP_ROOM_SETTINGS", "")
    behind = Settings(settings.database, proxies=proxies)
    serve(behind, "127.0.0.1", 0, 1)
    kept = {it: options[it] for it in ("proxy_headers", "forwarded_allow_ips")}

    with running_room(behind, **kept) as room, room.client() as client:
        first = {"X-Forwarded-For": "198.51.100.7"}
        wrong_codes(client, attempts.LIMIT, **first)
        other = {"X-Forwarded-For": "198.51.100.8"}
        assert wrong_codes(client, 1, **other) == statuses[:1]
        assert wrong_codes(client, 1, **first) == statuses[1:]


def test_a_code_may_have_small_letters_spaces_and_hyphens(
    room: RunningRoom, visit: Visit
) -> None:
    code = room.service.room.code.lower()

    for typed in (code, f" {code[:3]} {code[3:]} ", f"{code[:2]}-{code[2:]}"):
        assert Learner(visit(), "Ann").join(typed).status_code == 200


def test_joining_may_be_repeated_but_nobody_takes_another_id(
    room: RunningRoom, visit: Visit
) -> None:
    ann = Learner(visit(), "Ann")
    code = room.service.room.code
    assert [ann.join(code).status_code for _ in range(3)] == [200, 200, 200]

    thief = Learner(visit(), "Mallory", id=ann.id)
    response = thief.join(code)

    assert response.status_code == 409
    assert "This id belongs to another learner" in response.json()["detail"]
    assert thief.send({"kind": "heartbeat"}).status_code == 401
    assert ann.send({"kind": "heartbeat"}).json() == {"new": 1}


@pytest.mark.parametrize(
    "path", ["/board", "/board/projector", "/board/stream?lesson=06"]
)
def test_a_learner_cannot_read_the_board(
    path: str, join: JoinRoom, visit: Visit, room: RunningRoom
) -> None:
    ann = join("Ann")
    phone = visit()
    phone.post("/join", data={"code": room.service.room.code, "name": "Bea"})
    forged = {"room_board": f"{ann.id}.{ann.token}"}

    for response in (
        ann.client.get(path, headers=ann.headers),
        phone.get(path),
        visit(cookies=forged).get(path),
    ):
        assert response.status_code == 401
        assert "Ann" not in response.text


def test_a_browser_that_is_not_logged_in_is_sent_to_the_login(visit: Visit) -> None:
    page = {"Accept": "text/html"}

    assert visit().get("/board", headers=page).headers["location"] == "/board/login"
    assert visit().get("/me", headers=page).headers["location"] == "/join"


@pytest.mark.parametrize(
    "credentials",
    [
        *("", "Bearer", "Bearer x", "Basic QW5uOng=", "Bearer .", "Bearer \xff.\xff"),
        "Bearer 00000000-0000-0000-0000-000000000000.",
    ],
)
def test_an_unknown_token_is_refused(credentials: str, visit: Visit) -> None:
    headers = [(b"authorization", credentials.encode("latin-1"))]
    client = visit()

    for response in (
        client.post("/api/events", json={"events": []}, headers=headers),
        client.get("/api/stream", headers=headers),
        client.delete("/api/learner", headers=headers),
    ):
        assert response.status_code in (401, 422)
        assert isinstance(response.json()["detail"], str)


def test_a_learner_hears_only_of_their_own_help(
    join: JoinRoom, iris: httpx2.Client, room: RunningRoom
) -> None:
    ann, bea = join("Ann"), join("Bea")
    for learner in (ann, bea):
        learner.send({"kind": "help", "wanted": True})
    iris.post("/board/focus", data={"place": "06.1"})
    iris.post("/board/claim", data={"learner": str(ann.id)})

    def first_events(learner: Learner) -> str:
        with learner.client.stream(
            "GET", "/api/stream", headers=learner.headers
        ) as stream:
            iris.post("/board/focus", data={"place": "06.2"})
            text = ""
            for chunk in stream.iter_text():
                text += chunk
                if '"step":2' in text:
                    break
        iris.post("/board/focus", data={"place": "06.1"})
        return text

    assert '"by":"Iris"' in first_events(ann)
    assert "Iris" not in first_events(bea)


def test_the_cookies_are_for_this_site_and_not_for_scripts(
    room: RunningRoom, visit: Visit
) -> None:
    known = room.service.room
    logged_in = visit().post(
        "/board/login", data={"secret": known.secret, "name": "Iris"}
    )
    joined = visit().post("/join", data={"code": known.code, "name": "Ann"})

    for response in (logged_in, joined):
        cookie = response.headers["set-cookie"].lower()
        assert "; httponly" in cookie
        assert "; samesite=strict" in cookie
        assert "; secure" not in cookie


def test_behind_https_the_cookies_are_secure(settings: Settings) -> None:
    secure = Settings(settings.database, address="https://room.example", secure=True)

    with running_room(secure) as room, room.client() as client:
        form = {"code": room.service.room.code, "name": "Ann"}
        # The proxy has replaced the host.
        own = client.post(
            "/join", data=form, headers={"Origin": "https://room.example"}
        )
        foreign = client.post(
            "/join", data=form, headers={"Origin": "https://evil.example"}
        )

    assert own.status_code == 303
    assert "; secure" in own.headers["set-cookie"].lower()
    assert foreign.status_code == 403


@pytest.mark.parametrize(
    "headers",
    [
        {"Origin": "https://evil.example"},
        {"Origin": "null"},
        {"Origin": "http://["},
        {"Origin": ""},
        {"Sec-Fetch-Site": "cross-site"},
        {"Sec-Fetch-Site": "same-site"},
    ],
)
def test_a_form_of_another_site_is_refused(
    headers: dict[str, str], iris: httpx2.Client, room: RunningRoom
) -> None:
    forms = {
        "/board/message": {"text": "Spam"},
        "/board/focus": {"place": "06.1"},
        "/board/timer": {"minutes": "5"},
        "/board/poll": {"lesson": "06"},
        "/join": {"code": room.service.room.code, "name": "Ann"},
        "/board/login": {"secret": room.service.room.secret, "name": "Eve"},
    }
    before = room.service.board.seq

    for path, form in forms.items():
        response = iris.post(path, data=form, headers=headers)
        assert response.status_code == 403, path
    room.catch_up()
    assert room.service.board.seq == before


def test_a_learner_who_leaves_leaves_nothing_behind(
    room: RunningRoom, join: JoinRoom
) -> None:
    ann = join("Annabella Unforgettable")
    test = f"test_{uuid4().hex}"
    ann.send(ann.opened("06", 1), ann.judged("06", 1, test))

    assert ann.client.delete("/api/learner", headers=ann.headers).status_code == 204

    assert ann.send({"kind": "heartbeat"}).status_code == 401
    assert ann.client.delete("/api/learner", headers=ann.headers).status_code == 401
    with contextlib.closing(sqlite3.connect(room.database)) as connection:
        connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")
        query = "SELECT kind FROM records WHERE actor = ?"
        assert connection.execute(query, [ann.id.hex]).fetchall() == [("left",)]
    folder = room.database.parent
    stored = b"".join(it.read_bytes() for it in folder.glob("room.db*"))
    assert b"records" in stored
    assert b"Unforgettable" not in stored
    assert test.encode() not in stored


def test_leaving_on_the_phone_ends_its_login(room: RunningRoom, visit: Visit) -> None:
    phone = visit()
    phone.post("/join", data={"code": room.service.room.code, "name": "Bea"})
    assert phone.get("/me").status_code == 200
    cookies = dict(phone.cookies)

    assert phone.post("/me/leave").headers["location"] == "/join"

    assert visit(cookies=cookies).get("/me/panel").status_code == 401
    assert not room.service.streams.is_full


def test_more_streams_than_allowed_get_a_503(settings: Settings) -> None:
    small = Settings(settings.database, streams=1)
    with running_room(small) as room, room.client() as client:
        ann = Learner(client, "Ann")
        ann.join(room.service.room.code)
        with client.stream("GET", "/api/stream", headers=ann.headers) as first:
            received = first.iter_raw()
            next(received)
            second = client.get("/api/stream", headers=ann.headers)

        assert second.status_code == 503
        assert int(second.headers["retry-after"]) > 0
        assert second.json() == {
            "detail": "Too many pages and watch modes are connected. Close some tabs."
        }
