"""The blocking face in processes of their own: Ctrl-C, exits without closing, forks."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import textwrap
import time

PATIENCE_S = 20.0
"""A process that takes longer hangs; a healthy one is done within two seconds."""

BEGIN = """
import sys, threading, time
from gridwire.outcome import Unknown
from gridwire.sync import EpiasStp, Sandbox

box = Sandbox("epias_stp").open()
venue = box.venue("epias_stp")
stp = EpiasStp(box.epias_stp).open()
contract = [c.name for c in stp.contracts.standard() if c.is_open()][-1]

def tell_when_it_is_at_the_venue():
    while not venue.log.executed("bid_save"):
        time.sleep(0.005)
    print("at the venue", flush=True)
"""
LOSE_THE_ANSWER = """
venue.faults.add("silence_after_execute", operation="bid_save")
threading.Thread(target=tell_when_it_is_at_the_venue, daemon=True).start()
"""


def start(*parts: str) -> subprocess.Popen[str]:
    code = "\n".join(textwrap.dedent(part) for part in parts)
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)}
    command = [sys.executable, "-W", "error", "-c", code]
    return subprocess.Popen(command, env=environment, text=True, stdout=subprocess.PIPE, stderr=subprocess.PIPE)


def ended(process: subprocess.Popen[str]) -> tuple[int, str, str]:
    try:
        out, err = process.communicate(timeout=PATIENCE_S)
    finally:
        process.kill()
    return process.returncode, out, err


def test_ctrl_c_during_a_write_is_an_unknown_and_the_program_goes_on() -> None:
    process = start(
        BEGIN,
        LOSE_THE_ANSWER,
        """
        try:
            stp.bids.save(contract, direction="BUY", price="100.00", quantity=7)
        except KeyboardInterrupt:
            (left,) = stp.unknown()
            print(type(left) is Unknown, left.cause, left.intent.restated["quantity"])
        print(len(stp.contracts.standard()) >= 2, "contracts")
        stp.close()
        box.close()
        """,
    )
    assert process.stdout is not None
    assert process.stdout.readline() == "at the venue\n"
    process.send_signal(signal.SIGINT)
    code, out, errors = ended(process)
    assert (code, out) == (0, "True cancelled 7\nTrue contracts\n")
    assert "The bid may be resting" in errors


def test_ctrl_c_that_nobody_catches_ends_the_process_at_once_and_says_where_to_look() -> None:
    process = start(
        BEGIN,
        LOSE_THE_ANSWER,
        """
        with EpiasStp(box.epias_stp) as inner:
            inner.bids.save(contract, direction="BUY", price="100.00", quantity=7)
        """,
    )
    assert process.stdout is not None
    assert process.stdout.readline() == "at the venue\n"
    process.send_signal(signal.SIGINT)
    begun = time.monotonic()
    code, _, errors = ended(process)
    assert code == -signal.SIGINT
    assert time.monotonic() - begun < 5
    assert errors.rstrip().endswith("look at the venue before sending it again.")


def test_a_process_that_closed_nothing_ends_by_itself_and_quietly() -> None:
    process = start(
        BEGIN,
        """
        stream = stp.broadcast()
        next(stream)
        threading.Thread(target=stream.next, daemon=True).start()
        print("end of the program")
        """,
    )
    assert ended(process) == (0, "end of the program\n", "")


def test_an_exception_in_the_main_thread_ends_the_process_although_nothing_was_closed() -> None:
    code, _, errors = ended(start(BEGIN, "raise SystemExit('gone')"))
    assert (code, errors) == (1, "gone\n")


def test_a_forked_process_is_told_and_ends() -> None:
    process = start(
        BEGIN,
        """
        import os
        from gridwire.errors import WrongLoop
        child = os.fork()
        if child == 0:
            try:
                stp.contracts.standard()
            except WrongLoop as error:
                print("forked" in str(error), flush=True)
            sys.exit(0)
        os.waitpid(child, 0)
        print(len(stp.contracts.standard()) >= 2, "contracts")
        """,
    )
    assert ended(process) == (0, "True\nTrue contracts\n", "")


def test_importing_a_blocking_client_does_not_pay_for_the_sandbox() -> None:
    code = "import sys; from gridwire.sync import EpiasStp; print('aiohttp' in sys.modules, 'gridwire.sandbox' in sys.modules)"
    assert ended(start(code)) == (0, "False False\n", "")


def test_the_examples_of_the_package_docstring_run() -> None:
    import gridwire.sync

    sample = textwrap.dedent((gridwire.sync.__doc__ or "").partition("::\n")[2].partition("\n\nEach client")[0])
    code, out, errors = ended(start(sample))
    assert (code, errors) == (0, "")
    assert out.startswith("[ContractSummary(")
