"""The command that writes the folder for memory sticks."""

from __future__ import annotations

from pathlib import Path

import click

from workshop import paths
from workshop.cli.exit_codes import NOT_PASSED, PASSED
from workshop.cli.notes import say
from workshop.cli.site import needs_material


@click.command("bundle")
@click.argument("folder", required=False, type=click.Path(path_type=Path))
@click.option(
    "--with",
    "groups",
    multiple=True,
    metavar="GROUPS",
    help="Packages to add to those of the lessons: notebooks, postgres, site.",
)
@click.option(
    "--platform",
    "systems",
    multiple=True,
    metavar="NAMES",
    help="Only for these platforms, such as linux,windows-amd64. Default: all.",
)
@click.option(
    "--python",
    "pythons",
    multiple=True,
    metavar="VERSIONS",
    help="Only for these versions, such as 3.12,3.13. Default: all supported ones.",
)
@click.option("--no-site", is_flag=True, help="Do not include the site.")
def bundle(
    folder: Path | None,
    groups: tuple[str, ...],
    systems: tuple[str, ...],
    pythons: tuple[str, ...],
    no_site: bool,
) -> int:
    """Write the course, its packages and the site into FOLDER, for a memory stick.

    Run the command again to continue after an interruption, or to add platforms. The
    default FOLDER is bundle/.
    """
    from workshop.bundle.bundle import CORE, Order, group_names, write
    from workshop.bundle.contents import megabytes, size
    from workshop.bundle.targets import UnknownTargetError, chosen

    try:
        targets = chosen(_names(systems), _names(pythons))
    except UnknownTargetError as unknown:
        raise click.UsageError(str(unknown)) from None
    known = group_names(paths.ROOT)
    wanted = [name for name in _names(groups) if name != CORE]
    for name in wanted:
        if name not in known:
            raise click.UsageError(
                f"There is no package group `{name}`. Choose from "
                f"{', '.join(known[1:])}."
            )
    if not no_site:
        needs_material()
    target = (folder or paths.ROOT / "bundle").absolute()
    outcomes = write(
        paths.ROOT, target, Order(targets, [CORE, *wanted], site=not no_site), say
    )
    for outcome in outcomes:
        click.echo(outcome.line)
    click.echo(f"The bundle is in {target} ({megabytes(size([target]))}).")
    incomplete = [it for it in outcomes if it.missing]
    if incomplete:
        say(
            f"{len(incomplete)} of {len(outcomes)} platforms are incomplete, because "
            "the packages named above have no wheels for them. To leave these "
            "platforms out, use --platform and --python."
        )
        return NOT_PASSED
    say("Copy the whole folder to each memory stick. Its README.txt says how to start.")
    return PASSED


def _names(values: tuple[str, ...]) -> list[str]:
    """Return the names in *values*, which may be separated by commas."""
    words = (word.strip() for value in values for word in value.split(","))
    return list(dict.fromkeys(word for word in words if word))


VERBS: tuple[click.Command, ...] = (bundle,)
