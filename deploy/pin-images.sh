#!/bin/sh
# Print lines for .env that pin each image to what its tag means today: sh deploy/pin-images.sh >> .env
# Run it again, and look at the difference, to take over what their makers have mended.
set -eu
pin() { # VARIABLE IMAGE
  digest=$(docker buildx imagetools inspect "$2" --format '{{.Manifest.Digest}}')
  echo "$1=$2@$digest"
}
pin TUTORQ_POSTGRES_IMAGE postgres:18
pin TUTORQ_PYTHON_IMAGE python:3.11-slim
pin TUTORQ_NODE_IMAGE node:24-slim
pin TUTORQ_MAILPIT_IMAGE axllent/mailpit:v1.27
pin TUTORQ_CADDY_IMAGE caddy:2
