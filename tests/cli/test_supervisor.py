"""What holds every process of one `tutorq up`."""

import importlib
import logging
import re
import socket
import subprocess
import sys
from pathlib import Path
from textwrap import dedent

import pytest

from cli.supervisor import ServiceEndedError, check_ports, last_error
from core.errors import TutorqError


def test_a_stop_in_the_middle_of_generated_code_ends_well() -> None:
    """`up` imports while it waits, and libraries make code from text as they are imported."""
    program = dedent(
        """
        import os, signal
        from cli.supervisor import StopRequested, stop_on_signals

        with stop_on_signals():
            try:
                exec("os.kill(os.getpid(), signal.SIGINT)")
            except StopRequested:
                print("stopped")
        """
    )
    ended = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=False)
    assert (ended.returncode, ended.stdout) == (0, "stopped\n"), ended.stderr


def test_what_ended_a_service_is_told_with_its_place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Errors that follow from the first one say less."""
    log = tmp_path / "code-location.log"
    assert last_error(log) is None
    log.write_text("ValueError: of an earlier start\n")
    (tmp_path / "deployed_badly.py").write_text("x = 1\nif x\n")
    monkeypatch.syspath_prepend(tmp_path)
    handler = logging.FileHandler(log)
    logger = logging.Logger("test")
    logger.addHandler(handler)
    try:
        try:
            importlib.import_module("deployed_badly")
        except SyntaxError as error:
            raise RuntimeError("the definitions could not be loaded") from error
    except RuntimeError:
        logger.exception("ended")
    told = str(ServiceEndedError("code-location", log, 1))
    assert f"SyntaxError: expected ':', {tmp_path}/deployed_badly.py, line 2); see its log {log}" in told
    log.write_text("INFO: all is well\n")
    assert str(ServiceEndedError("api", log, 3)) == f"api ended unexpectedly with exit code 3; see its log {log}"
    assert str(ServiceEndedError("api", log, -9)) == f"api ended unexpectedly by SIGKILL; see its log {log}"


def test_all_busy_ports_are_named_at_once() -> None:
    with socket.socket() as api, socket.socket() as dagster:
        for busy in (api, dagster):
            busy.bind(("127.0.0.1", 0))
            busy.listen()
        ports = [busy.getsockname()[1] for busy in (api, dagster)]
        settings = {"TUTORQ_API_PORT": ports[0], "TUTORQ_DAGSTER_PORT": ports[1], "TUTORQ_DAGSTER_VIEWER_PORT": None}
        named = f"port {ports[0]} is in use (TUTORQ_API_PORT) and port {ports[1]} is in use (TUTORQ_DAGSTER_PORT); stop"
        with pytest.raises(TutorqError, match=re.escape(named)):
            check_ports(settings)
