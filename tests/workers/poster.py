"""Posts sessions one after the other to the address of its first argument until its input ends, each until it is
accepted, under one Idempotency-Key; then prints the ids of all. Started on a host of its own by test_hosts.py."""

import json
import sys
import threading
import time
import uuid

import httpx2

is_over = threading.Event()
accepted: list[str] = []


def post(client: httpx2.Client, tutor: str, student: str) -> None:
    session = str(uuid.uuid4())
    body = {
        "session_id": session, "tutor_id": tutor, "student_id": student,
        "scheduled_time": "2026-01-05T10:00:00Z", "status": "completed",
    }  # fmt: skip
    while True:
        try:
            answer = client.post("/api/sessions", json=body, headers={"Idempotency-Key": session})
        except httpx2.TransportError:
            answer = None
        if answer is not None and answer.status_code == 202:
            accepted.append(session)
            return
        # Whoever is away says so; anything else is a fault of ours.
        assert answer is None or answer.status_code in (429, 500, 502, 503, 504), answer.text
        if answer is not None and answer.status_code == 500:
            sys.exit(f"500: {answer.text}")
        time.sleep(0.2)


def main(address: str, key: str, tutor: str, student: str) -> None:
    threading.Thread(target=lambda: (sys.stdin.read(), is_over.set()), daemon=True).start()
    with httpx2.Client(base_url=address, headers={"X-API-Key": key}, timeout=60) as client:
        while not is_over.is_set():
            post(client, tutor, student)
    print(json.dumps(accepted))


if __name__ == "__main__":
    main(*sys.argv[1:])
