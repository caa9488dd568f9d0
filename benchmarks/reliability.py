"""What ludens survives: kills, clocks, disks, outages, poisoned replies and planted keys, counted.

    python benchmarks/reliability.py [--kills 50] [--only NAME,…] [--seed 0]

Prints the table of reliability.md, every number of it counted here. The faults are those of the tests, drawn
at random and over all studies that ask models: a server on the loopback interface answers by the question
alone, so that a run that was disturbed must end in the very table of one that was not. Lost is a decision
that the undisturbed run has and the other one lacks; paid twice is a call that was kept in the run and asked
again all the same. Calls that were under way when a process died have no reply, and are asked again.

It takes ten minutes and more. The scripts in pages need chromium, the killed node needs Ray.
"""

from __future__ import annotations

import argparse
import contextlib
import hashlib
import html
import io
import itertools
import json
import lzma
import os
import random
import re
import shutil
import subprocess
import sys
import tempfile
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from unittest import mock

sys.path.insert(0, str(Path(__file__).parents[1]))
os.environ["PYTHONPATH"] = os.pathsep.join(filter(None, (sys.path[0], os.environ.get("PYTHONPATH"))))
os.environ.pop("OPENAI_API_KEY", None)

from ludens.agents.llm import NoReplyError
from ludens.agents.llm.reading.choices import read_choice, read_shares
from ludens.agents.llm.reading.points import read_allocation, read_rating
from ludens.agents.llm.reading.prices import read_price_reply
from ludens.cli.entry import main as ludens
from ludens.envs.turn import Scale
from ludens.experiments import Run, RunAbortedError, as_toml, load, resume, run_study
from ludens.experiments.bench.study import BenchConfig, BenchStudy
from ludens.experiments.runs.rows import _calls
from tests.experiments import test_planted_key as planted
from tests.experiments.lives import Lives, lives_of
from tests.experiments.test_outages import CONFIGS, Failing, answer, study_of
from tests.loopback import Loopback, Request, failing, say

BROWSER = next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None)
VARYING = re.compile(r'"(?:calls?_seconds|seconds|transport_retries)": [^,}]*|https?://[^"]*')
"""Parts of tables that depend on the hour and the place."""
MEASURED: set[str] = set()
"""The studies of which two runs were measured and compared."""
LIVES = "benchmarks._reliability_lives"
MINUTE = 60.0


@dataclass
class Counts:
    """What was counted under one fault."""

    tried: str = ""
    runs: int = 0
    equal: int = 0
    lost: int = 0
    twice: int = 0
    again: int = 0
    notes: list[str] = field(default_factory=list)

    def row(self, name: str) -> str:
        """Return the row of the table."""
        equal = f"{self.equal} of {self.runs}" if self.runs else "–"
        kept = [str(self.lost), str(self.twice)] if self.runs else ["–", "–"]
        return f"| {' | '.join([name, self.tried, equal, *kept, '; '.join(self.notes)])} |"


def key_of(messages: Any, seed: Any) -> str:
    """Return what tells a request apart from others."""
    text = json.dumps([[dict(each) for each in messages], seed], sort_keys=True)
    return hashlib.sha256(text.encode()).hexdigest()


def asked(requests: list[Request]) -> Counter[str]:
    """Return how often each request was made."""
    return Counter(key_of(request["messages"], request.get("seed")) for request in requests)


def recorded(path: Path) -> Counter[str]:
    """Return how often a run holds each request, in decisions and on the way to one."""
    if not path.exists():
        return Counter()
    with Run(path) as run, run._reading() as database:
        found = _calls(database, "", ())
        return Counter(key_of(call.messages, call.parameters.get("seed")) for _, call in found)


def paid_twice(kept: Counter[str], later: Counter[str], usual: Counter[str]) -> int:
    """Return how many requests were made although the run held their reply.

    Args:
        kept: what the run held.
        later: what was asked from then on.
        usual: what an undisturbed run asks.
    """
    return sum(
        min(count, later[key] + count - usual[key])
        for key, count in kept.items()
        if later[key] + count > usual[key]
    )


def rows_of(path: Path) -> set[tuple[Any, ...]]:
    """Return all that was decided."""
    with Run(path) as run:
        return {(each.episode, each.step, each.decision.status, each.choice) for each in run.decisions()}


