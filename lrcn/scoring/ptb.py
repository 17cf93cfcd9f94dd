"""Tokens for scoring captions, as the COCO evaluation makes them.

The COCO evaluation hands captions to the Stanford tokenizer of the Penn Treebank, in lower case,
and drops a list of punctuation marks. That tokenizer is a Java program. This module follows its
rules as far as captions need them: contractions are split (do n't, it 's, gon na), hyphens,
slashes and underscores stay inside words, numbers keep their commas, points and colons,
abbreviations their full stop. Two habits that look like mistakes are kept because they change
scores: brackets survive as -lrb- and -rrb- (the dropped list has them in capitals only, after
lower-casing), and runs such as "!!" survive too (the list has single marks only).
"""

from __future__ import annotations

import re
import unicodedata

_LETTER = r"[^\W\d_]"
_ALNUM = r"[^\W_]"
_END = r"(?!\w)"

DROPPED = frozenset(["''", "'", "``", "`", ".", "?", "!", ",", ":", "-", "--", "...", ";"])


def _any(words: str) -> str:
    return f"(?:{'|'.join(words.split())})"


# Words that keep a full stop at their end, in any case; single letters do too ("vitamin c.").
_ABBREVIATIONS = _any("""
    adj adm adv al ala apr ariz assn assoc aug ave bhd bldg blvd brig bros calif capt cf cie cmdr co
    col colo comdr conn corp cos cpl ct dak dec dept det dr drs ens esq est etc ext feb fla fri ft
    ga gen gov hon inc ind insp intl jan jos jr jul jun kan ky lieut lt ltd maj mar md messrs mfg
    mich minn mme mo mon mont mr mrs ms mt mtg natl neb nev nov oct okla penn pfc ph plc pres prof
    pte pty pvt rd rep rev rt sen sep sept seq sfc sgt spc sq sr st ste supt sys tel tenn thu thurs
    tue tues univ va vs vt wed wis wisc wm wyo
""")
_CAPITAL_ABBREVIATIONS = _any("Ark Az Del Ill La Mass Miss Ore Pa Tex Wash")
_BEFORE_NUMBERS = _any("art ca fig figs no nos op pp prop")

# After a letter and a full stop these, capitalised, begin a sentence: no initial, no full stop.
_STARTERS = _any("""
    a about according additionally after an as at but he her here however if in it last many more
    now once one other our she since so some such that the their then there these they this we
    what when while yet you
""")
_SENTENCE = rf"(?=\s+(?-i:[A-Z]))(?=\s+{_STARTERS}{_END})"

_ELISIONS = r"(?:ol'(?!\w)|y'(?=\w)|e'er|ne'er|ma'am|s'mores|c'mon|[dljno]'LETTER{2,})"
_LEADING = r"(?:'n|'em|'till?|'cause|'[2-9]0s|'(?:[smd]|re|ve|ll))"

