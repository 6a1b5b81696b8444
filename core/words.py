"""Figures as sentences of the API and of mails have them."""


def plural(number: int, noun: str, many: str | None = None) -> str:
    """`1 session`, `1,204 sessions`; `many` is the plural of nouns that take more than an `s`."""
    return f"{number:,} {noun if number == 1 else many or f'{noun}s'}"


def percent(fraction: float | None) -> str:
    """`0.1234` -> `12%`; nothing that is not certain is shown as 0% or 100%, and small rates keep a digit."""
    if fraction is None:
        return "unknown"
    if 0 < fraction < 0.1:
        return "less than 0.1%" if fraction < 0.001 else f"{fraction:.1%}"
    return "more than 99%" if 0.99 < fraction < 1 else f"{fraction:.0%}"


def about(number: float) -> str:
    """An expected number, not finer than it is known: `about 14`, `less than 1`."""
    return "less than 1" if number < 0.5 else f"about {number:,.0f}"


def estimated(probability: float | None) -> str:
    """A probability as `percent` writes it; never certain, though floating point rounds it to 0 or 1."""
    return percent(None if probability is None else min(max(probability, 1e-9), 1 - 1e-9))
