"""What every answer says about the publication that it was read from."""

from datetime import date, datetime

from pydantic import AwareDatetime, BaseModel, Field

from api.paging import PagePlace

AS_OF = date(2026, 1, 31)
PUBLISHED_AT = datetime.fromisoformat("2026-01-31T12:00:04.512+00:00")

# As arguments of json_build_object, over `marts.publication as publication`.
META_SQL = (
    "'as_of', publication.as_of, 'generation', publication.generation, 'published_at', publication.published_at, "
    "'refreshed_at', publication.refreshed_at"
)


class Meta(BaseModel):
    """The publication behind an answer."""

    as_of: date = Field(description="The day the scores are for, in the reporting zone.", examples=[AS_OF])
    generation: int = Field(description="Number of the publication; every run adds one.", examples=[412])
    published_at: AwareDatetime = Field(description="When the run finished.", examples=[PUBLISHED_AT])
    refreshed_at: AwareDatetime = Field(
        description="When scores last changed, by the run or by a later post.", examples=[PUBLISHED_AT]
    )


class PageMeta(PagePlace, Meta):
    """The publication behind a list, and the position of the page."""


class NoParameters(BaseModel, extra="forbid"):
    """For routes without query parameters: any parameter is a mistake, and mistakes are not ignored."""
