"""Do once, before anybody waits for it, what a first request does only once."""

import asyncio
import traceback


def warm_up() -> None:
    """Put a request to a throw-away app.

    FastAPI imports a part of pydantic at the first route that it sees, and
    much is looked up and kept at the first request. So are the lines that a
    traceback shows. No thread is started.
    """
    import httpx2
    from fastapi import Depends, FastAPI
    from pydantic import BaseModel

    from workshop.lab.loading import empty_caches

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

    @app.get("/broken")
    async def broken() -> None:
        raise RuntimeError("as many an answer does")

    async def ask() -> None:
        transport = httpx2.ASGITransport(app=app)
        async with httpx2.AsyncClient(
            transport=transport, base_url="http://box-office"
        ) as client:
            await client.post("/shows/1", json={"seat": "A1"})
            await client.get("/nowhere")
            try:
                await client.get("/broken")
            except RuntimeError as error:
                traceback.format_exception(error)

    asyncio.run(ask())
    empty_caches()


def warm_up_database() -> None:
    """Store and find a row in a throw-away database.

    SQLAlchemy makes itself ready with the first of each kind of statement.
    """
    from sqlalchemy import ForeignKey, UniqueConstraint, create_engine, select
    from sqlalchemy.orm import (
        DeclarativeBase,
        Mapped,
        Session,
        joinedload,
        mapped_column,
        relationship,
    )

    class Base(DeclarativeBase):
        pass

    class Show(Base):
        __tablename__ = "shows"
        id: Mapped[int] = mapped_column(primary_key=True)

    class Order(Base):
        __tablename__ = "orders"
        __table_args__ = (UniqueConstraint("show_id", "seat"),)
        id: Mapped[int] = mapped_column(primary_key=True)
        show_id: Mapped[int] = mapped_column(ForeignKey("shows.id"))
        seat: Mapped[str]
        show: Mapped[Show] = relationship()

    engine = create_engine("sqlite://")
    with engine.begin() as connection:
        Base.metadata.create_all(connection)
    with Session(engine) as session:
        session.add(Order(seat="A1", show=Show(id=1)))
        session.commit()
        wanted = select(Order).where(Order.seat == "A1")
        order = session.scalars(wanted.options(joinedload(Order.show))).one()
        order.seat = "A2"
        session.flush()
        session.delete(order)
        session.rollback()
    engine.dispose()
