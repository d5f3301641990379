"""Do once, before anybody waits for it, what a first request does only once."""

import asyncio


def warm_up() -> None:
    """Put a request to a throw-away app.

    FastAPI imports a part of pydantic at the first route that it sees, and
    much is looked up and kept at the first request. No thread is started.
    """
    import httpx2
    from fastapi import Depends, FastAPI
    from pydantic import BaseModel

    class Order(BaseModel):
        seat: str

    app = FastAPI()

    async def customer() -> str:
        return "nobody"

    @app.post("/shows/{show_id}", status_code=201)
    async def order(
        show_id: int,
        order: Order,
        customer: str = Depends(customer),
    ) -> Order:
        return order

    async def ask() -> None:
        transport = httpx2.ASGITransport(app=app)
        async with httpx2.AsyncClient(
            transport=transport, base_url="http://box-office"
        ) as client:
            await client.post("/shows/1", json={"seat": "A1"})
            await client.get("/nowhere")

    asyncio.run(ask())
