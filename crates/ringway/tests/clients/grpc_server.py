"""A service that speaks gRPC on $PORT. Messages are bytes as they are: no generated code is needed."""

import os
import time
from concurrent.futures import ThreadPoolExecutor

import grpc


def say(request, context):
    if request == b"fail":
        context.abort(grpc.StatusCode.FAILED_PRECONDITION, "as you wished")
    if request == b"sleep":
        time.sleep(2)
    who = dict(context.invocation_metadata()).get("x-who", "nobody")
    context.set_trailing_metadata([("x-seen", who)])
    return request.upper()


def count(request, context):
    for number in range(int(request)):
        yield str(number).encode()


def join(requests, context):
    return b",".join(requests)


def echo(requests, context):
    yield from requests


handlers = {
    "Say": grpc.unary_unary_rpc_method_handler(say),
    "Count": grpc.unary_stream_rpc_method_handler(count),
    "Join": grpc.stream_unary_rpc_method_handler(join),
    "Echo": grpc.stream_stream_rpc_method_handler(echo),
}
server = grpc.server(ThreadPoolExecutor(16))
server.add_generic_rpc_handlers([grpc.method_handlers_generic_handler("chat.Chat", handlers)])
server.add_insecure_port(f"127.0.0.1:{os.environ['PORT']}")
server.start()
server.wait_for_termination()
