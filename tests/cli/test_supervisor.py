"""What holds every process of one `tutorq up`."""

import subprocess
import sys
from textwrap import dedent


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
