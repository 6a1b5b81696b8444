"""`python -m orchestration.daemon`: the Dagster daemon. Takes the options of `dagster-daemon`."""

from core.processes import prepare_dagster
from orchestration.dagster_internals import serve_daemon


def main() -> None:
    prepare_dagster()
    serve_daemon()


if __name__ == "__main__":
    main()
