"""`tutorq up`: every service of one installation in the foreground, and a clean end of all of them."""

import secrets
import subprocess
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress

from pydantic import SecretStr
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, SpinnerColumn, TextColumn, TimeElapsedColumn

from cli.old_data import old_data
from cli.supervisor import VIEWER, ServiceEndedError, StopRequested, Supervisor, check_ports, stop_on_signals
from cli.terminal import migrate_and_tell
from core import tracing
from core.database import Database, DatabaseRole
from core.errors import DatabaseUnreachableError
from core.home import only_one
from core.keys import ensure_local_key
from core.logins import create_link
from core.people import ensure_local
from core.settings import MADE_UP, Settings, misspelt
from core.words import plural
from orchestration import first_run


def run(settings: Settings, *, demo: bool, console: Console) -> None:
    """Bring everything up, say where it is, and stay until told to stop.

    Raises:
        TutorqError: something did not start or ended by itself; everything else has been stopped.
    """
    for sentence in misspelt():
        console.print(f"[yellow]Warning:[/] {sentence}", soft_wrap=True, highlight=False)
    tracing.check(settings)
    settings = with_dagster_token(settings)
    with only_one(settings.home), stop_on_signals() as interruption:
        database = Database(settings)
        transform = database.as_role(DatabaseRole.TRANSFORM)
        supervisor = Supervisor(settings, database, interruption, console)
        try:
            supervisor.end_leftovers()
            check_ports(
                {
                    "TUTORQ_API_PORT": settings.api_port,
                    "TUTORQ_DAGSTER_PORT": settings.dagster_port,
                    "TUTORQ_DAGSTER_VIEWER_PORT": settings.dagster_viewer_port,
                }
            )
            first = FirstRun(settings, transform, supervisor)
            _bring_up(settings, database, supervisor, first, demo=demo, console=console)
            _end_old_troubles(transform)
            with watching(settings, transform):
                _fill_in(settings, transform, supervisor, first, console=console)
                if demo:
                    _add_samples(settings, transform, console)
                supervisor.watch()
        except ServiceEndedError as error:
            from reports import troubles, watch

            watch.tell_anyhow(settings, transform, troubles.service_ended(error.service, str(error.log)))
            raise
        except StopRequested:
            console.print("\nStopping …")
        finally:
            supervisor.stop()
            database.release()


def _bring_up(
    settings: Settings, database: Database, supervisor: Supervisor, first: "FirstRun", *, demo: bool, console: Console
) -> None:
    """The API with the scores of today, as quickly as can be; then Dagster, but for its daemon."""
    is_new = database.is_embedded and database.embedded.is_new
    if is_new and (demo or any(settings.landing.glob("*"))):
        first.prepare()  # it imports while the database and the demo are made
    with console.status("Starting the database …"):
        if not is_new:
            supervisor.start("api")  # it imports meanwhile, too
        migrate_and_tell(database, console)  # imports for half a second, so not before other processes have begun
        with database.connect() as connection:
            ensure_local_key(connection, settings.api_key_file)
        if database.is_embedded and not first.is_prepared:
            first_run.cancel_dead_runs(settings, database)
    is_made_up = demo and _make_up_data(settings, database, console)
    supervisor.start("api")
    if first_run.is_needed(settings, database):
        first.publish(console)
    else:
        if first.is_prepared:
            first.dismiss()
            first_run.cancel_dead_runs(settings, database)
        supervisor.start("code-location")
    with console.status("Starting the API …"):
        supervisor.wait_until_ready("api")
    with database.connect() as connection:
        person = ensure_local(connection)
        # Who has been shut out since logs in otherwise, or not at all.
        link = create_link(connection, settings, person) if person else settings.dashboard
    console.print(f"[bold green]The dashboard is ready:[/] {link}", soft_wrap=True, highlight=False)
    if person:
        again = f"For another link: `tutorq login-link {person.email}`"
        once = f"(logs in {person.name} as admin; works once, within ten minutes. {again})"
        console.print(once, soft_wrap=True, highlight=False, markup=False)
    if is_made_up:
        _make_up_people_at_work(settings, database, console)
    _start_dagster(settings, supervisor, console)
    if warning := old_data(settings, database):
        console.print(f"[yellow]Warning:[/] {warning}", soft_wrap=True, highlight=False)


def _end_old_troubles(database: Database) -> None:
    from reports import conditions  # imported only now: nothing waits for it

    conditions.services_run_again(database)


def _make_up_data(settings: Settings, database: Database, console: Console) -> bool:
    """Landing files of a made-up marketplace, if there is nothing yet; whether there was nothing."""
    with database.connect() as connection:
        if connection.execute("select exists (select from raw.sessions)").fetchone() == (True,):
            return False
    from demo import write_demo
    from ingest import has_landing_files

    if has_landing_files(settings.landing):
        return False
    with console.status("Generating a demo marketplace …"):
        summary = write_demo(settings.landing, timezone=settings.timezone)
    console.print(
        f"Generated {summary.sessions:,} past and {plural(summary.scheduled_sessions, 'planned session')} "
        f"of {plural(summary.tutors, 'tutor')} and {plural(summary.students, 'student')}."
    )
    return True


def _make_up_people_at_work(settings: Settings, database: Database, console: Console) -> None:
    """Past talks with tutors of the made-up marketplace, what some object to, and the own page of one of them."""
    from core import audit, page_links
    from demo.appeals import write_appeals
    from demo.coaching import write_cases
    from demo.staff import add_staff

    if not first_run.is_published(database):
        return
    with database.connect() as connection:
        staff = add_staff(connection)
        write_cases(connection, settings.landing, staff.coach)
        tutor_id = write_appeals(connection, staff.lead, settings.appeal_days)
        if tutor_id is None:
            return
        page = page_links.create(connection, settings, tutor_id, audit.operator())
    console.print(f"Example of a tutor's own page: {page.url}", soft_wrap=True, highlight=False)


