"""`python -m orchestration.daemon`: the Dagster daemon. Takes the options of `dagster-daemon`."""

from core.processes import prepare_dagster
from orchestration.dagster_internals import keep_connections, serve_daemon


def main() -> None:
    prepare_dagster()
    keep_connections()
    serve_daemon()


if __name__ == "__main__":
    main()
