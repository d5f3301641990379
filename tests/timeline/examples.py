"""Timelines made by hand, with every state and every end."""

from __future__ import annotations

from workshop.timeline.model import Lane, Outcome, Span, State, Timeline

R, B, Y, A, T = (
    State.RUNNING,
    State.BLOCKING,
    State.READY,
    State.AWAITING,
    State.THREAD,
)

BLOCKED = Timeline(
    (
        Lane(
            "#1 GET /shows/1/report",
            (Span(B, 0, 300, "sold = ask_venue(show_id)", "app.py:28"),),
        ),
        Lane("#2 GET /ping", (Span(Y, 5, 300), Span(R, 300, 302))),
        Lane("#3 GET /ping", (Span(Y, 120, 302), Span(R, 302, 303))),
    ),
    304,
)
"""A report that holds the loop, and who waits for it."""

IN_A_THREAD = Timeline(
    (
        Lane(
            "#1 GET /shows/1/report",
            (
                Span(R, 0, 1),
                Span(A, 1, 300, "await run_in_threadpool(report)"),
                Span(R, 300, 301),
            ),
        ),
        Lane("report()", (Span(T, 1, 300, "ask_venue(show_id)"),), depth=1),
        Lane("#2 GET /ping", (Span(R, 5, 6),)),
        Lane("#3 GET /ping", (Span(R, 120, 121),)),
    ),
    304,
)
"""The same in a thread."""

ONE_BY_ONE = Timeline(
    (
        Lane(
            "#1 GET /shows/hamlet/prices",
            (
                Span(R, 0, 0),
                *(
                    span
                    for n, name in enumerate(["Apollo", "Bijou", "Corso"])
                    for span in (
                        Span(A, n * 200, n * 200 + 200, f'await ask_price("{name}")'),
                        Span(R, n * 200 + 200, n * 200 + 200),
                    )
                ),
            ),
        ),
    ),
    600,
)
"""Three waits, one after another, as virtual time records them."""

TOGETHER = Timeline(
    (
        Lane(
            "#1 GET /shows/hamlet/prices",
            (
                Span(R, 0, 0),
                Span(A, 0, 200, "await asyncio.gather(*calls)"),
                Span(R, 200, 200),
            ),
        ),
        *(
            Lane(
                f'ask_price("{name}")',
                (
                    Span(R, 0, 0),
                    Span(A, 0, 200, "await asyncio.sleep(0.2)"),
                    Span(R, 200, 200),
                ),
                depth=1,
            )
            for name in ["Apollo", "Bijou", "Corso"]
        ),
    ),
    200,
)
"""The same three waits at the same time."""

ENDS = Timeline(
    (
        Lane(
            "#1 POST /payments", (Span(R, 0, 2), Span(A, 2, 180, "async with payment"))
        ),
        Lane(
            "pay_part(gift card)",
            (Span(R, 2, 3), Span(A, 3, 180, "await charge(means, euros)")),
            1,
            Outcome.CANCELLED,
        ),
        Lane(
            "pay_part(voucher)",
            (Span(R, 3, 4), Span(A, 4, 150, "await charge(means, euros)")),
            1,
            Outcome.FAILED,
            "HTTPException: 402: voucher declined",
        ),
        Lane(
            "refresh()",
            (
                Span(R, 20, 30),
                Span(Y, 30, 90),
                Span(R, 90, 96),
                Span(A, 96, 200, "await asyncio.sleep(60)"),
            ),
            0,
            Outcome.UNFINISHED,
        ),
    ),
    200,
    ("Callbacks that are no task are not in the picture.",),
)
"""Every way to end but a good one."""

CROWD = Timeline(
    (
        Lane("main()", (Span(R, 0, 4), Span(A, 4, 900, "await gather(*calls)"))),
        *(
            Lane(
                f"fetch({n})",
                (Span(Y, 4, 4 + n), Span(R, 4 + n, 5 + n), Span(A, 5 + n, 600 + n)),
                1,
                Outcome.FAILED if n == 77 else Outcome.DONE,
                "ConnectionError: refused" if n == 77 else "",
            )
            for n in range(200)
        ),
        Lane(
            "busy()",
            tuple(
                span
                for n in range(3000)
                for span in (
                    Span(R, n * 0.3, n * 0.3 + 0.1),
                    Span(A, n * 0.3 + 0.1, n * 0.3 + 0.3),
                )
            ),
        ),
    ),
    900,
)
"""Too much for one picture."""

ALL = {
    "A report blocks the loop": BLOCKED,
    "The same report in a thread": IN_A_THREAD,
    "Three venues, one by one": ONE_BY_ONE,
    "Three venues together": TOGETHER,
    "Cancelled, failed, unfinished": ENDS,
    "A crowd": CROWD,
}
