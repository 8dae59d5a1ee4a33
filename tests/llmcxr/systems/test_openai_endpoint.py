"""Against a server on this machine that answers as the test tells it to."""

import base64
import io
import json
import socket
import threading
import time
import traceback
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import quote

import numpy as np
import pytest
from PIL import Image

from llmcxr.common.errors import UserError
from llmcxr.predictor import Asked
from llmcxr.systems.openai_endpoint import OpenAIEndpoint
from llmcxr.systems.opening import open_system

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


@contextmanager
def _speak(answer: bytes):
    """Answer one request with these bytes, whatever they are."""
    listening = socket.create_server(("127.0.0.1", 0))

    def speak():
        talking, _ = listening.accept()
        while not talking.recv(2**20).endswith(b"}"):  # the whole request: a rest would break the connection
            pass
        talking.sendall(answer)
        talking.close()

    threading.Thread(target=speak, daemon=True).start()
    yield f"http://127.0.0.1:{listening.getsockname()[1]}/v1"
    listening.close()


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
            return 401, {"error": "no"}, {}
        return completion(f"of {number}")

    server, kept = serve(answer), []
    asked = [Asked(str(number), image=IMAGE) for number in range(9)]
    with pytest.raises(UserError, match="HTTP 401"):
        ask(server, workers=2).ask("report", asked, lambda one, result: kept.append(result.text), seed=0)
    assert {"of 1", "of 2"} <= set(kept) and len(server.seen) < 9


@pytest.mark.parametrize("status", [429, 500, 503])
def test_a_busy_or_failing_server_is_asked_again(serve, status):
    server = serve(lambda body, number: (status, "later", {}) if number < 3 else completion("Clear."))
    assert ask(server).report([IMAGE])[0].text == "Clear."
    assert len(server.seen) == 3


@pytest.mark.parametrize(
    "said",
    [
        {"error": {"code": 429, "message": "slow down"}},
        {"error": {"code": "503", "message": "slow down"}, "choices": []},
        {"object": "error", "code": 500, "message": "slow down"},
    ],
)
def test_a_success_whose_error_has_such_a_code_is_asked_again_as_the_status_is(serve, said):
    server = serve(lambda body, number: (200, said, {}) if number < 3 else completion("Clear."))
    assert ask(server).report([IMAGE])[0].text == "Clear."
    assert len(server.seen) == 3
    busy = serve(lambda body, number: (200, said, {}))
    with pytest.raises(UserError, match=r"HTTP (429|503|500) 3 times: slow down"):
        ask(busy, attempts=3).report([IMAGE])
    assert len(busy.seen) == 3


@pytest.mark.parametrize("code", [None, True, 404, "4290", "rate", [429], -500, 10**400, "٥٠٠"])
def test_an_error_of_another_code_is_told_at_once(serve, code):
    server = serve(lambda body, number: (200, {"error": {"code": code, "message": "never"}}, {}))
    with pytest.raises(UserError, match="found an error: never"):
        ask(server).report([IMAGE])
    assert len(server.seen) == 1


def test_a_completion_is_taken_whatever_error_stands_beside_it(serve):
    said = completion("Clear.")[1] | {"error": {"code": 503, "message": "a part failed"}}
    server = serve(lambda body, number: (200, said, {}))
    assert ask(server).report([IMAGE])[0].text == "Clear." and len(server.seen) == 1


def test_such_an_error_does_not_show_the_key(serve, monkeypatch):
    monkeypatch.setenv("SOME_KEY", KEY)
    said = {"error": {"code": 429, "message": f"too much of {KEY}"}}
    server = serve(lambda body, number: (200, said, {}))
    with pytest.raises(UserError, match="HTTP 429 2 times: words that hold the key") as error:
        ask(server, key_env="SOME_KEY", attempts=2).report([IMAGE])
    assert KEY not in str(error.value)


@pytest.mark.parametrize("answer", [(429, ""), (200, {"error": {"code": 429}})])
def test_a_server_that_names_its_time_is_taken_at_its_word(serve, answer):
    server = serve(lambda body, n: (*answer, {"Retry-After": "0"}) if n == 1 else completion("Clear."))
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
        ((200, "<html>", {}), "no chat completion"),
        ((200, "[" * 100_000, {}), "no chat completion"),
        ((200, {"choices": []}, {}), "no chat completion"),
        ((200, {"choices": None}, {}), "no chat completion"),
        ((200, {"choices": ["x"]}, {}), "no chat completion"),
        ((200, {"choices": [{"message": None}]}, {}), "no chat completion"),
        ((200, {"choices": [{"message": {"content": [1]}}]}, {}), "no chat completion"),
        ((200, {"choices": [{"message": {"content": {"text": "x"}}}]}, {}), "no chat completion"),
        ((200, {"choices": [{"message": {"content": 7}}]}, {}), "no chat completion"),
        ((200, [1], {}), "no chat completion"),
        ((200, "7", {}), "no chat completion"),
        ((200, {"error": {"message": f"rate of {KEY}"}}, {}), "an error: words that hold the key"),
        ((200, {"error": {"message": "no such model", "code": 404}}, {}), "an error: no such model"),
        ((200, {"error": "no such model"}, {}), "an error: no such model"),
        ((200, {"error": [1]}, {}), "an error: without words"),
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
    assert second.text == "" and second.warnings == ("no words",)


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


