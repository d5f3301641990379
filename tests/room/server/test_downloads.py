"""The bundle at /bundle: one archive for each system and Python."""

from __future__ import annotations

import json
import zipfile
from collections.abc import Iterator
from dataclasses import replace
from io import BytesIO
from pathlib import Path

import httpx2
import pytest

from tests.room.serving import running_room
from workshop.room.server.settings import Settings

NAME = "async-fastapi-linux-x86_64-python3.13.zip"


@pytest.fixture
def bundle(tmp_path: Path) -> Path:
    """A folder like the one that `make bundle` writes."""
    folder = tmp_path / "bundle"
    machines = [
        {
            "system": system,
            "python": "3.13",
            "title": title,
            "groups": ["core"],
            "wheels": ["both.whl", f"{system}.whl"],
        }
        for system, title in (
            ("linux-x86_64", "Linux x86_64, Python 3.13"),
            ("macos-arm64", "macOS arm64, Python 3.13"),
        )
    ]
    for name, text in {
        "contents.json": json.dumps({"commit": "1", "site": "", "machines": machines}),
        "README.txt": "Read me.",
        "start.py": "print()",
        "course/app.py": "app = 1",
        "course/wheels/note.txt": "not a package",
        "wheels/both.whl": "packed" * 1000,
        "wheels/linux-x86_64.whl": "packed",
        "wheels/macos-arm64.whl": "packed",
    }.items():
        file = folder / name
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(text, encoding="utf-8")
    return folder


@pytest.fixture
def newcomer(settings: Settings, bundle: Path) -> Iterator[httpx2.Client]:
    """The browser of somebody who does not have the course yet."""
    offering = replace(settings, bundle=str(bundle))
    with running_room(offering) as room, room.client() as client:
        yield client


def test_each_system_has_one_download(newcomer: httpx2.Client) -> None:
    page = newcomer.get("/bundle").text

    assert page.count(" download>") == 2
    assert f'href="/bundle/{NAME}" download>Linux x86_64, Python 3.13<' in page


def test_an_archive_has_the_course_and_the_packages_of_one_system(
    newcomer: httpx2.Client,
) -> None:
    response = newcomer.get(f"/bundle/{NAME}")

    assert response.headers["content-type"] == "application/zip"
    assert NAME in response.headers["content-disposition"]
    with zipfile.ZipFile(BytesIO(response.content)) as archive:
        assert archive.testzip() is None
        assert set(archive.namelist()) == {
            f"async-fastapi/{name}"
            for name in (
                *("README.txt", "contents.json", "start.py", "course/app.py"),
                *("course/wheels/note.txt", "wheels/both.whl"),
                "wheels/linux-x86_64.whl",
            )
        }


def test_an_interrupted_download_can_be_resumed(newcomer: httpx2.Client) -> None:
    whole = newcomer.get(f"/bundle/{NAME}")

    rest = newcomer.get(
        f"/bundle/{NAME}",
        headers={"range": "bytes=1000-", "if-range": whole.headers["etag"]},
    )

    assert rest.status_code == 206
    assert rest.content == whole.content[1000:]


@pytest.mark.parametrize("name", ["other.zip", "..%2Fcontents.json", "contents.json"])
def test_nothing_else_can_be_downloaded(newcomer: httpx2.Client, name: str) -> None:
    assert newcomer.get(f"/bundle/{name}").status_code == 404


def test_a_folder_that_is_no_bundle_is_explained(
    newcomer: httpx2.Client, bundle: Path
) -> None:
    (bundle / "contents.json").unlink()

    response = newcomer.get("/bundle", headers={"accept": "text/html"})

    assert response.status_code == 404
    assert "make bundle" in response.text or "workshop bundle" in response.text


def test_a_system_whose_package_is_missing_is_not_offered(
    newcomer: httpx2.Client, bundle: Path
) -> None:
    (bundle / "wheels/linux-x86_64.whl").unlink()

    response = newcomer.get("/bundle")

    assert response.status_code == 200
    assert response.text.count(" download>") == 1
    assert "macOS arm64" in response.text
    assert newcomer.get(f"/bundle/{NAME}").status_code == 404


def test_the_archives_are_deleted_with_the_room(
    settings: Settings, bundle: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    temporary = tmp_path / "temporary"
    temporary.mkdir()
    monkeypatch.setattr("tempfile.tempdir", str(temporary))
    with running_room(replace(settings, bundle=str(bundle))) as room:
        with room.client() as client:
            client.get(f"/bundle/{NAME}")
        assert len(list(temporary.rglob("*.zip"))) == 1
    assert list(temporary.rglob("*.zip")) == []
