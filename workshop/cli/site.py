"""The verbs of the site: serve it while writing, and build it."""

from __future__ import annotations

import importlib.util

import click

from workshop import paths
from workshop.cli.arguments import port_option, wanted_port
from workshop.cli.exit_codes import NOT_PASSED, PASSED
from workshop.cli.notes import say
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
@port_option
def site(port: int | None) -> int:
    """Serve the site, reloading when a page changes."""
    from workshop.site.build import serve

    needs_material()
    _needs_settings()
    host = loopback()
    chosen = wanted_port(host, port)
    say(f"The site: http://{bracketed(host)}:{chosen}/")
    say("It reloads when you save. Ctrl-C stops it.")
    return PASSED if serve(paths.ROOT, host, chosen) else NOT_PASSED


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
