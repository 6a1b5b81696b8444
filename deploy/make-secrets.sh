#!/bin/sh
# Write the secrets of docker-compose.yml into the folder `secrets`, each into a file of its own. What is there stays, so
# it may be run again. Passwords that an installation already has are taken from TUTORQ_…_PASSWORD in the environment.
set -eu
folder=${1:-secrets}
umask 077
mkdir -p "$folder"
# Containers read the files as another user: whoever gets into the folder may read them, and only its owner gets there.
chmod 700 "$folder"

keep() { # NAME VALUE
  [ -e "$folder/$1" ] || printf '%s\n' "$2" >"$folder/$1"
  chmod 444 "$folder/$1"
}
random() { od -An -N24 -tx1 /dev/urandom | tr -d ' \n'; }
login() { # PREFIX PASSWORD DATABASE USER: letters and digits, for they become parts of URLs
  keep "tutorq_$1database_url" "postgresql://$4:$2@postgres:5432/$3"
}

if [ ! -e "$folder/postgres_password" ]; then
  owner=${TUTORQ_POSTGRES_PASSWORD:-$(random)}
  keep postgres_password "$owner"
fi
login "" "$(cat "$folder/postgres_password")" tutorq tutorq
login ingest_ "${TUTORQ_INGEST_PASSWORD:-$(random)}" tutorq ingest
login transform_ "${TUTORQ_TRANSFORM_PASSWORD:-$(random)}" tutorq transform
login api_ "${TUTORQ_API_PASSWORD:-$(random)}" tutorq api
login dagster_ "${TUTORQ_DAGSTER_PASSWORD:-$(random)}" dagster dagster
keep tutorq_dagster_token "$(random)"
keep tutorq_smtp_url "${TUTORQ_SMTP_URL:-smtp://mail:1025}"
keep tutorq_sendgrid_api_key "${TUTORQ_SENDGRID_API_KEY:-}"
keep tutorq_ses_smtp_password "${TUTORQ_SES_SMTP_PASSWORD:-}"
keep tutorq_openai_api_key "${TUTORQ_OPENAI_API_KEY:-}"
# Encrypts the secrets of webhooks and chats that stand in the database.
keep tutorq_secrets_key "${TUTORQ_SECRETS_KEY:-$(head -c 32 /dev/urandom | base64 | tr '+/' '-_')}"
# Hashes ids of erased people; the same for ever.
keep tutorq_erasure_key "${TUTORQ_ERASURE_KEY:-$(head -c 32 /dev/urandom | base64)}"
keep tutorq_notify_urls "${TUTORQ_NOTIFY_URLS:-}"
keep tutorq_oidc_client_secret "${TUTORQ_OIDC_CLIENT_SECRET:-}"
echo "The secrets are in $folder. Keep a copy where your passwords are."
