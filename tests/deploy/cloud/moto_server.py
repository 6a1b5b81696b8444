"""`python moto_server.py PORT`: moto's server, where something stands in for what its CloudFormation does not make.

What `deploy` itself asks for is moto's own: network, images, buckets, cluster, target groups. Everything else
of a template is there by its name, with attributes that are texts.
"""

import sys
from typing import Any

from moto.cloudformation import parsing
from moto.cloudfront.models import cloudfront_backends
from moto.core.common_models import CloudFormationModel
from moto.ecs.models import TaskDefinition
from moto.elbv2.models import FakeTargetGroup
from moto.server import main

MADE = {
    *("AWS::EC2::VPC", "AWS::EC2::Subnet", "AWS::EC2::SecurityGroup"),
    *("AWS::ECR::Repository", "AWS::S3::Bucket", "AWS::Logs::LogGroup"),
    *("AWS::ECS::Cluster", "AWS::ECS::TaskDefinition", "AWS::ElasticLoadBalancingV2::TargetGroup"),
}


class StandIn(CloudFormationModel):
    """A resource of any type."""

    __module__ = "tests.stand_ins"  # moto sorts its models by the second part

    def __init__(self, name: str) -> None:
        self.physical_resource_id = name

    @staticmethod
    def cloudformation_name_type() -> str:
        return ""

    @staticmethod
    def cloudformation_type() -> str:
        return "Tests::Stand::In"

    @classmethod
    def has_cfn_attr(cls, attr: str) -> bool:
        return True

    def get_cfn_attribute(self, attribute_name: str) -> str:
        return f"{attribute_name}-of-{self.physical_resource_id}".lower()

    @classmethod
    def create_from_cloudformation_json(
        cls,
        resource_name: str,
        cloudformation_json: dict[str, Any],
        account_id: str,
        region_name: str,
        **kwargs: Any,
    ) -> "StandIn":
        if cloudformation_json["Type"] == "AWS::CloudFront::Distribution":
            origins = {"Items": [{"Id": "page", "DomainName": "page.example.org"}]}
            config = {
                "Origins": origins,
                "DefaultCacheBehavior": {"TargetOriginId": "page", "ViewerProtocolPolicy": "https-only"},
                "CallerReference": resource_name,
            }
            made, _, _ = cloudfront_backends[account_id]["aws"].create_distribution(config, [])
            return cls(made.distribution_id)
        # Parts of a listener's address are taken out of it by number.
        return cls(
            f"{resource_name}/app/balancer/1/2" if cloudformation_json["Type"].endswith("::Listener") else resource_name
        )

    @classmethod
    def update_from_cloudformation_json(
        cls,
        original_resource: Any,
        new_resource_name: str,
        cloudformation_json: dict[str, Any],
        account_id: str,
        region_name: str,
    ) -> Any:
        return original_resource

    @classmethod
    def delete_from_cloudformation_json(
        cls, resource_name: str, cloudformation_json: dict[str, Any], account_id: str, region_name: str
    ) -> None:
        """Nothing is left of it."""


known = parsing.resource_class_from_type


def registered_anew(
    cls: type[TaskDefinition],
    original_resource: Any,
    new_resource_name: str,
    cloudformation_json: dict[str, Any],
    account_id: str,
    region_name: str,
) -> Any:
    """moto would take the container's properties by the names of templates, which tasks do not know."""
    return cls.create_from_cloudformation_json(new_resource_name, cloudformation_json, account_id, region_name)


def of_target_group(group: FakeTargetGroup, attribute_name: str) -> str:
    """moto knows none of a target group; alarms ask for the last part of its address."""
    assert attribute_name == "TargetGroupFullName", attribute_name
    return str(group.arn).rpartition(":")[2]


def class_of(kind: str) -> type[CloudFormationModel]:
    return known(kind) if kind in MADE else StandIn


parsing.resource_class_from_type = class_of
TaskDefinition.update_from_cloudformation_json = classmethod(registered_anew)
FakeTargetGroup.get_cfn_attribute = of_target_group
FakeTargetGroup.has_cfn_attr = classmethod(lambda cls, attr: attr == "TargetGroupFullName")

if __name__ == "__main__":
    main(["-p", sys.argv[1]])
