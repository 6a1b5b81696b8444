"""The page: files from S3 by CloudFront, and the API below the same name."""

from typing import Any

from aws_cdk import CfnOutput, Duration, RemovalPolicy, SecretValue, Stack
from aws_cdk import aws_certificatemanager as acm
from aws_cdk import aws_cloudfront as cloudfront
from aws_cdk import aws_cloudfront_origins as origins
from aws_cdk import aws_s3 as s3
from constructs import Construct
from exceptions import accept

from stacks.data import Data
from stacks.services import DOOR_HEADER, Services

# Where the API answers; the page answers everywhere else, as api/dashboard.py says.
API_PATHS = ("/api", "/api/*", "/my", "/my/*", "/metrics")
# The page for every address that is no file; files have a dot in their last part.
TO_THE_PAGE = """\
function handler(event) {
  var request = event.request;
  if (!request.uri.split('/').pop().includes('.')) request.uri = '/index.html';
  return request;
}
"""


class Page(Stack):
    def __init__(
        self, scope: Construct, name: str, *, data: Data, services: Services, headers: dict[str, str], **stack: Any
    ) -> None:
        super().__init__(scope, name, **stack)
        mine = data.installation
        bucket = s3.Bucket(
            self,
            "Files",
            block_public_access=s3.BlockPublicAccess.BLOCK_ALL,
            encryption=s3.BucketEncryption.S3_MANAGED,
            enforce_ssl=True,
            versioned=True,
            object_ownership=s3.ObjectOwnership.BUCKET_OWNER_ENFORCED,
            removal_policy=RemovalPolicy.RETAIN_ON_UPDATE_OR_DELETE,
            lifecycle_rules=[s3.LifecycleRule(noncurrent_version_expiration=Duration.days(90))],
        )
        accept(bucket, "AwsSolutions-S1", "CloudFront alone reads it, and logs what it is asked.")
        door = SecretValue.secrets_manager(f"{mine.name}/door").unsafe_unwrap()
        api = cloudfront.BehaviorOptions(
            origin=origins.HttpOrigin(
                services.balancer.load_balancer_dns_name,
                protocol_policy=cloudfront.OriginProtocolPolicy.HTTPS_ONLY,
                origin_ssl_protocols=[cloudfront.OriginSslPolicy.TLS_V1_2],
                custom_headers={DOOR_HEADER: door},
                read_timeout=Duration.seconds(60),
                keepalive_timeout=Duration.seconds(60),
            ),
            viewer_protocol_policy=cloudfront.ViewerProtocolPolicy.HTTPS_ONLY,
            allowed_methods=cloudfront.AllowedMethods.ALLOW_ALL,
            # Answers are per caller: roles see different fields.
            cache_policy=cloudfront.CachePolicy.CACHING_DISABLED,
            # With the Host of the browser, which the API and the certificate know.
            origin_request_policy=cloudfront.OriginRequestPolicy.ALL_VIEWER,
            compress=False,
        )
        distribution = cloudfront.Distribution(
            self,
            "Distribution",
            comment=f"{mine.name}: the page and the API",
            domain_names=[mine.domain],
            certificate=acm.Certificate.from_certificate_arn(self, "Certificate", mine.page_certificate_arn),
            minimum_protocol_version=cloudfront.SecurityPolicyProtocol.TLS_V1_2_2021,
            http_version=cloudfront.HttpVersion.HTTP2_AND_3,
            price_class=cloudfront.PriceClass.PRICE_CLASS_100,
            enable_logging=True,
            log_bucket=data.logs_bucket,
            log_file_prefix="page/",
            default_behavior=cloudfront.BehaviorOptions(
                origin=origins.S3BucketOrigin.with_origin_access_control(bucket),
                viewer_protocol_policy=cloudfront.ViewerProtocolPolicy.REDIRECT_TO_HTTPS,
                cache_policy=cloudfront.CachePolicy.CACHING_OPTIMIZED,
                response_headers_policy=self._headers(mine.name, headers),
                compress=True,
                function_associations=[
                    cloudfront.FunctionAssociation(
                        event_type=cloudfront.FunctionEventType.VIEWER_REQUEST,
                        function=cloudfront.Function(
                            self,
                            "ToThePage",
                            code=cloudfront.FunctionCode.from_inline(TO_THE_PAGE),
                            runtime=cloudfront.FunctionRuntime.JS_2_0,
                        ),
                    )
                ],
            ),
            additional_behaviors=dict.fromkeys(API_PATHS, api),
        )
        accept(distribution, "AwsSolutions-CFR1", "Tutors and coaches may be anywhere.")
        accept(
            distribution,
            "AwsSolutions-CFR2",
            "The API limits rates, sizes and connections itself; attach a web ACL of your own if you have one.",
        )
        CfnOutput(self, "PageBucket", value=bucket.bucket_name)
        CfnOutput(self, "DistributionId", value=distribution.distribution_id)
        CfnOutput(self, "DistributionDomain", value=distribution.distribution_domain_name)

    def _headers(self, name: str, headers: dict[str, str]) -> cloudfront.ResponseHeadersPolicy:
        """What api/headers.py says to browsers about the same files."""
        return cloudfront.ResponseHeadersPolicy(
            self,
            "Headers",
            response_headers_policy_name=f"{name}-page",
            security_headers_behavior=cloudfront.ResponseSecurityHeadersBehavior(
                content_security_policy=cloudfront.ResponseHeadersContentSecurityPolicy(
                    content_security_policy=headers.pop("content-security-policy"), override=True
                ),
                content_type_options=cloudfront.ResponseHeadersContentTypeOptions(override=True),
                frame_options=cloudfront.ResponseHeadersFrameOptions(
                    frame_option=cloudfront.HeadersFrameOption.DENY, override=True
                ),
                referrer_policy=cloudfront.ResponseHeadersReferrerPolicy(
                    referrer_policy=cloudfront.HeadersReferrerPolicy.NO_REFERRER, override=True
                ),
                strict_transport_security=cloudfront.ResponseHeadersStrictTransportSecurity(
                    access_control_max_age=Duration.days(365), override=True
                ),
            ),
            custom_headers_behavior=cloudfront.ResponseCustomHeadersBehavior(
                custom_headers=[
                    cloudfront.ResponseCustomHeader(header=header, value=value, override=True)
                    for header, value in headers.items()
                ]
            ),
        )
