"""Reference pages, from what the program itself says: the command line, settings, tables, the API, and its speed."""

import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import typer
import yaml

from tools.docs import speed

LEADS = {
    "cli": "Every verb of `tutorq`, as `--help` has it. Errors are one sentence and a non-zero exit code.",
    "settings": (
        "Environment variables, or lines of a file `.env` in the folder where `tutorq` is started; a variable wins. "
        "Values shown are the defaults. [Operations](../operations.md#settings) has the same as a table."
    ),
    "tables": (
        "The marts, which analysts read in the schema `analytics` under the same names "
        "([how to begin](../analysts.md)). Columns marked *personal* are masked there."
    ),
    "api": (
        "Every operation, as `/api/openapi.json` describes it; an installation shows the same at `/api/docs`. "
        "[The API, for programs](../../api.md) is the guide, and [who may do what](../../access.md) the roles."
    ),
}


def pages(root: Path) -> dict[str, str]:
    """Text of each page by its place on the site."""
    api = json.loads((root / "api" / "openapi.json").read_text())
    return {
        "reference/cli.md": command_line(),
        "reference/settings.md": settings((root / ".env.example").read_text()),
        "reference/tables.md": tables(root / "dbt_project" / "models" / "marts"),
        "reference/speed.md": speed.page(speed.history(root / "build" / "benchmarks" / "history.jsonl")),
        **{f"reference/api/{name}.md": text for name, text in operations(api).items()},
    }


def command_line() -> str:
    """One section per verb, with its arguments and options."""
    from cli.app import app

    return "\n".join(["# Command line", "", LEADS["cli"], "", *_verbs(typer.main.get_command(app), "tutorq", None)])


def is_group(command: Any) -> bool:
    """Whether it has verbs of its own. Typer has a click of its own, whose classes are no public API."""
    return hasattr(command, "list_commands")


def _verbs(command: Any, name: str, parent: Any) -> Iterator[str]:
    context = command.context_class(command, info_name=name.rpartition(" ")[2], parent=parent)
    if is_group(command):
        if parent is not None:
            yield from (f"## {name}", "", command.help or "", "")
        for each in command.list_commands(context):
            child = command.get_command(context, each)
            if child and not child.hidden:
                yield from _verbs(child, f"{name} {each}", context)
        return
    yield from (f"{'###' if parent and parent.parent else '##'} {name}", "", command.help or "", "")
    usage = " ".join([name, *command.collect_usage_pieces(context)])
    yield from ("```text", usage, "```", "")
    rows = [record for each in command.params if (record := each.get_help_record(context))]
    rows = [row for row in rows if not row[0].startswith("--help")]
    if rows:
        yield from ("| | |", "|---|---|", *(f"| {_code(left)} | {_cell(right)} |" for left, right in rows), "")


def settings(example: str) -> str:
    """One section per block of .env.example: its variables, what it says of them, and their defaults."""
    lines = ["# Settings", "", LEADS["settings"], ""]
    for block in example.split("\n\n"):
        said = [line.removeprefix("#").strip() for line in block.splitlines()]
        variables = [line for line in said if re.match(r"TUTORQ_[A-Z_]+=", line)]
        if not variables:
            continue
        text = " ".join(line for line in said if line not in variables)
        names = [f"`{line.partition('=')[0]}`" for line in variables]
        lines += [f"## {', '.join(names)}", "", _text(text), "", "```sh", *variables, "```", ""]
    return "\n".join(lines)


def tables(folder: Path) -> str:
    """One section per mart, with its columns."""
    lines = ["# Tables", "", LEADS["tables"], ""]
    for path in sorted(folder.glob("*.yml")):
        for model in yaml.safe_load(path.read_text()).get("models", []):
            lines += [f"## {model['name']}", "", _text(model["description"]), ""]
            lines += ["| column | type | says |", "|---|---|---|"]
            for column in model["columns"]:
                personal = " *personal*" if column.get("config", {}).get("meta", {}).get("personal") else ""
                cells = (f"`{column['name']}`", column.get("data_type", ""), _cell(column.get("description", "")))
                lines.append(f"| {' | '.join(cells)}{personal} |")
            lines.append("")
    return "\n".join(lines)


def operations(api: dict[str, Any]) -> dict[str, str]:
    """A page per tag with its operations, one with all schemas, and one that lists them all."""
    from api.reference import by_tag, type_of

    def kind(schema: dict[str, Any]) -> str:
        return _cell(str(type_of(schema)).replace('href="#', 'href="../schemas/#'))

    tags = by_tag(api["paths"])
    index = ["# API", "", LEADS["api"], "", "| | |", "|---|---|"]
    found = {}
    for tag, of_tag in tags.items():
        lines = [f"# API: {tag}", ""]
        for method, path, operation in of_tag:
            anchor = operation["operationId"].replace("_", "-")
            first = _cell(re.split(r"\.\s|\.$", operation["description"])[0])
            index.append(f"| [`{method} {path}`]({tag}.md#{anchor}) | {first} |")
            lines += [f"## `{method} {path}` {{#{anchor}}}", "", _text(operation["description"]), ""]
            rows = [
                f"| `{each['name']}` | {each['in']}{', required' if each.get('required') else ''} | "
                f"{kind(each['schema'])} | {_cell(each.get('description', ''))} |"
                for each in operation.get("parameters", [])
            ]
            if rows:
                lines += ["| parameter | in | type | says |", "|---|---|---|---|", *rows, ""]
            for media, content in operation.get("requestBody", {}).get("content", {}).items():
                lines += [f"Body, `{media}`: {kind(content['schema'])}", ""]
            rows = [
                f"| {status} | {_answer(answer, kind)} |" for status, answer in sorted(operation["responses"].items())
            ]
            lines += ["| answer | with |", "|---|---|", *rows, ""]
        found[tag] = "\n".join(lines)
    lines = ["# API: schemas", ""]
    for name, schema in api["components"]["schemas"].items():
        lines += [f"## {name} {{#schema-{name}}}", "", _text(schema.get("description", "")), ""]
        required = schema.get("required", [])
        rows = []
        for field, each in schema.get("properties", {}).items():
            name = f"`{field}`{' (required)' if field in required else ''}"
            rows.append(f"| {name} | {kind(each)} | {_cell(each.get('description', ''))} |")
        if rows:
            lines += ["| field | type | says |", "|---|---|---|", *rows, ""]
        else:
            lines += [kind(schema), ""]
    return {"index": "\n".join(index) + "\n", **found, "schemas": "\n".join(lines)}


def _answer(answer: dict[str, Any], kind: Any) -> str:
    kinds = [kind(content["schema"]) for content in answer.get("content", {}).values() if "schema" in content]
    return _cell(answer["description"]) + "".join(f": {each}" for each in kinds[:1])


def _text(text: str) -> str:
    """What was written for plain text: angle brackets are no tags."""
    return re.sub(r"<(?=[A-Za-z/])", "&lt;", text.strip())


def _code(text: str) -> str:
    """As code in a cell of a table."""
    return f"`{text.replace('|', chr(92) + '|')}`"


def _cell(text: str) -> str:
    """As a cell of a table, in one line; links of `type_of` stay."""
    one_line = " ".join(text.split()).replace("|", "\\|")
    return re.sub(r"<(?!/?(?:a|code)\b)(?=[A-Za-z/])", "&lt;", one_line)
