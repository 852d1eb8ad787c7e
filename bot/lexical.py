"""Words: tokens, stems, BM25 and the repair of misspelt words against the guide's vocabulary.

Takes plain text, gives terms (stems of content words) and scores. Knows nothing of vectors.
"""

import math
import re
import unicodedata
from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from functools import cache, lru_cache

import numpy as np
import numpy.typing as npt
import snowballstemmer
from rapidfuzz import process
from rapidfuzz.distance import OSA
from spellchecker import SpellChecker

from bot.phrases import short_forms, word_list

__all__ = ["BM25", "STOPWORDS", "Speller", "content_words", "is_english", "stem", "terms", "words"]

K1 = 1.2  # usual values (Robertson and Zaragoza 2009, section 3.2); short passages do not reward tuning
B = 0.75
MIN_REPAIR_LETTERS = 4  # shorter words have too many neighbours
LONG_WORD_LETTERS = 8  # from here on two slips are repaired
MIDDLE_WORD_LETTERS = 6  # from here on too, where the first and the last letter are right ("minits")
MIN_HALF_LETTERS = 3  # of a word written together ("birddog")

STOPWORDS = frozenset(word_list("stop"))
QUESTION_WORDS = word_list("question")
SHORT_FORMS = short_forms()

_WORD = re.compile(r"[a-z0-9]+(?:'[a-z]+)?")
_stemmer = snowballstemmer.stemmer("english")


def words(text: str) -> list[str]:
    """Split text into lower-case words without accents; hyphens separate, apostrophes are dropped."""
    plain = unicodedata.normalize("NFKD", text.casefold().replace("’", "'"))
    plain = "".join(c for c in plain if not unicodedata.combining(c))
    return [word.replace("'", "") for word in _WORD.findall(plain)]


@lru_cache(maxsize=50_000)
def stem(word: str) -> str:
    """Cut a lower-case English word to its stem (Snowball, "Porter 2")."""
    return str(_stemmer.stemWord(word))


def content_words(text: str) -> list[str]:
    """Split text into words and leave out those that say nothing about the topic."""
    return [word for word in words(text) if word not in STOPWORDS]


def terms(text: str) -> list[str]:
    """Give the stems of the content words of a text, in order."""
    return [stem(word) for word in content_words(text)]


class BM25:
    """Okapi BM25 over documents given as lists of terms.

    score(d, q) = sum over t in q of idf(t) * tf * (k1 + 1) / (tf + k1 * (1 - b + b * |d| / avgdl)),
    idf(t) = ln(1 + (N - n + 0.5) / (n + 0.5)), with tf the count of t in d, |d| the length of d, avgdl
    the mean length, N the number of documents, n those that hold t (Robertson and Zaragoza 2009,
    "The Probabilistic Relevance Framework", with the idf of Lucene, which is never negative).
    """

    def __init__(self, documents: Sequence[Sequence[str]]) -> None:
        self.size = len(documents)
        lengths = np.array([len(document) for document in documents], dtype=np.float32)
        mean = float(lengths.mean()) if self.size and lengths.sum() else 1.0
        norms = K1 * (1 - B + B * lengths / mean)
        postings: dict[str, list[tuple[int, int]]] = {}
        for row, document in enumerate(documents):
            for term, count in Counter(document).items():
                postings.setdefault(term, []).append((row, count))
        self._idf = {term: self._inverse_frequency(len(rows)) for term, rows in postings.items()}
        self._postings: dict[str, tuple[npt.NDArray[np.int64], npt.NDArray[np.float32]]] = {}
        for term, items in postings.items():
            rows = np.array([row for row, _ in items], dtype=np.int64)
            tf = np.array([count for _, count in items], dtype=np.float32)
            weights = self._idf[term] * tf * (K1 + 1) / (tf + norms[rows])
            self._postings[term] = (rows, weights.astype(np.float32))

    def _inverse_frequency(self, documents_with_term: int) -> float:
        return math.log(1 + (self.size - documents_with_term + 0.5) / (documents_with_term + 0.5))

    def idf(self, term: str) -> float:
        """How much a term tells; a term that no document holds tells most."""
        return self._idf.get(term, self._inverse_frequency(0))

    def document_count(self, term: str) -> int:
        """Count the documents that hold a term."""
        return len(self._postings[term][0]) if term in self._postings else 0

    def __contains__(self, term: str) -> bool:
        return term in self._postings

    def scores(self, query: Iterable[str]) -> npt.NDArray[np.float32]:
        """Score every document, shape (documents,); 0.0 where no term is shared."""
        total = np.zeros(self.size, dtype=np.float32)
        for term in set(query):
            if term in self._postings:
                rows, weights = self._postings[term]
                total[rows] += weights
        return total