@pytest.mark.parametrize(
    ("choice", "text", "warnings"),
    [
        ({"message": {"content": [{"type": "text", "text": "Cle"}, {"text": "ar."}]}}, "Clear.", ()),
        (
            {"message": {"content": [{"type": "thinking", "text": "x"}, {"type": "text", "text": "y"}]}},
            "y",
            (),
        ),
        ({"message": {"content": None, "refusal": "I cannot."}}, "", ("declined by the model",)),
        ({"message": {"role": "assistant", "reasoning_content": "Hm."}}, "", ("no words",)),
        ({"message": {"content": ""}, "finish_reason": "length"}, "", ("cut off at 512 tokens",)),
        (
            {"message": {"content": ""}, "finish_reason": "content_filter"},
            "",
            ("stopped by the server's filter",),
        ),
        ({"message": {"content": "a\x00\x1b[2Jb\ud800c\r\nd\te"}}, "a[2Jbc\nd\te", ()),
        ({"message": {"content": f"The key is {KEY}."}}, "The key is ***.", ()),
        ({"message": {"content": "x"}, "finish_reason": 3}, "x", ()),
    ],
)
def test_answers_of_other_forms(serve, monkeypatch, choice, text, warnings):
    monkeypatch.setenv("SOME_KEY", KEY)
    server = serve(lambda body, number: (200, {"choices": [choice]}, {}))
    result = ask(server, key_env="SOME_KEY").report([IMAGE])[0]
    assert (result.text, result.warnings) == (text, warnings)


def test_some_odd_answers_are_empty_counted_and_named(serve, caplog):
    odd = {
        2: (400, {"error": "bad image"}, {}),
        3: (200, "<html>", {}),
        5: completion(None),
        6: (500, "?", {}),
    }
    server = serve(lambda body, number: odd.get(number, completion(f"of {number}")))
    results = ask(server, workers=1, attempts=1).report([IMAGE] * 7)
    assert [one.text for one in results] == ["of 1", "", "", "of 4", "", "", "of 7"]
    assert results[1].warnings == ('HTTP 400: {"error": "bad image"}',)
    assert (
        "4 of 7 answers have no text: 1 times HTTP 400" in caplog.text and "1 times no words" in caplog.text
    )


def test_after_ten_odd_answers_in_a_row_no_more_are_asked_for(serve):
    server = serve(lambda body, number: completion("x") if number == 1 else (400, "no such model", {}))
    kept = []
    asked = [Asked(str(number), image=IMAGE) for number in range(40)]
    with pytest.raises(UserError, match="HTTP 400: no such model"):
        ask(server, workers=1).ask("report", asked, lambda one, result: kept.append(result.text), seed=0)
    assert 11 <= len(server.seen) <= 13 and kept == ["x"]


def test_a_model_that_declines_everything_is_no_failure(serve):
    server = serve(lambda body, number: completion(None))
    assert [one.text for one in ask(server).report([IMAGE] * 12)] == [""] * 12


@pytest.mark.parametrize(
    ("keys", "sent", "not_sent"),
    [
        ("", {"max_tokens": 512, "temperature": 0.0, "seed": 0}, {"max_completion_tokens"}),
        (
            ",max_tokens_name=max_completion_tokens,max_tokens=4000,temperature=none,sends_seed=no",
            {"max_completion_tokens": 4000},
            {"max_tokens", "temperature", "seed"},
        ),
        (",max_tokens_name=none,temperature=1", {"temperature": 1.0, "seed": 0}, {"max_tokens", "none"}),
    ],
)
def test_parameters_have_the_names_that_the_model_wants(serve, keys, sent, not_sent):
    server = serve(lambda body, number: completion("Clear."))
    open_system(f"openai:{server.url},model=m{keys},timeout_s=5").report([IMAGE])
    body = server.seen[0][2]
    assert {key: body[key] for key in sent} == sent and not_sent.isdisjoint(body)
    assert set(body) == {"model", "messages", *sent}


@pytest.mark.parametrize(
    ("keys", "says"),
    [
        ("temperature=warm", "temperature to be a number or none"),
        ("temperature=-1", "temperature to be 0 or more"),
        ("temperature=nan", "temperature to be 0 or more"),
        ("max_tokens=0", "max_tokens of 1 or more"),
        ("max_tokens=many", "max_tokens to be int"),
        ("timeout_s=0", "timeout_s above 0"),
        ("max_tokens_name=a b", "name of a parameter"),
        ("max_tokens_name=messages", "name of a parameter"),
    ],
)
def test_parameters_that_cannot_be(keys, says):
    with pytest.raises(UserError, match=says):
        open_system(f"openai:http://localhost/v1,model=m,{keys}")


