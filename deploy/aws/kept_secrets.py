"""Secrets Manager: what is there stays, what can be made up is made up once, and the rest is asked for once."""

import base64
import getpass
import os
import secrets
import sys
from collections.abc import Callable

import boto3
from botocore.exceptions import ClientError
from installation import ASKED_SECRETS, CERTIFICATES, LOGINS, Installation
from stack_changes import DeploymentError


def database_url(login: str, host: str) -> str:
    """With a new password, of letters and digits, as it becomes part of a URL."""
    return f"postgresql://{login}:{secrets.token_hex(24)}@{host}:5432/{LOGINS[login]}?{CERTIFICATES}"


def asked(name: str) -> str:
    """From TUTORQ_NAME in the environment, else from whoever sits at the terminal."""
    variable = f"TUTORQ_{name.upper()}"
    if value := os.environ.get(variable):
        return value
    if not sys.stdin.isatty():
        raise DeploymentError(
            f"the secret {name} is not in Secrets Manager yet: set {variable}, or run this at a terminal"
        )
    value = getpass.getpass(f"{name} (kept in Secrets Manager, asked for once): ").strip()
    if not value:
        raise DeploymentError(f"{name} is empty; take it out of [secrets] if there is none")
    return value


class KeptSecrets:
    """The secrets of one installation, under NAME/secret."""

    def __init__(self, session: boto3.Session, installation: Installation) -> None:
        self._client = session.client("secretsmanager")
        self._mine = installation

    def ensure(self, host: str) -> list[str]:
        """Make what is missing; returns the names of what was made. `host` is that of the database."""
        ways: dict[str, Callable[[], str]] = {
            "dagster_token": lambda: secrets.token_hex(24),
            "secrets_key": lambda: base64.urlsafe_b64encode(secrets.token_bytes(32)).decode(),
            "erasure_key": lambda: secrets.token_urlsafe(32),
            "door": lambda: secrets.token_hex(24),
        }
        for login in LOGINS:
            ways[f"{login}_database_url"] = lambda login=login: database_url(login, host)
        for name in (*ASKED_SECRETS, *self._mine.asked_secrets):
            ways[name] = lambda name=name: asked(name)
        made = [name for name in ways if not self._is_there(name)]
        values = {name: ways[name]() for name in made}  # all that has to be asked, before anything is written
        for name, value in values.items():
            self._client.create_secret(
                Name=self._path(name),
                SecretString=value,
                Description="Made by deploy/aws/deploy; change it by `deploy rotate` or `deploy set-secret`",
                Tags=[{"Key": "application", "Value": self._mine.name}],
            )
        return made

    def version(self, name: str) -> str:
        """The id of the version that holds."""
        versions = self._client.describe_secret(SecretId=self._path(name))["VersionIdsToStages"]
        return next(version for version, stages in versions.items() if "AWSCURRENT" in stages)

    def set(self, name: str, value: str) -> None:
        self._client.put_secret_value(SecretId=self._path(name), SecretString=value)

    def rotate_logins(self, host: str) -> None:
        """New passwords for all logins. They hold once the migration has told the server."""
        for login in LOGINS:
            self.set(f"{login}_database_url", database_url(login, host))

    def _path(self, name: str) -> str:
        return f"{self._mine.name}/{name}"

    def _is_there(self, name: str) -> bool:
        try:
            found = self._client.describe_secret(SecretId=self._path(name))
        except ClientError as error:
            if error.response["Error"]["Code"] == "ResourceNotFoundException":
                return False
            raise
        if found.get("DeletedDate"):
            raise DeploymentError(
                f"the secret {self._path(name)} is being deleted; restore it in Secrets Manager first"
            )
        return True
