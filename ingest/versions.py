"""Which version of a row wins, as SQL: decided here alone.

The order of arrival never changes what is stored, because "wins" is a total order of versions: newest `version` of the
contract, then more filled fields, then the larger content. Only an override, which is audited, stands outside of it.
"""

from ingest.contract import Column, Entity


class VersionSql:
    """Comparisons of two rows of one entity, named by aliases, with the columns that one file has."""

    def __init__(self, entity: Entity, columns: list[Column], *, overrides: bool) -> None:
        self._entity = entity
        self._overrides = overrides and entity.is_versioned
        self._content = [column.name for column in columns if column.name != entity.key]
        # The external id of a session belongs to its version; that of a tutor is kept once it is known.
        if entity.is_versioned and entity.has_external_id:
            self._content.insert(0, "external_id")

    def _row(self, alias: str) -> list[str]:
        return [f"{alias}.{name}" for name in self._content]

    def _differs(self, left: str, right: str) -> str:
        if not self._content:
            return "false"
        return f"row({', '.join(self._row(left))}) is distinct from row({', '.join(self._row(right))})"

    def _filled(self, alias: str) -> str:
        return f"num_nonnulls({', '.join(self._row(alias))})" if self._content else "0"

    def _canonical(self, alias: str) -> str:
        return f"jsonb_build_array({', '.join(self._row(alias))})"

    def _is_same_version(self, left: str, right: str) -> str:
        pairs = [
            f"{version.format(r=left)} is not distinct from {version.format(r=right)}"
            for version in self._entity.version
        ]
        return " and ".join(pairs) or "true"

    def _changes(self, incoming: str, stored: str) -> str:
        """Whether `incoming` has to replace `stored`; the costly comparisons come last."""
        if not self._entity.is_versioned:
            return (
                f"({stored}.is_stub or {self._differs(incoming, stored)} "
                f"or ({stored}.external_id is null and {incoming}.external_id is not null))"
            )
        branches = []
        for version in self._entity.version:
            left, right = version.format(r=incoming), version.format(r=stored)
            branches.append(f"when {left} is distinct from {right} then {right} is null or {left} > {right}")
        return f"""
            case
                {" ".join(branches)}
                when not ({self._differs(incoming, stored)}) then false
                when {self._filled(incoming)} <> {self._filled(stored)}
                    then {self._filled(incoming)} > {self._filled(stored)}
                else {self._canonical(incoming)} > {self._canonical(stored)}
            end
        """

    def _contradicts(self, incoming: str, stored: str) -> str:
        """Whether both are as new, and `stored` says something else.

        A version that only fills empty fields contradicts nothing.
        """
        others = " or ".join(
            f"({stored}.{name} is not null and {stored}.{name} is distinct from {incoming}.{name})"
            for name in self._content
        )
        return f"{self._is_same_version(incoming, stored)} and ({others})"

    def _overrules(self, incoming: str, stored: str) -> str:
        """Whether `incoming` wins without being newer than `stored`, which it contradicts."""
        if not self._entity.is_versioned:
            return "false"
        return f"{self._contradicts(incoming, stored)} and coalesce({self._changes(incoming, stored)}, false)"

    def _replaces(self, incoming: str, stored: str) -> str:
        """Whether `incoming` is written over `stored`: because it wins, or because it overrides."""
        return self._differs(incoming, stored) if self._overrides else self._changes(incoming, stored)

    def _would_lose(self, incoming: str, stored: str) -> str:
        """Whether `incoming` says something else than `stored`, and does not win by itself."""
        return f"({self._differs(incoming, stored)} and not coalesce({self._changes(incoming, stored)}, false))"

    def _is_older(self, incoming: str, stored: str) -> str:
        """Whether `incoming` is an older version than `stored`, whatever it says."""
        branches = []
        for version in self._entity.version:
            left, right = version.format(r=incoming), version.format(r=stored)
            branches.append(f"when {left} is distinct from {right} then {left} is null or {left} < {right}")
        return f"coalesce(case {' '.join(branches)} end, false)" if branches else "false"
