import base64
import hashlib

import pytest

from lrcn.report import pages


@pytest.mark.parametrize(
    ("value", "text"),
    [(1234, "1,234"), (0.5, "0.5000"), (True, "yes"), (None, "none"), ("a", "a")],
)
def test_numbers_are_rounded_and_counts_are_whole(value, text):
    assert pages.number(value) == text


def test_shares_are_percentages():
    assert pages.share(0.8237) == "82.4 %"
    assert pages.share(1, 0) == "100 %"


def test_the_policy_of_a_page_names_its_script_and_nothing_else(parse):
    empty = {"rows": [], "failed": [], "bars": [], "full": "1", "seeds": [], "same": {}, "keys": []}
    facts = {"title": "t", "metric": "m", "done": 0, "linked": 0, "example": "", "folder": ""}
    page = parse(pages.render("sweep.html.jinja", {**empty, **facts, "metrics": []}))
    script = page.source.partition("<script>")[2].partition("</script>")[0]
    digest = base64.b64encode(hashlib.sha256(script.encode()).digest()).decode()
    (policy,) = [a["content"] for a in page.all("meta") if "http-equiv" in a]
    assert f"script-src 'sha256-{digest}'" in policy
    assert "default-src 'none'" in policy and "img-src data:" in policy


def test_a_value_that_a_template_lacks_is_a_bug_and_no_gap():
    with pytest.raises(Exception, match="title"):
        pages.render("sweep.html.jinja", {})
