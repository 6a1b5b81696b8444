"""In which encoding a text file is written."""

import re
from itertools import islice

from core.errors import TutorqError
from ingest.notes import SHOWN_EXAMPLES, Notes

_UTF32_MARKS = (b"\xff\xfe\0\0", b"\0\0\xfe\xff")
# A header is ASCII: in UTF-16 without a mark, every other one of its bytes is NUL.
_LOOKED_AT_BYTES = 32

SAVE_AS_UTF8 = 'save it as UTF-8 (in Excel: "CSV UTF-8")'

_LETTER = "A-Za-zÀ-ÖØ-öø-ÿŠšŽžŒœŸ"
_CONSONANT = "b-df-hj-np-tv-xzB-DF-HJ-NP-TV-XZ"
# What the languages that are written in CP1252 do not have, and what names in other encodings turn into.
_DOUBTS = re.compile(
    "|".join(
        (
            # Greek, Cyrillic, Hebrew
            r"[À-ÖØ-öø-ÿ]{3,}",
            r"(?<!\w)ß",
            # DOS, Macintosh: signs and capitals inside words
            rf"(?<=[{_LETTER}])[¡-³¶¸-¿×÷ƒˆ˜‰†‡‚„“”€](?=[{_LETTER}])",
            rf"(?<=[{_LETTER}])[‚„‘§©](?!\w)|[‚„](?=[a-z])|[ƒ©®](?=[{_LETTER}])|[†‡ˆ˜‰‹›]",
            rf"(?<=[A-Z])[ŸŽŒ](?=[a-z])|(?<=[a-z])[ŸŽŒŠÀ-ÖØ-Þ]|(?<=[a-zœ])–(?=[a-z])|ç(?=[{_CONSONANT}])",
            rf"(?<=[{_CONSONANT}])š(?=[{_CONSONANT}])",
            # Polish, Czech, Croatian, Hungarian, Romanian
            r"[£¥¦§¯ªº¼¾³¹±¶](?=[a-zà-ÿ])|(?<=[a-ln-zà-ÿ])[³¹¿]|œ(?=[^uieUIE\W])|Œ(?=[^uieUIE\W])",
            rf"ñ(?=[{_CONSONANT}])|(?<=[aeiouyáéíóúý])[øæ]|ø(?=[áéíóú])|(?<=[aeuáíóúý])è|(?<=[{_LETTER}])ì(?=[{_LETTER}])",
            r"[õÕ](?![eE])|û(?=c(?!h)|[zgjvk])|[ãÃ](?=[b-df-hj-np-rt-z])",
            # Turkish
            r"[þðýÞÐÝ]",
        )
    )
)
_WORD_WITH_OTHERS = re.compile(rf"[{_LETTER}'’. -]{{0,40}}[^\x00-\x7f][{_LETTER}'’. -]{{0,40}}")
_SEQUENCES = re.compile(r"[^\x00-\x7f\udc80-\udcff]")
_STRAY_BYTES = re.compile(r"[\udc80-\udcff]")
# Beside a letter or one another, or what stands by itself (€, …, dashes, the space that does not break, °, à, è, é).
# Any other lone byte is a broken one, and FF is what broken ones often are.
_LETTERS_OF_ANOTHER = re.compile(
    r"(?<=[A-Za-z\udc80-\udcfe])[\udc80-\udcfe]|[\udc80-\udcfe](?=[A-Za-z\udc80-\udcfe])"
    r"|[\udc80\udc85\udc96\udc97\udca0\udcb0\udce0\udce8\udce9]"
)


def encoding_of_start(source: str, sample: bytes, notes: Notes) -> str:
    """The encoding of a file that begins with these bytes, as in `Form`.

    Raises:
        TutorqError: it is none of UTF-8, UTF-16 and CP1252, or which one is in doubt.
    """
    if sample.startswith(_UTF32_MARKS):
        raise TutorqError(f"{source} is UTF-32; {SAVE_AS_UTF8}")
    if sample.startswith((b"\xff\xfe", b"\xfe\xff")):
        notes.add("understood", "read as UTF-16")
        return "utf-16"
    start = sample[: min(_LOOKED_AT_BYTES, len(sample) // 2 * 2)]
    for encoding, text, nul in (("utf-16-le", start[::2], start[1::2]), ("utf-16-be", start[1::2], start[::2])):
        if len(nul) > 1 and not any(nul) and all(text):
            notes.add("understood", "read as UTF-16, though it does not begin with the mark of it")
            return encoding
    return encoding_of(source, sample, notes)


def encoding_of(source: str, block: bytes, notes: Notes) -> str:
    """The encoding of whole lines after nothing but ASCII: `ascii`, `utf-8` or `cp1252`.

    UTF-8 with some broken bytes stays UTF-8: their rows go to quarantine.

    Raises:
        TutorqError: it is none of these, or which one is in doubt.
    """
    if block.isascii():
        return "ascii"
    text = block.decode("utf-8", "surrogateescape")
    stray = len(_STRAY_BYTES.findall(text))
    if stray <= len(_SEQUENCES.findall(text)) or not _LETTERS_OF_ANOTHER.search(text):
        return "utf-8"
    names = (found[0].strip(" .-'\xa0") for found in _WORD_WITH_OTHERS.finditer(decode_cp1252(source, block)))
    text = "read as CP1252 (Windows), because it is not UTF-8; letters to look at"
    notes.add("guessed", text, stray, islice(filter(None, names), SHOWN_EXAMPLES))
    return "cp1252"


def decode_cp1252(source: str, block: bytes) -> str:
    """
    Raises:
        TutorqError: it may be another encoding of one byte per letter.
    """
    try:
        text = block.decode("cp1252")
    except UnicodeDecodeError:
        raise TutorqError(f"{source} is neither UTF-8 nor CP1252; {SAVE_AS_UTF8}") from None
    if _DOUBTS.search(" ".join({word for word in text.split() if not word.isascii()})):
        raise TutorqError(f"{source} is not UTF-8, and which encoding it is cannot be told for sure; {SAVE_AS_UTF8}")
    return text
