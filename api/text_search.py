"""Search that ignores accents and case."""

# Letters that Unicode does not take apart into a plain one and a mark.
_PLAIN = "translate({}, 'łøđħıŧ', 'lodhit')"
# Of a UUID, as the dashboard shows it where no external id was delivered. With fewer characters, a search for "Ada" or
# "1043" would find strangers.
SHORTEST_ID = 8
SEARCHED = (
    "Part of the name or the external id, ignoring accents and case; or the beginning of the UUID, from "
    f"{SHORTEST_ID} characters on."
)
_MARKS = r"[\u0300-\u036f]"


def folded(expression: str) -> str:
    """SQL of a text without accents and capitals: `Çelik` is `celik`, `Großmann` is `grossmann`."""
    bare = _PLAIN.format(f"regexp_replace(lower(normalize({expression}, nfkd)), '{_MARKS}', '', 'g')")
    return f"replace(replace(replace({bare}, 'ß', 'ss'), 'æ', 'ae'), 'œ', 'oe')"


def matches(table: str, key: str, parameter: str) -> str:
    """SQL: the name or the external id of a person holds the parameter, or the UUID begins with it. It may be null."""
    wanted = folded(f"{parameter}::text")
    return f"""(
    {parameter}::text is null
    or strpos({folded(f"{table}.name")}, {wanted}) > 0
    or strpos({folded(f"{table}.external_id")}, {wanted}) > 0
    or length({parameter}::text) >= {SHORTEST_ID} and starts_with({table}.{key}::text, lower({parameter}::text))
)"""
