"""Ask an OpenAI-compatible endpoint (chat completions with images). Knows no model.

PRIVACY: every image is sent to the endpoint's machine. Only pixels are sent, no file header and no id, but a
radiograph is a patient's all the same: real ones may go only where their terms of use allow.
"""

from __future__ import annotations

import base64
import logging
import math
import os
import re
import time
from collections import Counter
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
from llmcxr.systems.key_guard import holds_key
from llmcxr.systems.post import Answer, NoAnswer, post
from llmcxr.systems.prompts import ANSWER_PROMPT, REPORT_PROMPT
from vqgan.json_text import from_json

logger = logging.getLogger(__name__)

LONGEST_WAIT_S = 60.0
MESSAGE_LENGTH = 200  # characters of a server's own words that are shown
LARGEST_ANSWER = 2**23  # bytes: a report has some thousands
MOST_ODD = 10  # answers in a row without a text, after which the others are not asked for
OTHER_PARAMETERS = ("model", "messages", "temperature", "seed")
CUT_OFF = "cut off at"
NONE = "none"  # as a parameter's name or value: it is not sent
TEXT_PARTS = ("text", "output_text", None)  # types of a content's parts that are the answer's; others think


class _OddAnswerError(Exception):
    """Says in a few words why one answer has no text that can be used."""


