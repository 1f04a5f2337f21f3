"""gRPC through every node of NODES: one answer, streams in each direction and in both, errors, deadlines, metadata."""

import os
import sys
import threading

import grpc

HOST = ("grpc.default_authority", "chat.localhost")
IDENTITY = {"request_serializer": None, "response_deserializer": None}
faults = []


def expect(what, got, wanted):
    if got != wanted:
        faults.append(f"{what}: {got!r} instead of {wanted!r}")


def failure(call):
    try:
        call()
    except grpc.RpcError as error:
        return error
    raise AssertionError("it did not fail")


for address in os.environ["NODES"].split():
    with grpc.insecure_channel(address, options=[HOST]) as channel:
        say = channel.unary_unary("/chat.Chat/Say", **IDENTITY)
        answer, call = say.with_call(b"hello", metadata=[("x-who", "me")], timeout=20)
        expect("an answer", answer, b"HELLO")
        expect("its trailing metadata", dict(call.trailing_metadata()).get("x-seen"), "me")
        large = b"x" * 3_000_000
        expect("a large answer", say(large, timeout=20), large.upper())

        error = failure(lambda: say(b"fail", timeout=20))
        expect("an error's code", error.code(), grpc.StatusCode.FAILED_PRECONDITION)
        expect("an error's words", error.details(), "as you wished")
        expect("a method that is not there", failure(lambda: channel.unary_unary("/chat.Chat/No", **IDENTITY)(b"", timeout=20)).code(), grpc.StatusCode.UNIMPLEMENTED)
        expect("a deadline", failure(lambda: say(b"sleep", timeout=0.3)).code(), grpc.StatusCode.DEADLINE_EXCEEDED)

        count = channel.unary_stream("/chat.Chat/Count", **IDENTITY)
        expect("a stream of answers", [int(one) for one in count(b"200", timeout=20)], list(range(200)))
        join = channel.stream_unary("/chat.Chat/Join", **IDENTITY)
        expect("a stream of requests", join(iter([b"a", b"b", b"c"]), timeout=20), b"a,b,c")

        # Each answer is waited for before the next request is sent: nothing may be held back on the way.
        turn, said = threading.Semaphore(1), []

        def requests():
            for number in range(20):
                turn.acquire()
                yield str(number).encode()

        for one in channel.stream_stream("/chat.Chat/Echo", **IDENTITY)(requests(), timeout=20):
            said.append(int(one))
            turn.release()
        expect("a talk", said, list(range(20)))

print("\n".join(faults) or "fine")
sys.exit(bool(faults))
