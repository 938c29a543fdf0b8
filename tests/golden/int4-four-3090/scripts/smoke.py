#!/usr/bin/env python3
"""Ask a running server for what it must and must not do: scripts/smoke.py URL, the key in VLLM_API_KEY.

Python's standard library alone, so that it runs on a host, in the image of vLLM and as `helm test`.
"""

import argparse
import json
import os
import ssl
import sys
import time
import urllib.error
import urllib.request
from concurrent.futures import ThreadPoolExecutor

# What the plan says of this server.
REQUEST = "generate"
KEYLESS_PATHS = []
CALLS_TOOLS = True
STRUCTURED = True
# As many as the plan runs together, within the connections that a gateway holds.
AT_ONCE = min(256, 108, 104)

# Administrative paths of vLLM, which would answer anybody: a gateway lets none through.
FORBIDDEN = ("/invocations", "/metrics", "/v1/load_lora_adapter", "/pause", "/server_info")
WAIT_S = 600
NEAR = 0.95
ONE_TOKEN_OR_MORE = "one two three "
MEANT = {
    0: "nothing answers: is it up, is the address right?",
    401: "the key is not the server's: after a change of .env restart it",
    404: "no such path or model: is another model served than planned?",
    413: "the gateway takes no body of this size",
    429: "too many requests",
    503: "not ready: `make wait`, then again",
}


class Server:
    """One server, asked with the key or without; an answer is (status, text)."""

    def __init__(self, url, key, *, insecure=False, limit_s=WAIT_S):
        self.url, self.key, self.limit_s = url.rstrip("/"), key, limit_s
        handlers = []
        if url.startswith(("http://127.", "http://localhost", "https://127.", "https://localhost")):
            handlers.append(urllib.request.ProxyHandler({}))
        if insecure:
            handlers.append(urllib.request.HTTPSHandler(context=ssl._create_unverified_context()))
        self.opener = urllib.request.build_opener(*handlers)

    def open(self, path, body=None, key=None, method=None):
        headers = {"Content-Type": "application/json"} if body is not None else {}
        if key:
            headers["Authorization"] = f"Bearer {key}"
        data = None if body is None else json.dumps(body).encode()
        asked = urllib.request.Request(self.url + path, data=data, headers=headers, method=method)
        return self.opener.open(asked, timeout=self.limit_s)

    def ask(self, path, body=None, key=None, method=None):
        try:
            with self.open(path, body, key, method) as answer:
                return answer.status, answer.read().decode(errors="replace")
        except urllib.error.HTTPError as error:
            with error:
                return error.code, error.read().decode(errors="replace")
        except OSError as error:
            return 0, str(getattr(error, "reason", error))

    def call(self, path, body=None):
        return self.ask(path, body, self.key)

    def stream(self, path, body):
        """Events of a streamed answer with the seconds at which each came."""
        start, events = time.monotonic(), []
        with self.open(path, body, self.key) as answer:
            for line in answer:
                if line.startswith(b"data:"):
                    events.append((time.monotonic() - start, line[5:].strip().decode(errors="replace")))
        return events


class Report:
    """Lines for people, and whether something was wrong."""

    def __init__(self):
        self.failures = 0

    def ok(self, what):
        print(f"ok    {what}", flush=True)

    def wrong(self, what, why):
        print(f"WRONG {what}: {why}", flush=True)
        self.failures += 1

    def note(self, what):
        print(f"note  {what}", flush=True)

    def expect(self, want, what, got):
        """Whether the answer has this status; in words what another one means."""
        status, text = got
        if status == want:
            self.ok(f"{what}: {status}")
            return True
        said = " ".join(text.split())[:300]
        self.wrong(what, f"{status:03}, expected {want}" + "".join(f"; {one}" for one in (MEANT.get(status), said) if one))
        return False


def loads(text):
    try:
        return json.loads(text)
    except ValueError:
        return {}


