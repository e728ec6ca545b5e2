"""What in a request may be the value of an argument: quoted text, what follows a colon, names, numbers, times, runs of content words.

English is assumed for the words that only hold a sentence together; what is quoted, capitalised, numbered or code is found in any language
that writes with spaces.
"""

from __future__ import annotations

import itertools
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Literal

Kind = Literal["quoted", "colon", "time", "name", "code", "words", "phrase"]


@dataclass(frozen=True, slots=True)
class Span:
    """A part of the request, from its start up to its end; ``before`` is the word that it follows, in lower case."""

    start: int
    end: int
    text: str
    kind: Kind
    before: str = ""


@dataclass(frozen=True, slots=True)
class Number:
    """A number in the request, with the words around it in lower case."""

    start: int
    end: int
    value: float
    around: tuple[str, ...]


_QUOTES = re.compile(r"\"([^\"]+)\"|“([^”]+)”|«([^»]+)»|(?<![\w])'(.+?)'(?!\w)|‘([^’]+)’|`([^`]+)`")
_WORD = re.compile(r"[^\s,;:!?\"“”«»()\[\]{}]+")
_CODE = re.compile(r"\w*(?:[\\/_@#]\w|\w\.\w|\d[-.]?[A-Za-z]|[A-Za-z]-?\d|\w-\d|\d-\w)[\w\\/.@#:-]*")
_DIGITS = re.compile(r"\+?\d[\d-]*")
_DAYS = "monday|tuesday|wednesday|thursday|friday|saturday|sunday"
_MONTHS = "january|february|march|april|may|june|july|august|september|october|november|december"
_PART = "morning|noon|afternoon|evening|night|midnight"
_CLOCK = r"\d{1,2}(?::\d\d)?\s?(?:am|pm|o'clock|h)\b|\d{1,2}:\d\d|(?:half past|quarter past|quarter to) \w+|noon|midnight"
_DATE = rf"\d{{4}}-\d\d-\d\d|(?:\d{{1,2}}(?:st|nd|rd|th)? (?:of )?)?(?:{_MONTHS})(?: \d{{1,2}}(?:st|nd|rd|th)?)?(?:,? \d{{4}})?"
_NEXT = rf"(?:next|this|last) (?:week|month|year|weekend|{_DAYS}|{_PART})"
_RELATIVE = rf"{_NEXT}|in \w+ (?:minutes?|hours?|days?|weeks?|months?)|the day after tomorrow"
_DAY = rf"(?:today|tomorrow|tonight|yesterday|{_DAYS})"
_WHEN = rf"(?:{_RELATIVE}|{_DAY}|{_DATE})(?: (?:{_PART}))?(?: at (?:{_CLOCK}|\d{{1,2}}))?"
_TIME = re.compile(rf"\b(?:{_WHEN}|(?:{_CLOCK})(?: (?:{_RELATIVE}|(?:on )?{_DAY}))?)\b", re.IGNORECASE)
_NUMBER = re.compile(
    r"(?<![\w.,/-])-?\d{1,3}(?:,\d{3})+(?:\.\d+)?(?![\w-])|(?<![\w./-])-?\d+(?:\.\d+)?(?=%|€|\b)(?![-/]?[A-Za-z_]|[-/.]\d)"
)
_UNITS = "zero one two three four five six seven eight nine ten eleven twelve thirteen fourteen fifteen sixteen seventeen eighteen nineteen"
_TENS = "twenty thirty forty fifty sixty seventy eighty ninety"
_NAMED = {word: float(value) for value, word in enumerate(_UNITS.split()) if value not in (0, 1)}
_NAMED |= {word: 10.0 * value for value, word in enumerate(_TENS.split(), start=2)}

FUNCTION_WORDS = frozenset(
    re.findall(
        r"\S+",
        """
    a an the this that these those some any every each all no more much many few i me my mine myself we us our you your he
    him his she her it its they them their who whom whose which what where when why how am is are was were be been being do
    does did done have has had having can could will would shall should may might must to of in on at by for from with
    without into onto over under about between through during before after against towards as per than like via near since
    until off out up down there here then and or but nor so if because while whether not please thanks thank kindly just also
    only really very too quite still yet already again now currently right moment tell show give find get got let make want
    wants need needs look looking know see ask say says said put take go goes going come would'd i'd i'm i've it's what's
    that's let's don't doesn't can't won't isn't aren't help hey hi hello ok okay good best one ones example called named written
    """,
    )
)
_REQUESTS = frozenset(
    re.findall(
        r"\S+",
        """
    add arrange ask attach bake book borrow bring build buy calculate call cancel change check clean close compare compute connect
    contact convert cook copy count create cut define delete deploy describe display do download draw drive explain fetch file
    fill filter find fix forward give heat help hire inform install invite join keep know launch learn leave list listen load lock
    log look mail make mark measure meet merge message move note notify open order paint paste pay plan play post print put reach
    read record register remind remove rename rent repair reply report reserve restore reverse ring route run save schedule search
    send set share show sign sort split start state stop store submit subscribe switch take teach tell test text track transfer
    translate try turn update upload use visit warn wash watch wire write
    """,
    )
)
"""Verbs that open a request."""

