"""DRAFT: the stand-ins that the tests use for the outside world."""

import httpx2
import pytest


@pytest.mark.step(1)
async def test_show_1_has_free_seats(client: httpx2.AsyncClient) -> None:
    """DRAFT: the fact that step 1 teaches, in one sentence."""
    response = await client.get("/shows/1")
    assert response.status_code == 200, (
        f"GET /shows/1 returned {response.status_code}. Expected: 200."
    )
    assert response.json() == {"free": 10}, (
        f"GET /shows/1 returned {response.text}. Expected: 10 free seats."
    )


@pytest.mark.step(2)
async def test_show_2_has_free_seats(client: httpx2.AsyncClient) -> None:
    """DRAFT: the fact that step 2 teaches, in one sentence."""
    response = await client.get("/shows/2")
    assert response.status_code == 200, (
        f"GET /shows/2 returned {response.status_code}. Expected: 200."
    )
    assert response.json() == {"free": 20}, (
        f"GET /shows/2 returned {response.text}. Expected: 20 free seats."
    )


@pytest.mark.step(3)
async def test_show_3_has_free_seats(client: httpx2.AsyncClient) -> None:
    """DRAFT: the fact that step 3 teaches, in one sentence."""
    response = await client.get("/shows/3")
    assert response.status_code == 200, (
        f"GET /shows/3 returned {response.status_code}. Expected: 200."
    )
    assert response.json() == {"free": 30}, (
        f"GET /shows/3 returned {response.text}. Expected: 30 free seats."
    )


@pytest.mark.step(4)
async def test_show_4_has_free_seats(client: httpx2.AsyncClient) -> None:
    """DRAFT: the fact that step 4 teaches, in one sentence."""
    response = await client.get("/shows/4")
    assert response.status_code == 200, (
        f"GET /shows/4 returned {response.status_code}. Expected: 200."
    )
    assert response.json() == {"free": 40}, (
        f"GET /shows/4 returned {response.text}. Expected: 40 free seats."
    )


@pytest.mark.step(5)
async def test_show_5_has_free_seats(client: httpx2.AsyncClient) -> None:
    """DRAFT: the fact that step 5 teaches, in one sentence."""
    response = await client.get("/shows/5")
    assert response.status_code == 200, (
        f"GET /shows/5 returned {response.status_code}. Expected: 200."
    )
    assert response.json() == {"free": 50}, (
        f"GET /shows/5 returned {response.text}. Expected: 50 free seats."
    )