def same(first: Path, second: Path) -> bool:
    """Return whether two runs end in the same tables.

    The table of episodes and decisions is compared byte for byte; so is what is measured of the first pair of
    each study, but for times and addresses.
    """

    def tables(path: Path) -> str:
        study, result = load(path)
        rows = {name: [dict(row) for row in found] for name, found in study.tables(result).items()}
        return VARYING.sub("", json.dumps(rows, default=str))

    with Run(first) as one, Run(second) as two:
        kind, finals = one.manifest["kind"], one.final_table() == two.final_table()
        finals &= one.manifest["status"] == two.manifest["status"] == "done"
    if kind in MEASURED:
        return finals
    MEASURED.add(kind)
    return finals and tables(first) == tables(second)


def compared(counts: Counts, whole: Path, path: Path) -> None:
    """Count a run that was disturbed beside one that was not."""
    counts.runs += 1
    counts.equal += same(whole, path)
    counts.lost += len(rows_of(whole) - rows_of(path))


class Killer(Loopback):
    """A server that kills its client at requests of these numbers, before the answer or a moment later."""

    def __init__(self, lives: Lives, rng: random.Random) -> None:
        super().__init__(otherwise=answer)
        self.lives, self.rng = lives, rng
        self.at: set[int] = set()
        self.kills = 0

    def react(self, request: Request) -> Any:
        """Answer, unless it is time to kill."""
        reaction = super().react(request)
        if self.count in self.at:
            life = self.lives._life
            assert life is not None

            def kill() -> None:
                if not life.over.is_set():
                    with contextlib.suppress(ProcessLookupError):
                        os.kill(life.pid, 9)

            if self.rng.random() < 0.5:
                kill()
            else:
                threading.Timer(self.rng.uniform(0, 0.05), kill).start()
        return reaction


def kills(folder: Path, rng: random.Random, most: int) -> Counts:
    """Kill processes by SIGKILL at random moments of every study."""
    counts, done, chains = Counts(), 0, 0
    with lives_of(LIVES) as lives:
        while done < most:
            for kind in CONFIGS:
                if done >= most:
                    break
                place = folder / f"{kind}-{chains}"
                place.mkdir()
                chains += 1
                with Killer(lives, rng) as server:
                    study = study_of(kind, server, place)
                    (place / "study.toml").write_text(as_toml(study), encoding="utf-8")
                    before = server.count
                    run_study(study, place / "whole.db")
                    usual = asked(server.requests[before:])
                    total = sum(usual.values())
                    begun = server.count
                    server.at = {begun + n for n in rng.sample(range(1, total + 1), min(5, total))}
                    path = place / "broken.db"
                    command: tuple[object, ...] = ("run", place / "study.toml", "--out", path)
                    code = None
                    while code != 0:
                        kept, first = recorded(path), server.count
                        code = lives.live(*command, stderr=str(place / "err"))
                        counts.twice += paid_twice(kept, asked(server.requests[first:]), usual)
                        if code not in (0, -9):
                            raise SystemExit(f"{kind}: exit code {code}: {(place / 'err').read_text()}")
                        done += code == -9
                        if path.exists():
                            command = ("resume", path)
                    counts.again += server.count - begun - total
                compared(counts, place / "whole.db", path)
    counts.tried = f"{done} kills in {counts.runs} runs of {len(CONFIGS)} studies"
    counts.notes.append(f"{counts.again} calls that were under way were asked again")
    return counts


