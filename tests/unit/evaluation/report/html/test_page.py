"""The frame of a page, and the policy that names its own script and style."""

from __future__ import annotations

import base64
import hashlib
import re

from copilot_server.evaluation.report.html.page import page


def test_the_policy_names_the_script_and_the_style_by_their_hashes():
    made = page("A title", "<p>A body</p>")
    for tag, kind in (("style", "style-src"), ("script", "script-src")):
        (text,) = re.findall(f"<{tag}>(.*?)</{tag}>", made, re.DOTALL)
        digest = base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()
        assert f"{kind} 'sha256-{digest}'" in made
    assert "<main><p>A body</p></main>" in made


def test_the_title_is_text():
    made = page("</title><script>", "")
    assert "<title>&lt;/title&gt;&lt;script&gt;</title>" in made
