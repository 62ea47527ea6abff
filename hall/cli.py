"""The ``hall`` command. Parses, calls one function, prints; decisions live elsewhere."""

from __future__ import annotations

import asyncio
import json
import signal
import sys
from collections.abc import Coroutine
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import click
from pydantic import SecretStr

from kernel.config import Settings, load_settings, split_addresses, split_list
from kernel.errors import HallError, SettingsError
from kernel.log import configure_logging

EXIT_USAGE = 2
EXIT_FAILED = 1


def main() -> None:
    """Run the command; our own errors end as one sentence and an exit code, never a traceback."""
    try:
        cli(standalone_mode=False)
    except click.exceptions.Abort:
        sys.exit(130)
    except click.ClickException as error:
        error.show()
        sys.exit(error.exit_code)
    except SettingsError as error:
        click.echo(
            "Wrong settings:\n" + "\n".join(f"  {line}" for line in error.problems), err=True
        )
        sys.exit(EXIT_USAGE)
    except HallError as error:
        click.echo(f"hall: {error}", err=True)
        sys.exit(EXIT_FAILED)


@click.group(context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(package_name="lecture-hall")
def cli() -> None:
    """云上讲堂: live classes taught, watched, recorded and replayed."""


def _start(service: str) -> Settings:
    settings = load_settings()
    configure_logging(service=service, level=settings.log_level, style=settings.log_style)
    return settings


def _run(work: Coroutine[Any, Any, Any]) -> None:
    """Run until done or until SIGINT/SIGTERM, which cancel the work and end the process well."""

    async def supervised() -> None:
        task = asyncio.ensure_future(work)
        loop = asyncio.get_running_loop()
        for number in (signal.SIGINT, signal.SIGTERM):
            loop.add_signal_handler(number, task.cancel)
        try:
            await task
        except asyncio.CancelledError:
            if not task.cancelled():
                raise

    asyncio.run(supervised())


@cli.command()
def up() -> None:
    """Run everything on this machine until Ctrl-C."""
    from hall.banner import print_banner
    from hall.up import run_everything

    settings = _start("hall")

    async def work() -> None:
        async with run_everything(settings) as running:
            print_banner(settings, new_password=running.new_password)
            await running.supervisor.wait()

    _run(work())


@cli.command()
def demo() -> None:
    """Run everything with sample units, accounts, a series and a class that is live."""
    from hall.demo import run_demo

    _run(run_demo(_start("hall")))


@cli.command()
@click.argument("service", type=click.Choice(["vod", "streamer", "gate"]))
def serve(service: str) -> None:
    """Run one service; the gate too, for machines of its own."""
    settings = _start(service)
    if service == "gate":
        from hall.up import serve_gate

        _run(serve_gate(settings))
        return
    from hall.metrics import serve_with_metrics

    if service == "vod":
        from vod.app import serve as serve_vod

        if len(split_addresses(settings.vod_address)) > 1:
            raise SettingsError(["HALL_VOD_LISTEN: one address; only the gate takes several"])
        peers = {"vod": settings.vod_internal_address}
        _run(serve_with_metrics(_with_secret(settings), peers, serve_vod))
    else:
        from streamer.app import serve as serve_streamer

        peers = {"streamer": settings.streamer_internal_address}
        _run(serve_with_metrics(settings, peers, serve_streamer))


@cli.command()
@click.option(
    "--queues",
    default="live,short,long",
    show_default=True,
    callback=lambda _context, _option, value: _parse_queues(value),
    help="Which queues, in order.",
)
@click.option(
    "--concurrency",
    default=None,
    type=click.IntRange(1, 64),
    help="Units at once; HALL_WORKER_CONCURRENCY when left out.",
)
@click.option("--name", default="worker", show_default=True, help="Name of this worker in logs.")
def worker(queues: tuple[str, ...], concurrency: int | None, name: str) -> None:
    """Run a transcoding worker.

    SIGTERM: takes no new units, finishes what runs within HALL_DRAIN_S, gives the rest back.
    """
    from transcode.app import run_worker

    sys.exit(run_worker(_start(name), queues=queues, concurrency=concurrency))


def _parse_queues(value: str) -> tuple[str, ...]:
    from transcode.settings import QUEUES

    names = tuple(dict.fromkeys(split_list(value)))
    unknown = [name for name in names if name not in QUEUES]
    if unknown or not names:
        raise click.BadParameter(f"{value!r}; the queues are {', '.join(QUEUES)}")
    return names


@cli.command()
def migrate() -> None:
    """Bring the database schema to the newest revision."""
    from vod.db.engine import migrate as migrate_database

    settings = _start("migrate")
    settings.data.mkdir(parents=True, exist_ok=True, mode=0o700)
    migrate_database(settings.database)
    click.echo("The database is up to date.")


@cli.command()
def setup() -> None:
    """Prepare the database and the first administrator, then stop; for scaled-out installations."""
    from hall.folders import ensure_folders
    from hall.up import prepare_database

    settings = _start("setup")
    ensure_folders(settings)
    password = asyncio.run(prepare_database(settings))
    click.echo("The database is ready." + (f" admin / {password}" if password else ""))


@cli.command()
def config() -> None:
    """Print the effective settings, secrets masked."""
    for name, value in load_settings().model_dump().items():
        shown = "***" if isinstance(value, SecretStr) else _show(value)
        click.echo(f"HALL_{name.upper()}={shown}")


def _show(value: object) -> str:
    if value is None:
        return ""
    if isinstance(value, tuple):
        return ",".join(str(part) for part in value)
    text = str(value)
    if "://" in text and "@" in text:  # A database or broker URL may carry a password.
        scheme, _, rest = text.partition("://")
        return f"{scheme}://***@{rest.rpartition('@')[2]}"
    return text


@cli.group()
def account() -> None:
    """People who may sign in."""


@account.command("create")
@click.argument("login")
@click.option("--name", "display_name", default=None, help="Shown to others; the login otherwise.")
@click.option(
    "--role",
    default="member",
    show_default=True,
    type=click.Choice(["member", "instructor", "editor", "unit_admin", "admin"]),
)
@click.option("--password-stdin", is_flag=True, help="Read the password from standard input.")
def create_account(
    login: str, display_name: str | None, role: str, *, password_stdin: bool
) -> None:
    """Make an account; prints a generated password once unless one is given."""
    from hall.admin import create_account as create

    password = sys.stdin.readline().strip() if password_stdin else None
    made = asyncio.run(
        create(_start("hall"), login=login, display_name=display_name, role=role, password=password)
    )
    click.echo(f"{login} ({role}) is there." + (f" Password: {made}" if made else ""))


def _parse_time(value: str | None) -> datetime:
    if value is None:
        return datetime.now(UTC)
    try:
        return datetime.fromisoformat(value).astimezone(UTC)
    except ValueError as error:
        raise click.BadParameter(f"{value!r} is no ISO 8601 time") from error


@cli.group("class")
def live_class() -> None:
    """Live classes."""


@live_class.command("create")
@click.argument("title")
@click.option(
    "--visibility",
    default="members",
    show_default=True,
    type=click.Choice(["public", "members"]),
)
@click.option(
    "--starts-at",
    default=None,
    callback=lambda _context, _option, value: _parse_time(value),
    help="ISO 8601, local time unless it says; now when left out.",
)
@click.option("--json", "as_json", is_flag=True, help="Print the whole answer as JSON.")
def create_class(title: str, visibility: str, starts_at: datetime, *, as_json: bool) -> None:
    """Schedule a class and print how to publish to it."""
    from hall.admin import create_live_class

    made = asyncio.run(
        create_live_class(_start("hall"), title=title, visibility=visibility, starts_at=starts_at)
    )
    if as_json:
        click.echo(json.dumps(made, ensure_ascii=False, indent=2))
        return
    publish = made["publish"]
    click.echo(
        f"{made['watch_url']}\n  OBS server  {publish['rtmp_url']}\n  stream key  "
        f"{publish['stream_key']}\n  WHIP        {publish['whip_url']}"
    )


@cli.command("import")
@click.argument("paths", nargs=-1, required=True, type=click.Path(exists=True, path_type=Path))
@click.option("--series", default=None, help="Title or id of a series; a new title makes one.")
@click.option(
    "--visibility",
    default="members",
    show_default=True,
    type=click.Choice(["public", "members"]),
)
@click.option("--recursive", is_flag=True, help="Folders within folders, too.")
@click.option("--copy/--move", "is_copied", default=True, help="Keep the files (default) or not.")
@click.option("--url", default=None, help="Address of another hall; needs --token.")
@click.option("--token", default=None, envvar="HALL_TOKEN", help="Of an account of that hall.")
def import_command(
    paths: tuple[Path, ...],
    series: str | None,
    visibility: str,
    url: str | None,
    token: str | None,
    *,
    recursive: bool,
    is_copied: bool,
) -> None:
    """Make lectures of files or folders, through the running hall; can be broken off and repeated.

    Ends with 0 when every file is a lecture (or was one before), else with 1.
    """
    from rich.console import Console

    from hall.importing import ImportReport, ImportWish, import_files, open_sender

    settings = _start("import")
    wish = ImportWish(
        paths=paths,
        series=series,
        visibility=visibility,
        is_recursive=recursive,
        is_moved=not is_copied,
    )

    async def work() -> ImportReport:
        async with open_sender(settings, url=url, token=token) as sender:
            return await import_files(sender, wish, Console())

    if asyncio.run(work()).refused:
        sys.exit(EXIT_FAILED)


@cli.group()
def storage() -> None:
    """The blob store."""


@storage.command()
@click.option("--delete", "deletes", is_flag=True, help="Delete what is listed.")
def orphans(*, deletes: bool) -> None:
    """List blobs that nobody owns, none of them younger than a day."""
    from hall.storage import examine_orphans

    count = asyncio.run(examine_orphans(_start("storage"), deletes=deletes, tell=click.echo))
    if count == 0:
        click.echo("Everything in the store belongs to somebody.")
    elif not deletes:
        click.echo("Nothing was deleted; --delete does.")


@cli.group()
def search() -> None:
    """The search index."""


@search.command("rebuild")
@click.option("--wait/--no-wait", "waits", default=True, help="Until everything is found again.")
def rebuild_search(*, waits: bool) -> None:
    """Make the search index anew from the catalogue, whether the services run or not."""
    from hall.search import rebuild

    settings = _start("search")
    asyncio.run(rebuild(settings, waits=waits, tell=click.echo))


@cli.command()
def doctor() -> None:
    """Look for what is wrong here and say what to do about it."""
    from hall.doctor import examine, print_findings

    settings = _start("doctor")
    findings = asyncio.run(examine(settings))
    print_findings(findings)
    if any(finding.is_bad for finding in findings):
        sys.exit(EXIT_FAILED)


@cli.command()
@click.argument("target", type=click.Path(path_type=Path))
def backup(target: Path) -> None:
    """Copy the database, recordings and secrets into the new folder TARGET."""
    from hall.backup import make_backup

    report = asyncio.run(make_backup(_start("backup"), target))
    click.echo(report)


@cli.command()
@click.argument("source", type=click.Path(exists=True, file_okay=False, path_type=Path))
def restore(source: Path) -> None:
    """Bring a backup back into an empty data folder."""
    from hall.backup import restore_backup

    click.echo(asyncio.run(restore_backup(_start("restore"), source)))


def _with_secret(settings: Settings) -> Settings:
    from hall.folders import ensure_folders, ensure_secret

    if settings.secret is not None:
        return settings
    ensure_folders(settings)
    return settings.model_copy(update={"secret": ensure_secret(settings)})
