"""What tests read pages with: a parser that sees what a browser would, and the decoded transcripts."""

from __future__ import annotations

import base64
import gzip
import html.parser
import json

NASTY = "</script><img src=x onerror=alert(1)><!-- \x1b[31mred\x1b[0m \u2028 \u202eevil & 'quoted' \"too\""
EMPTY = {"area", "base", "br", "col", "hr", "img", "input", "link", "meta"}


class Reader(html.parser.HTMLParser):
    """What a browser would see: tags with their attributes, and the texts of scripts."""

    def __init__(self, text):
        super().__init__()
        self.tags, self.attributes, self.scripts, self.open, self.said = [], [], [], [], []
        self.feed(text)
        self.close()

    def handle_starttag(self, tag, attrs):
        self.tags.append(tag)
        self.attributes += [(tag, name, value or "") for name, value in attrs]
        if tag not in EMPTY:
            self.open.append(tag)
        if tag == "script":
            self.scripts.append("")

    def handle_startendtag(self, tag, attrs):
        self.tags.append(tag)
        self.attributes += [(tag, name, value or "") for name, value in attrs]

    def handle_endtag(self, tag):
        assert self.open.pop() == tag

    def handle_data(self, data):
        if self.open and self.open[-1] == "script":
            self.scripts[-1] += data
        else:
            self.said.append(data)


def unpacked(text):
    return json.loads(gzip.decompress(base64.b64decode(text)))


def decoded(text):
    """What the page's script makes of its data: all decisions, with ranges of the lines of all pieces."""
    data = json.loads(text)
    data["lines"], data["decisions"] = [], []
    assert data["firsts"][0] == 0
    for first, packed in zip(data["firsts"], data["pieces"], strict=True):
        piece, start = unpacked(packed), len(data["lines"])
        assert first == len(data["decisions"])
        data["lines"] += piece["lines"]
        data["decisions"] += [_moved(entry, start) for entry in piece["decisions"]]
    for entry, row in zip(data["decisions"], unpacked(data["list"]), strict=True):
        entry |= dict(zip(("title", "labels", "brief", "outcome"), row, strict=True))

    def whole(ranges):
        pairs = zip(ranges[::2], ranges[1::2], strict=True)
        return "\n".join(line for first, count in pairs for line in data["lines"][first : first + count])

    for entry in data["decisions"]:
        entry["labels"] = dict(zip(data["names"], entry["labels"], strict=True))
    return data, whole


def _moved(entry, start):
    """The entry with its ranges of lines moved by the number of lines before its piece."""

    def moved(ranges):
        return [each + start * (place % 2 == 0) for place, each in enumerate(ranges)]

    if "reasoning" in entry:
        entry["reasoning"] = moved(entry["reasoning"])
    for pairs in (entry.get("notes", []), *(call.get("messages", []) for call in entry.get("calls", []))):
        for pair in pairs:
            pair[1] = moved(pair[1])
    for call in entry.get("calls", []):
        if "reply" in call:
            call["reply"] = moved(call["reply"])
    return entry
