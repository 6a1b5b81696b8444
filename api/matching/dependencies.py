"""What the endpoints of matching ask for."""

from typing import Annotated

from api.matching.assignments import Assignments
from api.matching.generation import Generation
from api.matching.pairs import Pairs
from api.state import from_state

AssignmentsDep = Annotated[Assignments, from_state("assignments")]
GenerationDep = Annotated[Generation, from_state("generation")]
PairsDep = Annotated[Pairs, from_state("pairs")]
