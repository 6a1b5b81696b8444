"""What a preset costs a month, estimated. Look the prices up again before you rely on them.

Assumptions: 730 hours; the fewest API tasks all the time; 50 GB of traffic to browsers, 50 GB through the NAT gateways,
30 GB of logs, 20 GB of files and models, 200,000 requests a day. Savings plans and free tiers are left out.
"""

from installation import Preset

ASKED_ON = "2026-11"
HOURS = 730
# US dollars without tax, of eu-central-1, on demand. Written down, not asked for: AWS changes them.
FARGATE_CPU_HOUR, FARGATE_GB_HOUR = 0.04656, 0.00511
NAT_HOUR, NAT_GB = 0.052, 0.052
BALANCER_HOUR, BALANCER_UNIT_HOUR = 0.027, 0.008
PUBLIC_ADDRESS_HOUR = 0.005
# Multi-AZ, an hour; storage Multi-AZ, a GB-month.
DATABASE_HOUR = {"t4g.medium": 0.152, "r7g.xlarge": 1.142}
DATABASE_GB = 0.274
LOG_GB, FILES_GB, MODELS_GB, EDGE_GB = 0.63, 0.36, 0.0245, 0.085
SECRET, ALARM, KEY = 0.40, 0.10, 1.00
# CPU units and MiB of the services whose size no preset changes: web server, daemon, watch.
FIXED_TASKS = ((512, 2048), (512, 2048), (256, 512))


def estimate(preset: Preset, secrets: int) -> dict[str, float]:
    """US dollars a month by kind of resource."""
    tasks = [
        *FIXED_TASKS,
        (preset.jobs_cpu, preset.jobs_memory),
        *[(preset.api_cpu, preset.api_memory)] * preset.api_tasks[0],
    ]
    cpu, memory = sum(task[0] for task in tasks) / 1024, sum(task[1] for task in tasks) / 1024
    return {
        "Fargate tasks": HOURS * (cpu * FARGATE_CPU_HOUR + memory * FARGATE_GB_HOUR),
        "RDS, Multi-AZ": HOURS * DATABASE_HOUR[preset.database_class] + preset.database_storage * DATABASE_GB,
        "NAT gateways": preset.nat_gateways * HOURS * (NAT_HOUR + PUBLIC_ADDRESS_HOUR) + 50 * NAT_GB,
        "Load balancer": HOURS * (BALANCER_HOUR + BALANCER_UNIT_HOUR + 2 * PUBLIC_ADDRESS_HOUR),
        "CloudFront, S3, EFS": 50 * EDGE_GB + 20 * (FILES_GB + MODELS_GB),
        "Logs and alarms": 30 * LOG_GB + 16 * ALARM,
        "Secrets and keys": (secrets + 1) * SECRET + KEY,
    }


def table(preset: Preset, secrets: int) -> str:
    parts = estimate(preset, secrets)
    lines = [f"{name:<22}{round(dollars):>6}" for name, dollars in parts.items()]
    total = f"{'a month, about USD':<22}{round(sum(parts.values()), -1):>6.0f}"
    return "\n".join([*lines, total, f"An estimate of {ASKED_ON}, not a quotation: prices.py states what it assumes."])