_POSSESSIVE = re.compile(r"['’]s$")
_PAUSE = re.compile(r"[,;:!?\"“”()]|\.\s")
_TITLES = frozenset({"Mr.", "Mrs.", "Ms.", "Dr.", "Prof.", "St.", "No."})
_INNER = frozenset({"of", "and", "the", "&", "de", "la", "von", "van"})
_LONGEST_NAME, _LONGEST_PART = 7, 3
_BEFORE_TIME = frozenset({"by", "at", "on", "for", "until", "from", "in"})
ARTICLES = frozenset({"my", "the", "our", "your", "his", "her", "their", "a", "an"})
_PHRASE_AFTER = frozenset({"to", "that", "saying", "says", "say", "about", "for", "of", "into", "with", "me", "is", "know"})


def numbers(text: str) -> list[Number]:
    """The numbers of a text, in digits or as words up to ninety."""
    found = [(match.start(), match.end(), float(match[0].replace(",", ""))) for match in _NUMBER.finditer(text)]
    words = list(_WORD.finditer(text))
    if not found:
        found = [(word.start(), word.end(), _NAMED[_plain(word[0])]) for word in words if _plain(word[0]) in _NAMED]
    return [Number(start, end, value, _around(text, words, start, end)) for start, end, value in found]


def _around(text: str, words: Sequence[re.Match[str]], start: int, end: int) -> tuple[str, ...]:
    before = [_plain(word[0]) for word in words if word.end() <= start][-2:]
    after = [_plain(word[0]) for word in words if word.start() >= end][:2]
    signs = {"%": "percent", "€": "euros", "$": "dollars", "£": "pounds"}
    touching = [signs[sign] for sign in (text[end : end + 1], text[start - 1 : start]) if sign in signs]
    return (*before, *touching, *after)


def _plain(word: str) -> str:
    return word.casefold().strip(".'’%")


def spans(text: str) -> list[Span]:
    """The candidates, in the text's order; some lie within others."""
    fixed = [*_quoted(text), *_times(text)]
    tail = _after_colon(text, fixed)
    found = [*fixed, *([tail] if tail else []), *(_before_time(text, tail, fixed) if tail else [])]
    taken = [span for span in found if span.kind in ("quoted", "time")]
    clauses = list(_clauses(text, taken))
    for words in clauses:
        found += _chunks(text, words)
        found += _phrases(text, words)
    unique: dict[tuple[int, int], Span] = {}
    for span in found:
        unique.setdefault((span.start, span.end), span)
    return sorted(unique.values(), key=lambda span: (span.start, -span.end))


def _quoted(text: str) -> Iterator[Span]:
    for match in _QUOTES.finditer(text):
        group = next(number for number in range(1, 7) if match[number] is not None)
        yield Span(match.start(group), match.end(group), match[group], "quoted", _before(text, match.start()))


def _times(text: str) -> Iterator[Span]:
    for match in _TIME.finditer(text):
        yield Span(match.start(), match.end(), match[0], "time", _before(text, match.start()))


def _after_colon(text: str, quoted: Sequence[Span]) -> Span | None:
    for match in re.finditer(r":\s+|:(?=[\"'“])", text):
        if any(span.start <= match.start() < span.end for span in quoted):
            continue
        start, end = match.end(), len(text.rstrip())
        body = text[start:end].rstrip(".!")
        inside = body.strip("\"'“”")
        if inside:
            at = start + body.index(inside)
            return Span(at, at + len(inside), inside, "colon", _before(text, match.start()))
    return None


def _before_time(text: str, tail: Span, fixed: Sequence[Span]) -> Iterator[Span]:
    """What follows a colon up to the time that is said after it."""
    for time in fixed:
        if time.kind == "time" and tail.start < time.start < tail.end:
            inside = re.sub(r"(?:[\s,;-]|\b(?:by|at|on|for|until|from|in)\b)+$", "", text[tail.start : time.start])
            if inside:
                yield Span(tail.start, tail.start + len(inside), inside, "colon", tail.before)


def _before(text: str, start: int) -> str:
    words = _WORD.findall(text[:start])
    return _plain(words[-1]) if words else ""