def halfway(
    counts: Counts,
    kind: str,
    place: Path,
    *,
    elsewhere: bool = False,
    during: Callable[[], contextlib.AbstractContextManager[Any]] = contextlib.nullcontext,
) -> None:
    """Play a study whose server fails in the middle, resume it, and compare it with an undisturbed one.

    Args:
        counts: where to count.
        kind: of the study.
        place: a new folder for it.
        elsewhere: whether the server answers at another address afterwards.
        during: what surrounds the disturbed run.
    """
    place.mkdir()
    path = place / "broken.db"
    with Loopback(otherwise=answer) as server, Loopback(otherwise=answer) as other:
        study_of(kind, server, place)  # plays the run that some studies are made from
        before = server.count
        run_study(study_of(kind, server, place), place / "whole.db")
        usual = asked(server.requests[before:])
        server.otherwise = down = Failing(sum(usual.values()) // 2, failing(503))
        with during():
            with contextlib.suppress(NoReplyError):
                run_study(study_of(kind, server, place), path)
            down.up, kept, before = not elsewhere, recorded(path), server.count
            resume(path, api_base=other.url if elsewhere else None)
        counts.twice += paid_twice(kept, asked(server.requests[before:] + other.requests), usual)
    compared(counts, place / "whole.db", path)


def clock(folder: Path, rng: random.Random) -> Counts:
    """Let the machine's clock jump by up to ten years, both ways, at every look."""
    counts, real, jumps = Counts(), time.time, [0]

    def jumping() -> float:
        jumps[0] += 1
        return real() + rng.uniform(-3e8, 3e8)

    def in_nanoseconds() -> int:
        return int(jumping() * 1e9)

    def during() -> contextlib.ExitStack:
        stack = contextlib.ExitStack()
        stack.enter_context(mock.patch("time.time", jumping))
        stack.enter_context(mock.patch("time.time_ns", in_nanoseconds))
        return stack

    for kind in CONFIGS:
        halfway(counts, kind, folder / kind, during=during)
    counts.tried = f"{jumps[0]:,} jumps while {counts.runs} studies failed and were resumed"
    return counts


def disk(folder: Path, rng: random.Random) -> Counts:
    """Fill the disk at random sizes of a run's file, and go on when there is room."""
    counts, sentences = Counts(), 0
    with Loopback(otherwise=answer) as server, lives_of(LIVES) as lives:
        study = study_of("bench", server, folder)
        (folder / "study.toml").write_text(as_toml(study), encoding="utf-8")
        run_study(study, folder / "whole.db")
        usual = asked(server.requests)
        largest = (folder / "whole.db").stat().st_size
        for number in range(10):
            path, err, begun = folder / f"{number}.db", folder / "err", server.count
            most = rng.randrange(4096, largest)
            code = lives.live("run", folder / "study.toml", "--out", path, stderr=str(err), most=most)
            said = err.read_text()
            sentences += code == 1 and "disk is full" in " ".join(said.split()) and "Traceback" not in said
            kept, middle = recorded(path), server.count
            if path.exists():
                code = lives.live("resume", path, stderr=str(err))
            else:
                code = lives.live("run", folder / "study.toml", "--out", path, stderr=str(err))
            if code != 0:
                raise SystemExit(f"the disk: exit code {code}: {err.read_text()}")
            counts.again += server.count - begun - sum(usual.values())
            counts.twice += paid_twice(kept, asked(server.requests[middle:]), usual)
            compared(counts, folder / "whole.db", path)
    counts.tried = f"{counts.runs} random sizes"
    counts.notes.append(f"one sentence each: {sentences} of {counts.runs}; {counts.again} calls asked again")
    return counts


def read_only(folder: Path, _: random.Random) -> Counts:
    """Run every command in a folder that cannot be written to."""
    counts, right = Counts(), 0
    locked, free = folder / "locked", folder / "free"
    locked.mkdir()
    free.mkdir()
    folder.chmod(0o755)
    free.chmod(0o777)
    with Loopback(otherwise=answer) as server, lives_of(LIVES) as lives:
        study = study_of("bench", server, folder)
        (folder / "study.toml").write_text(as_toml(study), encoding="utf-8")
        run_study(study, locked / "run.db")
        for file in [*locked.iterdir(), folder / "study.toml"]:
            file.chmod(0o644)
        locked.chmod(0o555)
        before = sorted(file.name for file in locked.iterdir())
        content = (locked / "run.db").read_bytes()
        commands: dict[tuple[object, ...], int] = {
            ("run", folder / "study.toml", "--out", locked / "new.db"): 1,
            ("resume", locked / "run.db"): 1,  # it is done; its report cannot be written
            ("extend", locked / "run.db", "replicates=2"): 1,
            ("report", locked / "run.db"): 1,
            ("export", locked / "run.db"): 1,
            ("export", locked / "run.db", "--replayable"): 1,
            ("show", locked / "run.db"): 0,
            ("replay", locked / "run.db"): 0,
            ("export", locked / "run.db", "--out", free / "tables"): 0,
        }
        asked_before = server.count
        for command, wanted in commands.items():
            code = lives.live(*command, stderr=str(free / "err"), bound=True)
            said = (free / "err").read_text()
            fine = code == wanted and "Traceback" not in said
            right += fine
            if not fine:
                counts.notes.append(f"`ludens {command[0]}` ended with {code}")
        paid = server.count - asked_before
        locked.chmod(0o755)
        unchanged = (
            before == sorted(f.name for f in locked.iterdir()) and content == (locked / "run.db").read_bytes()
        )
    counts.tried = f"{len(commands)} commands"
    counts.notes.append(
        f"{right} of {len(commands)} ended as they should, with a sentence where they cannot; "
        f"{'nothing' if unchanged else 'something'} changed; {paid} calls paid for in vain"
    )
    return counts


def outage(folder: Path, _: random.Random) -> Counts:
    """Let the provider fail in the middle of every study, and for a minute in one."""
    counts = Counts()
    for kind in CONFIGS:
        halfway(counts, kind, folder / kind)
    with Loopback(otherwise=answer) as server:

        def bench(name: str) -> None:
            model = {"spec": "openai/loopback", "api_base": server.url, "elicit": "sample"}
            config = BenchConfig(models=[model], replicates=3, protocols=("SPD5", "TG3"), concurrency=8)
            run_study(BenchStudy(config), folder / name)

        bench("whole.db")
        total, since, answered = server.count, [0.0], [0]

        def down_for_a_minute(request: Request) -> Any:
            if answered[0] >= total // 2:
                since[0] = since[0] or time.monotonic()
                if time.monotonic() - since[0] < MINUTE:
                    return failing(503)
            answered[0] += 1
            return answer(request)

        server.otherwise = down_for_a_minute
        bench("minute.db")
        counts.twice += answered[0] - total
    counts.tried = f"{counts.runs} studies stopped in the middle and resumed; a minute of 503 waited out"
    compared(counts, folder / "whole.db", folder / "minute.db")
    return counts


def moved(folder: Path, _: random.Random) -> Counts:
    """Resume every study at another address than that of its first half."""
    counts = Counts()
    for kind in CONFIGS:
        halfway(counts, kind, folder / kind, elsewhere=True)
    counts.tried = f"{counts.runs} studies, `resume --api-base`"
    return counts


@dataclass
class NodeKiller:
    """Answers requests, and kills a node of a cluster at one of them.

    Attributes:
        kept: what the run held by then.
    """

    cluster: Any
    node: Any
    run: Path
    at: int
    kept: Counter[str] | None = None

    def __post_init__(self) -> None:
        self._one = threading.Lock()

    def __call__(self, request: Request, number: int) -> Any:
        """Answer a request, of which there have been so many."""
        with self._one:
            if number >= self.at and self.kept is None:
                self.kept = recorded(self.run)
                self.cluster.remove_node(self.node, allow_graceful=False)
        return answer(request)


def node(folder: Path, _: random.Random) -> Counts:
    """Kill one of the two nodes of a Ray cluster in the middle of every study."""
    counts = Counts()
    try:
        import ray
        from ray.cluster_utils import Cluster
    except ImportError:
        counts.tried = "not tried: Ray is not installed here"
        return counts
    os.environ["OPENAI_API_KEY"] = "none"
    cluster = Cluster(initialize_head=True, head_node_args={"num_cpus": 1})
    again = 0
    try:
        for kind in CONFIGS:
            other = cluster.add_node(num_cpus=1)
            cluster.wait_for_nodes()
            place = folder / kind
            place.mkdir()
            path = place / "broken.db"
            with Loopback(otherwise=answer) as server:
                study_of(kind, server, place)  # plays the run that some studies are made from
                before = server.count
                run_study(study_of(kind, server, place), place / "whole.db")
                usual = asked(server.requests[before:])
                begun = server.count
                killed = NodeKiller(cluster, other, path, begun + max(1, usual.total() // 2))
                server.otherwise = lambda request, killed=killed, server=server: killed(request, server.count)
                study = study_of(kind, server, place)
                elsewhere = {"executor": "ray", "workers": 2, "address": cluster.address}
                run_study(type(study)(study.config.changed(**elsewhere)), path)
                asked_again = asked(server.requests[begun:])
            again += (asked_again - usual).total()
            assert killed.kept is not None
            counts.twice += paid_twice(killed.kept, asked_again - killed.kept, usual)
            compared(counts, place / "whole.db", path)
    finally:
        ray.shutdown()
        cluster.shutdown()
        del os.environ["OPENAI_API_KEY"]
    counts.tried = f"one of two nodes killed in each of {counts.runs} studies"
    counts.notes.append(f"{again} calls that were under way were asked again")
    return counts


def two(folder: Path, _: random.Random) -> Counts:
    """Set two processes on one run."""
    counts, refused = Counts(), 0
    with contextlib.ExitStack() as stack:
        first, second = (stack.enter_context(lives_of(LIVES)) for _ in range(2))
        for number, other in enumerate(("resume", "extend", "resume", "extend", "resume")):
            place = folder / str(number)
            place.mkdir()
            refused += _at_once(counts, place, first, second, other)
    counts.tried = f"{counts.runs} runs, `resume` and `extend` beside `resume`"
    counts.notes.append(f"the second was refused in one sentence {refused} of {counts.runs} times")
    return counts


def _at_once(counts: Counts, place: Path, first: Lives, second: Lives, other: str) -> bool:
    """Resume a run, and do something else with it meanwhile; return whether that was refused."""
    begun, go = threading.Event(), threading.Event()

    def held(request: Request) -> Any:
        begun.set()
        go.wait()
        return answer(request)

    path = place / "broken.db"
    with Loopback(otherwise=answer) as server:
        run_study(study_of("bench", server, place), place / "whole.db")
        usual = asked(server.requests)
        server.otherwise = Failing(server.count // 2, failing(503))
        with contextlib.suppress(NoReplyError):
            run_study(study_of("bench", server, place), path)
        kept, before = recorded(path), server.count
        server.otherwise = held
        run = threading.Thread(
            target=first.live, args=("resume", path), kwargs={"stderr": str(place / "one")}
        )
        run.start()
        begun.wait()
        more = ("replicates=2",) if other == "extend" else ()
        code = second.live(other, path, *more, stderr=str(place / "two"))
        said = " ".join((place / "two").read_text().split())
        go.set()
        run.join()
        counts.twice += paid_twice(kept, asked(server.requests[before:]), usual)
    compared(counts, place / "whole.db", path)
    return code == 1 and "Another process is at work" in said


RAN = "window.ran=(window.ran||0)+1"
POISON = {
    "1 MB": "hm " * 350_000,
    "NUL": "hm\0\0hm",
    "lone surrogates": "hm \ud83d hm \udcff",
    "10,000 brackets": "[" * 10_000,
    "10,000 braces": '{"a":' * 10_000,
    "script": f"<script>{RAN}</script></script></pre></textarea><!--<script>{RAN}</script>",
    "events": f"<img src=x onerror='{RAN}'><svg onload='{RAN}'><details open ontoggle='{RAN}'>",
    "address": f"<a href='javascript:{RAN}' autofocus onfocus='{RAN}'>hm</a>"
    f"<iframe srcdoc='<script>{RAN}</script>'>",
    "ANSI": "\x1b[2J\x1b]0;hm\x07\x9b31m\u202ehm",
    "template": "{{ 7*7 }} {% for x in y %} ${7*7} [bold red]hm[/]",
    "path": "../../../../etc/passwd\n/dev/null\nfile:///etc/passwd",
    "SQL": "'; DROP TABLE decisions; --\n\" OR 1=1; DELETE FROM calls",
    "formula": "=HYPERLINK(\"http://x\")\n+cmd|' /C calc'!x",
    "nothing": "",
    "blanks": " \n\t\u200b\u2028 ",
}
PROBE = """<pre id="probe"></pre><script>
(async () => {
  const later = () => new Promise((resolve) => setTimeout(resolve, 50));
  for (let n = 0; n < 100 && !document.querySelector("#list button"); n++) await later();
  let opened = 0;
  for (const each of document.querySelectorAll("#list button")) { each.click(); await later(); opened++; }
  document.querySelector("#probe").textContent = JSON.stringify({ ran: window.ran || 0, opened });
})();
</script></body>"""


def poison(folder: Path, _: random.Random) -> Counts:
    """Let models answer with poison, one after the other."""
    counts, decisions, imputed, crashed, pages, ran, opened = Counts(), 0, 0, 0, 0, 0, 0
    kinds = ("bench", "play", "pricing", "av", "moral_machine", "judge", "exam")
    for kind in kinds:
        place = folder / kind
        place.mkdir()
        path, replies, lock = place / "run.db", itertools.cycle(POISON.values()), threading.Lock()

        def poisoned(_: Request, replies: Any = replies, lock: Any = lock) -> Any:
            with lock:
                return say(next(replies))

        with Loopback(otherwise=answer) as server:
            study = study_of(kind, server, place)
            server.otherwise = poisoned
            # A market whose firm names no price is aborted.
            with contextlib.suppress(RunAbortedError):
                run_study(study, path)
        with Run(path) as run:
            asked_of = [each for each in run.decisions() if each.decision.calls]
        decisions += len(asked_of)
        imputed += sum(each.decision.status == "valid" for each in asked_of)
        silent = io.StringIO()
        with contextlib.redirect_stdout(silent), contextlib.redirect_stderr(silent):
            for command in (["show", "--episode", "0"], ["export"], ["report"], ["replay"]):
                crashed += ludens([command[0], str(path), *command[1:]]) != 0
        page = path.with_suffix(".html")
        if BROWSER is not None and page.exists():
            seen = in_browser(page)
            pages, ran, opened = pages + 1, ran + seen["ran"], opened + seen["opened"]
    counts.tried = f"{len(POISON)} replies in turn in {len(kinds)} studies, {decisions} decisions"
    counts.notes.append(f"{imputed} imputed; {crashed} crashes")
    shown = f"{ran} scripts run in {pages} pages, {opened} transcripts opened"
    counts.notes.append(shown if BROWSER is not None else "pages not looked at: no chromium")
    return counts


def in_browser(page: Path) -> dict[str, int]:
    """Open a page in Chromium, click through its transcripts, and return what ran."""
    probed = page.with_name("probed.html")
    probed.write_text(page.read_text(encoding="utf-8").replace("</body>", PROBE), encoding="utf-8")
    with tempfile.TemporaryDirectory() as profile:
        command = [
            *(str(BROWSER), "--headless", "--no-sandbox", "--disable-gpu", f"--user-data-dir={profile}"),
            *("--virtual-time-budget=60000", "--dump-dom", probed.as_uri()),
        ]
        done = subprocess.run(command, capture_output=True, text=True, check=False)
    found = re.search(r'<pre id="probe">(.*?)</pre>', done.stdout, re.DOTALL)
    if not found or not found[1]:
        raise SystemExit(f"{page}: the page did not come to an end: {done.stderr[-500:]}")
    seen: dict[str, int] = json.loads(html.unescape(found[1]))
    return seen


def keys(folder: Path, _: random.Random) -> Counts:
    """Plant a key in the environment, a setting, a header, a body and an address, and look for it."""
    counts, files, outputs, leaks, here = Counts(), 0, 0, 0, Path.cwd()
    for kind in ("bench", "pricing"):
        for number, reaction in enumerate(planted.REACTIONS.values()):
            place = folder / f"{kind}-{number}"
            place.mkdir()
            os.chdir(place)
            printed = io.StringIO()
            first = say("A") if kind == "bench" else say("Price: 1.5")
            secret = {"OPENAI_API_KEY": planted.ENVIRONMENT}
            with (
                Loopback([first], otherwise=reaction) as server,
                mock.patch.dict(os.environ, secret),
                contextlib.redirect_stdout(printed),
                contextlib.redirect_stderr(printed),
            ):
                planted.study(kind, server.url.replace("http://", f"http://user:{planted.PASSWORD}@"))
                for command in (
                    ["run", "study.toml", "--out", "run.db", "--debug"],
                    ["resume", "run.db", "--api-base", server.url, "--debug"],
                    *(
                        ["report", "run.db"],
                        ["export", "run.db"],
                        ["export", "run.db", "--jsonl", "--out", "l"],
                    ),
                    *(
                        ["export", "run.db", "--replayable"],
                        ["replay", "run.db"],
                        ["show", "run.db", "--json"],
                    ),
                    *(["show", "run.db", "--episode", "0"], ["run", "study.toml", "--print-config"]),
                ):
                    ludens(["--debug", *(part for part in command if part != "--debug")])
                    outputs += 1
            found = planted.written(place, printed.getvalue())
            found += [unpacked(path) for path in place.glob("*.xz")]
            files += len(found) - 1
            leaks += len(planted.leaks(found))
            os.chdir(here)
    counts.tried = f"{len(planted.PLANTED)} secrets, {outputs} commands with --debug"
    counts.notes.append(f"{leaks} found in {files} files and everything printed")
    return counts


def unpacked(path: Path) -> bytes:
    """Return what a compressed run holds."""
    return lzma.decompress(path.read_bytes())


def fuzz(_: Path, __: random.Random) -> Counts:
    """Let the readers read anything."""
    from hypothesis import strategies as st

    parts = st.sampled_from(
        ["A", "B", "1.8", "{", "}", "[", '"choice":', "PRICE:", "<think>", "\n", "**", "not", "≥"]
    )
    texts = st.one_of(st.text(), st.lists(st.one_of(parts, st.text(max_size=5)), max_size=30).map(" ".join))
    tried = [0]
    readers: dict[str, Callable[[str], Any]] = {
        "choices": lambda text: read_choice(text, ("A", "B"), ("trust", "keep")),
        "shares": lambda text: read_shares(text, ("A", "B")),
        "prices": lambda text: read_price_reply(text, lowest=0.0, highest=1000.0),
        "ratings": lambda text: read_rating(text, Scale("rating")),
        "allocations": lambda text: read_allocation(text, ("A", "B"), Scale("allocation")),
    }
    crashes = [crash for reader in readers.values() for crash in _read_anything(reader, texts, tried)]
    counts = Counts(tried=f"{len(readers)} readers, {tried[0]:,} texts")
    counts.notes.append(f"{len(crashes)} crashes" + "".join(f"; {crash}" for crash in crashes[:3]))
    return counts


def _read_anything(reader: Callable[[str], Any], texts: Any, tried: list[int]) -> list[str]:
    """Let a reader read whatever Hypothesis thinks of, always the same; return the texts that crashed it."""
    from hypothesis import HealthCheck, given, settings

    budget = settings(
        max_examples=500,
        deadline=None,
        database=None,
        derandomize=True,
        suppress_health_check=list(HealthCheck),
    )

    @budget
    @given(texts)
    def read(text: str) -> None:
        tried[0] += 1
        try:
            reader(text)
        except Exception as error:
            crashes.append(f"{text!r}: {error!r}")

    crashes: list[str] = []
    read()
    return crashes


FAULTS: dict[str, tuple[str, Callable[..., Counts]]] = {
    "kills": ("kill −9 at random", kills),
    "clock": ("the clock jumps", clock),
    "disk": ("the disk is full", disk),
    "read-only": ("the folder is read-only", read_only),
    "outage": ("the provider is out", outage),
    "moved": ("the server has moved", moved),
    "node": ("a node of a cluster is killed", node),
    "two": ("two processes on one run", two),
    "poison": ("poisoned replies", poison),
    "keys": ("planted keys", keys),
    "fuzz": ("anything for the readers", fuzz),
}


@contextlib.contextmanager
def no_progress() -> Iterator[None]:
    """Keep warnings of studies off the table."""
    import logging

    logging.disable(logging.WARNING)
    yield
    logging.disable(logging.NOTSET)


def main() -> None:
    """Try all faults and print the table."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--kills", type=int, default=50)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--only", default=",".join(FAULTS))
    arguments = parser.parse_args()
    print("| fault | tried | equal tables | lost | paid twice | |")
    print("|---|---|---|---|---|---|")
    for name in arguments.only.split(","):
        title, fault = FAULTS[name]
        rng = random.Random(f"{arguments.seed} {name}")
        begun = time.monotonic()
        with tempfile.TemporaryDirectory() as folder, no_progress():
            extra = (arguments.kills,) if name == "kills" else ()
            counts = fault(Path(folder), rng, *extra)
        print(counts.row(title), flush=True)
        print(f"{name}: {time.monotonic() - begun:.0f} s", file=sys.stderr, flush=True)


if __name__ == "__main__":
    main()
