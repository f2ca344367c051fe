"""A pytest plugin that reads everything the suite prints or logs and fails the session if a secret is in it.

It works on reports, which hold each test's captured stdout, stderr and log, and which pytest-xdist carries from its
workers to the session that decides. ``log_level = "DEBUG"`` in ``pyproject.toml`` makes every logger speak.
"""

from __future__ import annotations

import pytest

from tests.support.planted import leaks


class LeakScan:
    """``found`` holds one sentence per leak, with the test it came from."""

    def __init__(self) -> None:
        self.found: list[str] = []
        self.characters = 0

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        for name, text in [*report.sections, ("failure", report.longreprtext)]:
            self.characters += len(text)
            for leak in leaks(text):
                sentence = f"{report.nodeid}, {name}: {leak}"
                if sentence not in self.found:
                    self.found.append(sentence)

    @pytest.hookimpl(trylast=True)
    def pytest_sessionfinish(self, session: pytest.Session) -> None:
        if self.found:
            session.exitstatus = pytest.ExitCode.TESTS_FAILED

    def pytest_terminal_summary(self, terminalreporter: pytest.TerminalReporter) -> None:
        if self.found:
            terminalreporter.section("secrets in the suite's output", red=True)
            for sentence in self.found:
                terminalreporter.line(sentence)
