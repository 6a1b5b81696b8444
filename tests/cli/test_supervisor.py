"""What holds every process of one `tutorq up`."""

import importlib
import logging
import subprocess
import sys
from pathlib import Path
from textwrap import dedent

import pytest

from cli.supervisor import ServiceEndedError, last_error


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
    told = str(ServiceEndedError("code-location", log))
    assert f"SyntaxError: expected ':', {tmp_path}/deployed_badly.py, line 2); see its log {log}" in told
    log.write_text("INFO: all is well\n")
    assert str(ServiceEndedError("api", log)) == f"api ended unexpectedly; see its log {log}"
