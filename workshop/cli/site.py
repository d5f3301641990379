"""The verbs of the site: serve it while writing, and build it."""

from __future__ import annotations

import importlib.util

import click

from workshop import paths
from workshop.cli.arguments import port_option, wanted_port
from workshop.cli.exit_codes import NOT_PASSED, PASSED
from workshop.cli.notes import say
from workshop.processes.lan import EVERYWHERE, HostError, resolved, urls
from workshop.processes.loopback import bracketed, loopback


def needs_material() -> None:
    """Check that the site's theme is installed.

    Raises:
        click.ClickException: It is not.

    """
    if importlib.util.find_spec("material") is None:
        raise click.ClickException(
            "The site's theme is not installed: it needs Python 3.11.5 or later. "
            "`make doctor` shows which Pythons this machine has."
        )


def _needs_settings() -> None:
    # If it is missing, the command line explains the error.
    (paths.ROOT / "mkdocs.yml").stat()


@click.command("site")
@click.option(
    "--host",
    metavar="ADDRESS",
    help="Let other machines read it, too: 0.0.0.0 is all addresses of this one.",
)
@port_option
def site(host: str | None, port: int | None) -> int:
    """Serve the site, reloading when a page changes."""
    from workshop.site.build import serve

    needs_material()
    _needs_settings()
    try:
        address = loopback() if host is None else resolved(host, port)
    except HostError as problem:
        raise click.UsageError(str(problem)) from None
    here = loopback() if address in EVERYWHERE else address
    chosen = wanted_port(here, port)
    say(f"The site: http://{bracketed(here)}:{chosen}/")
    if host is not None:
        _say_where(address, chosen)
    say("It reloads when you save. Ctrl-C stops it.")
    return PASSED if serve(paths.ROOT, address, chosen) else NOT_PASSED


def _say_where(address: str, port: int) -> None:
    """Print the URLs that other machines use."""
    found = urls(address, port)
    if found:
        say(f"From other machines in this network: {' or '.join(found)}")
        say("If they cannot reach it, this machine's firewall may be in the way.")
    elif address in EVERYWHERE:
        say("Other machines cannot reach it: this one is in no network.")
    else:
        say(f"Only this machine reaches {address}. Use 0.0.0.0 for other machines.")


@click.command("site-build")
@click.option("--quick", is_flag=True, help="Do not check the outputs on the pages.")
def site_build(quick: bool) -> int:
    """Build the site into site/, unless something is out of date or broken."""
    from workshop.cli.outputs import pages_findings
    from workshop.site.build import build, refusal

    needs_material()
    target = paths.ROOT / "site"
    refused = refusal(target)
    if refused is not None:
        raise click.ClickException(refused)
    findings = pages_findings(quick=quick)
    for finding in findings:
        click.echo(str(finding))
    if findings:
        say("Not built. `python -m workshop pages` updates stale pages.")
        return NOT_PASSED
    _needs_settings()
    if not build(paths.ROOT, target):
        return NOT_PASSED
    say(f"The site is in {target}. Open its index.html in a browser.")
    return PASSED


VERBS: tuple[click.Command, ...] = (site, site_build)
