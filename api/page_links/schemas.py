"""What the endpoints of page links give."""

from pydantic import AwareDatetime, BaseModel, Field


class PageLink(BaseModel):
    """A link to a tutor's own page. It is shown only once."""

    url: str = Field(
        description="Opens the page without a log-in. Give it only to the tutor.",
        examples=["https://quality.example.org/my/open#token=…"],
    )
    expires_at: AwareDatetime = Field(description="When it expires.")


class PageLinkResponse(BaseModel):
    """A new link."""

    data: PageLink