def doors(server, report, *, gateway):
    """Health, the list of models by the key alone, and what a gateway must not let through."""
    report.expect(200, "health", server.ask("/health"))
    report.expect(401, "models without a key", server.ask("/v1/models"))
    report.expect(401, "models with a wrong key", server.ask("/v1/models", key="wrong"))
    status, text = server.call("/v1/models")
    report.expect(200, "models with the key", (status, text))
    if gateway:
        for path in FORBIDDEN:
            report.expect(404, f"{path}, which the gateway must not serve", server.ask(path, {}, server.key))
        for path in KEYLESS_PATHS[-1:]:
            report.expect(401, f"{path} without a key", server.ask(path, {}))
    listed = loads(text).get("data") or [{}]
    return listed[0].get("id") or "", listed[0].get("max_model_len") or 0


def completion(name, prompt, tokens, **more):
    return {"model": name, "prompt": prompt, "max_tokens": tokens, "temperature": 0} | more


def generates(server, report, name):
    """One completion, and one as a stream."""
    got = server.call("/v1/completions", completion(name, "One, two, three,", 8))
    if not report.expect(200, f"a completion of {name or 'no model'}", got):
        return False
    try:
        events = server.stream("/v1/completions", completion(name, "One, two, three,", 8, stream=True, ignore_eos=True))
    except OSError as error:
        report.wrong("a stream", error)
        return True
    if len(events) < 2 or events[-1][1] != "[DONE]":
        report.wrong("a stream", f"{len(events)} events, the last {events[-1][1][:80] if events else 'none'}")
    else:
        report.ok(f"a stream: {len(events)} events, the first after {events[0][0] * 1000:.0f} ms")
    return True


TOOL = {
    "type": "function",
    "function": {
        "name": "weather",
        "description": "The weather of a city",
        "parameters": {"type": "object", "properties": {"city": {"type": "string"}}, "required": ["city"]},
    },
}


def calls_a_tool(server, report, name):
    """A tool that is asked for by name is called; whether the model calls one of itself is a note."""
    said = [{"role": "user", "content": "What is the weather in Paris? Use the tool."}]
    body = {"model": name, "messages": said, "tools": [TOOL], "max_tokens": 256, "temperature": 0}
    by_name = {"type": "function", "function": {"name": "weather"}}
    status, text = server.call("/v1/chat/completions", body | {"tool_choice": by_name})
    if not report.expect(200, "a tool by its name", (status, text)):
        return
    if not calls(text):
        report.wrong("a tool by its name", f"no call in the answer: {text[:300]}")
        return
    status, text = server.call("/v1/chat/completions", body | {"tool_choice": "auto"})
    if report.expect(200, "a tool of its own choice", (status, text)) and not calls(text):
        report.note("the model answered without calling the tool: is the parser the model's own?")


def calls(text):
    choices = loads(text).get("choices") or [{}]
    return (choices[0].get("message") or {}).get("tool_calls") or []


def keeps_to_a_structure(server, report, name):
    """A choice of two words is one of the two."""
    words = ["yes", "no"]
    body = completion(name, "Is water wet? Answer:", 8, structured_outputs={"choice": words})
    status, text = server.call("/v1/completions", body)
    if not report.expect(200, "a structured answer", (status, text)):
        return
    said = (loads(text).get("choices") or [{}])[0].get("text", "").strip()
    if said not in words:
        report.wrong("a structured answer", f"{said[:80]!r} is none of {', '.join(words)}")


def tokens_of(text):
    return (loads(text).get("usage") or {}).get("prompt_tokens") or 0


