"""`tutorq doctor`."""

import typer

from cli.terminal import JsonFlag, out, print_json, tells_errors

app = typer.Typer()


@app.command()
@tells_errors
def doctor(as_json: JsonFlag = False) -> None:
    """Check this installation and say what is wrong."""
    from cli.doctor.examine import examine

    findings = examine()
    if as_json:
        print_json([finding.to_dict() for finding in findings])
    else:
        for finding in findings:
            mark = "[green]ok[/]   " if finding.ok else "[red]wrong[/]"
            out.print(f"{mark} {finding.what}: {finding.found}", soft_wrap=True, highlight=False)
            if finding.advice:
                out.print(f"      {finding.advice}", soft_wrap=True, highlight=False)
    if not all(finding.ok for finding in findings):
        raise typer.Exit(1)