@dataclass(frozen=True)
class OpenAIEndpoint(System):
    """Let the model behind an endpoint report and answer.

    url: up to /v1, such as "http://localhost:8000/v1". key_env: the environment variable that holds the key,
    "" for a server without one; the key itself is kept nowhere and shown nowhere. max_tokens goes under the
    name max_tokens_name ("max_completion_tokens" for some models); with "none" there it is not sent, nor is a
    temperature of None. Requests that the server puts off (429) or fails at (5xx), by its status or by the
    code of an error in its answer, and those whose connection breaks, are sent again after wait_s, 2 wait_s,
    4 wait_s, ... seconds, or after the time that the server names.

    An answer that is none (an error, another form, too slow or too large) is an empty text with a warning,
    and counted in the log, as one without words is and one that is cut off; where all are none, or MOST_ODD
    in a row, UserError says what the first was. A key that is refused, a redirect and a server that is not
    there are one at once.
    """

    kind = "an openai: system"
    abilities = frozenset({"report", "answer"})

    url: str
    model: str
    key_env: str = ""
    report_prompt: str = REPORT_PROMPT
    answer_prompt: str = ANSWER_PROMPT  # holds "{question}"
    max_tokens: int = 512
    max_tokens_name: str = "max_tokens"
    temperature: float | None = 0.0
    sends_seed: bool = True
    workers: int = 4  # requests under way at once
    attempts: int = 5
    wait_s: float = 1.0
    timeout_s: float = 120.0  # for a whole answer

    def __post_init__(self) -> None:
        _check_url(self.url)
        if self.key_env and not self._key:
            raise UserError(
                f"expected the endpoint's key in the environment variable {self._variable}, "
                "found none; set it"
            )
        if not _is_visible(self._key):
            raise UserError(
                f"expected the key in the environment variable {self._variable} in visible ASCII characters, "
                "found others, such as a blank or the end of a line; set it without them"
            )
        is_name = re.fullmatch(r"[A-Za-z]\w*", self.max_tokens_name, re.ASCII)
        if not is_name or self.max_tokens_name in OTHER_PARAMETERS:
            raise UserError(
                "expected max_tokens_name to be the name of a parameter, such as max_completion_tokens, or "
                f"{NONE}, found another; correct it"
            )
        if self.max_tokens < 1 or not 0 < self.timeout_s < math.inf:
            raise UserError("expected max_tokens of 1 or more and timeout_s above 0; correct them")
        if self.temperature is not None and not 0 <= self.temperature < math.inf:
            raise UserError(f"expected temperature to be 0 or more, or {NONE}, found another; correct it")

    def report(self, images: Sequence[np.ndarray], seed: int = 0) -> list[ReportResult]:
        """Write a report of each image."""
        asked = [Asked("", image=image) for image in images]
        return self._in_order(self._respond("report", asked, {"seed": seed}))

    def answer(
        self, images: Sequence[np.ndarray], questions: Sequence[str], seed: int = 0
    ) -> list[AnswerResult]:
        """Answer `questions`: questions[i] is about images[i]."""
        asked = [Asked("", question, image) for image, question in zip(images, questions, strict=True)]
        return self._in_order(self._respond("answer", asked, {"seed": seed}))

    @staticmethod
    def _in_order(results: Iterator[tuple[int, Any]]) -> list:
        return [result for _, result in sorted(results, key=lambda one: one[0])]

    def _respond(
        self, ability: str, asked: Sequence[Asked], settings: Mapping[str, Any]
    ) -> Iterator[tuple[int, ReportResult | AnswerResult]]:
        """Give each result the moment it is there; where one fails, first those that are under way."""
        if ability not in self.abilities:
            raise self.cannot(ability)
        seed = settings.get("seed", 0)
        for place, one in self._write(ability, asked, seed):
            if ability == "report":
                report = parse_sections(strip_reasoning(one.text))
                yield place, ReportResult(one.text, seed=seed, warnings=one.warnings, report=report)
            else:
                question = asked[place].text
                yield place, AnswerResult(one.text, seed=seed, warnings=one.warnings, question=question)

    def _write(self, ability: str, asked: Sequence[Asked], seed: int) -> Iterator[tuple[int, TextResult]]:
        """Give what is written of each; those without a text at the end, unless they are too many."""
        failure: BaseException | None = None
        odd: list[tuple[int, str]] = []
        empty: list[str] = []
        odd_in_a_row = num_cut = 0
        with ThreadPoolExecutor(self.workers) as pool:
            place_of = {pool.submit(self._ask, ability, one, seed): place for place, one in enumerate(asked)}
            try:
                for done in as_completed(place_of):
                    if done.cancelled():
                        continue
                    failure = failure or done.exception()
                    if done.exception() is None and isinstance(done.result(), TextResult):
                        odd_in_a_row = 0
                        if not strip_reasoning(done.result().text):
                            empty += done.result().warnings
                        elif CUT_OFF in " ".join(done.result().warnings):
                            num_cut += 1
                        yield place_of[done], done.result()
                    elif done.exception() is None:
                        odd.append((place_of[done], done.result()))
                        odd_in_a_row += 1
                        if odd_in_a_row == min(MOST_ODD, len(asked)):
                            failure = failure or self._tell_odd(odd)
                    if failure:
                        for waiting in place_of:  # what fails once fails for all
                            waiting.cancel()
            except BaseException:
                pool.shutdown(wait=False, cancel_futures=True)
                raise
        if failure:
            raise failure
        if why := Counter([reason for _, reason in odd] + empty):
            reasons = "; ".join(f"{number} times {reason}" for reason, number in why.most_common())
            logger.warning("%d of %d answers have no text: %s", why.total(), len(asked), reasons)
        if num_cut:
            logger.warning(
                "%d of %d answers are %s %d tokens; max_tokens=N allows more",
                num_cut,
                len(asked),
                CUT_OFF,
                self.max_tokens,
            )
        for place, reason in odd:
            yield place, TextResult("", warnings=(reason,))

    def _tell_odd(self, odd: Sequence[tuple[int, str]]) -> UserError:
        reason = odd[0][1]
        is_refused = reason.startswith(("HTTP 400", "HTTP 422"))
        advice = "; a model may want max_tokens_name=max_completion_tokens or temperature=none"
        return UserError(
            f"{self.url}: expected an answer with a text, found {reason}{advice if is_refused else ''}"
        )

    def _ask(self, ability: str, asked: Asked, seed: int) -> TextResult | str:
        """Return what was written, or why there is nothing."""
        answer_prompt = self.answer_prompt.replace("{question}", asked.text)
        prompt = self.report_prompt if ability == "report" else answer_prompt
        picture = "data:image/png;base64," + base64.b64encode(to_png(asked.image)).decode()
        content = [
            {"type": "image_url", "image_url": {"url": picture}},
            {"type": "text", "text": prompt},
        ]
        body: dict[str, Any] = {"model": self.model, "messages": [{"role": "user", "content": content}]}
        if self.temperature is not None:
            body["temperature"] = self.temperature
        if self.max_tokens_name != NONE:
            body[self.max_tokens_name] = self.max_tokens
        if self.sends_seed:
            body["seed"] = seed
        try:
            return self._read_answer(self._post(body))
        except _OddAnswerError as error:
            return str(error)

    def _post(self, body: dict[str, Any]) -> bytes:
        headers = {"Authorization": f"Bearer {self._key}"} if self.key_env else {}
        for attempt in count(1):
            wait_s = self.wait_s * 2 ** (attempt - 1)
            is_last = attempt >= self.attempts
            answer = post(
                f"{self.url.rstrip('/')}/chat/completions", body, headers, self.timeout_s, LARGEST_ANSWER
            )
            if isinstance(answer, Answer):
                answer = _unwrap_failure(answer)
            if isinstance(answer, NoAnswer):
                if is_last or not answer.was_lost:
                    self._tell_no_answer(answer.reason, attempt)
            elif 200 <= answer.status < 300:
                return answer.body
            elif is_last or not _is_passing(answer.status):
                self._tell_failure(answer, attempt)
            else:
                wait_s = _wait(answer.retry_after, wait_s)
            time.sleep(wait_s)

    @property
    def _key(self) -> str:
        return os.environ.get(self.key_env, "") if self.key_env else ""

    @property
    def _variable(self) -> str:
        """Name the key's variable, unless it looks like the key itself."""
        is_name = re.fullmatch(r"[A-Z_][A-Z0-9_]{0,39}", self.key_env)
        return self.key_env if is_name else "that key_env names (not the key itself)"

    def _tell_no_answer(self, reason: str, attempt: int) -> None:
        times = f" {attempt} times" if attempt > 1 else ""
        if reason.startswith("none ("):  # the server is not there
            raise UserError(
                f"{self.url}: expected an answer within {self.timeout_s:g} s, found {reason}{times}; check "
                "that the server runs and the URL"
            )
        raise _OddAnswerError(f"{reason}{times}")

    def _tell_failure(self, answer: Answer, attempt: int) -> None:
        times = f" {attempt} times" if attempt > 1 else ""
        if answer.status in (401, 403):
            advice = (
                f"check the key in {self._variable}" if self.key_env else "name its key by key_env=VARIABLE"
            )
        elif 300 <= answer.status < 400:
            advice = "it points to another place: name that one"
        else:
            words = self._quote(answer.body.decode("utf-8", "replace"))
            raise _OddAnswerError(f"HTTP {answer.status}{times}: {words}")
        raise UserError(f"{self.url}: expected an answer, found HTTP {answer.status}{times}; {advice}")

    def _quote(self, words: str) -> str:
        """Return a server's words for a message, in one line and cut; not those that give the key away."""
        words = words[:10_000]
        if holds_key(words, self._key):
            return "words that hold the key and are not shown"
        return " ".join(_clean(words).split())[:MESSAGE_LENGTH]

    def _read_answer(self, body: bytes) -> TextResult:
        answer = _parse(body)
        if error := _find_error(answer):
            raise _OddAnswerError(f"an error: {self._quote(_find_message(error))}")
        try:
            choice = answer["choices"][0]
            text, finish, refusal = _read_choice(choice)
        except (KeyError, IndexError, TypeError, AttributeError):
            text = None
        if text is None:
            raise _OddAnswerError(
                "no chat completion (choices[0].message.content); check that the URL ends where "
                "/chat/completions begins"
            )
        if (key := self._key) and key in text:
            text = text.replace(key, "***")
        warnings = []
        if finish == "length":
            warnings.append(f"{CUT_OFF} {self.max_tokens} tokens")
        if finish == "content_filter":
            warnings.append("stopped by the server's filter")
        if refusal:
            warnings.append("declined by the model")
        if not strip_reasoning(text) and not warnings:
            warnings.append("reasoning alone" if text else "no words")
        return TextResult(text, warnings=tuple(warnings))


