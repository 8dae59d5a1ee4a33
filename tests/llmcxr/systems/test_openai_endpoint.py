"""Against a server on this machine that answers as the test tells it to."""

import base64
import io
import json
import threading
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import numpy as np
import pytest
from PIL import Image

from llmcxr.common.errors import UserError
from llmcxr.predictor import Asked
from llmcxr.systems.openai_endpoint import OpenAIEndpoint

IMAGE = np.tile(np.linspace(0, 1, 16, dtype=np.float32), (20, 1))
KEY = "sk-never-shown"


def completion(text, finish_reason="stop"):
    return 200, {"choices": [{"message": {"content": text}, "finish_reason": finish_reason}]}, {}


class Server:
    """`answer(body, number)` gives status, JSON (or text) and headers; `seen` has (path, headers, body)."""

    def __init__(self, answer):
        self.seen, lock = [], threading.Lock()
        server = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self):
                body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
                with lock:
                    server.seen.append((self.path, dict(self.headers), body))
                    number = len(server.seen)
                status, said, headers = answer(body, number)
                content = (said if isinstance(said, str) else json.dumps(said)).encode()
                self.send_response(status)
                for name, value in {**headers, "Content-Length": str(len(content))}.items():
                    self.send_header(name, value)
                self.end_headers()
                self.wfile.write(content)

            def log_message(self, *_):
                pass

        self.http = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self.http.server_port}/v1"
        threading.Thread(target=self.http.serve_forever, args=(0.01,), daemon=True).start()

    def close(self):
        self.http.shutdown()
        self.http.server_close()


@pytest.fixture
def serve(monkeypatch):
    monkeypatch.setenv("no_proxy", "127.0.0.1")
    servers = []

    def start(answer):
        servers.append(Server(answer))
        return servers[-1]

    yield start
    for server in servers:
        server.close()


def question_in(body):
    return body["messages"][0]["content"][1]["text"]


def ask(server, **settings):
    return OpenAIEndpoint(server.url, "some-model", wait_s=0.01, timeout_s=5, **settings)


def test_image_and_prompt_arrive_and_nothing_else_of_the_image(serve, monkeypatch):
    monkeypatch.setenv("SOME_KEY", KEY)
    server = serve(lambda body, number: completion(" FINDINGS: Clear. IMPRESSION: Normal. "))
    result = ask(server, key_env="SOME_KEY", report_prompt="Write.").report([IMAGE], seed=3)[0]
    assert result.text == "FINDINGS: Clear. IMPRESSION: Normal." and result.report.impression == "Normal."
    path, headers, body = server.seen[0]
    assert path == "/v1/chat/completions" and headers["Authorization"] == f"Bearer {KEY}"
    assert (body["model"], body["seed"], body["temperature"]) == ("some-model", 3, 0.0)
    picture, text = body["messages"][0]["content"]
    assert text == {"type": "text", "text": "Write."}
    kind, _, data = picture["image_url"]["url"].partition(",")
    sent = Image.open(io.BytesIO(base64.b64decode(data)))
    assert kind == "data:image/png;base64" and sent.info == {}
    assert np.array_equal(np.asarray(sent), np.rint(IMAGE * 255))


def test_answers_keep_the_order_of_the_questions_however_they_arrive(serve):
    def answer(body, number):
        time.sleep(0.05 if number == 1 else 0)
        return completion(f"of {question_in(body)}")

    server = serve(answer)
    questions = [f"q{i}" for i in range(7)]
    results = ask(server, answer_prompt="{question}", workers=3).answer([IMAGE] * 7, questions)
    assert [one.text for one in results] == [f"of {question}" for question in questions]
    assert [one.question for one in results] == questions
    assert "Authorization" not in server.seen[0][1]


def test_each_report_is_kept_as_it_comes_also_where_another_fails(serve):
    """The third request fails while the second is under way: both the first and the second are kept."""
    third_failed = threading.Event()

    def answer(body, number):
        if number == 2:
            third_failed.wait(5)
        elif number == 3:
            third_failed.set()
            return 400, {"error": "no"}, {}
        return completion(f"of {number}")

    server, kept = serve(answer), []
    asked = [Asked(str(number), image=IMAGE) for number in range(9)]
    with pytest.raises(UserError, match="HTTP 400"):
        ask(server, workers=2).ask("report", asked, lambda one, result: kept.append(result.text), seed=0)
    assert {"of 1", "of 2"} <= set(kept) and len(server.seen) < 9


