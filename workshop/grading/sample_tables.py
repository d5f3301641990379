"""Two tables for warming up SQLAlchemy.

They are at the top of a module because SQLAlchemy resolves annotations there.
"""

from sqlalchemy import ForeignKey, UniqueConstraint
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column, relationship


class Base(DeclarativeBase):
    """The base class of both tables."""


class Show(Base):
    """A show."""

    __tablename__ = "shows"
    id: Mapped[int] = mapped_column(primary_key=True)


class Order(Base):
    """An order of a seat at a show."""

    __tablename__ = "orders"
    __table_args__ = (UniqueConstraint("show_id", "seat"),)
    id: Mapped[int] = mapped_column(primary_key=True)
    show_id: Mapped[int] = mapped_column(ForeignKey("shows.id"))
    seat: Mapped[str]
    show: Mapped[Show] = relationship()
