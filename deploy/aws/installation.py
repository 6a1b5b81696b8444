"""What one installation is like: `installation.toml`, checked before anything is built from it."""

import re
import tomllib
from dataclasses import dataclass
from pathlib import Path
from typing import Any


class InstallationError(Exception):
    """`installation.toml` lacks something, or holds what cannot be."""


@dataclass(frozen=True)
class Preset:
    """Sizes. CPU in units of 1024 to a processor and memory in MiB, as Fargate counts them; storage in GiB."""

    api_cpu: int
    api_memory: int
    api_tasks: tuple[int, int]  # fewest and most
    jobs_cpu: int
    jobs_memory: int
    nat_gateways: int
    database_class: str  # without `db.`
    database_storage: int
    database_storage_most: int
    backup_days: int


# Jobs run in the code location: it is made larger, not more often.
PRESETS = {
    "small": Preset(512, 1024, (2, 4), 2048, 8192, 1, "t4g.medium", 50, 200, 7),
    "large": Preset(1024, 2048, (3, 12), 4096, 30720, 2, "r7g.xlarge", 200, 2000, 35),
}

# The logins that `tutorq db migrate --logins` makes, each with its database, and how all of them know the server.
LOGINS = {"ingest": "tutorq", "transform": "tutorq", "api": "tutorq", "dagster": "dagster"}
CERTIFICATES = "sslmode=verify-full&sslrootcert=/app/rds.pem"
# `deploy` makes these up once, and asks for the others. The load balancer knows CloudFront by `door`.
MADE_SECRETS = (*(f"{login}_database_url" for login in LOGINS), "dagster_token", "secrets_key", "erasure_key", "door")
ASKED_SECRETS = ("oidc_client_secret",)
PROVIDER_SECRETS = {
    *("ses_smtp_password", "sendgrid_api_key", "smtp_url", "openai_api_key", "notify_urls"),
    *("limits_url", "read_database_url"),
}
# What each way of sending mail needs; the fourth one, files, would end with its task.
MAIL_SECRETS = {"smtp": "smtp_url", "sendgrid": "sendgrid_api_key", "ses": "ses_smtp_password"}
NO_SECRETS = {"sendgrid_webhook_key"}  # in spite of its name: it checks signatures
EXAMPLE_SETTINGS = Path(__file__).resolve().parents[2] / ".env.example"
# What the stacks set themselves: another value would break the installation.
OWN_SETTINGS = {
    *("home", "embedded", "secrets_dir", "api_host", "api_port", "api_url", "dagster_url", "dagster_hosts"),
    *("dagster_log_in", "landing_dir", "model_store", "trusted_proxies", "dashboard_url", "public_url"),
    *("oidc_issuer", "oidc_client_id"),
}
OIDC = ("issuer", "client_id", "authorization_endpoint", "token_endpoint", "user_info_endpoint")
ADDRESSED = {"issuer", "authorization_endpoint", "token_endpoint", "user_info_endpoint"}
PATTERNS = {
    "name": r"[a-z][a-z0-9-]{1,18}[a-z0-9]",
    "region": r"[a-z]{2}(-[a-z]+)+-\d",
    "domain": r"([a-z0-9-]+\.)+[a-z]{2,}",
    "certificate_arn": r"arn:aws[a-z-]*:acm:[a-z0-9-]+:\d{12}:certificate/\S+",
    "page_certificate_arn": r"arn:aws[a-z-]*:acm:us-east-1:\d{12}:certificate/\S+",
    "alarm_email": r"[^@\s]+@[^@\s]+",
}