@cache
def _dictionary() -> SpellChecker:
    return SpellChecker(language="en")


def is_english(word: str) -> bool:
    """Tell whether a lower-case word stands in a dictionary of English, slang of it included."""
    return word in _dictionary()


class Speller:
    """Repairs words that are no English words toward the nearest word of the guide.

    Short forms of chats and the commonest misspellings are spelt out ("wat" what, "dose" does where the
    guide has no dose). False positives: a name or a rare word that is one slip from a word of the guide is
    changed to it (a brand "Stretcho" becomes "stretch").

    :param vocabulary: Words of the guide, lower case, with their counts.
    :param is_known: Tells whether a lower-case word is an ordinary English word.
    """

    def __init__(self, vocabulary: Counter[str], is_known: Callable[[str], bool]) -> None:
        self._vocabulary = vocabulary
        singulars = {word[:-1] for word in vocabulary if word.endswith("s") and not word.endswith("ss")}
        choices = {*vocabulary, *QUESTION_WORDS, *singulars}
        self._stems = {stem(word) for word in choices}
        self._choices = sorted(word for word in choices if len(word) >= MIN_REPAIR_LETTERS)
        self._is_known = is_known

    def repair_word(self, word: str) -> str:
        """Give the word of the guide that was meant, two words where two were run together, or the word."""
        if word in SHORT_FORMS and word not in self._vocabulary:
            return SHORT_FORMS[word]
        if self._is_right(word):
            return word
        return self._split(word) or self._nearest(word) or word

    def _is_right(self, word: str) -> bool:
        return (
            len(word) < MIN_REPAIR_LETTERS
            or word in STOPWORDS
            or word in self._vocabulary
            or stem(word) in self._stems
            or any(c.isdigit() for c in word)
            or self._is_known(word)
        )

    def _split(self, word: str) -> str:
        for at in range(MIN_HALF_LETTERS, len(word) - MIN_HALF_LETTERS + 1):
            if word[:at] in self._vocabulary and word[at:] in self._vocabulary:
                return f"{word[:at]} {word[at:]}"
        return ""

    def _nearest(self, word: str) -> str:
        slips = 2 if len(word) >= MIDDLE_WORD_LETTERS else 1
        near = process.extract(word, self._choices, scorer=OSA.distance, score_cutoff=slips, limit=20)
        is_long = len(word) >= LONG_WORD_LETTERS
        found = [
            item
            for item in near
            if item[1] < 2 or is_long or (item[0][0], item[0][-1]) == (word[0], word[-1])
        ]
        # The first letter is seldom wrong; then fewest slips, then the guide's more frequent word.
        best = sorted(
            found, key=lambda item: (item[0][0] != word[0], item[1], -self._vocabulary[item[0]], item[0])
        )
        return best[0][0] if best else ""

    def repair(self, text: str) -> str:
        """Repair every word of a text; what needs no repair stays as it was typed."""

        def fix(match: re.Match[str]) -> str:
            word = match[0].casefold()
            repaired = self.repair_word(word)
            return match[0] if repaired == word else repaired

        return re.sub(r"[A-Za-z][A-Za-z0-9]*", fix, text)
