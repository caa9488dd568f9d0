"""A page in a real browser, opened as a file: copying a table, and a link that restores a selection."""

from __future__ import annotations

import html
import json
import re
import shutil
import subprocess

import pytest

from ludens.experiments.report import Page, Table, Transcripts, render
from ludens.experiments.report.transcripts import question_entry
from tests.experiments.pages import NASTY
from tests.experiments.synthetic import worded

BROWSER = next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None)
TABLE = Table.of("Choices", "In per cent.", ["all"], [("local/model", ["50"])], corner="policy")
PROBE = """<pre id="probe"></pre><script>
(async () => {
  const of = (query) => document.querySelector(query);
  const found = () => ({
    count: of("#shown").textContent,
    link: of("#link").getAttribute("href"),
    title: of("#decision h3").textContent,
    reply: of("#decision pre.reply").textContent,
  });
  const later = () => new Promise((resolve) => setTimeout(resolve, 500));
  // The browser's answer about the clipboard comes from another process, at a time of its own.
  const until = async (there) => { for (let i = 0; i < 100 && !there(); i++) await later(); };
  await until(() => of("#decision h3"));
  const out = { opened: found(), images: document.images.length };
  of(".copy button:nth-of-type(2)").click();
  await until(() => of(".copy textarea"));
  const area = of(".copy textarea");
  out.refused = area && { text: area.value, selected: area.selectionEnd - area.selectionStart };
  const writeText = async (text) => (out.copied = text);
  Object.defineProperty(navigator, "clipboard", { value: { writeText } });
  of(".copy button").click();
  await until(() => of(".copy span").textContent && !of(".copy textarea"));
  out.said = of(".copy span").textContent;
  out.left = document.querySelectorAll(".copy textarea").length;
  const select = of("#filters select");
  select.selectedIndex = 2;
  select.dispatchEvent(new Event("input"));
  document.querySelectorAll("#list button")[1].click();
  await later();
  out.filtered = found();
  location.hash = "#transcripts?node=" + encodeURIComponent("=opening");
  await later();
  out.followed = found();
  of("#probe").textContent = JSON.stringify(out);
})();
</script></body>"""


@pytest.fixture(scope="module")
def seen(tmp_path_factory):
    """What the probe saw on a page that was opened with a part of its address, by that part."""
    if BROWSER is None:
        pytest.skip("needs chromium")
    folder = tmp_path_factory.mktemp("browser")
    records = [
        *worded(lambda *_: 0, "first/model", protocols=("TG1",), framings=("neutral",)),
        *worded(lambda *_: 1, f"second/{NASTY}", protocols=("TG1",), framings=("neutral",), reply=NASTY),
    ]
    page = Page("Page", "Lead.", tables=[TABLE], transcripts=Transcripts(records, question_entry))
    file = folder / "page.html"
    file.write_text(render(page).replace("</body>", PROBE), encoding="utf-8")

    def opened(fragment=""):
        command = [
            BROWSER, "--headless", "--no-sandbox", "--disable-gpu", f"--user-data-dir={folder / 'profile'}",
            "--virtual-time-budget=200000", "--dump-dom", f"{file.as_uri()}{fragment}",
        ]  # fmt: skip
        ran = subprocess.run(command, capture_output=True, text=True, check=False)
        match = re.search(r'<pre id="probe">(.*?)</pre>', ran.stdout, re.DOTALL)
        assert match, ran.stderr
        return json.loads(html.unescape(match[1]))

    return opened


def test_a_page_opened_as_a_file_copies_tables_and_restores_selections(seen):
    first = seen()
    assert first["opened"]["count"] == "8 of 8 decisions"
    assert first["images"] == 0
    # A file may not reach the clipboard unasked: the text is shown and selected instead.
    assert first["refused"] == {"text": TABLE.to_csv(), "selected": len(TABLE.to_csv())}
    assert (first["copied"], first["said"], first["left"]) == (TABLE.to_markdown(), "copied", 0)
    assert first["filtered"]["count"] == "4 of 8 decisions"
    assert "onerror=alert(1)" in first["filtered"]["reply"]
    assert first["followed"]["count"] == "4 of 8 decisions"
    assert first["followed"]["title"] == "TG1, opening"
    again = seen(first["filtered"]["link"])
    assert again["opened"] == first["filtered"]
