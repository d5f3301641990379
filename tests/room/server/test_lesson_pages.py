"""The built site at /course/, and the poll in its lesson pages."""

from __future__ import annotations

import hashlib
import re
from base64 import b64encode
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import httpx2
import pytest

from tests.room.serving import Learner, RunningRoom, running_room
from workshop.room.server.limits import HEADERS
from workshop.room.server.settings import Settings

Visit = Callable[..., httpx2.Client]
PAGE = (
    "<!doctype html><style>p {}</style><style>p {}</style><p>Read.</p>"
    '<script src="room.js"></script><script>colour()</script>'
)
POLICY = "content-security-policy"
HASHED = "assets/theme.0123abcd.min.js"


@pytest.fixture
def site(tmp_path: Path) -> Path:
    """A small site, and a file beside it that nobody may read."""
    folder = tmp_path / "site"
    for name, text in {
        "index.html": PAGE,
        "404.html": "The theme's page.",
        "lessons/06_redis_cache.html": PAGE,
        "lessons/index.html": PAGE,
        "javascripts/room.js": "/* Empty. */",
        HASHED: "theme()",
        "pictures/logo.svg": "<svg/>",
        "pictures/board.webp": "RIFF",
        "search/search_index.json": "{}",
    }.items():
        file = folder / name
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(text, encoding="utf-8")
    (tmp_path / "secret.txt").write_text("K7QF", encoding="utf-8")
    return folder


@pytest.fixture
def reader(settings: Settings, site: Path) -> Iterator[httpx2.Client]:
    """The browser of a reader, in a room that has the site."""
    with running_room(replace(settings, site=str(site))) as room, room.client() as it:
        yield it


@pytest.fixture
def phone(room: RunningRoom, visit: Visit) -> httpx2.Client:
    """The browser of Bea, who has joined."""
    client = visit()
    client.post("/join", data={"code": room.service.room.code, "name": "Bea"})
    return client


@pytest.fixture
def poll(room: RunningRoom, iris: httpx2.Client) -> Iterator[str]:
    """The id of an open poll for lesson 06."""
    iris.post("/board/poll", data={"lesson": "06"})
    current = room.service.board.poll
    assert current is not None
    yield str(current.id)
    iris.post("/board/poll/remove", data={"poll": str(current.id)})


def shown(client: httpx2.Client, lesson: str = "06") -> dict[str, Any]:
    """Return what the page of *lesson* gets."""
    response = client.get("/me/poll", params={"lesson": lesson})
    assert response.status_code == 200
    assert response.headers["cache-control"] == "no-store"
    content: dict[str, Any] = response.json()
    return content


def digest(text: str) -> str:
    return f"'sha256-{b64encode(hashlib.sha256(text.encode()).digest()).decode()}'"


# The site


def test_without_a_site_the_response_names_the_command(visit: Visit) -> None:
    for path in ("/course/", "/course/lessons/06_redis_cache.html"):
        to_script = visit().get(path)
        to_browser = visit().get(path, headers={"Accept": "text/html"})

        assert to_script.status_code == to_browser.status_code == 404
        assert "site-build" in to_script.json()["detail"]
        assert "site-build" in to_browser.text
        assert {it: to_browser.headers.get(it) for it in HEADERS} == HEADERS


def test_a_site_that_is_built_after_the_start_is_served(
    settings: Settings, tmp_path: Path
) -> None:
    folder = tmp_path / "site"
    later = replace(settings, site=str(folder))

    with running_room(later) as room, room.client() as client:
        assert client.get("/course/").status_code == 404
        folder.mkdir()
        (folder / "index.html").write_text(PAGE, encoding="utf-8")

        assert client.get("/course/").text == PAGE


@pytest.mark.parametrize(
    ("path", "kind", "keeping"),
    [
        ("", "text/html; charset=utf-8", "no-cache"),
        ("index.html", "text/html; charset=utf-8", "no-cache"),
        ("lessons/", "text/html; charset=utf-8", "no-cache"),
        ("lessons/06_redis_cache.html", "text/html; charset=utf-8", "no-cache"),
        (HASHED, "text/javascript; charset=utf-8", "immutable"),
        ("pictures/logo.svg", "image/svg+xml", "no-cache"),
        ("pictures/board.webp", "image/webp", "no-cache"),
        ("search/search_index.json", "application/json", "no-cache"),
    ],
)
def test_a_file_has_its_type_and_its_time_in_caches(
    path: str, kind: str, keeping: str, reader: httpx2.Client
) -> None:
    response = reader.get(f"/course/{path}")

    assert response.status_code == 200
    assert response.headers["content-type"] == kind
    assert keeping in response.headers["cache-control"]
    assert response.headers["x-content-type-options"] == "nosniff"


def test_a_page_that_is_not_there_gets_a_sentence(reader: httpx2.Client) -> None:
    response = reader.get("/course/lessons/99.html")

    assert response.status_code == 404
    assert response.json() == {"detail": "The course has no such page."}
    assert reader.post("/course/index.html").status_code == 405


def test_a_folder_without_its_slash_is_redirected(reader: httpx2.Client) -> None:
    for path in ("/course", "/course/lessons"):
        response = reader.get(path)
        assert response.status_code == 307
        assert response.headers["location"].endswith(f"{path}/")


@pytest.mark.parametrize(
    "path",
    [
        *("..%2fsecret.txt", "%2e%2e/secret.txt", "%2e%2e%2fsecret.txt", "%00"),
        *("lessons/..%2f..%2fsecret.txt", "..%5csecret.txt", "%2fetc%2fpasswd"),
        *("x" * 5_000, "%FF", "%ED%A0%80"),
    ],
)
def test_no_path_leads_out_of_the_site(path: str, reader: httpx2.Client) -> None:
    response = reader.get(f"/course/{path}")

    assert response.status_code == 404
    assert "K7QF" not in response.text


