"""No part of a password is shown, and other text stays readable."""

from urllib.parse import quote, urlsplit

import pytest

from workshop.terminal.secrets import redacted, secrets_in, secrets_of

PASSWORDS = [
    "s3cr3t-pass",
    "p/assw#rd?with@all:of-them",
    "with space&plus+percent%",
    "quote'and\"slash\\",
    "ümläut-päss",
]


@pytest.mark.parametrize("password", PASSWORDS)
@pytest.mark.parametrize("escaped", [True, False])
def test_a_password_is_hidden_however_it_is_spelt(password: str, escaped: bool) -> None:
    written = quote(password, safe="") if escaped else password
    address = f"postgresql+asyncpg://ann:{written}@db.example:5432/shop"
    secrets = secrets_in(address)

    for text in (
        address,
        f"could not connect with {password}!",
        f"environ({address!r})",
        f"{{'password': {password!r}}}",
        quote(password, safe=""),
    ):
        shown = redacted(text, secrets)
        assert "***" in shown
        for spelt in (password, quote(password, safe=""), repr(password)[1:-1]):
            assert spelt not in shown
    assert "@db.example:5432/shop" in redacted(address, secrets)


@pytest.mark.parametrize("divider", "/#?@:")
def test_half_of_a_misparsed_password_is_hidden(
    divider: str,
) -> None:
    address = f"redis://ann:first{divider}second@cache.example/1"
    parts = urlsplit(address)
    secrets = secrets_in(address)

    for text in (
        f"invalid port: 'first' in {parts.netloc}",
        f"no database {parts.path!r}, fragment {parts.fragment!r}, {parts.query!r}",
        "cannot resolve second@cache.example or second",
    ):
        shown = redacted(text, secrets)
        assert "first" not in shown
        assert "second" not in shown


def test_a_short_password_is_hidden_in_the_position_of_a_password() -> None:
    address = "redis://:ab@host/0"
    secrets = secrets_in(address)

    assert redacted(address, secrets) == "redis://***@host/0"
    assert redacted("password=ab, {'password': 'ab'}", secrets) == (
        "password=***, {'password': '***'}"
    )
    assert redacted("about a cab", secrets) == "about a cab"


def test_a_password_that_is_also_a_name_does_not_make_text_unreadable() -> None:
    address = "postgresql://postgres:postgres@localhost/postgres"
    secrets = secrets_in(address)

    assert redacted(address, secrets) == "postgresql://***@localhost/postgres"
    assert redacted("--database postgres", secrets) == "--database postgres"


def test_the_user_s_name_alone_is_not_a_secret() -> None:
    secrets = secrets_in("postgresql://ann:secret-word@localhost/shop")

    assert redacted('no access for "ann"', secrets) == 'no access for "ann"'
    assert redacted("ann:secret-word", secrets) == "***"


def test_an_address_without_a_password_hides_nothing() -> None:
    for address in (
        "redis://localhost",
        "postgresql://ann@host/db",
        "sqlite://",
        "nonsense",
    ):
        assert redacted(f"see {address}", secrets_in(address)) == f"see {address}"


def test_a_password_in_the_query_is_hidden() -> None:
    address = "postgresql://host/db?user=ann&password=hunter22&sslmode=off"

    assert "hunter22" not in redacted(address, secrets_in(address))


def test_the_environment_s_secrets_are_those_of_the_services() -> None:
    secrets = secrets_of(
        {
            "WORKSHOP_DATABASE_URL": "postgresql://ann:database-word@h/db",
            "WORKSHOP_REDIS_URL": "redis://:redis-word@h",
            "PGPASSWORD": "libpq-word",
            "HOME": "/home/ann",
        }
    )

    text = "database-word redis-word libpq-word /home/ann"
    assert redacted(text, secrets) == "*** *** *** /home/ann"
