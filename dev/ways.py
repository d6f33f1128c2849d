"""What the benchmarks that compare commands share: how they are run side by side, and what is printed of them."""

import os
import signal
import statistics
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path

TIMEOUT = 600  # seconds for one command
ENDS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)


@dataclass
class Way:
    """A command that is timed, and its figures."""

    title: str
    words: list
    kubeconfig: Path | None = None
    # Short ones run several times a round.
    times: int = 1
    only_once: bool = False
    # How it ends when all went well, and what it then says on stderr.
    code: int = 0
    says: str = ""
    # What is done after each run, untimed.
    afterwards: Callable = lambda: None
    wall: list = field(default_factory=list)
    cpu: list = field(default_factory=list)
    memory: list = field(default_factory=list)

    @property
    def seconds(self):
        return statistics.median(self.wall)

    @property
    def megabytes(self):
        return max(self.memory)


def run(words, **more):
    """Runs a command and returns what it printed; a failure ends the benchmark."""
    done = subprocess.run([str(word) for word in words], stdout=subprocess.PIPE, text=True, **more, check=False)
    if done.returncode != 0:
        sys.exit(f"bench: {' '.join(map(str, words))} failed:\n{done.stdout}")
    return done.stdout


def catch_signals():
    """Whatever ends the benchmark, what it started is cleared up."""
    for number in ENDS:
        signal.signal(number, lambda number, _: sys.exit(128 + number))


def ignore_signals():
    """A second Ctrl-C must not stop the clearing up."""
    for number in ENDS:
        signal.signal(number, signal.SIG_IGN)


class Scratch:
    """A directory for what is made here, and the environment of what is timed."""

    def __init__(self, directory):
        self.directory = Path(directory)
        # No settings and caches of whoever runs it, and no proxy for the way out of the host.
        keep = {name: os.environ[name] for name in ("PATH", "LANG", "TMPDIR") if name in os.environ}
        self.environment = {**keep, "HOME": directory, "KUBECACHEDIR": str(self.directory / "kubectl")}

    def file(self, name, content):
        path = self.directory / name
        path.write_bytes(content if isinstance(content, bytes) else content.encode())
        return path


def check_tools():
    if not os.access("/usr/bin/time", os.X_OK):
        sys.exit("bench: /usr/bin/time is missing: install the Debian package time")


def end(process):
    """Ends a process and what it has started; it leads a session of its own."""
    with suppress(ProcessLookupError):
        os.killpg(process.pid, signal.SIGKILL)


def timed(way, scratch):
    """Seconds, CPU seconds and peak megabytes of one run."""
    report = scratch.directory / "time"
    # A child of this program would inherit its peak of memory, a child of `time` does not.
    words = ["/usr/bin/time", "-q", "-o", report, "-f", "%M", *way.words]
    environment = dict(scratch.environment)
    if way.kubeconfig:
        environment["KUBECONFIG"] = str(way.kubeconfig)
    complaints = scratch.directory / "stderr"
    with open(complaints, "wb") as stderr:
        began = time.perf_counter()
        process = subprocess.Popen(
            [str(word) for word in words],
            env=environment,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=stderr,
            # The command is a child of `time`, and ends with it.
            start_new_session=True,
        )
        stuck = threading.Timer(TIMEOUT, end, [process])
        stuck.start()
        try:
            _, status, used = os.wait4(process.pid, 0)
        except BaseException:
            end(process)
            raise
        finally:
            stuck.cancel()
        seconds = time.perf_counter() - began
    process.returncode = os.waitstatus_to_exitcode(status)
    said = complaints.read_text(errors="replace")
    if process.returncode != way.code or way.says not in said:
        sys.exit(f"bench: {' '.join(map(str, way.words))} ended with {process.returncode}:\n{said[-2000:]}")
    return seconds, used.ru_utime + used.ru_stime, int(report.read_text()) / 1024


def rounds(ways, count, scratch, before=lambda: None):
    """Runs all ways in every round; round 0 warms up. What is done before each is not timed."""
    for number in range(count + 1):
        before()
        start = number % len(ways)
        order = ways[start:] + ways[:start]
        # Of two, turning them round would undo the rotation.
        is_turned = number % 2 and len(ways) > 2
        for way in order[:: -1 if is_turned else 1]:
            if way.only_once and number != 1:
                continue
            for _ in range(way.times):
                figures = timed(way, scratch)
                way.afterwards()
                if number > 0:
                    for column, figure in zip((way.wall, way.cpu, way.memory), figures, strict=True):
                        column.append(figure)
        print(f"bench: round {number} of {count}" + (" (warm-up)" if number == 0 else ""), file=sys.stderr)


def row(title, *cells):
    print(f"{title:<28}" + "".join(f"{cell:>13}" for cell in cells), flush=True)


def print_figures(ways):
    row("", "median s", "min s", "CPU s", "peak MB")
    for way in ways:
        cpu = statistics.median(way.cpu)
        row(way.title, f"{way.seconds:.4f}", f"{min(way.wall):.4f}", f"{cpu:.4f}", f"{way.megabytes:.1f}")


def print_target(what, is_, at_most, unit=""):
    met = "met" if is_ <= at_most else "NOT MET"
    print_judged(what, is_, at_most, unit, met)


def print_judged(what, is_, at_most, unit, judgement):
    print(f"  {what:<52}{is_:>10.3f}{unit:<3} at most {at_most:.3g}{unit:<4} {judgement}", flush=True)


def judgement(figures, at_most):
    """Whether the target is met, and whether the noise allows to tell."""
    lower, median, upper = statistics.quantiles(figures, n=4, method="inclusive")
    met = "met" if median <= at_most else "NOT MET"
    return met + (", within the noise" if lower <= at_most < upper else "")


def in_rounds(way, other):
    return [one / two for one, two in zip(way.wall, other.wall, strict=True)]


def print_ratio(what, figures, at_most=None):
    median = statistics.median(figures)
    if at_most is None:
        print(f"  {what:<52}{median:>10.3f}", flush=True)
    else:
        print_judged(what, median, at_most, "", judgement(figures, at_most))
    print(f"  {'  in the rounds':<52}{min(figures):>10.3f} to {max(figures):.3f}", flush=True)