def test_a_page_may_run_its_own_inline_scripts_and_no_others(
    reader: httpx2.Client, site: Path
) -> None:
    policy = reader.get("/course/").headers[POLICY]

    assert f"script-src 'self' {digest('colour()')};" in policy
    assert f"style-src 'self' {digest('p {}')};" in policy
    assert "unsafe" not in policy
    assert "default-src 'none'" in policy

    # Another build while the room is open.
    changed = PAGE.replace("colour()", "colours()")
    (site / "index.html").write_text(changed, encoding="utf-8")
    assert digest("colours()") in reader.get("/course/").headers[POLICY]


def test_a_page_that_has_not_changed_keeps_its_policy(reader: httpx2.Client) -> None:
    first = reader.get("/course/lessons/")

    again = reader.get(
        "/course/lessons/", headers={"If-None-Match": first.headers["etag"]}
    )

    assert again.status_code == 304
    for name in (POLICY, "cache-control", "etag"):
        assert again.headers[name] == first.headers[name]


def test_pages_that_are_not_the_course_keep_the_strict_policy(
    reader: httpx2.Client,
) -> None:
    for path in ("/join", "/course/none", f"/course/{HASHED}", "/static/room.css"):
        assert reader.get(path).headers[POLICY] == HEADERS[POLICY]


def test_the_room_replaces_the_sites_empty_script(reader: httpx2.Client) -> None:
    response = reader.get("/course/javascripts/room.js")

    assert response.headers["content-type"].startswith("text/javascript")
    assert "/me/poll" in response.text


def test_a_learners_page_links_to_the_course_if_it_is_there(
    phone: httpx2.Client, settings: Settings, site: Path
) -> None:
    assert "/course/" not in phone.get("/me").text

    with (
        running_room(replace(settings, site=str(site))) as room,
        room.client(follow_redirects=True) as client,
    ):
        form = {"code": room.service.room.code, "name": "Bea"}
        assert 'href="/course/"' in client.post("/join", data=form).text


# The poll


@pytest.mark.parametrize("cookie", ["", "x", "00000000-0000-0000-0000-000000000000.x"])
def test_a_browser_that_has_not_joined_gets_only_a_link(
    cookie: str, visit: Visit, poll: str
) -> None:
    cookies = {"room_learner": cookie} if cookie else {}
    stranger = visit(cookies=cookies)

    found = shown(stranger)

    assert found["joined"] is False
    assert 'href="/join?lesson=06"' in found["html"]
    assert poll not in found["html"]
    assert "A thousand times" not in found["html"]
    for lesson in ("01", "99"):  # nothing to vote on
        assert shown(stranger, lesson)["html"] == ""


@pytest.mark.parametrize(
    ("lesson", "place"),
    [
        ("06", "/course/lessons/06_redis_cache.html#predict"),
        ("01", "/me"),  # its page is not known
        ("99", "/me"),
        ("//evil.example", "/me"),
        ("", "/me"),
    ],
)
def test_who_joins_from_a_lesson_goes_back_to_its_page(
    lesson: str, place: str, settings: Settings, site: Path
) -> None:
    with (
        running_room(replace(settings, site=str(site))) as room,
        room.client() as reader,
    ):
        form = {"code": "WRONG1", "name": "Bea", "lesson": lesson}
        asked = reader.get("/join", params={"lesson": lesson})
        refused = reader.post("/join", data=form)
        joined = reader.post("/join", data={**form, "code": room.service.room.code})

    for page in (asked, refused):
        assert ('name="lesson" value="06"' in page.text) is (lesson == "06")
    assert joined.headers["location"] == place


def test_a_board_is_not_a_learner(iris: httpx2.Client, poll: str) -> None:
    assert shown(iris)["joined"] is False
    vote = iris.post("/me/vote", data={"poll": poll, "choice": "B"})
    assert vote.status_code == 401


def test_only_the_page_of_its_lesson_shows_the_poll(
    phone: httpx2.Client, poll: str
) -> None:
    for lesson in ("01", "99"):
        assert shown(phone, lesson) == {"joined": True, "html": "", "seconds": 30}
    assert poll in shown(phone, "06")["html"]


@pytest.mark.parametrize("lesson", ["", "6", "006", "x", "٠٦", "\x00", "x" * 5_000])
def test_what_is_no_lesson_gets_a_sentence(lesson: str, phone: httpx2.Client) -> None:
    response = phone.get("/me/poll", params={"lesson": lesson})

    assert response.status_code == 422
    assert response.json()["detail"].endswith(".")


def test_a_learner_sees_only_their_own_vote_until_the_poll_is_closed(
    phone: httpx2.Client, join: Callable[[str], Learner], iris: httpx2.Client, poll: str
) -> None:
    join("Ann").send({"kind": "vote", "poll": poll, "choice": "A"})
    before = shown(phone)["html"]
    assert 'aria-pressed="true"' not in before

    phone.post("/me/vote", data={"poll": poll, "choice": "C"})
    phone.post("/me/vote", data={"poll": poll, "choice": "B"})
    during = shown(phone)["html"]

    assert re.findall(r'id="choice-(.)" aria-pressed="true"', during) == ["B"]
    assert during.count(">your choice<") == 1
    for hidden in ("right", "votes", "assumes", "<svg", "Ann"):
        assert hidden not in before + during

    iris.post("/board/poll/close", data={"poll": poll})
    after = shown(phone)["html"]

    assert "You chose <b>B</b>." in after
    assert "✓ correct" in after
    assert "A assumes that a stored value is also used." in after
    assert "<button" not in after
    assert "Ann" not in after