@pytest.mark.parametrize("status", [429, 500, 503])
def test_a_busy_or_failing_server_is_asked_again(serve, status):
    server = serve(lambda body, number: (status, "later", {}) if number < 3 else completion("Clear."))
    assert ask(server).report([IMAGE])[0].text == "Clear."
    assert len(server.seen) == 3


def test_a_server_that_names_its_time_is_taken_at_its_word(serve):
    server = serve(lambda body, n: (429, "", {"Retry-After": "0"}) if n == 1 else completion("Clear."))
    endpoint = OpenAIEndpoint(server.url, "some-model", wait_s=30, timeout_s=5)
    started = time.monotonic()
    assert endpoint.report([IMAGE])[0].text == "Clear."
    assert time.monotonic() - started < 5


def test_it_gives_up_after_the_last_attempt(serve):
    server = serve(lambda body, number: (503, "overloaded", {}))
    with pytest.raises(UserError, match="HTTP 503 3 times: overloaded"):
        ask(server, attempts=3).report([IMAGE])
    assert len(server.seen) == 3


@pytest.mark.parametrize(
    ("answer", "says"),
    [
        ((400, {"error": {"message": f"bad image, key {KEY}"}}, {}), "HTTP 400: "),
        ((401, f"wrong key {KEY}", {}), "HTTP 401; check the key in SOME_KEY"),
        ((404, "no such model", {}), "HTTP 404: no such model"),
        ((302, "", {"Location": "http://127.0.0.1:9/elsewhere"}), "HTTP 302; it points to another place"),
        ((200, "<html>", {}), "expected a chat completion"),
        ((200, {"choices": []}, {}), "expected a chat completion"),
        ((200, {"choices": [{"message": {"content": [1]}}]}, {}), "expected a chat completion"),
    ],
)
def test_other_failures_are_told_at_once_and_without_the_key(serve, monkeypatch, answer, says):
    monkeypatch.setenv("SOME_KEY", KEY)
    server = serve(lambda body, number: answer)
    with pytest.raises(UserError) as error:
        ask(server, key_env="SOME_KEY", workers=1).report([IMAGE])
    assert says in str(error.value) and KEY not in str(error.value)
    assert len(server.seen) == 1


def test_a_server_that_is_not_there_or_too_slow(serve):
    with pytest.raises(UserError, match="found none"):
        OpenAIEndpoint("http://127.0.0.1:9/v1", "m", timeout_s=2).report([IMAGE])

    def dawdle(body, number):
        time.sleep(0.5)
        return completion("late")

    with pytest.raises(UserError, match=r"within 0\.1 s"):
        OpenAIEndpoint(serve(dawdle).url, "m", timeout_s=0.1).report([IMAGE])


def test_what_is_cut_off_or_declined_is_kept(serve):
    server = serve(lambda body, n: completion("The heart", "length") if n == 1 else completion(None))
    first, second = ask(server, workers=1, max_tokens=2).report([IMAGE, IMAGE])
    assert first.warnings == ("cut off at 2 tokens",)
    assert second.text == "" and second.warnings == ()


@pytest.mark.parametrize(
    ("settings", "says"),
    [
        ({"url": "file:///etc/hosts"}, "a URL such as"),
        ({"url": "http://["}, "a URL such as"),
        ({"url": f"https://me:{KEY}@host/v1"}, "without a name, password or query"),
        ({"url": f"https://host/v1?key={KEY}"}, "without a name, password or query"),
        ({"url": "https://host/v1", "key_env": "NO_SUCH_VARIABLE"}, "variable NO_SUCH_VARIABLE"),
    ],
)
def test_bad_settings(settings, says):
    with pytest.raises(UserError) as error:
        OpenAIEndpoint(model="m", **settings)
    assert says in str(error.value) and KEY not in str(error.value)


def test_it_draws_nothing():
    with pytest.raises(UserError, match="reads and answers only"):
        OpenAIEndpoint("http://localhost/v1", "m").draw(["Normal chest."])
