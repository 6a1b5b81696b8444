"""Where images are pushed to, and where the templates of the other stacks lie while CloudFormation reads them."""

from typing import Any

from aws_cdk import CfnOutput, Duration, RemovalPolicy, Stack
from aws_cdk import aws_ecr as ecr
from aws_cdk import aws_s3 as s3
from constructs import Construct
from exceptions import accept


class Registry(Stack):
    def __init__(self, scope: Construct, name: str, *, repository: str, **stack: Any) -> None:
        super().__init__(scope, name, **stack)
        self.repository = ecr.Repository(
            self,
            "Images",
            repository_name=repository,
            # A tag is one content for ever: what ran yesterday can be run again.
            image_tag_mutability=ecr.TagMutability.IMMUTABLE,
            image_scan_on_push=True,
            removal_policy=RemovalPolicy.RETAIN_ON_UPDATE_OR_DELETE,
            lifecycle_rules=[ecr.LifecycleRule(description="The last 30 releases", max_image_count=30)],
        )
        images = self.repository.node.default_child
        assert isinstance(images, ecr.CfnRepository)
        # The CDK leaves out what is ECR's own choice today.
        images.encryption_configuration = ecr.CfnRepository.EncryptionConfigurationProperty(encryption_type="AES256")
        templates = s3.Bucket(
            self,
            "Templates",
            block_public_access=s3.BlockPublicAccess.BLOCK_ALL,
            encryption=s3.BucketEncryption.S3_MANAGED,
            enforce_ssl=True,
            removal_policy=RemovalPolicy.RETAIN_ON_UPDATE_OR_DELETE,
            lifecycle_rules=[s3.LifecycleRule(expiration=Duration.days(30))],
        )
        accept(
            templates, "AwsSolutions-S1", "Templates of 30 days without anything secret, read by CloudFormation alone."
        )
        CfnOutput(self, "RepositoryUri", value=self.repository.repository_uri)
        CfnOutput(self, "TemplateBucket", value=templates.bucket_name)