def _add_samples(settings: Settings, database: Database, console: Console) -> None:
    """A sample of each kind of mail, to look at. Everything works without them, so nothing of them ends it."""
    from reports.samples import add_samples

    try:
        add_samples(settings, database)
    except Exception as error:
        console.print(f"[yellow]Cannot create sample mails:[/] {type(error).__name__}", highlight=False)


def _start_dagster(settings: Settings, supervisor: Supervisor, console: Console) -> None:
    with console.status("Starting Dagster …"):
        supervisor.start("code-location", "dagster-webserver")
        for name in ("code-location", "dagster-webserver"):
            supervisor.wait_until_ready(name)
    console.print(f"[bold green]tutorq is up.[/]  API       http://127.0.0.1:{settings.api_port}/api/docs")
    console.print(f"               Dagster   http://127.0.0.1:{settings.dagster_port}")
    if settings.dagster_viewer_port:
        supervisor.start(VIEWER)
        console.print(f"               Dagster   http://127.0.0.1:{settings.dagster_viewer_port} (read-only)")
    console.print(f"               API key   in {settings.api_key_file} (header X-API-Key)", highlight=False)
    console.print("Ctrl-C stops everything.")


def _fill_in(
    settings: Settings, database: Database, supervisor: Supervisor, first: "FirstRun", *, console: Console
) -> None:
    """Start the daemon and the runs that are missing. If a run fails, say so, and leave everything up."""
    try:
        first.finish(console)
        runs = first_run.follow_ups(settings, database)
        run = next(runs, None)
        # Only now, so that the daemon's sensors find a run in progress and ask for none.
        supervisor.start("dagster-daemon")
        if run is None and not first_run.is_published(database):
            return
        with console.status("Computing the history and the predictions …"):
            while run is not None:
                run.wait(supervisor.look)
                run = next(runs, None)
    except (first_run.RunFailedError, DatabaseUnreachableError) as error:
        console.print(
            f"[red]error:[/] the history or the predictions are incomplete until the next `tutorq up`: {error}",
            soft_wrap=True, highlight=False,
        )  # fmt: skip
        supervisor.start("dagster-daemon")
    else:
        console.print("The history and the predictions are complete.")


class FirstRun:
    """The run that publishes the scores of today, in a process that may be started before there is a database."""

    def __init__(self, settings: Settings, database: Database, supervisor: Supervisor) -> None:
        self._settings = settings
        self._database = database
        self._supervisor = supervisor
        self._process: subprocess.Popen[bytes] | None = None
        self._run: first_run.Run | None = None

    @property
    def is_prepared(self) -> bool:
        return self._process is not None

    def prepare(self) -> None:
        self._process = self._process or self._supervisor.spawn("first-run", first_run.COMMAND, stdin=subprocess.PIPE)

    def dismiss(self) -> None:
        """There is nothing to score: it ends by itself."""
        if self._process and self._process.stdin:
            self._process.stdin.close()

    def publish(self, console: Console) -> None:
        """Load and score; returns as soon as scores are published, or the run has failed."""
        self.prepare()
        self._run = first_run.Run.to_come(self._settings, self._database)
        if self._process and self._process.stdin:
            with suppress(BrokenPipeError), self._process.stdin as orders:
                orders.write(first_run.order(self._run))
        with Progress(
            SpinnerColumn(), TextColumn("Loading and scoring"), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn(),
            console=console, transient=True,
        ) as progress:  # fmt: skip
            task = progress.add_task("run", total=None)
            while not self._has_ended() and not self._is_published():
                _, done, total = self._run.progress()
                progress.update(task, completed=done, total=total or None)

    def finish(self, console: Console) -> None:
        """Wait for what comes after the publication, such as checks; a failure is told, and everything stays up."""
        while not self._has_ended():
            pass
        if self._process and self._process.returncode and self._run:
            console.print(
                f"[red]error:[/] the first run failed; see {self._run.address} "
                f"and {self._supervisor.log('first-run')}",
                soft_wrap=True, highlight=False,
            )  # fmt: skip

    def _is_published(self) -> bool:
        try:
            return first_run.is_published(self._database)
        except DatabaseUnreachableError:
            return False  # it recovers

    def _has_ended(self) -> bool:
        """After a look at everything, and a moment."""
        self._supervisor.look()
        if self._process is None or self._process.poll() is not None:
            return True
        time.sleep(first_run.POLL_SECONDS)
        return False


def with_dagster_token(settings: Settings) -> Settings:
    """Where people have to log in to Dagster, the processes of one `up` know each other by a token of its own."""
    if not settings.dagster_log_in or settings.dagster_token:
        return settings
    return settings.model_copy(update={"dagster_token": SecretStr(f"{MADE_UP}{secrets.token_urlsafe()}")})


@contextmanager
def watching(settings: Settings, database: Database) -> Iterator[None]:
    """Look after the Dagster daemon meanwhile, in a thread: a process may live and do nothing."""
    from reports import watch

    over = threading.Event()
    thread = threading.Thread(target=watch.keep_watch, args=(settings, database, over.wait), daemon=True)
    thread.start()
    try:
        yield
    finally:
        over.set()
        # Not for longer: a mail provider that hangs must not hold up the end of everything.
        thread.join(timeout=1)