def _read_choice(choice: dict[str, Any]) -> tuple[str | None, str, bool]:
    """Return a choice's text (None where it is of another form), how it ended, and whether it is declined."""
    message = choice["message"]
    content = message.get("content")  # left out by some servers where the model only thinks
    if isinstance(content, list):
        content = "".join(part["text"] for part in content if part.get("type") in TEXT_PARTS)
    if content is not None and not isinstance(content, str):
        return None, "", False
    return _clean(content or "").strip(), str(choice.get("finish_reason")), bool(message.get("refusal"))


def _parse(body: bytes) -> Any:
    try:
        return from_json(body)
    except ValueError:
        return None


def _find_error(answer: Any) -> Any:
    """Return the error that stands in place of a completion; None where there is none."""
    if not isinstance(answer, dict) or answer.get("choices"):
        return None
    return answer if answer.get("object") == "error" else answer.get("error")  # the first is vLLM's


def _unwrap_failure(answer: Answer) -> Answer:
    """Give a success that says with an error's code that it is a passing failure the status of that."""
    error = _find_error(_parse(answer.body)) if 200 <= answer.status < 300 else None
    code = str(error.get("code")) if isinstance(error, dict) else ""
    if not re.fullmatch("[1-5][0-9]{2}", code) or not _is_passing(int(code)):
        return answer
    return Answer(int(code), _find_message(error).encode("utf-8", "replace"), answer.retry_after)


