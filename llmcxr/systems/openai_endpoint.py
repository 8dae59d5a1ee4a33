"""Ask an OpenAI-compatible endpoint (chat completions with images). Knows no model.

PRIVACY: every image is sent to the endpoint's machine. Only pixels are sent, no file header and no id, but a
radiograph is a patient's all the same: real ones may go only where their terms of use allow.
"""

from __future__ import annotations

import base64
import http.client
import json
import os
import time
import urllib.error
import urllib.request
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor, as_completed
from dataclasses import dataclass
from itertools import count
from typing import Any
from urllib.parse import urlsplit

import numpy as np

from llmcxr.common.errors import UserError
from llmcxr.images import to_png
from llmcxr.predictor import AnswerResult, Asked, ReportResult, System, TextResult
from llmcxr.reports import parse_sections, strip_reasoning
from llmcxr.systems.prompts import ANSWER_PROMPT, REPORT_PROMPT

LONGEST_WAIT_S = 60.0
MESSAGE_LENGTH = 200  # characters of a server's own words that are shown


class _NoRedirects(urllib.request.HTTPRedirectHandler):
    """Follow no redirect: it would carry the key and the images to another machine than the one named."""

    def redirect_request(self, *_: Any) -> None:
        return None


@dataclass(frozen=True)
class OpenAIEndpoint(System):
    """Let the model behind an endpoint report and answer.

    url: up to /v1, such as "http://localhost:8000/v1". key_env: the environment variable that holds the key,
    "" for a server without one; the key itself is kept nowhere and shown nowhere. Requests that the server
    puts off (429) or fails at (5xx) are sent again after wait_s, 2 wait_s, 4 wait_s, ... seconds, or after
    the time that the server names; any other failure is a UserError.
    """

    kind = "an openai: system"
    abilities = frozenset({"report", "answer"})

    url: str
    model: str
    key_env: str = ""
    report_prompt: str = REPORT_PROMPT
    answer_prompt: str = ANSWER_PROMPT  # holds "{question}"
    max_tokens: int = 512
    temperature: float = 0.0
    workers: int = 4  # requests under way at once
    attempts: int = 5
    wait_s: float = 1.0
    timeout_s: float = 120.0

    def __post_init__(self) -> None:
        try:
            parts = urlsplit(self.url)
        except ValueError:
            parts = urlsplit("")
        if parts.scheme not in ("http", "https") or not parts.hostname:
            raise UserError(
                "expected openai:URL with a URL such as http://localhost:8000/v1, found another; correct it"
            )
        if parts.username or parts.password or parts.query:
            raise UserError(
                "expected the endpoint's URL without a name, password or query in it, found one; "
                "put the key in an environment variable and name that by key_env=VARIABLE"
            )
        if self.key_env and not os.environ.get(self.key_env):
            raise UserError(
                f"expected the endpoint's key in the environment variable {self.key_env}, found none; set it"
            )

    def report(self, images: Sequence[np.ndarray], seed: int = 0) -> list[ReportResult]:
        """Write a report of each image."""
        return [
            ReportResult(
                one.text, seed=seed, warnings=one.warnings, report=parse_sections(strip_reasoning(one.text))
            )
            for one in self._ask_all(images, [self.report_prompt] * len(images), seed)
        ]

    def answer(
        self, images: Sequence[np.ndarray], questions: Sequence[str], seed: int = 0
    ) -> list[AnswerResult]:
        """Answer `questions`: questions[i] is about images[i]."""
        prompts = [self.answer_prompt.replace("{question}", question) for question in questions]
        return [
            AnswerResult(one.text, seed=seed, warnings=one.warnings, question=question)
            for one, question in zip(self._ask_all(images, prompts, seed), questions, strict=True)
        ]

    def _respond(
        self, ability: str, asked: Sequence[Asked], settings: Mapping[str, Any]
    ) -> Iterator[tuple[int, Any]]:
        """Give each answer the moment it is there; where one fails, first those that are under way."""
        failure: BaseException | None = None
        with ThreadPoolExecutor(self.workers) as pool:
            place_of = {
                pool.submit(self._ask_batch, ability, [one], settings): place
                for place, one in enumerate(asked)
            }
            try:
                for done in as_completed(place_of):
                    if not done.cancelled() and done.exception() is None:
                        yield place_of[done], done.result()[0]
                    elif not done.cancelled():
                        failure = failure or done.exception()
                        for waiting in place_of:  # what fails once fails for all
                            waiting.cancel()
            except BaseException:
                pool.shutdown(wait=False, cancel_futures=True)
                raise
        if failure:
            raise failure

    def _ask_all(self, images: Sequence[np.ndarray], prompts: Sequence[str], seed: int) -> list[TextResult]:
        """Return what was written in the order of the images, however the requests end."""
        pairs = list(zip(images, prompts, strict=True))
        with ThreadPoolExecutor(self.workers) as pool:
            waiting = [pool.submit(self._ask, image, prompt, seed) for image, prompt in pairs]
            try:
                return [one.result() for one in waiting]
            except BaseException:
                pool.shutdown(wait=False, cancel_futures=True)  # what fails once fails for all
                raise

    def _ask(self, image: np.ndarray, prompt: str, seed: int) -> TextResult:
        picture = "data:image/png;base64," + base64.b64encode(to_png(image)).decode()
        content = [
            {"type": "image_url", "image_url": {"url": picture}},
            {"type": "text", "text": prompt},
        ]
        return self._read_answer(
            self._post(
                {
                    "model": self.model,
                    "messages": [{"role": "user", "content": content}],
                    "temperature": self.temperature,
                    "max_tokens": self.max_tokens,
                    "seed": seed,
                }
            )
        )

    def _post(self, body: dict[str, Any]) -> bytes:
        headers = {"Content-Type": "application/json"}
        if self.key_env:
            headers["Authorization"] = f"Bearer {os.environ.get(self.key_env, '')}"
        request = urllib.request.Request(
            f"{self.url.rstrip('/')}/chat/completions",
            json.dumps(body, allow_nan=False).encode(),
            headers,
            method="POST",
        )
        opener = urllib.request.build_opener(_NoRedirects)
        for attempt in count(1):
            try:
                with opener.open(request, timeout=self.timeout_s) as response:
                    return response.read()
            except urllib.error.HTTPError as error:
                with error:
                    if not (error.code == 429 or error.code >= 500) or attempt >= self.attempts:
                        raise UserError(self._explain(error, attempt)) from None
                    time.sleep(_wait(error, self.wait_s * 2 ** (attempt - 1)))
            except (OSError, http.client.HTTPException) as error:
                reason = getattr(error, "reason", None) or error
                raise UserError(
                    f"{self.url}: expected an answer within {self.timeout_s:g} s, found none "
                    f"({type(reason).__name__}); check that the server runs and the URL"
                ) from None

    def _explain(self, error: urllib.error.HTTPError, attempt: int) -> str:
        if error.code in (401, 403):  # these servers' words may repeat the key
            detail = (
                f"; check the key in {self.key_env}" if self.key_env else "; name its key by key_env=VARIABLE"
            )
        elif 300 <= error.code < 400:
            detail = "; it points to another place: name that one"
        else:
            key = os.environ.get(self.key_env) if self.key_env else None
            words = error.read(10_000).decode("utf-8", "replace")
            words = " ".join((words.replace(key, "***") if key else words).split())
            detail = f": {words[:MESSAGE_LENGTH]}"
        times = f" {attempt} times" if attempt > 1 else ""
        return f"{self.url}: expected an answer, found HTTP {error.code}{times}{detail}"

    def _read_answer(self, body: bytes) -> TextResult:
        try:
            choice = json.loads(body)["choices"][0]
            text = choice["message"]["content"] or ""  # null where the model declines
            text = text.strip()
        except (ValueError, KeyError, IndexError, TypeError, AttributeError):
            raise UserError(
                f"{self.url}: expected a chat completion (choices[0].message.content), found another answer; "
                "check that the URL ends where /chat/completions begins"
            ) from None
        is_cut = choice.get("finish_reason") == "length"
        return TextResult(text, warnings=(f"cut off at {self.max_tokens} tokens",) if is_cut else ())


def open_endpoint(url: str, model: str, key_env: str = "") -> OpenAIEndpoint:
    """Open `openai:URL,model=NAME[,key_env=VARIABLE]`."""
    return OpenAIEndpoint(url, model, key_env)


def _wait(error: urllib.error.HTTPError, otherwise_s: float) -> float:
    """Return the seconds until the next attempt: what the server asks for, where it gives a number."""
    named = error.headers.get("Retry-After", "")
    return min(float(named) if named.isdecimal() else otherwise_s, LONGEST_WAIT_S)
