"""The log tail and its report."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from lambda_invoke.cli.demo.tour import Tour


def logs(tour: Tour) -> None:
    """The last 4 KB of the log, with the figures of its REPORT line."""
    stage = tour.stage
    stage.heading("The log tail")
    stage.code('client.invoke("orders:1", {"item": "tea", "quantity": 2}, log_tail=True).log')
    log = tour.client.invoke("orders:1", {"item": "tea", "quantity": 2}, log_tail=True).log
    stage.expect("a log tail came", log is not None)
    if log is None:
        return
    stage.result(log.text)
    report = log.report
    stage.expect("it has what the handler printed", "quoting 2 of tea" in log.lines)
    stage.expect("and a report that was understood", report is not None and report.billed_duration)
    if report is not None:
        stage.text(
            f"As values: duration {report.duration} s, billed {report.billed_duration} s, "
            f"{report.max_memory_used} of {report.memory_size} MB, cold start: {report.cold_start}."
        )
        stage.expect("the second call of a version is no cold start", not report.cold_start)
