# SPDX-License-Identifier: Apache-2.0
"""A headless Chromium, spoken to by the DevTools protocol over a pipe: no driver, no port.

What a page does wrong (an exception, a breach of its Content-Security-Policy) and every address
that it asks for is kept: `complaints` and `requested`.
"""

import base64
import fcntl
import json
import os
import select
import shutil
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

from .poll import wait_until

_ANSWER_S = 20.0
_ARGUMENTS = (
    "--headless=new",
    "--no-sandbox",  # it would refuse root; it visits nothing but our own pages
    "--disable-gpu",
    "--disable-dev-shm-usage",
    "--disable-background-networking",
    "--no-first-run",
    "--window-size=1180,900",
    "--remote-debugging-pipe",
)

# Chromium looks for the pipes at descriptors 3 and 4.
_WITH_PIPES = """
import os, sys
os.dup2(int(sys.argv[1]), 3)
os.dup2(int(sys.argv[2]), 4)
os.execv(sys.argv[3], sys.argv[3:])
"""


class Browser:
    """One browser with one page. Not for several threads."""

    def __init__(self, profile: Path) -> None:
        program = shutil.which("chromium")
        if program is None:
            raise RuntimeError("no chromium; run: make test (it installs what the tests need)")
        commands, self._commands = os.pipe()
        self._answers, answers = os.pipe()
        ends = [fcntl.fcntl(end, fcntl.F_DUPFD, 10) for end in (commands, answers)]
        self._process = subprocess.Popen(
            [
                *(sys.executable, "-c", _WITH_PIPES, *map(str, ends)),
                *(program, *_ARGUMENTS, f"--user-data-dir={profile}", "about:blank"),
            ],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            pass_fds=ends,
        )
        for end in (commands, answers, *ends):
            os.close(end)
        self._received = b""
        self._number = 0
        self.complaints: list[str] = []
        self.requested: list[str] = []
        self._session = self._open_page()

    def visit(self, url: str) -> None:
        """Goes there, anew even where only the fragment differs."""
        self._call("Page.navigate", url="about:blank")
        self._call("Page.navigate", url=url)
        wait_until(lambda: self.run("document.readyState") == "complete", f"{url} loaded")

    def run(self, script: str) -> Any:
        """The value of a JavaScript expression in the page."""
        done = self._call("Runtime.evaluate", expression=script, returnByValue=True)
        assert "exceptionDetails" not in done, done
        return done["result"].get("value")

    def text(self, selector: str) -> str:
        """Of the first such element, as it is seen; empty where there is none or it is hidden."""
        found = f"document.querySelector({json.dumps(selector)})"
        return self.run(f"{found}?.checkVisibility() ? {found}.innerText : ''")

    def wait_text(self, selector: str, words: str, deadline_s: float = 10.0) -> None:
        what = f"{words!r} in {selector}"
        wait_until(lambda: words in self.text(selector), what, deadline_s, 0.05)

    def click(self, selector: str) -> None:
        self.run(f"document.querySelector({json.dumps(selector)}).click()")

    def type(self, selector: str, words: str) -> None:
        """By key events, as somebody would."""
        self.run(f"document.querySelector({json.dumps(selector)}).select()")
        self._call("Input.insertText", text=words)

    def screenshot(self, path: Path) -> None:
        shot = self._call("Page.captureScreenshot", format="png")
        path.write_bytes(base64.b64decode(shot["data"]))

    def close(self) -> None:
        self._process.terminate()
        try:
            self._process.wait(timeout=10)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()
        os.close(self._commands)
        os.close(self._answers)

    def _open_page(self) -> str:
        self._session = ""
        targets = self._call("Target.getTargets")["targetInfos"]
        page = next(target["targetId"] for target in targets if target["type"] == "page")
        attached = self._call("Target.attachToTarget", targetId=page, flatten=True)
        self._session = attached["sessionId"]
        for domain in ("Page", "Runtime", "Network", "Log", "Audits"):
            self._call(f"{domain}.enable")
        return self._session

    def _call(self, method: str, **parameters: Any) -> dict[str, Any]:
        self._number += 1
        command = {"id": self._number, "method": method, "params": parameters}
        if self._session:
            command["sessionId"] = self._session
        os.write(self._commands, json.dumps(command).encode() + b"\0")
        deadline = time.monotonic() + _ANSWER_S
        while True:
            message = self._next(deadline, method)
            if message.get("id") == self._number:
                assert "error" not in message, (method, message["error"])
                return message["result"]
            self._note(message)

    def _next(self, deadline: float, method: str) -> dict[str, Any]:
        while b"\0" not in self._received:
            readable, _, _ = select.select(
                [self._answers], [], [], max(0.0, deadline - time.monotonic())
            )
            assert readable, f"no answer of the browser to {method}"
            some = os.read(self._answers, 1 << 20)
            assert some, "the browser ended"
            self._received += some
        message, self._received = self._received.split(b"\0", 1)
        return json.loads(message)

    def _note(self, message: dict[str, Any]) -> None:
        parameters = message.get("params", {})
        match message.get("method"):
            case "Runtime.exceptionThrown":
                self.complaints.append(json.dumps(parameters["exceptionDetails"])[:500])
            case "Log.entryAdded" if parameters["entry"]["level"] == "error":
                self._note_error(parameters["entry"])
            case "Audits.issueAdded" if (
                "contentSecurityPolicyIssueDetails" in parameters["issue"]["details"]
            ):
                self.complaints.append(json.dumps(parameters["issue"])[:500])
            case "Network.requestWillBeSent":
                self.requested.append(parameters["request"]["url"])

    def _note_error(self, entry: dict[str, Any]) -> None:
        # A refusal is an answer that the page explains, and browsers ask for an icon.
        if entry["source"] != "network":
            self.complaints.append(f"{entry['text']} ({entry.get('url')})")
