"""A Chromium without a window, driven over two pipes by the DevTools protocol: keys, measures, pictures, print."""

import base64
import json
import os
import shutil
import subprocess
from pathlib import Path
from typing import Any

NAMES = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable", "chrome")
BROWSER = next((found for name in NAMES if (found := shutil.which(name))), "")
MISSING = f"no browser on this machine (looked for {', '.join(NAMES)})"
_OPTIONS = (
    "--headless",
    "--no-sandbox",
    "--disable-gpu",
    "--hide-scrollbars",
    "--no-first-run",
    "--disable-background-networking",
    "--host-resolver-rules=MAP * ~NOTFOUND, EXCLUDE 127.0.0.1",
)


class Chromium:
    """One browser with any number of tabs. ``said``: every event, as (tab's session, method, parameters)."""

    def __init__(self, folder: Path) -> None:
        to_browser, self._out = os.pipe()
        self._in, from_browser = os.pipe()
        # the browser reads from descriptor 3 and writes to 4, whatever the pipes' own numbers are
        command = [
            BROWSER,
            *_OPTIONS,
            f"--user-data-dir={folder / 'profile'}",
            "--remote-debugging-pipe",
            "about:blank",
        ]
        shell = ["bash", "-c", f'exec "$@" 3<&{to_browser} 4>&{from_browser}', "bash", *command]
        self._log = (folder / "chromium.log").open("wb")
        self._process = subprocess.Popen(shell, pass_fds=(to_browser, from_browser), stdout=self._log, stderr=self._log)
        os.close(to_browser)
        os.close(from_browser)
        self._read, self._count = b"", 0
        self.said: list[tuple[str, str, dict[str, Any]]] = []

    def __enter__(self) -> "Chromium":
        return self

    def __exit__(self, *_: object) -> None:
        self.ask("Browser.close")
        self._process.wait(timeout=60)
        os.close(self._in)
        os.close(self._out)
        self._log.close()

    def ask(self, method: str, session: str = "", **parameters: Any) -> dict[str, Any]:
        """One command, and its result once it is there."""
        self._count += 1
        message = {"id": self._count, "method": method, "params": parameters}
        os.write(self._out, json.dumps(message | ({"sessionId": session} if session else {})).encode() + b"\0")
        while True:
            answer = self._next()
            if answer.get("id") == self._count:
                assert "error" not in answer, (method, answer["error"])
                result: dict[str, Any] = answer["result"]
                return result

    def wait(self, method: str, session: str, since: int) -> dict[str, Any]:
        """The first event of that kind among what was said ``since`` then."""
        while True:
            for of, what, parameters in self.said[since:]:
                if (of, what) == (session, method):
                    return parameters
            self._next()

    def _next(self) -> dict[str, Any]:
        while b"\0" not in self._read:
            more = os.read(self._in, 1 << 20)
            assert more, f"the browser ended: {Path(self._log.name).read_text(errors='replace')[-2000:]}"
            self._read += more
        message, _, self._read = self._read.partition(b"\0")
        found: dict[str, Any] = json.loads(message)
        if "method" in found:
            self.said.append((found.get("sessionId", ""), found["method"], found["params"]))
        return found

    def tab(self, width: int = 1000, height: int = 900, phone: bool = False, private: bool = False) -> "Tab":
        """A new tab of that size; ``phone``: as a phone shows it; ``private``: with cookies of its own."""
        context = self.ask("Target.createBrowserContext") if private else {}
        target = self.ask("Target.createTarget", url="about:blank", **context)["targetId"]
        session = self.ask("Target.attachToTarget", targetId=target, flatten=True)["sessionId"]
        made = Tab(self, session)
        for domain in ("Page", "Runtime", "Log", "Network"):
            made.ask(f"{domain}.enable")
        scale = 2 if phone else 1
        made.ask(
            "Emulation.setDeviceMetricsOverride", width=width, height=height, deviceScaleFactor=scale, mobile=phone
        )
        return made


class Tab:
    """One page of the browser."""

    def __init__(self, browser: Chromium, session: str) -> None:
        self._browser, self._session = browser, session

    def ask(self, method: str, **parameters: Any) -> dict[str, Any]:
        return self._browser.ask(method, self._session, **parameters)

    def open(self, address: str) -> int:
        """Go there and wait until all is loaded; the status of the answer (0 for a file)."""
        since = len(self._browser.said)
        self.ask("Page.navigate", url=address)
        self._browser.wait("Page.loadEventFired", self._session, since)
        said = [parameters for of, what, parameters in self._browser.said[since:] if what == "Network.responseReceived"]
        return next((int(p["response"]["status"]) for p in said if p["type"] == "Document"), 0)

    def run(self, script: str) -> Any:
        """The value of a JavaScript expression; what a promise promises is waited for."""
        found = self.ask("Runtime.evaluate", expression=script, awaitPromise=True, returnByValue=True)
        assert "exceptionDetails" not in found, found["exceptionDetails"]
        return found["result"].get("value")

    def until(self, condition: str) -> None:
        """Wait until a JavaScript expression is true, at most ten seconds."""
        tries = f"for (let n = 0; n < 200 && !({condition}); n++) await new Promise(done => setTimeout(done, 50));"
        assert self.run(f"(async () => {{ {tries} return Boolean({condition}); }})()"), condition

    def press(self, *keys: str) -> None:
        """Real key presses, one after the other: letters, or names as ``Enter`` and ``ArrowLeft``."""
        for key in keys:
            text = {"Enter": "\r", "Space": " "}.get(key, key if len(key) == 1 else "")
            name = " " if key == "Space" else key
            codes = {"Enter": 13, "Escape": 27, "ArrowLeft": 37, "ArrowRight": 39, "Backspace": 8}
            code = {"windowsVirtualKeyCode": codes.get(key, ord(text.upper()) if text else 0)}
            kind = "keyDown" if text else "rawKeyDown"
            self.ask("Input.dispatchKeyEvent", type=kind, key=name, **({"text": text} if text else {}), **code)
            self.ask("Input.dispatchKeyEvent", type="keyUp", key=name, **code)

    def complaints(self) -> list[str]:
        """What the browser wrote into its console: broken policies, errors of scripts, addresses that failed."""
        self.run("new Promise(done => setTimeout(done, 50))")
        mine = [(what, p) for of, what, p in self._browser.said if of == self._session]
        logged = [p["entry"]["text"] for what, p in mine if what == "Log.entryAdded"]
        thrown = [json.dumps(p["exceptionDetails"]) for what, p in mine if what == "Runtime.exceptionThrown"]
        return logged + thrown

    def asked(self) -> list[str]:
        """Every address that the page asked for."""
        mine = [(what, p) for of, what, p in self._browser.said if of == self._session]
        return [p["request"]["url"] for what, p in mine if what == "Network.requestWillBeSent"]

    def picture(self, path: Path, whole: bool = False) -> Path:
        """What is seen, or the ``whole`` page, as PNG."""
        shot = self.ask(
            "Page.captureScreenshot", captureBeyondViewport=whole, **({"clip": self._all()} if whole else {})
        )
        path.write_bytes(base64.b64decode(shot["data"]))
        return path

    def print(self, path: Path) -> Path:
        """The page on A4, as PDF."""
        made = self.ask("Page.printToPDF", paperWidth=8.27, paperHeight=11.69, printBackground=True)
        path.write_bytes(base64.b64decode(made["data"]))
        return path

    def _all(self) -> dict[str, float]:
        size = self.ask("Page.getLayoutMetrics")["cssContentSize"]
        return {"x": 0, "y": 0, "width": size["width"], "height": size["height"], "scale": 1}
