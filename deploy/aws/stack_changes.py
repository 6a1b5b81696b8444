"""CloudFormation: bring a stack to what its template says, and explain what went wrong."""

import hashlib
import re
from pathlib import Path
from typing import Any

import boto3
from botocore.exceptions import ClientError, WaiterError

HASH_TAG = "template-sha256"
# A first creation that failed: nothing of it is there but its name, which is in the way of the next one.
GONE = {"ROLLBACK_COMPLETE", "REVIEW_IN_PROGRESS"}
AT_REST = {"CREATE_COMPLETE", "UPDATE_COMPLETE", "UPDATE_ROLLBACK_COMPLETE"}
BODY_BYTES = 51_200  # larger templates have to lie in a bucket

# What AWS says of an account's limits, and where to have them raised.
EXPLAINED = (
    (r"AddressLimitExceeded|maximum number of addresses", "EC2-VPC Elastic IPs (one for each NAT gateway)"),
    (r"VpcLimitExceeded|maximum number of VPCs", "VPCs per Region"),
    (r"NatGatewayLimitExceeded", "NAT gateways per Availability Zone"),
    (r"InstanceQuotaExceeded|StorageQuotaExceeded", "RDS DB instances, or their total storage"),
    (r"vCPU|capacity providers? .*limit|concurrent tasks", "Fargate On-Demand vCPU resource count"),
    (r"TooManyDistributions", "CloudFront web distributions per AWS account"),
    (r"TooManyLoadBalancers", "Application Load Balancers per Region"),
    (r"(TooMany|LimitExceeded|QuotaExceeded)", "the one that is named"),
)


class DeploymentError(Exception):
    """One sentence for whoever deploys: what happened, and what to do."""


def explain(reason: str) -> str:
    """A reason of AWS's with the limit that it is about, if it is about one."""
    for pattern, limit in EXPLAINED:
        if re.search(pattern, reason):
            return f"{reason}\n  A limit of your account: ask for more in Service Quotas ({limit}), and run this again."
    return reason


class Stacks:
    """Stacks of one region."""

    def __init__(self, session: boto3.Session) -> None:
        self._client = session.client("cloudformation")
        self._s3 = session.client("s3")

    def outputs(self, name: str) -> dict[str, str]:
        """What a stack tells; nothing if there is none."""
        stack = self._living(name)
        return {each["OutputKey"]: each["OutputValue"] for each in stack.get("Outputs", [])} if stack else {}

    def tags(self, name: str) -> dict[str, str]:
        """Of a stack; none if its first creation failed."""
        stack = self._living(name)
        return {tag["Key"]: tag["Value"] for tag in stack.get("Tags", [])} if stack else {}

    def apply(
        self,
        name: str,
        template: Path,
        bucket: str | None,
        parameters: dict[str, str] | None = None,
        tags: dict[str, str] | None = None,
    ) -> bool:
        """Whether anything had to be changed. Raises DeploymentError with AWS's own reasons."""
        body, given = template.read_text(), sorted((parameters or {}).items())
        wanted = {**(tags or {}), HASH_TAG: hashlib.sha256(f"{body}{given}".encode()).hexdigest()}
        stack = self._find(name)
        if stack and stack["StackStatus"] in GONE:
            # The protection was given with the name.
            self._client.update_termination_protection(StackName=name, EnableTerminationProtection=False)
            self._client.delete_stack(StackName=name)
            self._wait(name, "stack_delete_complete")
            stack = None
        if stack and stack["StackStatus"] == "ROLLBACK_FAILED":
            raise DeploymentError(
                f"{name} could be neither made nor removed again{self._why(name, 'DELETE_FAILED')}\n"
                f"delete it in CloudFormation, and before that what it names "
                f"(docs/deploy-aws.md, If the first run fails)"
            )
        if stack and stack["StackStatus"] not in AT_REST:
            raise DeploymentError(
                f"{name} is {stack['StackStatus']}; wait for its end, or look at it in CloudFormation"
            )
        if stack and stack["StackStatus"] != "UPDATE_ROLLBACK_COMPLETE" and wanted.items() <= self.tags(name).items():
            return False
        arguments: dict[str, Any] = {
            "StackName": name,
            "Capabilities": ["CAPABILITY_IAM"],
            "Parameters": [{"ParameterKey": key, "ParameterValue": value} for key, value in given],
            "Tags": [{"Key": key, "Value": value} for key, value in wanted.items()],
            **self._template(name, body, bucket),
        }
        try:
            if stack:
                self._client.update_stack(**arguments)
                self._wait(name, "stack_update_complete")
            else:
                self._client.create_stack(**arguments, EnableTerminationProtection=name.endswith("-data"))
                self._wait(name, "stack_create_complete")
        except ClientError as error:
            if "No updates are to be performed" in str(error):
                return False
            raise DeploymentError(f"{name}: {explain(str(error))}") from error
        return True

    def _template(self, name: str, body: str, bucket: str | None) -> dict[str, str]:
        if bucket is None:
            if len(body.encode()) > BODY_BYTES:
                raise DeploymentError(f"the template of {name} is too large to be sent without a bucket")
            return {"TemplateBody": body}
        key = f"{name}/{hashlib.sha256(body.encode()).hexdigest()}.json"
        self._s3.put_object(Bucket=bucket, Key=key, Body=body.encode())
        return {"TemplateURL": f"https://{bucket}.s3.{self._s3.meta.region_name}.amazonaws.com/{key}"}

    def _find(self, name: str) -> dict[str, Any] | None:
        try:
            return dict(self._client.describe_stacks(StackName=name)["Stacks"][0])
        except ClientError as error:
            if "does not exist" in str(error):
                return None
            raise

    def _living(self, name: str) -> dict[str, Any] | None:
        stack = self._find(name)
        return stack if stack and stack["StackStatus"] not in GONE else None

    def _wait(self, name: str, state: str) -> None:
        try:
            self._client.get_waiter(state).wait(StackName=name, WaiterConfig={"Delay": 10, "MaxAttempts": 360})
        except WaiterError as error:
            raise DeploymentError(f"{name}: {self._why(name) or error}") from error

    def _why(self, name: str, status: str = "_FAILED") -> str:
        """The first failures of the last change: what failed later was only cancelled."""
        events = self._client.describe_stack_events(StackName=name)["StackEvents"]
        failed = [
            f"- {event['LogicalResourceId']}: {explain(event.get('ResourceStatusReason', ''))}"
            for event in events
            if event["ResourceStatus"].endswith(status) and "cancelled" not in event.get("ResourceStatusReason", "")
        ]
        return "\n" + "\n".join(reversed(failed[-3:])) if failed else ""
