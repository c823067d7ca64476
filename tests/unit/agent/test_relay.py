"""HTTP through the endpoint: what the engine gets and what the client gets back."""

from __future__ import annotations

import json
import os
import socket
import threading

import pytest
from agent_process import Agent, until
from fake_engine import EngineConnection, FakeEngine, answer
from http_client import GET_INFO, Talk, chunked


@pytest.fixture
def talk(agent: Agent) -> Talk:
    return Talk(agent.connect())


def echo(connection: EngineConnection) -> None:
    """Answers with the body it got, chunked."""
    body = connection.read_until(b"0\r\n\r\n")
    connection.send(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n" + body)


def test_a_request_reaches_the_engine_and_its_answer_the_client(talk: Talk, engine: FakeEngine) -> None:
    engine.on("/info", answer(b'{"Name":"x"}', extra=b"Api-Version: 1.41\r\n"))
    got = talk.ask(b"GET /info?all=1 HTTP/1.1\r\nHost: web1\r\nX-Registry-Auth: abc\r\n\r\n")
    assert (got.status, got.body, got.headers["api-version"]) == (200, b'{"Name":"x"}', "1.41")
    head = engine.wait_for().head
    assert head.startswith(b"GET /info?all=1 HTTP/1.1\r\n")
    assert b"X-Registry-Auth: abc" in head


def test_a_connection_serves_many_requests_and_each_gets_its_own_engine_connection(
    talk: Talk, engine: FakeEngine
) -> None:
    engine.on("/info", answer(b"x"))
    for _ in range(3):
        assert talk.ask(GET_INFO).body == b"x"
    assert len(engine.connections) == 3


def test_pipelined_requests_are_answered_in_order(talk: Talk, engine: FakeEngine) -> None:
    engine.on("/a", answer(b"A"))
    engine.on("/b", answer(b"B"))
    request = b"GET %s HTTP/1.1\r\nHost: x\r\n\r\n"
    talk.sock.sendall(b"".join(request % path for path in (b"/a", b"/agent/v1/health", b"/b", b"/agent/v1/facts") * 20))
    for _ in range(20):
        assert talk.answer().body == b"A"
        assert json.loads(talk.answer().body)["engine"]["state"] == "up"
        assert talk.answer().body == b"B"
        assert "kernel" in json.loads(talk.answer().body)


def test_head_has_the_length_and_no_body(talk: Talk, engine: FakeEngine) -> None:
    engine.on("/info", answer(b"12345"))
    got = talk.ask(GET_INFO.replace(b"GET", b"HEAD"), "HEAD")
    assert (got.status, got.headers["content-length"], got.body) == (200, "5", b"")
    assert talk.ask(GET_INFO).body == b"12345"


def test_chunked_bodies_and_trailers_pass_both_ways(talk: Talk, engine: FakeEngine) -> None:
    def handler(connection: EngineConnection) -> None:
        assert connection.read_until(b"\r\n\r\n").endswith(b"0\r\nX-Sum: 1\r\n\r\n")
        connection.send(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\nTrailer: X-End\r\n\r\n")
        connection.send(chunked(b"one", b"two", trailers=b"X-End: 2\r\n"))

    engine.on("/load", handler)
    got = talk.ask(
        b"POST /load HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n"
        + chunked(b"abc", b"def", trailers=b"X-Sum: 1\r\n"),
        "POST",
    )
    assert (got.status, got.body, got.trailers) == (200, b"onetwo", {"x-end": "2"})


@pytest.mark.parametrize("size", [1, 16_384, 262_144, 3_000_001])
def test_a_body_arrives_as_it_was_sent(talk: Talk, engine: FakeEngine, size: int) -> None:
    data = os.urandom(size)
    received: list[bytes] = []

    def handler(connection: EngineConnection) -> None:
        body = b""
        while len(body) < size:
            body += connection.read_more()
        received.append(body)
        answer(body)(connection)

    engine.on("/put", handler)
    request = b"PUT /put HTTP/1.1\r\nHost: x\r\nContent-Length: %d\r\n\r\n%s" % (size, data)
    assert talk.ask(request, "PUT").body == data
    assert received == [data]


def test_a_large_chunked_body_arrives_as_it_was_sent(talk: Talk, engine: FakeEngine) -> None:
    data = os.urandom(1_000_003)
    engine.on("/echo", echo)
    pieces = [data[at : at + 32_768] for at in range(0, len(data), 32_768)]
    request = b"POST /echo HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n" + chunked(*pieces)
    assert talk.ask(request, "POST").body == data


def test_the_client_waits_for_100_and_the_engine_gives_it(talk: Talk, engine: FakeEngine) -> None:
    def handler(connection: EngineConnection) -> None:
        connection.send(b"HTTP/1.1 100 Continue\r\n\r\n")
        answer(connection.read_more())(connection)

    engine.on("/build", handler)
    talk.sock.sendall(b"POST /build HTTP/1.1\r\nHost: x\r\nExpect: 100-continue\r\nContent-Length: 4\r\n\r\n")
    assert talk.sock.recv(100).startswith(b"HTTP/1.1 100 ")
    talk.sock.sendall(b"body")
    assert talk.answer("POST").body == b"body"


def test_a_refusal_instead_of_100_reaches_the_client_and_ends_the_connection(talk: Talk, engine: FakeEngine) -> None:
    engine.on("/build", answer(b"no", status=b"403 Forbidden"))
    got = talk.ask(b"POST /build HTTP/1.1\r\nHost: x\r\nExpect: 100-continue\r\nContent-Length: 4\r\n\r\n", "POST")
    assert (got.status, got.body) == (403, b"no")
    assert talk.at_end()


def test_a_response_without_length_ends_with_the_engines_connection(talk: Talk, engine: FakeEngine) -> None:
    engine.on("/old", lambda connection: connection.send(b"HTTP/1.0 200 OK\r\n\r\nuntil the end"))
    got = talk.ask(b"GET /old HTTP/1.1\r\nHost: x\r\n\r\n")
    assert got.body == b"until the end"
    assert talk.ask(b"GET /old HTTP/1.1\r\nHost: x\r\n\r\n").body == b"until the end"


def test_a_client_of_http_1_0_gets_plain_bytes_and_the_end(talk: Talk, engine: FakeEngine) -> None:
    engine.on(
        "/s", lambda c: c.send(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n" + chunked(b"some", b"thing"))
    )
    talk.sock.sendall(b"GET /s HTTP/1.0\r\n\r\n")
    data = b""
    while piece := talk.sock.recv(1000):
        data += piece
    assert data.endswith(b"\r\n\r\nsomething")
    assert b"chunked" not in data.lower()


def test_an_answer_flows_while_the_request_still_comes(talk: Talk, engine: FakeEngine) -> None:
    def handler(connection: EngineConnection) -> None:
        connection.send(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nfirst\r\n")
        connection.read_until(b"0\r\n\r\n")
        connection.send(b"4\r\nlast\r\n0\r\n\r\n")

    engine.on("/load", handler)
    talk.sock.sendall(b"POST /load HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n")
    data = b""
    while b"first" not in data:
        data += talk.sock.recv(1000)
    talk.sock.sendall(b"0\r\n\r\n")
    while not data.endswith(b"0\r\n\r\n"):
        data += talk.sock.recv(1000)
    assert b"last" in data


def test_what_concerns_one_hop_is_not_passed_on(talk: Talk, engine: FakeEngine) -> None:
    engine.on("/info", answer(b"x", extra=b"Connection: close, X-Hop\r\nX-Hop: 1\r\nKeep-Alive: timeout=5\r\n"))
    got = talk.ask(
        b"GET /info HTTP/1.1\r\nHost: x\r\nConnection: keep-alive, X-Mine\r\nX-Mine: 1\r\nTE: trailers\r\n\r\n"
    )
    head = engine.wait_for().head.lower()
    assert b"x-mine" not in head
    assert b"te:" not in head
    assert head.count(b"connection: close") == 1
    assert not {"x-hop", "keep-alive", "connection"} & set(got.headers)
    assert talk.ask(GET_INFO).status == 200


def test_an_engine_that_is_down_is_a_503_in_dockers_words_and_not_the_end(agent: Agent, engine: FakeEngine) -> None:
    engine.stop()
    talk = Talk(agent.connect())
    got = talk.ask(GET_INFO)
    assert got.status == 503
    assert "is not running" in json.loads(got.body)["message"]
    assert talk.ask(GET_INFO.replace(b"GET", b"HEAD"), "HEAD").status == 503
    engine.start()
    engine.on("/info", answer(b"back"))
    assert talk.ask(GET_INFO).body == b"back"


def test_an_upload_to_an_engine_that_is_down_is_answered_without_waiting_for_it(
    agent: Agent, engine: FakeEngine
) -> None:
    engine.stop()
    talk = Talk(agent.connect())
    got = talk.ask(b"POST /load HTTP/1.1\r\nHost: x\r\nContent-Length: 1000000000\r\n\r\nabc", "POST")
    assert (got.status, got.headers["connection"]) == (503, "close")
    assert talk.at_end()


def test_an_engine_that_breaks_off_before_its_answer_is_a_502(talk: Talk, engine: FakeEngine) -> None:
    engine.on("/info", lambda connection: None)
    assert talk.ask(GET_INFO).status == 502
    engine.on("/info", answer(b"x"))
    assert talk.ask(GET_INFO).status == 200


def read_to_the_end(talk: Talk, received: list[bytes]) -> None:
    while piece := talk.sock.recv(1000):
        received.append(piece)


@pytest.mark.parametrize(
    "half",
    [b"Content-Length: 100\r\n\r\nhalf", b"Transfer-Encoding: chunked\r\n\r\n64\r\nhalf"],
    ids=["length", "chunks"],
)
def test_half_a_response_is_never_taken_for_a_whole_one(talk: Talk, engine: FakeEngine, half: bytes) -> None:
    engine.on("/info", lambda connection: connection.send(b"HTTP/1.1 200 OK\r\n" + half))
    talk.sock.sendall(GET_INFO)
    received: list[bytes] = []
    with pytest.raises(OSError, match=r"EOF|reset"):  # no close_notify: the client sees that it was cut
        read_to_the_end(talk, received)
    assert b"half" in b"".join(received)


def test_an_engine_that_rejects_an_upload_half_way_is_heard(talk: Talk, engine: FakeEngine) -> None:
    def handler(connection: EngineConnection) -> None:
        answer(b"too much", status=b"413 Too Large")(connection)  # and closes, with most of it unread

    engine.on("/load", handler)
    request = b"POST /load HTTP/1.1\r\nHost: x\r\nContent-Length: 50000000\r\n\r\n"
    assert talk.ask(request + bytes(3_000_000), "POST").status == 413


def test_a_client_that_vanishes_ends_its_stream_at_the_engine(agent: Agent, engine: FakeEngine) -> None:
    def logs(connection: EngineConnection) -> None:
        connection.send(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nlog\r\n")
        connection.read_all()

    engine.on("/logs", logs)
    client = agent.connect()
    client.sendall(b"GET /logs?follow=1 HTTP/1.1\r\nHost: x\r\n\r\n")
    client.recv(1000)
    socket.socket(fileno=client.detach()).close()  # killed: no close_notify
    assert engine.wait_for().ended.wait(5)


def test_a_client_that_closes_properly_ends_its_stream_too(agent: Agent, engine: FakeEngine) -> None:
    def logs(connection: EngineConnection) -> None:
        connection.send(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nlog\r\n")
        connection.read_all()

    engine.on("/logs", logs)
    client = agent.connect()
    client.sendall(b"GET /logs?follow=1 HTTP/1.1\r\nHost: x\r\n\r\n")
    client.recv(1000)
    client.settimeout(0.01)
    with pytest.raises(OSError, match="timed out"):
        client.unwrap()  # close_notify; the agent's own does not come
    client.close()
    assert engine.wait_for().ended.wait(5)


def test_every_descriptor_comes_back(agent: Agent, engine: FakeEngine) -> None:
    engine.on("/info", answer(b"x"))
    before = agent.descriptors()
    clients = [agent.connect() for _ in range(20)]
    for client in clients:
        assert Talk(client).ask(GET_INFO).status == 200
    for client in clients:
        client.close()
    until(lambda: agent.descriptors() == before)


def test_health_and_facts_are_the_agents_own(agent: Agent, engine: FakeEngine) -> None:
    talk = Talk(agent.connect())
    health = json.loads(talk.ask(b"GET /agent/v1/health HTTP/1.1\r\nHost: x\r\n\r\n").body)
    assert (health["machine"], health["engine"]["state"]) == ("web1", "up")
    assert health["started"] <= health["now"]
    assert [connection.head.split(b" ")[1] for connection in engine.connections] == [b"/_ping"]
    engine.stop()
    health = json.loads(talk.ask(b"GET /agent/v1/health HTTP/1.1\r\nHost: x\r\n\r\n").body)
    assert (health["engine"]["state"], health["engine"]["detail"]) == ("down", "no such file or directory")
    assert json.loads(talk.ask(b"GET /agent/v1/facts HTTP/1.1\r\nHost: x\r\n\r\n").body)["cpus"] > 0


def test_what_the_agent_does_not_have_is_404_and_what_would_change_it_405(agent: Agent, engine: FakeEngine) -> None:
    talk = Talk(agent.connect())
    for path in (b"/agent", b"/agent/", b"/agent/v1/secrets", b"/agent/v2/health"):
        assert talk.ask(b"GET %s HTTP/1.1\r\nHost: x\r\n\r\n" % path).status == 404
    got = talk.ask(b"POST /agent/v1/health HTTP/1.1\r\nHost: x\r\nContent-Length: 2\r\n\r\n{}", "POST")
    assert (got.status, got.headers["allow"]) == (405, "GET")
    assert all(connection.head.startswith(b"GET /_ping") for connection in engine.connections)


SMUGGLED = b"GET /secret HTTP/1.1\r\nHost: x\r\n\r\n"


@pytest.mark.parametrize(
    "request_bytes",
    [
        b"POST /info HTTP/1.1\r\nHost: x\r\nContent-Length: 4\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n"
        + SMUGGLED,
        b"POST /info HTTP/1.1\r\nHost: x\r\nContent-Length: 0\r\nContent-Length: 34\r\n\r\n" + SMUGGLED,
        b"POST /info HTTP/1.1\r\nHost: x\r\nContent-Length: 0, 34\r\n\r\n" + SMUGGLED,
        b"POST /info HTTP/1.1\r\nHost: x\r\nContent-Length: +5\r\n\r\n" + SMUGGLED,
        b"POST /info HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked, identity\r\n\r\n0\r\n\r\n" + SMUGGLED,
        b"POST /info HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: \x0bchunked\r\n\r\n0\r\n\r\n" + SMUGGLED,
        b"POST /info HTTP/1.1\r\nHost: x\r\nTransfer-Encoding : chunked\r\n\r\n0\r\n\r\n" + SMUGGLED,
        b"POST /info HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\nTransfer-Encoding: x\r\n\r\n0\r\n\r\n"
        + SMUGGLED,
        b"POST /info HTTP/1.0\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n" + SMUGGLED,
        b"GET /info HTTP/1.1\r\nHost: x\r\nHost: y\r\n\r\n",
        b"GET /info HTTP/1.1\r\n\r\n",
        b"GET /info HTTP/1.1\r\n Host: x\r\n\r\n",
        b"GET http://x/info HTTP/1.1\r\nHost: x\r\n\r\n",
        b"CONNECT x:80 HTTP/1.1\r\nHost: x\r\n\r\n",
        b"GET /info HTTP/2.0\r\nHost: x\r\n\r\n",
        b"GET /in fo HTTP/1.1\r\nHost: x\r\n\r\n",
        b"GET /info HTTP/1.1\r\nHost: x\r\nX: a\x00b\r\n\r\n",
        b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n",
    ],
)
def test_what_two_programs_could_read_differently_is_refused_before_the_engine(
    talk: Talk, engine: FakeEngine, request_bytes: bytes
) -> None:
    got = talk.ask(request_bytes)
    assert got.status in (400, 501)
    assert "message" in json.loads(got.body)
    assert talk.at_end()
    assert engine.connections == []


@pytest.mark.parametrize(
    "body",
    [
        b"5\r\nabcde0\r\n\r\n",
        b"5\r\nabcdeXX0\r\n\r\n",
        b"g\r\n",
        b"-1\r\n",
        b"0x5\r\nabcde\r\n0\r\n\r\n",
        b"5;\nabcde\r\n",
    ],
)
def test_a_bad_chunk_never_becomes_a_complete_request(talk: Talk, engine: FakeEngine, body: bytes) -> None:
    seen: list[bytes] = []
    ended = threading.Event()

    def handler(connection: EngineConnection) -> None:
        seen.append(connection.read_all())
        ended.set()

    engine.on("/load", handler)
    talk.sock.sendall(b"POST /load HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n")
    engine.wait_for()
    assert talk.ask(body + SMUGGLED, "POST").status == 400
    assert ended.wait(5)
    assert b"0\r\n\r\n" not in seen[0]
    assert len(engine.connections) == 1


def test_a_folded_header_reaches_the_engine_unfolded(talk: Talk, engine: FakeEngine) -> None:
    engine.on("/info", answer(b"x"))
    talk.ask(b"GET /info HTTP/1.1\r\nHost: x\r\nX-Long: one\r\n two\r\nX-Next: 3\r\n\r\n")
    assert b"X-Long: one two\r\n" in engine.wait_for().head


def test_chunk_extensions_are_not_passed_on(talk: Talk, engine: FakeEngine) -> None:
    engine.on("/echo", echo)
    talk.ask(
        b"POST /echo HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n5;a=b\r\nhello\r\n0;c=d\r\n\r\n", "POST"
    )
    head = engine.wait_for()
    assert b"a=b" not in head.head + head.rest


def test_a_head_without_end_is_refused(talk: Talk, engine: FakeEngine) -> None:
    got = talk.ask(b"GET /info HTTP/1.1\r\nHost: x\r\nX: " + b"a" * 400_000)
    assert got.status == 431
    assert engine.connections == []


def test_framing_headers_cannot_be_removed_by_naming_them(talk: Talk, engine: FakeEngine) -> None:
    engine.on("/put", lambda connection: answer(connection.read_more())(connection))
    got = talk.ask(
        b"PUT /put HTTP/1.1\r\nHost: x\r\nConnection: content-length, host\r\nContent-Length: 4\r\n\r\nbody", "PUT"
    )
    assert got.body == b"body"
    head = engine.wait_for().head.lower()
    assert b"content-length: 4" in head
    assert b"host: x" in head
