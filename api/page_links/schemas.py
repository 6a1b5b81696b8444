"""What the endpoints of page links give."""

from pydantic import AwareDatetime, BaseModel, Field


class PageLink(BaseModel):
    """A link to a tutor's own page. It cannot be had again."""

    url: str = Field(
        description="Opens the page without a log-in. Give it to the tutor only.",
        examples=["https://quality.example.org/my/open#token=…"],
    )
    expires_at: AwareDatetime = Field(description="Until when it opens the page.")


class PageLinkResponse(BaseModel):
    """A new link."""

    data: PageLink