@pytest.mark.parametrize("end", ["\r", "\n", " ", "\t", "\x7f", "é", "…", "\u200b"])
def test_a_key_with_characters_that_no_header_takes_is_refused_without_showing_it(monkeypatch, end):
    monkeypatch.setenv("SOME_KEY", KEY + end)
    with pytest.raises(UserError, match="SOME_KEY in visible ASCII") as raised:
        OpenAIEndpoint("http://127.0.0.1:9/v1", "m", key_env="SOME_KEY")
    assert KEY not in _tell_all(raised.value)


@pytest.mark.parametrize(
    "url",
    [
        "http://é/v1",
        "http://h/é",
        "http://h/a b",
        "http://h/a\r\nX: y",
        f"http://{'a' * 70}/v1",
        "http://a..b/v1",
        "http://h:99999/v1",
        "http://h:abc/v1",
        "http://:80/v1",
        "ftp://h/v1",
        "data:text/plain,x",
    ],
)
def test_urls_that_are_none(url):
    with pytest.raises(UserError, match="a URL such as"):
        OpenAIEndpoint(url, "m")


def _tell_all(error):
    """Return a traceback of everything that is chained, as if nothing were suppressed."""
    told = []
    while error is not None:
        told.append("".join(traceback.format_exception(error)) + repr(error) + repr(vars(error)))
        error = error.__cause__ or error.__context__
    return "".join(told)


ECHOES = {
    "plain": lambda key: key,
    "in part": lambda key: f"{key[:4]}...{key[-8:]}",
    "its end": lambda key: f"****{key[-4:]}",
    "for a URL": lambda key: quote(key, safe=""),
    "all for a URL": lambda key: "".join(f"%{ord(letter):02X}" for letter in key),
    "base64": lambda key: base64.b64encode(key.encode()).decode(),
    "base64 of the header": lambda key: base64.b64encode(f"Bearer {key}".encode()).decode(),
    "base64 for a URL": lambda key: base64.urlsafe_b64encode(b"x" + key.encode()).decode(),
    "base64, for a URL": lambda key: quote(base64.b64encode(key.encode()).decode(), safe=""),
    "hexadecimal": lambda key: key.encode().hex(),
    "JSON": lambda key: "".join(f"\\u{ord(letter):04x}" for letter in key),
    "JSON with slashes": lambda key: key.replace("/", "\\/"),
    "HTML": lambda key: "".join(f"&#{ord(letter)};" for letter in key),
    "large": str.upper,
    "backwards": lambda key: key[::-1],
    "spaced": " ".join,
}


@pytest.mark.parametrize("form", ECHOES)
@pytest.mark.parametrize("status", [200, 400, 404, 422, 500])
def test_a_key_that_is_sent_back_in_any_form_is_not_shown(serve, monkeypatch, caplog, form, status):
    key = "sk-Zq9/+vWx7TkP2mNd"
    monkeypatch.setenv("SOME_KEY", key)
    echo = ECHOES[form](key)
    server = serve(lambda body, number: (status, {"error": {"message": f"bad key {echo} of yours"}}, {}))
    with pytest.raises(UserError) as raised:
        ask(server, key_env="SOME_KEY", attempts=1).report([IMAGE])
    told = _tell_all(raised.value) + caplog.text
    assert key not in told and echo not in told and "hold the key" in told


def test_a_reason_phrase_and_headers_are_not_shown(serve, monkeypatch):
    monkeypatch.setenv("SOME_KEY", KEY)
    answer = f"HTTP/1.1 400 bad {KEY}\r\nX: {KEY}\r\n\r\nno".encode()
    with _speak(answer) as url, pytest.raises(UserError, match="HTTP 400: no") as raised:
        OpenAIEndpoint(url, "m", key_env="SOME_KEY", timeout_s=5).report([IMAGE])
    assert KEY not in _tell_all(raised.value)


@pytest.mark.parametrize(
    "keys",
    [
        f"model=m,key_env={KEY}",
        f"model=m,api_key={KEY}",
        f"key_env={KEY}",
        f"model=m,key_env={KEY},max_tokens=many",
        f"model=m,key={KEY},temperature=1",
    ],
)
def test_a_key_that_is_given_in_place_of_its_variable_is_not_shown(keys):
    with pytest.raises(UserError) as raised:
        open_system(f"openai:http://localhost/v1,{keys}")
    assert KEY not in _tell_all(raised.value)


def test_answers_of_reasoning_alone_and_those_cut_off_are_counted(serve, caplog):
    thought, cut = completion("<think>Is it"), completion("Heart is", finish_reason="length")
    server = serve(lambda body, number: [thought, cut, completion("Clear.")][number - 1])
    written = ask(server).report([IMAGE] * 3)
    assert sorted(one.text for one in written) == ["<think>Is it", "Clear.", "Heart is"]
    assert "1 of 3 answers have no text: 1 times reasoning alone" in caplog.text
    assert "1 of 3 answers are cut off at 512 tokens; max_tokens=N allows more" in caplog.text
