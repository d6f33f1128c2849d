"""Loads a page in Chromium, waits for a text on it, takes a picture, prints the page's text.

For tests/browser/browser, which finds Chromium: page.py CHROMIUM URL TEXT PICTURE SECONDS SCRIPT
"""

import base64
import fcntl
import json
import os
import select
import signal
import subprocess
import sys
import tempfile
import time
from pathlib import Path

WIDTH, HEIGHT = 1280, 800
# A page stands still when this long nothing was asked of the server and no pixel changed.
STILL_SECONDS = 0.7
# What never stands still is taken as it is.
RESTLESS_SECONDS = 6
# A machine that is busy starts it slowly.
ANSWER_SECONDS = 30
SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)


class Failed(Exception):
    """One sentence for a person."""


def pipe():
    """A pipe whose ends have numbers of two digits, out of the way of those that Chromium wants."""
    ends = os.pipe()
    moved = [fcntl.fcntl(end, fcntl.F_DUPFD_CLOEXEC, 10) for end in ends]
    for end in ends:
        os.close(end)
    return moved


class Chromium:
    """A Chromium of our own, spoken to in the DevTools protocol.

    Through pipes, not a port: nobody else can reach it, and it ends when its pipe closes, so that it does not outlive
    us even when we are killed.
    """

    def __init__(self, program, home):
        self.log = Path(home, "log")
        self.buffer = b""
        self.last_id = 0
        self.session = None
        self.open_requests = set()
        commands, self.to_browser = pipe()
        self.from_browser, answers = pipe()
        flags = [
            "--headless",
            # Chromium refuses to have one for root. It loads nothing but the page of a test.
            "--no-sandbox",
            # In a container /dev/shm may be too small.
            "--disable-dev-shm-usage",
            "--disable-gpu",
            "--disable-background-networking",
            "--disable-component-update",
            "--disable-crash-reporter",
            "--no-first-run",
            # A proxy for the way out of the host would be asked for what is on this host.
            "--no-proxy-server",
            # A name that leads to this machine, as that of an attacker can.
            "--host-resolver-rules=MAP *.example 127.0.0.1",
            "--hide-scrollbars",
            f"--window-size={WIDTH},{HEIGHT}",
            f"--user-data-dir={home}/profile",
            "--remote-debugging-pipe",
            "about:blank",
        ]
        # It reads commands from 3 and writes answers to 4, always. The shell gives the pipes these numbers.
        shell = f'exec "$@" 3<&{commands} 4>&{answers} {commands}<&- {answers}>&-'
        with open(self.log, "wb") as log:
            self.process = subprocess.Popen(
                ["bash", "-c", shell, "bash", program, *flags],
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                pass_fds=[commands, answers],
                # What it leaves behind besides its profile goes with its home.
                env={**os.environ, "HOME": home, "TMPDIR": home, "XDG_CACHE_HOME": home, "XDG_CONFIG_HOME": home},
                # A group of its own, with all its helpers, to be ended by its id.
                start_new_session=True,
            )
        os.close(commands)
        os.close(answers)

    def end(self):
        os.close(self.to_browser)
        try:
            # It ends its helpers first. Whoever kills it has them write into their home for a moment longer.
            self.process.wait(5)
        except subprocess.TimeoutExpired:
            os.killpg(self.process.pid, signal.SIGKILL)
            self.process.wait()

    def call(self, method, seconds=ANSWER_SECONDS, **parameters):
        self.last_id += 1
        message = {"id": self.last_id, "method": method, "params": parameters}
        if self.session:
            message["sessionId"] = self.session
        try:
            os.write(self.to_browser, json.dumps(message).encode() + b"\0")
        except BrokenPipeError:
            raise self.died() from None
        end = time.monotonic() + seconds
        while True:
            answer = self.receive(end)
            if answer is None:
                raise TimeoutError(f"Chromium does not answer to {method} within {seconds} s")
            if answer.get("id") == self.last_id:
                if "error" in answer:
                    raise Failed(f"Chromium refuses {method}: {answer['error']['message']}")
                return answer["result"]

    def receive(self, deadline):
        """The next message, or None when there is none by then. Keeps count of the page's requests."""
        while b"\0" not in self.buffer:
            left = max(0, deadline - time.monotonic())
            if not select.select([self.from_browser], [], [], left)[0]:
                return None
            data = os.read(self.from_browser, 1 << 20)
            if not data:
                raise self.died()
            self.buffer += data
        line, self.buffer = self.buffer.split(b"\0", 1)
        message = json.loads(line)
        if message.get("method") == "Network.requestWillBeSent":
            self.open_requests.add(message["params"]["requestId"])
        elif message.get("method") in ("Network.loadingFinished", "Network.loadingFailed"):
            self.open_requests.discard(message["params"]["requestId"])
        return message

    def died(self):
        said = self.log.read_text(errors="replace").strip().splitlines()
        return Failed("Chromium ended by itself" + "".join(f"\n  | {line}" for line in said[-15:]))

    def pause(self, seconds):
        """Lets the page go on."""
        end = time.monotonic() + seconds
        while self.receive(end) is not None:
            pass

    def load(self, url, seconds):
        target = self.call("Target.createTarget", url="about:blank")["targetId"]
        self.session = self.call("Target.attachToTarget", targetId=target, flatten=True)["sessionId"]
        self.call("Emulation.setDeviceMetricsOverride", width=WIDTH, height=HEIGHT, deviceScaleFactor=1, mobile=False)
        self.call("Network.enable")
        try:
            error = self.call("Page.navigate", seconds, url=url).get("errorText")
        except TimeoutError:
            raise Failed(f"{url} does not answer within {seconds} s") from None
        if error:
            raise Failed(f"{url} cannot be loaded: {error}")

    def run(self, script, deadline):
        """Runs JavaScript as the page's own, once that has loaded, and waits for its promise."""
        while self.evaluate("document.readyState") != "complete":
            if time.monotonic() >= deadline:
                raise Failed("the page does not finish loading, so the script cannot run")
            self.pause(0.1)
        left = max(1, deadline - time.monotonic())
        try:
            self.evaluate(f"(async () => {{{script}\n}})()", left, awaitPromise=True)
        except TimeoutError:
            raise Failed(f"the script does not end within {left:.0f} s") from None

    def evaluate(self, expression, seconds=ANSWER_SECONDS, **parameters):
        answer = self.call("Runtime.evaluate", seconds, expression=expression, returnByValue=True, **parameters)
        if "exceptionDetails" in answer:
            details = answer["exceptionDetails"]
            raise Failed(f"the page throws: {details.get('exception', {}).get('description', details['text'])}")
        # There is none while one document makes way for the next.
        return answer["result"].get("value", "")

    def text(self):
        """What a person reads: no text that is hidden."""
        return self.evaluate("document.body ? document.body.innerText : ''")

    def picture(self):
        return base64.b64decode(self.call("Page.captureScreenshot", format="png")["data"])


