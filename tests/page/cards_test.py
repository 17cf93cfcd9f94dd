import html
import re

import pytest

from lrcn import errors
from lrcn.page import answers, cards, looking

from . import conftest

BOUNDS = looking.Bounds(120.0)


def plain(text):
    """Returns what is read of a piece of HTML."""
    return " ".join(html.unescape(re.sub(r"<[^>]+>", " ", text)).split())


def of_file(path, *networks):
    seen = looking.look(path, BOUNDS)
    return cards.answered(seen, networks, [network.tell(seen.item) for network in networks])


def test_an_answer_shows_label_bars_course_and_frames(classifier):
    text = of_file(conftest.VIDEO, classifier)
    line = classifier.tell(looking.look(conftest.VIDEO, BOUNDS).item).line
    assert 'data-state="done"' in text
    assert text.count("<polyline") == 3 and text.count("<img") == looking.MOST_PICTURES
    read = plain(text)
    assert f"{line['label']} {line['probability']:.0%}".replace("%", " %") in read
    assert "64 × 48, 2 seconds, 20 frames" in read
    assert "mean of 4 windows of 8 frames" in read


def test_names_of_strangers_stay_text(classifier, tmp_path):
    path = tmp_path / "<img src=x onerror=alert(1)>.mp4"
    path.write_bytes(conftest.VIDEO.read_bytes())
    text = of_file(path, classifier)
    assert "<b>up" not in text and "&lt;b&gt;up &amp; down&lt;/b&gt;" in text
    assert "<img src=x" not in text
    error = errors.UserError("<i>", where="x", received="<script>", expected="&", remedy="<u>")
    said = cards.refused(error, name="<p>")
    assert "<script>" not in said and "<i>" not in said and "<u>" not in said
    assert plain(said) == "<p>: <i>. Received <script> Expected & <u>."


def test_a_caption_shows_the_probability_of_each_word(captioner):
    text = of_file(conftest.IMAGE, captioner)
    told = captioner.tell(looking.look(conftest.IMAGE, BOUNDS).item)
    assert text.count("<small>") == len(told.words)
    assert 'class="lrcn-image"' in text
    assert f'aria-label="{told.line["caption"]}"' in text


def test_runs_stand_beside_each_other_and_one_is_at_work_at_a_time(classifier, captioner):
    seen = looking.look(conftest.VIDEO, BOUNDS)
    both = (classifier, captioner)
    before = cards.answered(seen, both, [])
    assert 'data-state="busy"' in before
    assert before.index("at work") < before.index("next")
    after = cards.answered(seen, both, [answers.Told(problem=_problem())])
    assert "no good." in plain(after) and 'data-state="busy"' in after and "at work" in after
    assert 'data-state="done"' in of_file(conftest.VIDEO, *both)


def _problem():
    return errors.UserError("no good", where="x", received="r", expected="e", remedy="m")


def test_what_stands_above_tells_of_runs_that_did_not_end(classifier):
    other = answers.Network("b", "tiny", "training failed: x", classifier.predictor)
    taken = {"most_bytes": 200_000_000, "seconds": 120.0}
    text = cards.head([classifier, other], **taken)
    assert "A file of up to 200 MB, a video of up to 120 s." in plain(text)
    assert "These networks answer" in plain(text)
    assert "<em>training failed: x</em>" in text
    assert "This network answers" in plain(cards.head([classifier], **taken))


@pytest.mark.parametrize("part", [cards.script(5), cards.style(), cards.large(5 * 10**6)])
def test_nothing_is_fetched_from_elsewhere(part):
    assert not re.search(r"https?:|url\(|@import|src=", part)


def test_the_largest_size_is_told_and_held_against(classifier):
    assert "at most 5 MB" in plain(cards.large(5 * 10**6))
    assert "const most = 5000000;" in cards.script(5 * 10**6)
    assert "looking at it" in cards.waiting("a.mp4")
