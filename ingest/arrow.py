"""Arrow's types and compute functions as the loader uses them."""

from typing import Any, TypeAlias

import pyarrow.compute

# A column of any type: the class is generic for type checkers only.
ArrowColumn: TypeAlias = "pyarrow.Array[Any]"

# The published type stubs reject valid calls, such as comparing a column with a Python number.
compute: Any = pyarrow.compute