def _is_passing(status: int) -> bool:
    """Tell whether the same request may be answered later."""
    return status == 429 or status >= 500


def _find_message(error: object) -> str:
    message = error.get("message") if isinstance(error, dict) else error
    return message if isinstance(message, str) else "without words"


def _clean(text: str) -> str:
    """Leave out characters that no text has: controls, which a terminal obeys, and halves of others."""
    return re.sub(r"[\x00-\x08\x0b-\x1f\x7f-\x9f\ud800-\udfff]", "", text.replace("\r\n", "\n"))


def _is_visible(text: str) -> bool:
    return all("!" <= character <= "~" for character in text)


def _check_url(url: str) -> None:
    try:
        parts = urlsplit(url if _is_visible(url) else "")
        is_whole = parts.scheme in ("http", "https") and bool(parts.hostname) and parts.port != 0
        (parts.hostname or "").encode("idna")  # as it is looked up: not of too long a part
    except ValueError:
        parts, is_whole = urlsplit(""), False
    if not is_whole:
        raise UserError(
            "expected openai:URL with a URL such as http://localhost:8000/v1, in ASCII without blanks, found "
            "another; correct it"
        )
    if parts.username is not None or parts.password is not None or parts.query or parts.fragment:
        raise UserError(
            "expected the endpoint's URL without a name, password or query in it, found one; "
            "put the key in an environment variable and name that by key_env=VARIABLE"
        )


def open_endpoint(
    url: str,
    model: str,
    key_env: str = "",
    max_tokens: int = 512,
    max_tokens_name: str = "max_tokens",
    temperature: str = "0",
    sends_seed: bool = True,
    timeout_s: float = 120.0,
) -> OpenAIEndpoint:
    """Open `openai:URL,model=NAME[,key_env=VARIABLE]`, and where the model wants others than the usual
    parameters `[,max_tokens=N][,max_tokens_name=NAME|none][,temperature=T|none][,sends_seed=no]`.
    """
    try:
        number = None if temperature == NONE else float(temperature)
    except ValueError:
        raise UserError(
            f"expected temperature to be a number or {NONE}, found {temperature!r}; correct it"
        ) from None
    return OpenAIEndpoint(
        url,
        model,
        key_env,
        max_tokens=max_tokens,
        max_tokens_name=max_tokens_name,
        temperature=number,
        sends_seed=sends_seed,
        timeout_s=timeout_s,
    )


def _wait(retry_after: str, otherwise_s: float) -> float:
    """Return the seconds until the next attempt: what the server asks for, where it gives a number."""
    return min(float(retry_after) if retry_after.isdecimal() else otherwise_s, LONGEST_WAIT_S)
