"""The task that has the owner's login: migrations, and `deploy run`. It is in no service; `deploy` starts it."""

from typing import Any

from aws_cdk import CfnOutput, Stack
from aws_cdk import aws_ecs as ecs
from constructs import Construct
from installation import CERTIFICATES, LOGINS

from stacks.data import Data
from stacks.tasks import Workload, make_task


class Migration(Stack):
    def __init__(self, scope: Construct, name: str, *, data: Data, image: ecs.ContainerImage, **stack: Any) -> None:
        super().__init__(scope, name, **stack)
        # Without a password, which comes as PGPASSWORD: RDS keeps it, and changes it when it likes.
        owner = f"postgresql://tutorq@{data.database.db_instance_endpoint_address}:5432/tutorq?{CERTIFICATES}"
        workload = Workload(
            name="migrate",
            command=["tutorq", "db", "migrate", "--logins"],
            cpu=1024,
            memory=2048,
            # With the key of erasures: `tutorq person erase` needs the owner, too.
            secrets=(*(f"{login}_database_url" for login in LOGINS), "erasure_key"),
            health=["true"],
            models="write",
            mounts={"/var/lib/tutorq/landing": (data.landing, True)},
            environment={"TUTORQ_DATABASE_URL": owner},
        )
        task = make_task(self, data, image, workload)
        container = task.default_container
        assert container is not None
        container.add_secret("PGPASSWORD", ecs.Secret.from_secrets_manager(data.owner_secret, "password"))
        CfnOutput(self, "TaskDefinition", value=task.task_definition_arn)