# The first rule that fits is taken, so the longer of two readings stands first.
_RULES = [
    r"https?://[^\s\"<>]*[^\s\"<>.,;:!?')]|www\.[^\s\"<>]*[^\s\"<>.,;:!?')]",
    r"\w[\w.+-]{0,63}@[\w-]+(?:\.[\w-]+)*",
    r"</?[a-z][^<>\s]*>",
    rf"{_ELISIONS}|(?-i:[A-HJ-XZ]'LETTER{{2,}})",
    rf"''|'n'|{_LEADING}{_END}|'t(?=is|was)",
    rf"n't{_END}|LETTER+(?=n't{_END})",
    rf"(?:gon|wan)(?=na{_END})|got(?=ta{_END})|can(?=not{_END})|(?:gim|lem)(?=me{_END})",
    rf"(?:LETTER\.)+LETTER\.{_END}|ph\.d\.{_END}",
    rf"{_BEFORE_NUMBERS}\.(?=\s*\d)",
    rf"(?:{_ABBREVIATIONS}|(?-i:{_CAPITAL_ABBREVIATIONS}))\.(?!-?LETTER)",
    rf"LETTER\.(?!-?LETTER)(?!{_SENTENCE})",
    r"ALNUM+(?:[-/_]ALNUM+)*\.(?=[,;:])",
    r"(?-i:[A-Z]+(?:&[A-Z]+)+)",
    r"LETTER+(?:\.-?LETTER+)+|LETTER+[!?]LETTER+",
    r"[-+]?\d+(?:[.,:]\d+)+(?:-ALNUM+(?:[-/]ALNUM+)*)?",
    r"ALNUM+(?:[-/_]ALNUM+)*",
    r"[-+.,]\d+(?:[.,:]\d+)*",
    r"[#@]LETTER\w*",
    r"[:;=]-?[()]",
    r"\.\.\.|--+|[!?]+|\*+|_+|@+|\S",
]
_TOKEN = re.compile(
    "|".join(rule.replace("LETTER", _LETTER).replace("ALNUM", _ALNUM) for rule in _RULES),
    re.IGNORECASE,
)
# By far the most tokens are letters between spaces; they need none of the rules above.
_PLAIN = re.compile(rf"{_LETTER}+(?:\s|$)")
_SPLIT_WORDS = frozenset(["gonna", "wanna", "gotta", "cannot", "gimme", "lemme"])

_BEFORE = str.maketrans(
    {
        **dict.fromkeys("\u2018\u2019\u201b", "'"),
        **dict.fromkeys("\u201c\u201d\u00ab\u00bb", '"'),
        **dict.fromkeys("\u2010\u2011", "-"),
        **dict.fromkeys("\u2012\u2013\u2014\u2015", " -- "),
        "\u2026": " ... ",
        "\u00bc": " 1/4 ",
        "\u00bd": " 1/2 ",
        "\u00be": " 3/4 ",
        "\u00ad": None,
        **dict.fromkeys("\ufeff\u200b", " "),
    }
)
_PICTURES = re.compile("[\ufe0f\U00010000-\U0010ffff]")  # what the Java program drops
_ENTITIES = {"&amp;": "&", "&lt;": "<", "&gt;": ">", "&quot;": '"', "&apos;": "'"}
_ENTITY = re.compile("|".join(_ENTITIES), re.IGNORECASE)
_AFTER = str.maketrans(
    {
        "(": "-lrb-",
        ")": "-rrb-",
        "[": "-lsb-",
        "]": "-rsb-",
        "{": "-lcb-",
        "}": "-rcb-",
        "\u00a3": "#",
        "\u20ac": "$",
        "\u00a4": "$",
        "\u00a2": "cents",
        '"': "''",
    }
)


def ptb_tokenise(text: str) -> list[str]:
    """Returns the tokens of a caption in lower case, without punctuation.

    Args:
        text: A caption as it was written; line breaks count as spaces.
    """
    if "&" in text:
        text = _ENTITY.sub(lambda found: _ENTITIES[found[0].lower()], text)
    if not text.isascii():
        composed = unicodedata.normalize("NFC", text)
        text = _PICTURES.sub(" ", composed.translate(_BEFORE))
    return [token for token in map(_finished, _pieces(text)) if token not in DROPPED]


def _pieces(text: str) -> list[str]:
    pieces, place = [], 0
    text = " ".join(text.split())
    while place < len(text):
        if text[place] == " ":
            place += 1
            continue
        found = _PLAIN.match(text, place)
        if not found or found[0].strip().lower() in _SPLIT_WORDS:
            found = _TOKEN.match(text, place)
        pieces.append(found[0].strip())
        place = found.end()
    return pieces


def _finished(piece: str) -> str:
    lower = piece.lower()
    return lower if lower.isalnum() else _dashes(lower.translate(_AFTER))


def _dashes(token: str) -> str:
    return "--" if token.startswith("--") and not token.strip("-") else token
