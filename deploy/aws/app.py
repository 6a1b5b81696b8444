"""`python app.py`: writes the templates of all stacks into cdk.out, and fails if cdk-nag finds fault with them.

Settings: TUTORQ_INSTALLATION, the file that describes the installation (installation.toml); TUTORQ_IMAGE_TAG, the
release; CDK_OUTDIR, another folder.
"""

import os
import sys
from pathlib import Path

from aws_cdk import App, BootstraplessSynthesizer, Environment, Stack, Tags, Validations
from aws_cdk import aws_ecs as ecs
from cdk_nag import AwsSolutionsChecks
from headers import PAGE_HEADERS
from installation import InstallationError, read_installation
from stacks.data import Data
from stacks.migration import Migration
from stacks.page import Page
from stacks.registry import Registry
from stacks.services import Services

HERE = Path(__file__).resolve().parent


def main() -> None:
    try:
        mine = read_installation(Path(os.environ.get("TUTORQ_INSTALLATION", HERE / "installation.toml")))
    except InstallationError as error:
        sys.exit(f"error: {error}")
    tag = os.environ.get("TUTORQ_IMAGE_TAG", "none-yet")
    app = App(
        outdir=os.environ.get("CDK_OUTDIR", str(HERE / "cdk.out")),
        # S3 writes its logs by a policy of the bucket, and not by a list of rights.
        context={"@aws-cdk/aws-s3:serverAccessLogsUseBucketPolicy": True},
    )
    environment = Environment(region=mine.region)

    def options() -> dict[str, object]:
        # Nothing but templates: no bucket or role of the CDK is needed in the account.
        return {"env": environment, "synthesizer": BootstraplessSynthesizer()}

    registry = Registry(app, f"{mine.name}-registry", repository=mine.name, **options())
    image = ecs.ContainerImage.from_ecr_repository(registry.repository, tag)
    data = Data(app, f"{mine.name}-data", installation=mine, termination_protection=True, **options())
    Migration(app, f"{mine.name}-migration", data=data, image=image, **options())
    services = Services(app, f"{mine.name}-services", data=data, image=image, **options())
    Page(app, f"{mine.name}-page", data=data, services=services, headers=dict(PAGE_HEADERS), **options())
    for child in app.node.children:
        if isinstance(child, Stack):
            Tags.of(child).add("application", mine.name)
    Validations.of(app).add_plugins(AwsSolutionsChecks(app, verbose=True))
    app.synth()


if __name__ == "__main__":
    main()
