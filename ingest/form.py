"""How a text file is written: its encoding, its delimiter, the line of its header."""

from dataclasses import dataclass


@dataclass(frozen=True)
class Form:
    """The form of a CSV file. `sniff` finds it out; whoever knows it gives it instead, and nothing is sniffed.

    `encoding` is a codec of Python; `ascii` says that nothing but ASCII was seen so far, and that the first other
    byte decides between UTF-8 and CP1252. `header_line` counts from 1. `decimal` is the decimal mark of numbers.
    """

    encoding: str = "utf-8"
    delimiter: str = ","
    header_line: int = 1
    decimal: str = "."
