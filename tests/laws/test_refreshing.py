"""A hundred clients refresh with one token at once: there is one successor, and nobody is signed out."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import httpx

from tests.veche_process import VecheProcess

SECONDS = 30.0
BODY = {"username": "ann", "password": "a quiet blue river", "refresh": True}


def test_a_hundred_parallel_refreshes_give_one_successor_and_nobody_is_signed_out(tmp_path: Path) -> None:
    with VecheProcess(tmp_path) as server:
        token = httpx.post(f"{server.base}/v1/register", json=BODY).raise_for_status().json()["refresh_token"]
        bases = [server.base for _ in range(100)]

        def refresh(base: str) -> dict[str, str]:
            answer = httpx.post(f"{base}/v1/refresh", json={"refresh_token": token}, timeout=SECONDS)
            found: dict[str, str] = answer.raise_for_status().json()
            return found

        with ThreadPoolExecutor(20) as pool:
            answers = list(pool.map(refresh, bases))
            [successor] = {answer["refresh_token"] for answer in answers}
            assert successor != token

            def status(base: str, answer: dict[str, str]) -> int:
                headers = {"Authorization": f"Bearer {answer['token']}"}
                return httpx.get(f"{base}/v1/me", headers=headers, timeout=SECONDS).status_code

            assert set(pool.map(status, bases, answers)) == {200}
        again = httpx.post(f"{server.base}/v1/refresh", json={"refresh_token": successor})
        assert again.raise_for_status().json()["refresh_token"] not in (token, successor)
