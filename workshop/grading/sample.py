"""A small app for warming up a worker before the learner's app arrives."""

from fastapi import Depends, FastAPI
from pydantic import BaseModel

app = FastAPI()


class Order(BaseModel):
    """An order."""

    seat: str


async def customer() -> str:
    """Return the name of the customer."""
    return "nobody"


@app.post("/shows/{show_id}", status_code=201)
async def order(show_id: int, order: Order, customer: str = Depends(customer)) -> Order:
    """Accept an order."""
    return order


@app.get("/broken")
async def broken() -> None:
    """Fail, as many solutions do."""
    raise RuntimeError("nobody is at the box office")