def _clauses(text: str, taken: Sequence[Span]) -> Iterator[list[re.Match[str]]]:
    """Runs of words without a pause between them, outside of what is taken already."""
    run: list[re.Match[str]] = []
    for word in _WORD.finditer(text):
        apart = run and _PAUSE.search(text[run[-1].end() - 1 : word.start()]) and not _abbreviated(run[-1][0])
        inside = any(span.start < word.end() and word.start() < span.end for span in taken)
        if run and (apart or inside):
            yield run
            run = []
        if not inside:
            run.append(word)
    if run:
        yield run


def _abbreviated(word: str) -> bool:
    return word in _TITLES or (len(word) == 2 and word[0].isupper() and word[1] == ".")


def _bounds(words: Sequence[re.Match[str]]) -> tuple[int, int]:
    """From the first word to the end of the last without a full stop, and without the s of a genitive."""
    last = words[-1]
    bare = _POSSESSIVE.sub("", last[0].rstrip(".'’")) or last[0]
    return words[0].start(), last.start() + len(bare)


def _span(text: str, words: Sequence[re.Match[str]], kind: Kind) -> Span:
    start, end = _bounds(words)
    return Span(start, end, text[start:end], kind, _before(text, start))


def _chunks(text: str, words: Sequence[re.Match[str]]) -> Iterator[Span]:
    """Runs of content words; those of names, also with little words within, and with an article before."""
    run: list[int] = []
    for at in range(len(words) + 1):
        content = at < len(words) and not _is_function(text, words[at])
        if content:
            run.append(at)
        elif run:
            yield from _variants(text, words, run)
            run = []
    yield from _names(text, words)


def _names(text: str, words: Sequence[re.Match[str]]) -> Iterator[Span]:
    """Names of which the little words within are a part."""
    capitals = [at for at, word in enumerate(words) if _capital(text, word)]
    for first, second in itertools.combinations(capitals, 2):
        inner = [word for word in words[first : second + 1] if not _capital(text, word)]
        if inner and not _opens(text, words[first]) and second - first < _LONGEST_NAME and all(_plain(word[0]) in _INNER for word in inner):
            yield _span(text, words[first : second + 1], "name")


def _variants(text: str, words: Sequence[re.Match[str]], run: Sequence[int]) -> Iterator[Span]:
    chosen = [words[at] for at in run]
    if run[0] and _plain(words[run[0] - 1][0]) in ARTICLES:
        for end in range(1, len(chosen) + 1):
            yield _span(text, [words[run[0] - 1], *chosen[:end]], "words")
    for start, end in itertools.combinations(range(len(chosen) + 1), 2):
        part = chosen[start:end]
        if start == 0 or end == len(chosen) or end - start <= _LONGEST_PART:
            yield _span(text, part, _kind(text, part))


def _kind(text: str, words: Sequence[re.Match[str]]) -> Kind:
    if all(_CODE.fullmatch(word[0].rstrip(".'")) or _DIGITS.fullmatch(word[0].rstrip(".")) for word in words):
        return "code"
    named = _capital(text, words[0]) and all(_capital(text, word) or word[0] == "&" or word[0][0].isdigit() for word in words)
    certain = not _opens(text, words[0]) or (len(words) > 1 and (_capital(text, words[1]) or words[0][0].isupper()))
    return "name" if named and certain else "words"


def _phrases(text: str, words: Sequence[re.Match[str]]) -> Iterator[Span]:
    """From after a word that opens a phrase to the end of the clause."""
    for at, word in enumerate(words[:-1]):
        rest = words[at + 1 :]
        while rest and _plain(rest[-1][0]) in _BEFORE_TIME:
            rest = rest[:-1]
        if _plain(word[0]) in _PHRASE_AFTER and len(rest) > 1:
            yield _span(text, rest, "phrase")


def _is_function(text: str, word: re.Match[str]) -> bool:
    plain, opens = _plain(word[0]), _opens(text, word)
    if plain in FUNCTION_WORDS:
        named = word[0][0].isupper() and not opens and word[0] != "I" and not word[0].startswith(("I'", "I’"))
        return not (named or (len(word[0]) > 1 and word[0].isupper()))
    return opens and plain in _REQUESTS


def _capital(text: str, word: re.Match[str]) -> bool:
    """Whether it is written with a capital, and not only because it is a little word that opens a sentence."""
    if not word[0][0].isupper() or word[0].startswith(("I'", "I’")) or word[0] == "I":
        return False
    return not (_opens(text, word) and _is_function(text, word))


def _opens(text: str, word: re.Match[str]) -> bool:
    """Whether it is the first word of a sentence."""
    lead = text[: word.start()].rstrip("\"'“‘ ")
    return not lead or lead[-1] in ".!?"