def long_context(server, report, name, length):
    """A prompt near the context is answered; one beyond it is refused, and not cut in silence."""
    few = tokens_of(server.call("/v1/completions", completion(name, ONE_TOKEN_OR_MORE * 16, 1))[1])
    many = tokens_of(server.call("/v1/completions", completion(name, ONE_TOKEN_OR_MORE * 48, 1))[1])
    each = (many - few) / 32
    if not length or each <= 0:
        report.note("the context is not known: no long prompt was tried")
        return
    repeats = max(1, int((NEAR * length - (few - 16 * each)) / each))
    start = time.monotonic()
    status, text = server.call("/v1/completions", completion(name, ONE_TOKEN_OR_MORE * repeats, 4))
    took = time.monotonic() - start
    what = f"a prompt of {tokens_of(text) or int(repeats * each):,} of {length:,} tokens in {took:.1f} s"
    report.expect(200, what, (status, text))
    beyond = ONE_TOKEN_OR_MORE * (int(length / each) + 16)
    report.expect(400, f"a prompt beyond {length:,} tokens, which must be refused", server.call("/v1/completions", completion(name, beyond, 4)))


def at_once(server, report, what, path, body, count):
    """The planned concurrency: that many requests together, every one answered."""
    start = time.monotonic()
    with ThreadPoolExecutor(max_workers=count) as pool:
        answers = list(pool.map(lambda number: server.call(path, body(number)), range(count)))
    bad = [answer for answer in answers if answer[0] != 200]
    if bad:
        status, text = bad[0]
        report.wrong(f"{count} {what} at once", f"{len(bad)} failed; {status}: {MEANT.get(status) or text[:300]}")
    else:
        report.ok(f"{count} {what} at once: all answered in {time.monotonic() - start:.1f} s")


POOLED = {
    "embed": ("a vector", "/v1/embeddings", {"input": "One, two, three"}, lambda said: said["data"][0]["embedding"][0]),
    "score": ("a score", "/v1/score", {"text_1": "One, two", "text_2": "three"}, lambda said: said["data"][0]["score"]),
    "classify": ("probabilities", "/classify", {"input": "One, two, three"}, lambda said: said["data"][0]["probs"][0]),
    "pooling": ("values of each token", "/pooling", {"input": "One, two, three"}, lambda said: said["data"][0]["data"][0]),
}


def pools(server, report, name):
    """What a model answers that generates no text."""
    if REQUEST not in POOLED:
        report.note("no request: vLLM answers this class only with a plug-in, or with a task of its own (pooler_config)")
        return
    what, path, body, member = POOLED[REQUEST]
    status, text = server.call(path, {"model": name} | body)
    try:
        found = member(json.loads(text))
    except (ValueError, LookupError, TypeError):
        found = None
    if not isinstance(found, (int, float, list)):
        report.wrong(f"{what} from {name or 'no model'}", f"{status}: {MEANT.get(status) or ''} {text[:300]}")
        return
    at_once(server, report, "requests", path, lambda _: {"model": name} | body, AT_ONCE)
    report.ok(f"{what} from {name}")


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("url")
    parser.add_argument("--no-gateway", action="store_true", help="vLLM itself answers: its own paths are open")
    parser.add_argument("--insecure", action="store_true", help="take the gateway's certificate as it is")
    given = parser.parse_args()
    server = Server(given.url, os.environ.get("VLLM_API_KEY", ""), insecure=given.insecure)
    report = Report()
    if server.ask("/health")[0] == 0:
        print(f"nothing answers at {given.url}: start it first, or name another address", file=sys.stderr)
        return 1
    name, length = doors(server, report, gateway=not given.no_gateway)
    if REQUEST != "generate":
        pools(server, report, name)
    elif generates(server, report, name):
        if STRUCTURED:
            keeps_to_a_structure(server, report, name)
        if CALLS_TOOLS:
            calls_a_tool(server, report, name)
        long_context(server, report, name, length)
        at_once(server, report, "completions", "/v1/completions", lambda number: completion(name, f"{number}, two, three,", 16), AT_ONCE)
    print(f"{report.failures} wrong" if report.failures else "the server does what it must", flush=True)
    return int(report.failures > 0)


if __name__ == "__main__":
    sys.exit(main())
