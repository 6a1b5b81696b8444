"""Mail as files: the default, for trying things out and for other programs to pick up."""

from pathlib import Path

from reports.providers.base import Mail, Verdict


class FileProvider:
    """Writes one .eml file per mail into a folder, which mail programs open."""

    name = "file"

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def send(self, mail: Mail) -> Verdict:
        path = self._folder / f"{mail.kind}-{mail.report_id}.eml"
        temporary = path.with_suffix(".part")
        try:
            self._folder.mkdir(mode=0o700, parents=True, exist_ok=True)
            temporary.write_bytes(mail.to_message().as_bytes())
            # In one step, so that nobody picks up half a mail.
            temporary.replace(path)
        except OSError as error:
            return Verdict("later", f"cannot write to {self._folder}: {error.strerror}", concerns_all=True)
        return Verdict("accepted", message_id=path.name)
