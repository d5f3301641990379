"""A small app of our own, on which a process practises before a learner's comes."""

from fastapi import Depends, FastAPI
from pydantic import BaseModel

app = FastAPI()


class Order(BaseModel):
    """What is ordered."""

    seat: str


async def customer() -> str:
    """Say who asks."""
    return "nobody"


@app.post("/shows/{show_id}", status_code=201)
async def order(show_id: int, order: Order, customer: str = Depends(customer)) -> Order:
    """Take an order."""
    return order


@app.get("/broken")
async def broken() -> None:
    """Fail, as many an answer does."""
    raise RuntimeError("nobody is at the box office")
