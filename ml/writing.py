"""Texts by a language model, over any API that speaks OpenAI's chat completions."""

import json
from typing import TYPE_CHECKING, Any, TypeVar

from ml.texts import TextTask, UnusableTextError

if TYPE_CHECKING:
    from openai import AsyncOpenAI

# Servers on one's own machine want no key, but the client wants one.
NO_KEY = "none"
OPENAI = "https://api.openai.com/v1"

Texts = TypeVar("Texts")


class WriterFailedError(Exception):
    """The language model did not answer; the text says why, without quoting what was sent or received."""


class TextWriter:
    """Asks one language model. Its answer is checked before it is given to anybody."""

    def __init__(self, client: "AsyncOpenAI", model: str, name: str) -> None:
        self._client = client
        self._model = model
        self.name = name

    async def write(self, task: TextTask[Texts]) -> Texts:
        """The texts that were asked for. Does not limit its time.

        Raises:
            WriterFailedError: there is no answer.
            UnusableTextError: there is one that must not be shown.
        """
        content = await self._complete(task)
        # Some put it between code fences, or words before it.
        start, end = content.find("{"), content.rfind("}")
        try:
            answer = json.loads(content[start : end + 1])
        except ValueError as error:
            raise UnusableTextError("not the JSON that was asked for") from error
        return task.read(answer)

    async def close(self) -> None:
        await self._client.close()

    async def _complete(self, task: TextTask[Any]) -> str:
        import openai
        from openai.types.chat import ChatCompletion

        try:
            # No further parameters: servers differ in which they know, and refuse those that they do not.
            completion: Any = await self._client.chat.completions.create(
                model=self._model,
                messages=[{"role": "system", "content": task.system}, {"role": "user", "content": task.facts}],
            )
        except openai.APIStatusError as error:
            raise WriterFailedError(f"status {error.status_code}") from error
        except (openai.OpenAIError, ValueError) as error:  # broken JSON is a ValueError
            raise WriterFailedError(type(error).__name__) from error
        # A body of another shape or type comes back unchecked.
        choices = completion.choices if isinstance(completion, ChatCompletion) else None
        message = getattr(choices[0], "message", None) if choices else None
        if message is None:
            raise WriterFailedError("no completion")
        if getattr(message, "refusal", None):
            raise UnusableTextError("refused")
        content = getattr(message, "content", None)
        if not isinstance(content, str) or not content.strip():
            raise UnusableTextError("empty")
        return content


def writer_name(*, base_url: str | None, api_key: str | None, model: str) -> str | None:
    """Which model writes, and where: texts of another are other texts. None if neither an address nor a key is set."""
    return None if base_url is None and api_key is None else f"{base_url or OPENAI} {model}"


def open_writer(*, base_url: str | None, api_key: str | None, model: str, seconds: float) -> TextWriter | None:
    """The writer for these settings; None if neither an address nor a key is set. Takes a moment: it imports openai."""
    name = writer_name(base_url=base_url, api_key=api_key, model=model)
    if name is None:
        return None
    from openai import AsyncOpenAI

    client = AsyncOpenAI(base_url=base_url or OPENAI, api_key=api_key or NO_KEY, timeout=seconds, max_retries=0)
    return TextWriter(client, model, name)