def wait_for(browser, text, deadline):
    """The page's text, and its picture when TEXT is there and the page stands still; else no picture."""
    found = None
    before = None
    while True:
        shown = browser.text()
        if text in shown:
            found = found or time.monotonic()
            picture = browser.picture()
            still = picture == before and not browser.open_requests
            if still or time.monotonic() - found > RESTLESS_SECONDS:
                return shown, picture
            before = picture
        else:
            # It was there and went away again: then it is not there.
            found = before = None
        if time.monotonic() >= deadline:
            return shown, None
        browser.pause(STILL_SECONDS if found else 0.1)


def failure(url, text, seconds, shown):
    if text in shown:
        return Failed(f"{url} shows '{text}' but does not stand still within {seconds} s")
    lines = [f"\n  | {line}" for line in shown.splitlines() if line.strip()]
    what = "; it shows:" + "".join(lines[:30]) if lines else "; it shows no text at all"
    return Failed(f"{url} does not show '{text}' within {seconds} s{what}")


def leave(number, _):
    """What was started ends, and what was made goes, before we do."""
    for other in SIGNALS:
        # A second Ctrl-C must not stop the clearing up.
        signal.signal(other, signal.SIG_IGN)
    sys.exit(128 + number)


def main():
    program, url, text, picture_path, seconds, script_path = sys.argv[1:]
    script = Path(script_path).read_text() if script_path else None
    for number in SIGNALS:
        signal.signal(number, leave)
    with tempfile.TemporaryDirectory(prefix="kubectl-flink-browser.") as home:
        browser = Chromium(program, home)
        try:
            deadline = time.monotonic() + int(seconds)
            browser.load(url, int(seconds))
            if script:
                browser.run(script, deadline)
            shown, picture = wait_for(browser, text, deadline)
        finally:
            browser.end()
    if picture is None:
        raise failure(url, text, seconds, shown)
    Path(picture_path).write_bytes(picture)
    print(shown)


try:
    main()
except (Failed, OSError) as problem:
    sys.exit(f"browser: {problem}")