@dataclass(frozen=True)
class Installation:
    """A checked `installation.toml`."""

    name: str
    region: str
    preset_name: str
    domain: str
    certificate_arn: str
    page_certificate_arn: str
    alarm_email: str
    oidc: dict[str, str]
    settings: dict[str, str]
    asked_secrets: tuple[str, ...]

    @property
    def preset(self) -> Preset:
        return PRESETS[self.preset_name]

    @property
    def secret_names(self) -> tuple[str, ...]:
        return (*MADE_SECRETS, *ASKED_SECRETS, *self.asked_secrets)

    @property
    def dagster_domain(self) -> str:
        return f"dagster.{self.domain}"


def read_installation(path: Path) -> Installation:
    """Raises InstallationError with a sentence for each fault, all at once."""
    try:
        given = tomllib.loads(path.read_text())
    except FileNotFoundError as error:
        raise InstallationError(f"there is no {path}; copy installation.example.toml to it") from error
    except tomllib.TOMLDecodeError as error:
        raise InstallationError(f"{path}: {error}") from error
    oidc, settings = _table(given, "oidc"), _table(given, "settings")
    asked = _table(given, "secrets").get("asked", [])
    faults = [*_faults(given, oidc), *_setting_faults(settings, asked)]
    if faults:
        raise InstallationError(f"{path}:\n" + "\n".join(f"- {fault}" for fault in faults))
    return Installation(
        **{key: given[key] for key in PATTERNS},
        preset_name=given["preset"],
        oidc=oidc,
        settings={
            key: str(value).lower() if isinstance(value, bool) else str(value) for key, value in settings.items()
        },
        asked_secrets=tuple(sorted(asked)),
    )


def _table(given: dict[str, Any], name: str) -> dict[str, Any]:
    table = given.get(name, {})
    if not isinstance(table, dict):
        raise InstallationError(f"{name} is no table; write [{name}]")
    return table


def _faults(given: dict[str, Any], oidc: dict[str, Any]) -> list[str]:
    faults = [
        f"{key} is missing, or not of the form in installation.example.toml"
        for key, pattern in PATTERNS.items()
        if not re.fullmatch(pattern, str(given.get(key, "")))
    ]
    if given.get("preset") not in PRESETS:
        faults.append(f"preset is one of {', '.join(PRESETS)}")
    if f":acm:{given.get('region')}:" not in str(given.get("certificate_arn")):
        faults.append("certificate_arn is of another region than the installation")
    faults += [f"unknown key {key}" for key in sorted({*given} - {*PATTERNS, "preset", "oidc", "settings", "secrets"})]
    faults += [f"[oidc] {key} is missing" for key in OIDC if not oidc.get(key)]
    faults += [
        f"[oidc] {key} begins with https://"
        for key in sorted(ADDRESSED & {*oidc})
        if not str(oidc[key]).startswith("https://")
    ]
    return faults


def _setting_faults(settings: dict[str, Any], asked: Any) -> list[str]:
    faults = [f"[settings] {key} is set by the stacks" for key in sorted(OWN_SETTINGS & {*settings})]
    faults += [
        f"[settings] {key} is a secret; name it in [secrets] asked, and `deploy` asks for it"
        for key in sorted(settings)
        if key not in NO_SECRETS
        and (key in PROVIDER_SECRETS or re.search(r"_(password|secret|token|key|database_url)$", key))
    ]
    known = {name.lower() for name in re.findall(r"^#? ?TUTORQ_(\w+)=", EXAMPLE_SETTINGS.read_text(), re.MULTILINE)}
    faults += [f"[settings] {key} is no setting of .env.example" for key in sorted({*settings} - known)]
    if not isinstance(asked, list) or {*map(str, asked)} - PROVIDER_SECRETS:
        faults.append(f"[secrets] asked is a list of some of: {', '.join(sorted(PROVIDER_SECRETS))}")
    elif (secret := MAIL_SECRETS.get(str(settings.get("mail_provider")))) is None:
        faults.append(f"[settings] mail_provider is one of {', '.join(MAIL_SECRETS)}")
    elif secret not in asked:
        faults.append(f"[secrets] asked lacks {secret}, which mail_provider needs")
    return faults
