"""Rules of cdk-nag that something here does not follow, each with its reason."""

from aws_cdk import Acknowledgment, Validations
from constructs import IConstruct


def accept(construct: IConstruct, rule: str, reason: str) -> None:
    """Let a construct, and what is in it, not follow a rule (`AwsSolutions-S1`), or one finding of it (`…-IAM5[…]`)."""
    Validations.of(construct).acknowledge(Acknowledgment(id=rule, reason=reason))
